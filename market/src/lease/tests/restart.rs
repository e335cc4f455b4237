//! Two leases between which messages are lost, doubled and reordered, and a payer that may stop at any output
//! and be made anew from its disk.

use std::collections::BTreeSet;

use super::*;

/// What a payer's disk and folder hold.
#[derive(Default)]
struct Disk {
    record: Option<PayerRecord>,
    voucher: Option<Signed<Voucher>>,
}

impl Disk {
    fn promised(&self) -> Amount {
        let signed = self.voucher.as_ref();
        signed.map_or(Amount::ZERO, |signed| {
            signed.verify(&chain()).unwrap().value.cumulative
        })
    }

    fn delivered(&self) -> BTreeSet<u32> {
        let record = self.record.as_ref();
        record.map_or_else(BTreeSet::new, |record| record.delivered.clone())
    }
}

/// The channel on the ledger.
#[derive(Default)]
struct Channel {
    /// What the payer stated when it closed alone.
    stated: Option<Amount>,
    paid: Option<Amount>,
}

struct Storm {
    now: Timestamp,
    payer: Lease,
    payee: Lease,
    disk: Disk,
    channel: Channel,
    /// Messages on their way, and to whom.
    flying: Vec<(Role, Message)>,
    /// Outputs that the payer is bringing in.
    fetching: BTreeSet<u32>,
    made: u32,
    /// How many more outputs the payer carries out before it stops.
    stops_after: Option<usize>,
    restarts: u32,
    /// Whether the payer waits for the channel's end.
    asks_settled: bool,
}

impl Storm {
    fn new(terms: Terms) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let lease = |role, seed| Lease::new(role, terms.clone(), chain(), key(seed), now);
        let mut storm = Self {
            now,
            payer: lease(Role::Payer, 11),
            payee: lease(Role::Payee, 21),
            disk: Disk::default(),
            channel: Channel::default(),
            flying: Vec::new(),
            fetching: BTreeSet::new(),
            made: 0,
            stops_after: None,
            restarts: 0,
            asks_settled: false,
        };
        storm.payer(Input::Opened { at: now });
        storm.payee(Input::Opened { at: now });
        storm
    }

    fn payer(&mut self, input: Input) {
        let _refused = self.payer.handle_input(input, self.now);
        self.drain_payer();
    }

    fn payee(&mut self, input: Input) -> bool {
        let taken = self.payee.handle_input(input, self.now).is_ok();
        self.drain_payee();
        taken
    }

    fn drain_payer(&mut self) {
        while self.stops_after != Some(0) {
            let Some(output) = self.payer.poll_output() else {
                return;
            };
            self.stops_after = self.stops_after.map(|left| left - 1);
            self.carry_out_payer(output);
        }
        self.restart();
    }

    fn carry_out_payer(&mut self, output: Output) {
        match output {
            Output::Persist(Record::Payer(record)) => self.disk.record = Some(*record),
            Output::Persist(Record::Voucher(signed)) => self.disk.voucher = Some(signed),
            Output::Send(message) => {
                if let Message::Voucher(signed) = message.as_ref() {
                    assert_eq!(self.disk.voucher.as_ref(), Some(signed), "kept first");
                }
                self.flying.push((Role::Payee, *message));
            }
            Output::FetchArtefact(artefact) => {
                let index = artefact.index;
                assert!(!self.disk.delivered().contains(&index), "brought in twice");
                assert!(self.fetching.insert(index), "on its way twice");
            }
            Output::PayerClose { cumulative, .. } => {
                let first = self.payer.terms().rates.first_tick().unwrap();
                assert_eq!(cumulative, self.disk.promised().max(first));
                self.channel.stated = Some(cumulative);
                self.asks_settled = true;
            }
            Output::AskSettled => self.asks_settled = true,
            _ => {}
        }
    }

    /// The payer's process is killed and started again.
    fn restart(&mut self) {
        self.stops_after = None;
        self.restarts += 1;
        self.fetching.clear();
        self.asks_settled = false;
        let Some(record) = self.disk.record.clone() else {
            return; // Nothing was begun that anybody could rely on; the shell ends such an opening.
        };
        let voucher = self.disk.voucher.clone();
        self.payer = Lease::resume(record, voucher, chain(), key(11), self.now).unwrap();
        self.drain_payer();
    }

    fn drain_payee(&mut self) {
        while let Some(output) = self.payee.poll_output() {
            match output {
                Output::Send(message) => self.flying.push((Role::Payer, *message)),
                Output::ProveOpen => {
                    let at = self.now;
                    self.payee
                        .handle_input(Input::ProvedOpen { at }, at)
                        .unwrap();
                }
                Output::FetchInputs => {
                    let now = self.now;
                    self.payee.handle_input(Input::InputsReady, now).unwrap();
                }
                Output::StartWorker => {
                    let now = self.now;
                    self.payee.handle_input(Input::WorkerRunning, now).unwrap();
                }
                Output::CoopClose(voucher) => {
                    let last = voucher.map(|v| v.verify(&chain()).unwrap().value.cumulative);
                    let first = self.payee.terms().rates.first_tick().unwrap();
                    let paid = *self.channel.paid.get_or_insert(last.unwrap_or(first));
                    let now = self.now;
                    self.payee
                        .handle_input(Input::Settled { paid }, now)
                        .unwrap();
                }
                _ => {}
            }
        }
    }

    fn deliver(&mut self, (to, message): (Role, Message)) {
        match (to, self.payee.phase()) {
            (Role::Payee, Phase::Ended) => {
                let reason = Gone::UnknownAgreement;
                self.payer(Input::PeerGone { reason });
            }
            (Role::Payee, _) => {
                self.payee(Input::Received(Box::new(message)));
            }
            (Role::Payer, _) => self.payer(Input::Received(Box::new(message))),
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.now.saturating_add(Duration::from_millis(millis));
        while self.now < end {
            let next = [self.payer.poll_timeout(), self.payee.poll_timeout()];
            let next = next.into_iter().flatten().min().unwrap_or(end);
            let at_least = self.now.saturating_add(Duration::from_millis(1));
            self.now = next.max(at_least).min(end);
            self.payer.handle_timeout(self.now);
            self.drain_payer();
            self.payee.handle_timeout(self.now);
            self.drain_payee();
        }
    }

    fn step(&mut self, step: Blow) {
        match step {
            Blow::Pass(millis) => self.pass(millis),
            Blow::Deliver(index) if !self.flying.is_empty() => {
                let index = index % self.flying.len();
                let message = self.flying.remove(index);
                self.deliver(message);
            }
            Blow::DeliverAll => {
                for message in std::mem::take(&mut self.flying) {
                    self.deliver(message);
                }
            }
            Blow::Double(index) if !self.flying.is_empty() => {
                let message = self.flying[index % self.flying.len()].clone();
                self.deliver(message);
            }
            Blow::Lose(index) if !self.flying.is_empty() => {
                let index = index % self.flying.len();
                self.flying.remove(index);
            }
            Blow::Deliver(_) | Blow::Double(_) | Blow::Lose(_) => {}
            Blow::Fetch => self.fetch_one(),
            Blow::Stop(outputs) => self.stops_after = Some(outputs),
            Blow::Make => {
                if self.payee(Input::ArtefactMade(artefact(self.made))) {
                    self.made += 1;
                }
            }
            Blow::Done => {
                self.payee(Input::WorkerDone(Outcome::Completed));
            }
            Blow::Yield => {
                self.payee(Input::Yield);
            }
            Blow::Cancel => self.payer(Input::Cancel),
            Blow::Link(up) => {
                let input = || if up { Input::LinkBack } else { Input::LinkLost };
                self.payer(input());
                self.payee(input());
            }
        }
    }

    fn fetch_one(&mut self) {
        if let Some(index) = self.fetching.pop_first() {
            self.payer(Input::ArtefactStored { index });
        }
    }

    fn check(&self) {
        let terms = self.payee.terms();
        let justified = self
            .payee
            .due_with_ticks(self.payee.meter(), terms.rates.prepaid_ticks);
        let promised = self.disk.promised();
        assert!(promised <= justified, "{promised} where {justified} is due");
        assert!(self.payee.promised() <= promised.max(terms.rates.first_tick().unwrap()));
        assert!(self.payer.promised() <= terms.deposit);
        assert!(self.payee.delivered().is_subset(&self.disk.delivered()));
    }

    /// The storm is over: messages arrive, outputs come in, the ledger answers.
    fn calm(&mut self) {
        self.stops_after = None;
        for _ in 0..400 {
            self.step(Blow::Link(true));
            self.step(Blow::DeliverAll);
            while !self.fetching.is_empty() {
                self.fetch_one();
            }
            self.pass(2_000);
            if let (None, Some(stated)) = (self.channel.paid, self.channel.stated) {
                self.payee(Input::ChannelClosing);
                self.channel.paid.get_or_insert(stated);
            }
            if let Some(paid) = self.channel.paid {
                if self.asks_settled {
                    self.payer(Input::Settled { paid });
                }
                self.payee(Input::Settled { paid });
            }
            if self.payer.phase() == Phase::Ended && self.payee.phase() == Phase::Ended {
                return;
            }
        }
        panic!("{:?} and {:?}", self.payer.phase(), self.payee.phase());
    }
}

#[derive(Debug, Clone, Copy)]
enum Blow {
    Pass(u64),
    Deliver(usize),
    DeliverAll,
    Double(usize),
    Lose(usize),
    Fetch,
    Stop(usize),
    Make,
    Done,
    Yield,
    Cancel,
    Link(bool),
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        6 => (0u64..12_000).prop_map(Blow::Pass),
        6 => (0usize..8).prop_map(Blow::Deliver),
        6 => Just(Blow::DeliverAll),
        2 => (0usize..8).prop_map(Blow::Double),
        2 => (0usize..8).prop_map(Blow::Lose),
        4 => Just(Blow::Fetch),
        4 => (0usize..6).prop_map(Blow::Stop),
        3 => Just(Blow::Make),
        1 => any::<bool>().prop_map(Blow::Link),
    ]
}

proptest! {
    #[test]
    fn a_payer_that_stops_anywhere_pays_nothing_twice_and_loses_no_output(
        blows in proptest::collection::vec(blow(), 1..120), end in 0u8..4, delivery in 2u16..40,
    ) {
        let mut storm = Storm::new(terms(60, delivery));
        for blow in blows {
            storm.step(blow);
            storm.check();
        }
        let end = [Blow::Done, Blow::Yield, Blow::Cancel, Blow::DeliverAll][usize::from(end)];
        storm.step(end);
        storm.check();
        if matches!(end, Blow::DeliverAll) {
            storm.step(Blow::Done);
        }
        storm.calm();
        storm.check();
        let paid = storm.channel.paid.unwrap();
        let first = storm.payee.terms().rates.first_tick().unwrap();
        prop_assert!(paid <= storm.disk.promised().max(first), "no more than was promised");
    }
}

#[test]
fn a_restarted_payer_goes_on_with_the_agreement_and_gets_what_it_missed() {
    let mut storm = Storm::new(terms(60, 30));
    let both = [Blow::DeliverAll, Blow::Pass(5_000), Blow::DeliverAll];
    both.into_iter().for_each(|blow| storm.step(blow));
    storm.step(Blow::Make);
    storm.step(Blow::DeliverAll); // Announced, and then forgotten by the restart.
    storm.step(Blow::Stop(0));
    storm.step(Blow::Make);
    storm.flying.clear();
    storm.pass(1);
    assert_eq!(storm.restarts, 1);
    storm.step(Blow::DeliverAll); // Asks where the payee stands,
    storm.step(Blow::DeliverAll); // and hears it.
    assert_eq!(storm.payer.phase(), Phase::Running);
    assert_eq!(storm.fetching, BTreeSet::from([0, 1]));
    storm.step(Blow::Fetch);
    storm.step(Blow::Fetch);
    let before = storm.disk.promised();
    for _ in 0..10 {
        storm.step(Blow::Pass(3_000));
        storm.step(Blow::DeliverAll);
        storm.step(Blow::DeliverAll);
    }
    assert!(storm.disk.promised() > before, "it pays on");
    storm.step(Blow::Done);
    storm.calm();
    assert_eq!(storm.disk.delivered(), BTreeSet::from([0, 1]));
    assert_eq!(storm.payer.outcome, Some(Outcome::Completed));
    assert!(storm.payer.receipt.is_some());
}

#[test]
fn what_a_payer_had_begun_to_end_is_ended_after_a_restart() {
    let mut storm = Storm::new(terms(60, 30));
    storm.step(Blow::DeliverAll);
    storm.step(Blow::Stop(1)); // The wish is on disk; the message to the payee is not sent.
    storm.step(Blow::Cancel);
    assert_eq!((storm.restarts, storm.payer.phase()), (1, Phase::Closing));
    storm.calm();
    assert_eq!(storm.payee.outcome, Some(Outcome::Cancelled));

    let mut storm = Storm::new(terms(60, 30));
    storm.step(Blow::Stop(2)); // It is given up, which is on disk; the close is not filed.
    let reason = Gone::Refused;
    storm.payer(Input::PeerGone { reason });
    let first = storm.payer.terms().rates.first_tick();
    assert_eq!((storm.restarts, storm.channel.stated), (1, first));
}

#[test]
fn a_voucher_that_is_not_the_leases_own_stops_a_resumption() {
    let storm = Storm::new(terms(60, 30));
    let record = storm.disk.record.unwrap();
    let channel = record.terms.channel_id(&chain());
    let voucher = Voucher {
        channel,
        sequence: 1,
        cumulative: Amount::from_nanocredits(2_000),
        meter_hash: [0; 32],
    };
    let foreign = Signed::sign(&voucher, &key(12), &chain());
    let now = Timestamp::from_millis(1_000_000);
    let resumed = Lease::resume(record.clone(), Some(foreign), chain(), key(11), now);
    assert_eq!(resumed.unwrap_err(), ResumeError::ForeignVoucher);
    let stray = PayerRecord {
        delivered: BTreeSet::from([3]),
        ..record
    };
    let resumed = Lease::resume(stray, None, chain(), key(11), now);
    assert_eq!(resumed.unwrap_err(), ResumeError::UnknownArtefact(3));
}
