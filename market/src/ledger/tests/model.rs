//! Random operations against a naive model that shares no code with the ledger: after every step both
//! agree on what was refused and on every balance, and the invariants of the ledger hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const PEOPLE: u8 = 4;
const OPERATORS: u8 = 3;
/// What a delegation of the model lets its rig lock in all.
const CAP: u64 = 6_000_000_000;
/// The ends of delegations and the marks of revocations, so that they meet.
const ENDS_EVERY_MS: u64 = 30_000;

#[derive(Debug, Clone)]
enum Move {
    Wait {
        ms: u64,
    },
    Transfer {
        from: u8,
        to: u8,
        amount: u64,
        by: u8,
    },
    Issue {
        to: u8,
        amount: u64,
        keys: u8,
    },
    Redeem {
        from: u8,
        amount: u64,
        keys: u8,
        by: u8,
    },
    Open {
        payer: u8,
        payee: u8,
        deposit: u64,
        nonce: u64,
        life_ms: u64,
        countersigned: bool,
        /// How many ends away that of the delegation is under which the payer's rig signs; by its account's key if none.
        rig: Option<u64>,
    },
    Claim {
        channel: usize,
        total: u64,
        by: u8,
    },
    CoopClose {
        channel: usize,
        total: Option<u64>,
        by: u8,
    },
    PayerClose {
        channel: usize,
        total: u64,
        by: u8,
    },
    Replay {
        which: usize,
    },
    SetOperators {
        to: u8,
        by: u8,
        both: bool,
    },
    Revoke {
        account: u8,
        ends: u64,
        by: u8,
    },
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1..3 * MINIMUM,
        MINIMUM..3_000_000_000,
        3_000_000_000..20_000_000_000u64,
    ]
}

fn moves() -> impl Strategy<Value = Move> {
    let who = 0..PEOPLE;
    let total = prop_oneof![0..40 * TICK, 0..2_000 * TICK];
    let channel = 0usize..12;
    let signer = 0..4 * PEOPLE;
    prop_oneof![
        2 => (1u64..40_000).prop_map(|ms| Move::Wait { ms }),
        3 => (who.clone(), who.clone(), amounts(), who.clone(), 0..4u8).prop_map(
            |(from, to, amount, by, honest)| {
                let by = if honest > 0 { from } else { by };
                Move::Transfer { from, to, amount, by }
            }
        ),
        1 => (who.clone(), amounts(), 1..4u8)
            .prop_map(|(to, amount, keys)| Move::Issue { to, amount, keys }),
        1 => (who.clone(), amounts(), 1..4u8, who.clone())
            .prop_map(|(from, amount, keys, by)| Move::Redeem { from, amount, keys, by }),
        4 => (
            who.clone(), who.clone(), amounts(), 0u64..40, 0u64..90_000, 0..8u8,
            prop::option::of(0u64..4),
        ).prop_map(
            |(payer, payee, deposit, nonce, life_ms, countersigned, rig)| Move::Open {
                payer, payee, deposit, nonce, life_ms, countersigned: countersigned > 0, rig,
            }
        ),
        2 => (who.clone(), 0u64..4, 0..4 * PEOPLE)
            .prop_map(|(account, ends, by)| Move::Revoke { account, ends, by }),
        5 => (channel.clone(), total.clone(), signer.clone())
            .prop_map(|(channel, total, by)| Move::Claim { channel, total, by }),
        1 => (channel.clone(), prop::option::of(total.clone()), signer.clone())
            .prop_map(|(channel, total, by)| Move::CoopClose { channel, total, by }),
        1 => (channel, total, signer)
            .prop_map(|(channel, total, by)| Move::PayerClose { channel, total, by }),
        1 => (0usize..400).prop_map(|which| Move::Replay { which }),
        1 => (0..OPERATORS, 0..3 * OPERATORS, 0..4u8).prop_map(|(to, by, both)| {
            Move::SetOperators { to, by, both: both > 0 }
        }),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct Escrow {
    id: ChannelId,
    payer: u8,
    payee: u8,
    by_rig: bool,
    deposit: u64,
    claimed: u64,
    expires_ms: u64,
    free_at_ms: u64,
    state: ChannelState,
}

/// Everything that the ledger should hold, in plain numbers.
#[derive(Debug, Default)]
struct Naive {
    balances: BTreeMap<u8, u64>,
    escrows: Vec<Escrow>,
    nonces: BTreeSet<(u8, u64)>,
    fees: u64,
    issued: u64,
    redeemed: u64,
    operator: u8,
    /// What the deposits under each payer's delegation of each end add up to.
    spent: BTreeMap<(u8, u64), u64>,
    /// Up to which end each account has revoked its rig.
    revoked_ms: BTreeMap<u8, u64>,
    now_ms: u64,
    uptime_ms: u64,
}

impl Naive {
    fn has(&self, who: u8) -> u64 {
        self.balances.get(&who).copied().unwrap_or(0)
    }

    fn add(&mut self, who: u8, amount: u64) {
        *self.balances.entry(who).or_default() += amount;
    }

    fn tick(&mut self, ms: u64) {
        self.now_ms += ms;
        self.uptime_ms += ms.min(10_000);
        let deadline_ms = self.uptime_ms + CHALLENGE_MS;
        for index in 0..self.escrows.len() {
            let escrow = self.escrows[index].clone();
            match escrow.state {
                ChannelState::Closing { deadline_ms } if deadline_ms <= self.uptime_ms => {
                    self.refund(index);
                }
                ChannelState::Open if escrow.expires_ms <= self.now_ms => {
                    self.escrows[index].state = ChannelState::Closing { deadline_ms };
                }
                _ => {}
            }
        }
    }

    fn refund(&mut self, index: usize) {
        let escrow = self.escrows[index].clone();
        self.add(escrow.payer, escrow.deposit - escrow.claimed);
        self.escrows[index].state = ChannelState::Closed;
    }

    fn pay(&mut self, index: usize, total: u64, flat: u64) -> bool {
        let escrow = self.escrows[index].clone();
        let share = total / 100 - escrow.claimed / 100;
        let Some(net) = (total - escrow.claimed - share).checked_sub(flat) else {
            return false;
        };
        self.add(escrow.payee, net);
        self.fees += share + flat;
        self.escrows[index].claimed = total;
        true
    }

    fn legal(balance: u64) -> bool {
        balance == 0 || balance >= MINIMUM
    }

    fn transfer(&mut self, from: u8, to: u8, amount: u64) -> bool {
        let (have, cost) = (self.has(from), amount + TRANSFER_FEE);
        let fine = amount > 0
            && from != to
            && have >= cost
            && Self::legal(have - cost)
            && Self::legal(self.has(to) + amount);
        if fine {
            self.balances.insert(from, have - cost);
            self.add(to, amount);
            self.fees += TRANSFER_FEE;
        }
        fine
    }

    fn issue(&mut self, to: u8, amount: u64, keys: u8) -> bool {
        let fine = keys >= 2
            && amount > 0
            && self.issued + amount <= 1_000_000_000_000
            && Self::legal(self.has(to) + amount);
        if fine {
            self.issued += amount;
            self.add(to, amount);
        }
        fine
    }

    fn redeem(&mut self, from: u8, amount: u64, keys: u8) -> bool {
        let have = self.has(from);
        let fine = keys >= 2 && amount > 0 && have >= amount && Self::legal(have - amount);
        if fine {
            self.balances.insert(from, have - amount);
            self.redeemed += amount;
        }
        fine
    }

    fn open(&mut self, escrow: Escrow, nonce: u64) -> bool {
        let (have, cost) = (self.has(escrow.payer), escrow.deposit + OPEN_FEE);
        let fine = escrow.payer != escrow.payee
            && escrow.deposit >= TICK
            && escrow.expires_ms > self.now_ms
            && have >= cost
            && Self::legal(have - cost)
            && self.nonces.insert((escrow.payer, nonce));
        if fine {
            self.balances.insert(escrow.payer, have - cost);
            self.fees += OPEN_FEE;
            self.escrows.push(escrow);
            self.pay(self.escrows.len() - 1, TICK, 0);
        }
        fine
    }

    /// Opens by the payer's rig, under its delegation that ends at `ends_ms`.
    fn open_by_rig(&mut self, escrow: Escrow, nonce: u64, ends_ms: u64) -> bool {
        let (payer, deposit) = (escrow.payer, escrow.deposit);
        let spent = self.spent.get(&(payer, ends_ms)).copied().unwrap_or(0);
        let revoked_ms = self.revoked_ms.get(&payer).copied().unwrap_or(0);
        let fine = self.now_ms < ends_ms
            && revoked_ms < ends_ms
            && spent + deposit <= CAP
            && self.open(escrow, nonce);
        if fine {
            self.spent.insert((payer, ends_ms), spent + deposit);
        }
        fine
    }

    fn revoke(&mut self, account: u8, until_ms: u64, by: u8) -> bool {
        let have = self.has(account);
        let revoked_ms = self.revoked_ms.get(&account).copied().unwrap_or(0);
        let fine = by == account
            && until_ms > self.now_ms
            && until_ms > revoked_ms
            && have >= TRANSFER_FEE
            && Self::legal(have - TRANSFER_FEE);
        if fine {
            self.balances.insert(account, have - TRANSFER_FEE);
            self.fees += TRANSFER_FEE;
            self.revoked_ms.insert(account, until_ms);
        }
        fine
    }

    fn set_operators(&mut self, to: u8, by: u8, both: bool) -> bool {
        let fine = to != self.operator && by == self.operator && both;
        if fine {
            self.operator = to;
        }
        fine
    }

    fn claim(&mut self, index: usize, total: u64, by: u8) -> bool {
        let escrow = self.escrows[index].clone();
        let is_open = escrow.state == ChannelState::Open;
        let is_early = is_open && self.uptime_ms < escrow.free_at_ms;
        let fine = escrow.state != ChannelState::Closed
            && total > escrow.claimed
            && total <= escrow.deposit
            && (!is_early || by == escrow.payee)
            && self.pay(index, total, if is_early { TRANSFER_FEE } else { 0 });
        if fine && !is_early {
            self.escrows[index].free_at_ms = self.uptime_ms + 600_000;
        }
        fine
    }

    fn coop_close(&mut self, index: usize, total: Option<u64>, by: u8) -> bool {
        let escrow = self.escrows[index].clone();
        let total = total.unwrap_or(0).max(escrow.claimed);
        let fine =
            escrow.state != ChannelState::Closed && by == escrow.payee && total <= escrow.deposit;
        if fine {
            self.pay(index, total, 0);
            self.refund(index);
        }
        fine
    }

    fn payer_close(&mut self, index: usize, total: u64, by: u8) -> bool {
        let escrow = self.escrows[index].clone();
        let fine = escrow.state == ChannelState::Open
            && by == escrow.payer
            && (escrow.claimed..=escrow.deposit).contains(&total);
        if fine {
            self.pay(index, total, 0);
            self.escrows[index].state = ChannelState::Closing {
                deadline_ms: self.uptime_ms + CHALLENGE_MS,
            };
        }
        fine
    }
}

/// The ledger and its model, side by side.
struct Pair {
    world: World,
    naive: Naive,
    sent: Vec<SignedTransaction>,
    landed: BTreeSet<crate::ids::TxId>,
}

fn person(index: u8) -> SecretKey {
    key(index + 1)
}

fn rig_of(index: u8) -> SecretKey {
    key(index + 31)
}

/// The time that a number of ends lie ahead.
fn end_after(now_ms: u64, ends: u64) -> u64 {
    (now_ms / ENDS_EVERY_MS + ends) * ENDS_EVERY_MS
}

fn hand_over(to: u8, by: u8, both: bool) -> (Operation, Vec<SecretKey>) {
    let operators = vec![operator_key(to).node()];
    let mut keys = vec![operator_key(by)];
    keys.extend((both && to != by).then(|| operator_key(to)));
    (Operation::SetOperators { operators }, keys)
}

impl Pair {
    fn new() -> Self {
        Self {
            world: World::empty(),
            naive: Naive {
                now_ms: START_MS,
                ..Naive::default()
            },
            sent: Vec::new(),
            landed: BTreeSet::new(),
        }
    }

    fn step(&mut self, wanted: &Move) {
        let before: Vec<ChannelRecord> = self.world.state.channels().cloned().collect();
        let supply = self.world.state.supply();
        match wanted {
            Move::Wait { ms } => {
                self.naive.tick(*ms);
                self.world.block_after(*ms, &[]);
            }
            Move::Replay { which } => self.replay(*which),
            _ => self.operate(wanted),
        }
        self.compare();
        for old in before {
            let new = self.world.record(old.id);
            assert!(new.claimed >= old.claimed && new.sequence >= old.sequence);
            assert!(new.claimed <= new.deposit && new.is_sound());
            if old.state == ChannelState::Closed {
                assert_eq!((new, new.balance), (&old, Amount::ZERO));
            }
        }
        if !matches!(
            wanted,
            Move::Issue { .. } | Move::Redeem { .. } | Move::Replay { .. }
        ) {
            assert_eq!(
                self.world.state.supply().outstanding(),
                supply.outstanding()
            );
        }
    }

    /// Sends an old transaction again: it must never apply twice.
    fn replay(&mut self, which: usize) {
        let chain = *self.world.state.chain();
        let landed: Vec<&SignedTransaction> = self
            .sent
            .iter()
            .filter(|signed| self.landed.contains(&signed.id(&chain)))
            .collect();
        if landed.is_empty() {
            return;
        }
        let signed = landed[which % landed.len()].clone();
        self.naive.tick(1_000);
        let id = signed.id(&chain);
        let refused = self.world.block(std::slice::from_ref(&signed));
        assert_eq!(refused, [Rejected::AlreadyApplied { id }]);
    }

    /// Replaces a signer who is nobody by the party that may sign.
    fn resolve(&self, wanted: &Move) -> Move {
        let mut resolved = wanted.clone();
        match &mut resolved {
            Move::Claim { channel, by, .. } | Move::CoopClose { channel, by, .. }
                if *by >= PEOPLE =>
            {
                *by = self.escrow(*channel).map_or(0, |(_, escrow)| escrow.payee);
            }
            Move::PayerClose { channel, by, .. } if *by >= PEOPLE => {
                *by = self.escrow(*channel).map_or(0, |(_, escrow)| escrow.payer);
            }
            Move::SetOperators { by, .. } if *by >= OPERATORS => *by = self.naive.operator,
            Move::Revoke { account, by, .. } if *by >= PEOPLE => *by = *account,
            _ => {}
        }
        resolved
    }

    fn operate(&mut self, wanted: &Move) {
        let wanted = &self.resolve(wanted);
        let Some((operation, keys)) = self.operation(wanted) else {
            return;
        };
        let opened_ms = self.naive.now_ms;
        self.naive.tick(1_000);
        let fine = self.predict(wanted, &operation, opened_ms);
        let keys: Vec<&SecretKey> = keys.iter().collect();
        let mut signed = self.world.signed(operation, &keys);
        if let Move::Open {
            payer,
            rig: Some(ends),
            ..
        } = *wanted
        {
            let ends_ms = end_after(opened_ms, ends);
            signed = signed.with_delegation(self.delegation(payer, ends_ms));
        }
        let result = self.world.block(std::slice::from_ref(&signed)).pop();
        assert_eq!(result.is_none(), fine, "{wanted:?}: {result:?}");
        if fine {
            self.landed.insert(signed.id(self.world.state.chain()));
        }
        self.sent.push(signed);
    }

    fn delegation(&self, payer: u8, ends_ms: u64) -> Signed<Delegation> {
        let delegation = Delegation {
            account: person(payer).account(),
            node: rig_of(payer).node(),
            permission: Permission::Buy,
            spend_cap: nano(CAP),
            expires_at: Timestamp::from_millis(ends_ms),
        };
        Signed::sign(&delegation, &person(payer), self.world.state.chain())
    }

    fn escrow(&self, channel: usize) -> Option<(usize, Escrow)> {
        let index = channel.checked_rem(self.naive.escrows.len())?;
        Some((index, self.naive.escrows[index].clone()))
    }

    /// Returns the operation of a move and who signs it, or `None` when no channel is there yet.
    fn operation(&mut self, wanted: &Move) -> Option<(Operation, Vec<SecretKey>)> {
        let treasury = |keys: u8| (0..keys).map(|n| key(201 + n)).collect::<Vec<_>>();
        let account = |index: u8| person(index).account();
        Some(match *wanted {
            Move::Wait { .. } | Move::Replay { .. } => return None,
            Move::Transfer {
                from,
                to,
                amount,
                by,
            } => (
                Operation::Transfer {
                    from: account(from),
                    to: account(to),
                    amount: nano(amount),
                    memo: Memo::default(),
                },
                vec![person(by)],
            ),
            Move::Issue { to, amount, keys } => {
                let (to, amount) = (account(to), nano(amount));
                (Operation::Issue { to, amount }, treasury(keys))
            }
            Move::Redeem {
                from,
                amount,
                keys,
                by,
            } => {
                let (from, amount) = (account(from), nano(amount));
                let keys = [treasury(keys), vec![person(by)]].concat();
                (Operation::Redeem { from, amount }, keys)
            }
            Move::Open { .. } => self.opening(wanted)?,
            Move::Claim { channel, total, by } => {
                let voucher = self.voucher(channel, total)?;
                (Operation::Claim { voucher }, vec![person(by)])
            }
            Move::CoopClose { channel, total, by } => {
                let voucher = total.and_then(|total| self.voucher(channel, total));
                let channel = self.escrow(channel)?.1.id;
                (Operation::CoopClose { channel, voucher }, vec![person(by)])
            }
            Move::PayerClose { channel, total, by } => {
                let operation = Operation::PayerClose {
                    channel: self.escrow(channel)?.1.id,
                    sequence: total,
                    cumulative: nano(total),
                };
                (operation, vec![person(by)])
            }
            Move::SetOperators { to, by, both } => hand_over(to, by, both),
            Move::Revoke { account, ends, by } => self.revocation(account, ends, by),
        })
    }

    fn opening(&mut self, wanted: &Move) -> Option<(Operation, Vec<SecretKey>)> {
        let Move::Open {
            payer,
            payee,
            deposit,
            nonce,
            life_ms,
            countersigned,
            rig,
        } = *wanted
        else {
            return None;
        };
        (self.world.payer, self.world.payee) = (person(payer), person(payee));
        let mut terms = self.world.terms();
        terms.deposit = nano(deposit);
        terms.payer_nonce = nonce;
        terms.expires_at = Timestamp::from_millis(self.naive.now_ms + life_ms);
        let payer_key = rig.map_or_else(|| person(payer), |_| rig_of(payer));
        terms.payer.node = payer_key.node();
        let mut keys = vec![payer_key];
        let is_other = payee != payer || rig.is_some();
        keys.extend((countersigned && is_other).then(|| person(payee)));
        Some((Operation::Open { terms }, keys))
    }

    fn revocation(&self, account: u8, ends: u64, by: u8) -> (Operation, Vec<SecretKey>) {
        let operation = Operation::Revoke {
            account: person(account).account(),
            node: rig_of(account).node(),
            until: Timestamp::from_millis(end_after(self.naive.now_ms, ends)),
        };
        (operation, vec![person(by)])
    }

    fn voucher(&mut self, channel: usize, total: u64) -> Option<Signed<Voucher>> {
        let (_, escrow) = self.escrow(channel)?;
        self.world.payer = match escrow.by_rig {
            true => rig_of(escrow.payer),
            false => person(escrow.payer),
        };
        Some(self.world.voucher(escrow.id, total, total))
    }

    fn predict(&mut self, wanted: &Move, operation: &Operation, opened_ms: u64) -> bool {
        let at = |channel: usize| channel % self.naive.escrows.len().max(1);
        match *wanted {
            Move::Wait { .. } | Move::Replay { .. } => false,
            Move::Transfer {
                from,
                to,
                amount,
                by,
            } => by == from && self.naive.transfer(from, to, amount),
            Move::Issue { to, amount, keys } => self.naive.issue(to, amount, keys),
            Move::Redeem {
                from,
                amount,
                keys,
                by,
            } => by == from && self.naive.redeem(from, amount, keys),
            Move::Open {
                payer,
                payee,
                deposit,
                nonce,
                life_ms,
                countersigned,
                rig,
            } => {
                let Operation::Open { terms } = operation else {
                    return false;
                };
                let escrow = Escrow {
                    id: terms.channel_id(self.world.state.chain()),
                    payer,
                    payee,
                    by_rig: rig.is_some(),
                    deposit,
                    claimed: 0,
                    expires_ms: opened_ms + life_ms,
                    free_at_ms: 0,
                    state: ChannelState::Open,
                };
                countersigned
                    && match rig.map(|ends| end_after(opened_ms, ends)) {
                        Some(ends_ms) => self.naive.open_by_rig(escrow, nonce, ends_ms),
                        None => self.naive.open(escrow, nonce),
                    }
            }
            Move::Claim { channel, total, by } => {
                let index = at(channel);
                self.naive.claim(index, total, by)
            }
            Move::CoopClose { channel, total, by } => {
                let index = at(channel);
                self.naive.coop_close(index, total, by)
            }
            Move::PayerClose { channel, total, by } => {
                let index = at(channel);
                self.naive.payer_close(index, total, by)
            }
            Move::SetOperators { to, by, both } => self.naive.set_operators(to, by, both),
            Move::Revoke { account, ends, by } => {
                let until_ms = end_after(opened_ms, ends);
                self.naive.revoke(account, until_ms, by)
            }
        }
    }

    fn compare(&self) {
        let (state, naive) = (&self.world.state, &self.naive);
        for index in 0..PEOPLE {
            let available = state.available(&person(index).account());
            assert_eq!(available.nanocredits(), naive.has(index), "person {index}");
            let revoked = state.leaf(&Key::revocation(
                &person(index).account(),
                &rig_of(index).node(),
            ));
            let revoked = revoked.and_then(Leaf::revoked_until);
            let revoked_ms = naive.revoked_ms.get(&index).copied();
            let lasting_ms = revoked_ms.filter(|until_ms| *until_ms > naive.now_ms);
            assert_eq!(revoked.map(|until| until.as_millis()), lasting_ms);
        }
        let supply = state.supply();
        assert_eq!(supply.fee_pool.nanocredits(), naive.fees);
        assert_eq!(supply.issued.nanocredits(), naive.issued);
        assert_eq!(supply.redeemed.nanocredits(), naive.redeemed);
        assert_eq!(state.tip().uptime_ms, naive.uptime_ms);
        let operator = operator_key(naive.operator).node();
        assert_eq!(state.operators(), [operator]);
        assert_eq!(state.channels().count(), naive.escrows.len());
        for escrow in &naive.escrows {
            let record = state.channel(&escrow.id).unwrap();
            assert_eq!(record.claimed.nanocredits(), escrow.claimed);
            assert_eq!(record.state, escrow.state);
        }
    }
}

/// Fifty runs, or fewer where `PROPTEST_CASES` says so.
fn few() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.min(50),
        ..default
    }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn random_operations_agree_with_the_model_and_the_log_replays(
        moves in prop::collection::vec(moves(), 150..250),
    ) {
        let mut pair = Pair::new();
        pair.step(&Move::Issue { to: 0, amount: 50_000_000_000, keys: 2 });
        pair.step(&Move::Issue { to: 1, amount: 50_000_000_000, keys: 3 });
        for wanted in &moves {
            pair.step(wanted);
        }
        let mut replayed = State::genesis(&genesis()).unwrap();
        let mut journal = Journal::default();
        let mut trusted = TrustedSet::genesis(&genesis());
        for block in &pair.world.log {
            let delta = verify_block(&replayed, block).unwrap();
            replayed.commit(delta).unwrap();
            prop_assert_eq!(trusted.check(&block.certified()), Ok(()));
            if let Some(epoch) = EpochProof::of(&replayed, &block.certified()) {
                trusted.advance(&epoch).unwrap();
            }
            for movement in block.movements() {
                journal.enter(movement).unwrap();
            }
            prop_assert!(journal.agrees_with(&replayed));
        }
        prop_assert_eq!(replayed.root(), pair.world.state.root());
        let tip = replayed.tip().clone();
        let leaves: Vec<Leaf> = replayed.leaves().cloned().collect();
        let restored = State::restore(&genesis(), tip, leaves).unwrap();
        prop_assert_eq!(restored.operators(), replayed.operators());
    }
}
