//! Nodes that act for accounts: within what was delegated, and never with a balance.

use super::*;

/// A market in which a rig buys for the payer and a desk sells for the payee.
struct Delegated {
    world: World,
    rig: SecretKey,
    desk: SecretKey,
    buy: Signed<Delegation>,
    sell: Signed<Delegation>,
}

impl Delegated {
    fn new() -> Self {
        let world = World::new();
        let (rig, desk) = (key(11), key(12));
        let chain = world.state.chain();
        let buy = world.delegate(&world.payer, rig.node(), Permission::Buy);
        let sell = world.delegate(&world.payee, desk.node(), Permission::Sell);
        let buy = Signed::sign(&buy, &world.payer, chain);
        let sell = Signed::sign(&sell, &world.payee, chain);
        Self {
            world,
            rig,
            desk,
            buy,
            sell,
        }
    }

    /// Opens a channel of 1 cr by the nodes' keys, with these delegations.
    fn open(
        &mut self,
        nonce: u64,
        delegations: &[&Signed<Delegation>],
    ) -> Result<TxReceipt, Rejected> {
        let mut terms = self.world.terms();
        (terms.payer.node, terms.payee.node) = (self.rig.node(), self.desk.node());
        terms.payer_nonce = nonce;
        let keys = [&self.rig, &self.desk];
        let signed = self.world.signed(Operation::Open { terms }, &keys);
        let signed = delegations
            .iter()
            .fold(signed, |signed, d| signed.with_delegation((*d).clone()));
        self.world.submit(&signed)
    }
}

#[test]
fn a_node_needs_the_delegation_of_its_own_account_and_act() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    let refused = |result, wanted| match result {
        Err(Rejected::Delegation { role, .. }) => assert_eq!(role, wanted),
        other => panic!("{other:?}"),
    };
    refused(market.open(1, &[]), Role::Payer);
    refused(market.open(1, &[&sell]), Role::Payer);
    refused(market.open(1, &[&buy]), Role::Payee);
    let world = &market.world;
    let wrong = world.delegate(&world.payer, market.rig.node(), Permission::Sell);
    let wrong = Signed::sign(&wrong, &world.payer, world.state.chain());
    refused(market.open(1, &[&wrong, &sell]), Role::Payer);
    assert!(market.open(1, &[&sell, &buy]).is_ok(), "in any order");
}

#[test]
fn deposits_under_a_delegation_add_up_to_its_cap_at_most() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    market.open(1, &[&buy, &sell]).unwrap();
    let refused = market.open(2, &[&buy, &sell]);
    let cap = Rejected::SpendCap {
        cap: nano(1_500_000_000),
        spent: credits(1),
        wanted: credits(1),
    };
    assert_eq!(refused, Err(cap));
}

#[test]
fn a_delegation_ends_and_is_then_forgotten() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    market.open(1, &[&buy, &sell]).unwrap();
    let spent = Key::Delegation(buy.id(market.world.state.chain()));
    assert!(market.world.state.leaf(&spent).is_some());
    market.world.pass(100_000);
    assert!(market.world.state.leaf(&spent).is_none());
    let refused = market.open(2, &[&buy, &sell]);
    assert!(matches!(refused, Err(Rejected::Delegation { .. })));
}

#[test]
fn only_the_payers_node_signs_vouchers_and_both_nodes_may_close() {
    let mut world = World::new();
    let (rig, desk) = (key(11), key(12));
    let mut terms = world.terms();
    (terms.payer.node, terms.payee.node) = (rig.node(), desk.node());
    let id = world.open(terms.clone()).unwrap();
    assert_eq!(
        world.claim(id, 2 * TICK),
        Err(Rejected::VoucherMismatch { channel: id }),
        "the account's key is not the voucher key here"
    );
    let by_rig = World {
        payer: rig.clone(),
        ..World::empty()
    };
    let voucher = by_rig.voucher(id, 1, 2 * TICK);
    let close = Operation::CoopClose {
        channel: id,
        voucher: Some(voucher),
    };
    world.act(close, &[&desk]).unwrap();
    terms.payer_nonce = 2;
    let id = world.open(terms).unwrap();
    let close = Operation::PayerClose {
        channel: id,
        sequence: 0,
        cumulative: nano(TICK),
    };
    world.act(close, &[&rig]).unwrap();
}

#[test]
fn a_leaked_node_key_moves_no_balance() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let rig = key(11);
    let chain = *world.state.chain();
    let delegation = world.delegate(&payer, rig.node(), Permission::SellAndBuy);
    let operation = Operation::Transfer {
        from: payer.account(),
        to: rig.account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let signed = world
        .signed(operation, &[&rig])
        .with_delegation(Signed::sign(&delegation, &payer, &chain));
    assert_eq!(
        world.submit(&signed),
        Err(Rejected::MissingSeal {
            role: Role::Holder,
            signer: payer.account(),
        })
    );
}

impl Delegated {
    fn until(&self) -> Timestamp {
        let chain = self.world.state.chain();
        self.buy.verify(chain).unwrap().value.expires_at
    }

    /// Revokes the payer's rig up to `until`, by `key`.
    fn revoke_by(&mut self, until: Timestamp, key: &SecretKey) -> Result<TxReceipt, Rejected> {
        let operation = Operation::Revoke {
            account: self.world.payer.account(),
            node: self.rig.node(),
            until,
        };
        self.world.act(operation, &[key])
    }

    fn revoke(&mut self, until: Timestamp) -> Result<TxReceipt, Rejected> {
        let payer = self.world.payer.clone();
        self.revoke_by(until, &payer)
    }

    fn revoked(&self, until: Timestamp) -> Rejected {
        Rejected::Revoked {
            role: Role::Payer,
            account: self.world.payer.account(),
            node: self.rig.node(),
            until,
        }
    }
}

fn later(time: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_millis(time.as_millis() + ms)
}

#[test]
fn a_revoked_node_opens_nothing_in_whatever_order_its_delegations_stand() {
    let mut market = Delegated::new();
    let (buy, sell, until) = (market.buy.clone(), market.sell.clone(), market.until());
    let before = market.world.available(&market.world.payer);
    let fees = market.world.state.supply().fee_pool;
    let receipt = market.revoke(until).unwrap();
    let fee = Transfer {
        debit: Bucket::Available(market.world.payer.account()),
        credit: Bucket::FeePool,
        amount: nano(TRANSFER_FEE),
        code: Code::RevokeFee,
    };
    assert_eq!((receipt.transfers, receipt.fee), (vec![fee], fee.amount));
    let paid = before - market.world.available(&market.world.payer);
    let collected = market.world.state.supply().fee_pool.checked_sub(fees);
    assert_eq!((paid, collected), (TRANSFER_FEE, Some(nano(TRANSFER_FEE))));
    let refused = Err(market.revoked(until));
    assert_eq!(market.open(1, &[&buy, &sell]), refused);
    assert_eq!(market.open(1, &[&sell, &buy]), refused);
    let proof = market.world.state.prove(
        &Key::revocation(&market.world.payer.account(), &market.rig.node()),
        &market.world.log.last().unwrap().certificate,
    );
    let leaf = Leaf::Revocation {
        account: market.world.payer.account(),
        node: market.rig.node(),
        until,
    };
    let trusted = TrustedSet::genesis(&genesis());
    assert_eq!(proof.unwrap().verify(&trusted), Ok(&leaf));
}

#[test]
fn a_payees_node_is_revoked_as_well_and_other_nodes_go_on() {
    let mut market = Delegated::new();
    let (buy, sell, until) = (market.buy.clone(), market.sell.clone(), market.until());
    let payee = market.world.payee.clone();
    let (node, account) = (market.desk.node(), payee.account());
    let other = |node| Operation::Revoke {
        account,
        node,
        until,
    };
    market.world.issue(account, credits(1)).unwrap();
    // The payer's rig is no node of the payee: this revokes nothing of the payer's.
    let rig = market.rig.node();
    market.world.act(other(rig), &[&payee]).unwrap();
    market.world.act(other(node), &[&payee]).unwrap();
    let refused = Rejected::Revoked {
        role: Role::Payee,
        account,
        node,
        until,
    };
    assert_eq!(market.open(1, &[&buy, &sell]), Err(refused));
}

#[test]
fn the_account_itself_needs_no_delegation_and_still_opens_for_a_revoked_node() {
    let mut market = Delegated::new();
    let until = market.until();
    market.revoke(until).unwrap();
    let mut terms = market.world.terms();
    terms.payer.node = market.rig.node();
    market.world.open(terms).unwrap();
}

#[test]
fn a_delegation_that_ends_later_is_a_new_one_with_a_cap_of_its_own() {
    let mut market = Delegated::new();
    let (buy, sell, until) = (market.buy.clone(), market.sell.clone(), market.until());
    market.open(1, &[&buy, &sell]).unwrap();
    market.revoke(until).unwrap();
    let (payer, rig) = (market.world.payer.clone(), market.rig.node());
    let renew = |world: &World, expires_at| {
        let delegation = world.delegate(&payer, rig, Permission::Buy);
        let delegation = Delegation {
            expires_at,
            ..delegation
        };
        Signed::sign(&delegation, &payer, world.state.chain())
    };
    let other_cap = Delegation {
        spend_cap: credits(9),
        expires_at: until,
        ..market.world.delegate(&payer, rig, Permission::Buy)
    };
    let other_cap = Signed::sign(&other_cap, &payer, market.world.state.chain());
    let refused = Err(market.revoked(until));
    assert_eq!(market.open(2, &[&other_cap, &sell]), refused, "no longer");
    let renewed = renew(&market.world, later(until, 1));
    market.open(2, &[&renewed, &sell]).unwrap();
    let spent = |market: &Delegated, held: &Signed<Delegation>| {
        let chain = market.world.state.chain();
        market
            .world
            .state
            .leaf(&Key::Delegation(held.id(chain)))
            .cloned()
    };
    for (held, expires_at) in [(&buy, until), (&renewed, later(until, 1))] {
        let chain = market.world.state.chain();
        let leaf = Leaf::Delegation {
            id: held.id(chain),
            spent: credits(1),
            expires_at,
        };
        assert_eq!(spent(&market, held), Some(leaf));
    }
    let capped = market.open(3, &[&renewed, &sell]);
    assert!(
        matches!(capped, Err(Rejected::SpendCap { .. })),
        "{capped:?}"
    );
    market.revoke(later(until, 1)).unwrap();
    let refused = Err(market.revoked(later(until, 1)));
    assert_eq!(market.open(3, &[&renewed, &sell]), refused);
}

#[test]
fn a_revocation_is_kept_until_the_last_delegation_under_it_has_ended_and_then_forgotten() {
    let mut market = Delegated::new();
    let (buy, sell, until) = (market.buy.clone(), market.sell.clone(), market.until());
    market.revoke(until).unwrap();
    let (account, rig) = (market.world.payer.account(), market.rig.node());
    let left_ms = until.as_millis() - market.world.now_ms;
    market.world.pass(left_ms - 1);
    assert_eq!(
        revoked_until(&market.world.state, &account, &rig),
        Some(until)
    );
    market.world.pass(1);
    assert_eq!(revoked_until(&market.world.state, &account, &rig), None);
    let key = Key::revocation(&account, &rig);
    assert!(market.world.log.last().unwrap().receipts.is_empty());
    assert!(market.world.state.leaf(&key).is_none());
    let expired = market.open(2, &[&buy, &sell]);
    assert!(
        matches!(expired, Err(Rejected::Delegation { .. })),
        "{expired:?}"
    );
    assert_eq!(
        market.revoke(until),
        Err(Rejected::RevokesNothing {
            until,
            now: Timestamp::from_millis(market.world.now_ms),
        })
    );
}

#[test]
fn what_is_open_still_closes_and_pays_after_the_nodes_are_revoked() {
    let mut market = Delegated::new();
    let (buy, sell, until) = (market.buy.clone(), market.sell.clone(), market.until());
    let mut cheap = market
        .world
        .delegate(&market.world.payer, market.rig.node(), Permission::Buy);
    cheap.spend_cap = credits(5);
    let cheap = Signed::sign(&cheap, &market.world.payer, market.world.state.chain());
    let opened: Vec<ChannelId> = (1..=3)
        .map(|nonce| {
            let receipt = market.open(nonce, &[&cheap, &sell]).unwrap();
            receipt.channel.unwrap().id
        })
        .collect();
    drop(buy);
    let payee = market.world.payee.clone();
    market.world.issue(payee.account(), credits(1)).unwrap();
    market.revoke(later(until, 1_000_000)).unwrap();
    let desk_revoked = Operation::Revoke {
        account: payee.account(),
        node: market.desk.node(),
        until: later(until, 1_000_000),
    };
    market.world.act(desk_revoked, &[&payee]).unwrap();
    let (rig, desk) = (market.rig.clone(), market.desk.clone());
    let by_rig = World {
        payer: rig.clone(),
        ..World::empty()
    };
    let claim = Operation::Claim {
        voucher: by_rig.voucher(opened[0], 1, 3 * TICK),
    };
    market.world.act(claim, &[&desk]).unwrap();
    let coop = Operation::CoopClose {
        channel: opened[1],
        voucher: Some(by_rig.voucher(opened[1], 1, 2 * TICK)),
    };
    market.world.act(coop, &[&desk]).unwrap();
    let leave = Operation::PayerClose {
        channel: opened[2],
        sequence: 0,
        cumulative: nano(TICK),
    };
    market.world.act(leave, &[&rig]).unwrap();
    market.world.pass(CHALLENGE_MS);
    let claimed = opened.iter().map(|id| market.world.record(*id).claimed);
    assert!(claimed.eq([3, 2, 1].map(|ticks| nano(ticks * TICK))));
    let closed = |id: &&ChannelId| market.world.record(**id).state == ChannelState::Closed;
    assert_eq!(opened.iter().filter(closed).count(), 2);
    assert_eq!(market.world.record(opened[0]).state, ChannelState::Open);
}

#[test]
fn the_order_in_one_block_decides_between_an_opening_and_a_revocation() {
    for revoked_first in [true, false] {
        let mut market = Delegated::new();
        let (payer, until) = (market.world.payer.clone(), market.until());
        let revoke = Operation::Revoke {
            account: payer.account(),
            node: market.rig.node(),
            until,
        };
        let mut terms = market.world.terms();
        (terms.payer.node, terms.payee.node) = (market.rig.node(), market.desk.node());
        let (rig, desk) = (market.rig.clone(), market.desk.clone());
        let open = market
            .world
            .signed(Operation::Open { terms }, &[&rig, &desk]);
        let open = open.with_delegation(market.buy.clone());
        let open = open.with_delegation(market.sell.clone());
        let revoke = market.world.signed(revoke, &[&payer]);
        let (batch, refused) = match revoked_first {
            true => ([revoke, open], vec![market.revoked(until)]),
            false => ([open, revoke], Vec::new()),
        };
        assert_eq!(market.world.block(&batch), refused);
    }
}

fn revoked_until(state: &State, account: &crate::AccountId, rig: &NodeId) -> Option<Timestamp> {
    let mark = state.leaf(&Key::revocation(account, rig));
    mark.and_then(Leaf::revoked_until)
}
