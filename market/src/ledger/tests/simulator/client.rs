//! A client of the simulator: an account with a disk, which pays others, buys and sells. Its leases are the real
//! machines; what it files it files again, as the same bytes, until its fate is known.
//!
//! Never acts on what it has not got from a verified header, and has only its disk after a crash.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::network::{ClientId, Packet, Place};
use super::*;
use crate::lease::{Input, Lease, Message, Output, PayerRecord, Record, Role, Timing};

/// For how many blocks a transaction is valid: few enough to see some run out.
const VALID_BLOCKS: Range<u64> = 3..40;

/// Something that is filed until its fate is known.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    transaction: Transaction,
    signed: SignedTransaction,
}

/// What a client has on disk of an agreement.
#[derive(Debug, Clone)]
pub(super) struct Contract {
    role: Role,
    pub(super) terms: Terms,
    peer: ClientId,
    /// The transaction that opens the channel, and until when it can.
    opening: TxId,
    opens_until: u64,
    record: Option<PayerRecord>,
    voucher: Option<Signed<Voucher>>,
    /// Payee: whether its lease has begun, and what it asked the close for.
    began: bool,
    pub(super) filed: Option<Amount>,
    /// Whether the channel is closed, or can never open.
    is_over: bool,
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    intents: BTreeMap<TxId, Intent>,
    pub(super) contracts: BTreeMap<ChannelId, Contract>,
}

/// The moment at which a client acts, and its dice.
pub(super) struct Now<'a> {
    pub(super) ms: u64,
    pub(super) rng: &'a mut ChaCha8Rng,
}

pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) key: SecretKey,
    chain: ChainId,
    trusted: TrustedSet,
    sabotage: Option<Sabotage>,
    pub(super) disk: Disk,
    // In memory.
    leases: BTreeMap<ChannelId, Lease>,
    retry_at_ms: u64,
    /// The newest verified header: its height, and how far its time was ahead of the simulation's.
    height: u64,
    ahead_ms: u64,
    /// How many more outputs of leases are carried out before the process crashes.
    pub(super) stops_after: Option<usize>,
    pub(super) down_until_ms: Option<u64>,
    pub(super) outbox: Vec<(Place, Packet)>,
    pub(super) crashes: usize,
    pub(super) renewed: usize,
}

impl Client {
    pub(super) fn new(id: ClientId, genesis: &State, sabotage: Option<Sabotage>) -> Self {
        Self {
            id,
            key: key(10 + u8::try_from(id).unwrap()),
            chain: *genesis.chain(),
            trusted: genesis.trusted_set(),
            sabotage,
            disk: Disk::default(),
            leases: BTreeMap::new(),
            retry_at_ms: 0,
            height: 0,
            ahead_ms: 0,
            stops_after: None,
            down_until_ms: None,
            outbox: Vec::new(),
            crashes: 0,
            renewed: 0,
        }
    }

    pub(super) fn party(&self) -> Party {
        Party {
            account: self.key.account(),
            node: self.key.node(),
        }
    }

    pub(super) fn owns(&self, party: &Party) -> bool {
        self.party() == *party
    }

    /// Returns what the newest voucher on disk promises.
    pub(super) fn promised(&self, channel: &ChannelId) -> Option<Amount> {
        let voucher = self.disk.contracts.get(channel)?.voucher.as_ref()?;
        Some(self.total(voucher))
    }

    fn total(&self, voucher: &Signed<Voucher>) -> Amount {
        voucher.verify(&self.chain).unwrap().value.cumulative
    }

    pub(super) fn is_done(&self) -> bool {
        let is_over = |contract: &Contract| contract.is_over;
        self.disk.intents.is_empty() && self.disk.contracts.values().all(is_over)
    }

    pub(super) fn live_contracts(&self) -> usize {
        let contracts = self.disk.contracts.values();
        contracts.filter(|contract| !contract.is_over).count()
    }

    fn time(&self, now_ms: u64) -> Timestamp {
        Timestamp::from_millis(now_ms + self.ahead_ms)
    }

    fn ask_operator(&mut self, packet: Packet) {
        self.outbox.push((Place::Operator, packet));
    }

    /// Loses everything but the disk.
    pub(super) fn crash(&mut self, until_ms: u64) {
        self.leases.clear();
        self.stops_after = None;
        self.retry_at_ms = 0;
        self.down_until_ms = Some(until_ms);
        self.crashes += 1;
    }

    /// Goes on from the disk: a payer with its leases, a payee by closing what it had begun.
    pub(super) fn start(&mut self, now: &mut Now) {
        self.down_until_ms = None;
        let contracts: Vec<ChannelId> = self.disk.contracts.keys().copied().collect();
        for channel in contracts {
            let contract = self.disk.contracts[&channel].clone();
            match (contract.role, contract.record) {
                _ if contract.is_over => {}
                (Role::Payer, Some(record)) => {
                    let time = self.time(now.ms);
                    let key = self.key.clone();
                    let lease = Lease::resume(record, contract.voucher, self.chain, key, time);
                    let lease = lease.unwrap().with_timing(timing());
                    self.leases.insert(channel, lease);
                    self.drain(channel, now);
                }
                (Role::Payee, _) if contract.began && contract.filed.is_none() => {
                    self.file_close(channel, contract.voucher, now);
                }
                _ => {}
            }
        }
    }

    fn sign(&self, transaction: &Transaction) -> SignedTransaction {
        SignedTransaction::sign(transaction, &self.key, &self.chain)
    }

    fn transaction(&self, operation: Operation, now: &mut Now) -> Transaction {
        Transaction {
            nonce: now.rng.random(),
            valid_until_height: self.height + now.rng.random_range(VALID_BLOCKS),
            operation,
        }
    }

    /// Puts a transaction on disk, and only then files it.
    pub(super) fn file(&mut self, operation: Operation, now: &mut Now) {
        let transaction = self.transaction(operation, now);
        let signed = self.sign(&transaction);
        self.keep_and_submit(transaction, signed);
    }

    fn keep_and_submit(&mut self, transaction: Transaction, signed: SignedTransaction) {
        let intent = Intent {
            transaction,
            signed: signed.clone(),
        };
        self.disk.intents.insert(signed.id(&self.chain), intent);
        self.ask_operator(Packet::Submit(self.id, signed));
    }

    fn file_close(&mut self, channel: ChannelId, voucher: Option<Signed<Voucher>>, now: &mut Now) {
        let total = voucher.as_ref().map(|voucher| self.total(voucher));
        let contract = self.disk.contracts.get_mut(&channel).unwrap();
        let first = contract.terms.rates.first_tick().unwrap();
        contract.filed = Some(total.unwrap_or(first));
        self.file(Operation::CoopClose { channel, voucher }, now);
    }

    /// Signs an opening, puts it on disk, and offers it to its payee.
    pub(super) fn offer(&mut self, terms: Terms, payee: ClientId, now: &mut Now) {
        let transaction = self.transaction(
            Operation::Open {
                terms: terms.clone(),
            },
            now,
        );
        let signed = self.sign(&transaction);
        let contract = Contract {
            role: Role::Payer,
            terms: terms.clone(),
            peer: payee,
            opening: signed.id(&self.chain),
            opens_until: transaction.valid_until_height,
            record: None,
            voucher: None,
            began: false,
            filed: None,
            is_over: false,
        };
        self.disk
            .contracts
            .insert(terms.channel_id(&self.chain), contract);
        let offer = Packet::Offer(Box::new(terms), signed);
        self.outbox.push((Place::Client(payee), offer));
    }

    /// Does what has become due.
    pub(super) fn wake(&mut self, now: &mut Now) {
        let time = self.time(now.ms);
        let due = |lease: &Lease| lease.poll_timeout().is_some_and(|at| at <= time);
        let due: Vec<ChannelId> = self
            .leases
            .iter()
            .filter(|(_, lease)| due(lease))
            .map(|(channel, _)| *channel)
            .collect();
        for channel in due {
            if let Some(lease) = self.leases.get_mut(&channel) {
                lease.handle_timeout(time);
                self.drain(channel, now);
            }
        }
        if self.down_until_ms.is_none() && self.retry_at_ms <= now.ms {
            self.retry_at_ms = now.ms + now.rng.random_range(3_000..8_000);
            self.retry(now);
        }
    }

    /// Files again what has no fate yet, and asks where its channels stand.
    fn retry(&mut self, now: &mut Now) {
        let intents: Vec<(TxId, Intent)> = self.disk.intents.clone().into_iter().collect();
        for (id, intent) in intents {
            let is_transfer = matches!(intent.transaction.operation, Operation::Transfer { .. });
            if is_transfer && self.sabotage == Some(Sabotage::RetriesWithANewNonce) {
                self.disk.intents.remove(&id);
                self.file(intent.transaction.operation, now);
            } else if intent.transaction.valid_until_height < self.height {
                self.ask_operator(Packet::Find(self.id, id));
            } else {
                self.ask_operator(Packet::Submit(self.id, intent.signed));
            }
        }
        let asks: Vec<Packet> = self
            .disk
            .contracts
            .iter()
            .filter(|(_, contract)| !contract.is_over)
            .map(|(channel, contract)| {
                if contract.began || contract.record.is_some() {
                    Packet::Look(self.id, *channel)
                } else {
                    Packet::Find(self.id, contract.opening)
                }
            })
            .collect();
        asks.into_iter().for_each(|ask| self.ask_operator(ask));
    }

    /// Takes what has arrived.
    pub(super) fn receive(&mut self, packet: Packet, now: &mut Now) {
        match packet {
            Packet::Final(proof) => {
                let receipt = proof.verify(&self.trusted).unwrap().clone();
                self.note_header(&proof.certified.header, now.ms);
                let id = receipt.transaction().unwrap();
                self.disk.intents.remove(&id);
                self.note_opening(id, proof.certified.header.time, now);
                if let Some(record) = receipt.settled() {
                    self.settle(record, now);
                }
            }
            Packet::Channel(proof) => {
                let leaf = proof.verify(&self.trusted).unwrap().clone();
                self.note_header(&proof.certified.header, now.ms);
                if let Leaf::Channel(record) = leaf {
                    self.note_channel(&record, proof.certified.header.time, now);
                }
            }
            Packet::Refused(id, why) => self.refused(id, &why, now),
            Packet::NotFound(id, height) => self.not_found(id, height, now),
            Packet::Offer(terms, signed) => self.take_offer(*terms, signed),
            Packet::Lease(channel, message) => self.tell(channel, Input::Received(message), now),
            Packet::Submit(..) | Packet::Find(..) | Packet::Look(..) => {}
        }
    }

    fn note_header(&mut self, header: &Header, now_ms: u64) {
        if header.height > self.height {
            self.height = header.height;
            let ahead_ms = header.time.as_millis().saturating_sub(now_ms);
            self.ahead_ms = self.ahead_ms.max(ahead_ms);
        }
    }

    /// The countersigned opening goes to disk, and then to the operator.
    fn take_offer(&mut self, terms: Terms, signed: SignedTransaction) {
        let channel = terms.channel_id(&self.chain);
        let verified = signed.verify(&self.chain).unwrap();
        if self.disk.contracts.contains_key(&channel) {
            return;
        }
        let is_payer = |id: &ClientId| client_key(*id).account() == terms.payer.account;
        let contract = Contract {
            role: Role::Payee,
            peer: PAYERS.into_iter().find(is_payer).unwrap(),
            terms,
            opening: verified.id,
            opens_until: verified.transaction.valid_until_height,
            record: None,
            voucher: None,
            began: false,
            filed: None,
            is_over: false,
        };
        self.disk.contracts.insert(channel, contract);
        let signed = signed.cosign(&self.key, &self.chain).unwrap();
        self.keep_and_submit(verified.transaction, signed);
    }

    /// Begins the lease of a channel whose opening is final.
    fn note_opening(&mut self, id: TxId, at: Timestamp, now: &mut Now) {
        let mut contracts = self.disk.contracts.iter_mut();
        let Some((channel, contract)) = contracts.find(|(_, contract)| contract.opening == id)
        else {
            return;
        };
        let has_begun = contract.began || contract.record.is_some() || contract.is_over;
        if has_begun || self.leases.contains_key(channel) {
            return;
        }
        let (channel, role, terms) = (*channel, contract.role, contract.terms.clone());
        contract.began = role == Role::Payee;
        let time = self.time(now.ms);
        let lease = Lease::new(role, terms, self.chain, self.key.clone(), time);
        self.leases.insert(channel, lease.with_timing(timing()));
        self.tell(channel, Input::Opened { at }, now);
    }

    fn note_channel(&mut self, record: &ChannelRecord, at: Timestamp, now: &mut Now) {
        let is_payee = self.owns(&record.payee);
        match record.state {
            ChannelState::Closed => self.settle(record, now),
            ChannelState::Open if is_payee => self.tell(record.id, Input::ProvedOpen { at }, now),
            ChannelState::Closing { .. } if is_payee => {
                self.tell(record.id, Input::ChannelClosing, now);
            }
            ChannelState::Open | ChannelState::Closing { .. } => {}
        }
    }

    fn settle(&mut self, record: &ChannelRecord, now: &mut Now) {
        let Some(contract) = self.disk.contracts.get_mut(&record.id) else {
            return;
        };
        contract.is_over = true;
        let paid = record.claimed;
        self.tell(record.id, Input::Settled { paid }, now);
    }

    fn refused(&mut self, id: TxId, why: &Rejected, now: &mut Now) {
        if let Rejected::TooLate { .. } = why {
            // It may have landed before it ran out.
            return self.ask_operator(Packet::Find(self.id, id));
        }
        let Some(intent) = self.disk.intents.remove(&id) else {
            return;
        };
        match (intent.transaction.operation, why) {
            (Operation::Claim { voucher }, _) => {
                let voucher = voucher.verify(&self.chain).unwrap().value;
                let cumulative = voucher.cumulative;
                self.tell(voucher.channel, Input::ClaimRefused { cumulative }, now);
            }
            // No payer gets below what was claimed.
            (
                Operation::PayerClose {
                    channel, sequence, ..
                },
                Rejected::NothingDue { claimed, .. },
            ) => {
                let operation = Operation::PayerClose {
                    channel,
                    sequence,
                    cumulative: *claimed,
                };
                self.file(operation, now);
            }
            _ => {}
        }
    }

    /// What is in no block and can no longer be is signed anew; an opening would need the other side.
    fn not_found(&mut self, id: TxId, height: u64, now: &mut Now) {
        for contract in self.disk.contracts.values_mut() {
            let is_dead = contract.opening == id && contract.opens_until < height;
            contract.is_over |= is_dead && !contract.began && contract.record.is_none();
        }
        let intent = self.disk.intents.get(&id);
        let has_run_out = intent.is_some_and(|it| it.transaction.valid_until_height < height);
        if !has_run_out {
            return;
        }
        let intent = self.disk.intents.remove(&id).unwrap();
        self.height = self.height.max(height);
        if !matches!(intent.transaction.operation, Operation::Open { .. }) {
            self.renewed += 1;
            self.file(intent.transaction.operation, now);
        }
    }

    /// Tells a lease something, where there is one, and carries out what it wants.
    pub(super) fn tell(&mut self, channel: ChannelId, input: Input, now: &mut Now) {
        let time = self.time(now.ms);
        if let Some(lease) = self.leases.get_mut(&channel) {
            let _refused = lease.handle_input(input, time);
            self.drain(channel, now);
        }
    }

    /// Tells one of its leases of a role something, if there is any.
    pub(super) fn tell_one(&mut self, role: Role, input: Input, now: &mut Now) {
        let of_role = |channel: &&ChannelId| self.disk.contracts[*channel].role == role;
        if let Some(channel) = self.leases.keys().find(of_role).copied() {
            self.tell(channel, input, now);
        }
    }

    /// Has every worker stop.
    pub(super) fn yield_all(&mut self, now: &mut Now) {
        for channel in self.leases.keys().copied().collect::<Vec<_>>() {
            self.tell(channel, Input::Yield, now);
        }
    }

    fn drain(&mut self, channel: ChannelId, now: &mut Now) {
        loop {
            if self.stops_after == Some(0) {
                let until_ms = now.ms + now.rng.random_range(1_000..40_000);
                return self.crash(until_ms);
            }
            let Some(lease) = self.leases.get_mut(&channel) else {
                return;
            };
            let Some(output) = lease.poll_output() else {
                return;
            };
            self.stops_after = self.stops_after.map(|left| left - 1);
            self.carry_out(channel, output, now);
        }
    }

    fn carry_out(&mut self, channel: ChannelId, output: Output, now: &mut Now) {
        let contract = self.disk.contracts.get_mut(&channel).unwrap();
        match output {
            Output::Persist(Record::Payer(record)) => contract.record = Some(*record),
            Output::Persist(Record::Voucher(signed)) => contract.voucher = Some(signed),
            Output::Send(message) => {
                if let Message::Voucher(signed) = message.as_ref() {
                    assert_eq!(
                        contract.voucher.as_ref(),
                        Some(signed),
                        "sent before it was kept"
                    );
                }
                let peer = Place::Client(contract.peer);
                self.outbox.push((peer, Packet::Lease(channel, message)));
            }
            Output::ProveOpen => self.ask_operator(Packet::Look(self.id, channel)),
            Output::FetchInputs => self.answer(channel, Input::InputsReady, now),
            Output::StartWorker => self.answer(channel, Input::WorkerRunning, now),
            Output::Claim(voucher) => self.file(Operation::Claim { voucher }, now),
            Output::CoopClose(voucher) => self.file_close(channel, voucher, now),
            Output::PayerClose {
                sequence,
                cumulative,
            } => {
                let first = contract.terms.rates.first_tick().unwrap();
                // Some payers state less than they have signed, and hope that their payee sleeps.
                let is_honest = contract.terms.payer_nonce.is_multiple_of(2);
                let operation = Operation::PayerClose {
                    channel,
                    sequence,
                    cumulative: if is_honest { cumulative } else { first },
                };
                self.file(operation, now);
            }
            Output::Ended(_) => {
                self.leases.remove(&channel);
            }
            _ => {}
        }
    }

    /// Answers a lease at once; what follows comes after what it has said already.
    fn answer(&mut self, channel: ChannelId, input: Input, now: &mut Now) {
        let time = self.time(now.ms);
        let lease = self.leases.get_mut(&channel).unwrap();
        lease.handle_input(input, time).unwrap();
    }
}

pub(super) fn client_key(id: ClientId) -> SecretKey {
    key(10 + u8::try_from(id).unwrap())
}

/// The waits of the leases: short ones, so that much happens in little time.
fn timing() -> Timing {
    let challenge = Duration::from_millis(SIMULATED_CHALLENGE_MS);
    Timing {
        claim_every: Duration::from_secs(30),
        ..Timing::for_challenge(challenge).with_patience(Duration::from_secs(60))
    }
}
