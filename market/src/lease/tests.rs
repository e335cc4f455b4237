//! Two leases on one virtual clock, with shells that answer at once or not at all.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::agreement::{Meter, Party, Rates, Terms};
use crate::gpu::{AdapterKind, Band, GpuClass, Tier};
use crate::ids::{BlobHash, ChainId, JobId, OrderId};
use crate::keys::SecretKey;
use crate::receipt::Outcome;
use crate::voucher::Voucher;
use crate::{Amount, PricePerHour, Signed, Timestamp};

mod claims;
mod restart;
mod silence;

const TICK_MS: u64 = 10_000;

fn chain() -> ChainId {
    ChainId::from_bytes([1; 32])
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn terms(deposit_ticks: u64, delivery_ticks: u16) -> Terms {
    let party = |seed| Party {
        account: key(seed).account(),
        node: key(seed + 1).node(),
    };
    let band = Band::holding(1_000_000).unwrap();
    Terms {
        payer: party(10),
        payee: party(20),
        ask: OrderId::from_bytes([2; 32]),
        job: JobId::from_bytes([3; 32]),
        class: GpuClass::new(AdapterKind::Gpu, band, Tier::named(8).unwrap()),
        rates: Rates {
            price_per_hour: PricePerHour(Amount::from_nanocredits(360_000)),
            gpus: 1,
            hold_bps: 2_500,
            tick_ms: u32::try_from(TICK_MS).unwrap(),
            prepaid_ticks: 1,
            delivery_ticks,
        },
        deposit: Amount::from_nanocredits(1_000 * deposit_ticks), // a tick costs 1,000
        payer_nonce: 1,
        expires_at: Timestamp::from_millis(u64::MAX),
    }
}

fn artefact(index: u32) -> Artefact {
    Artefact {
        index,
        name: format!("checkpoint-{index}.bin"),
        hash: BlobHash::of(&index.to_le_bytes()),
        bytes: 4,
    }
}

/// Whether a side's messages arrive.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    Up,
    Down,
}

/// Both machines, and shells that carry out their outputs.
struct Pair {
    now: Timestamp,
    payer: Lease,
    payee: Lease,
    link: Link,
    /// The highest voucher that each side has flushed.
    payer_kept: Amount,
    payee_kept: Amount,
    closed: Option<Amount>,
    running: bool,
    operator_is_away: bool,
    log: Vec<(Role, Output)>,
    endings: Vec<(Role, Ending)>,
}

impl Pair {
    fn new(terms: Terms) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let lease = |role, seed| Lease::new(role, terms.clone(), chain(), key(seed), now);
        Self {
            now,
            payer: lease(Role::Payer, 11),
            payee: lease(Role::Payee, 21),
            link: Link::Up,
            payer_kept: Amount::ZERO,
            payee_kept: Amount::ZERO,
            closed: None,
            running: false,
            operator_is_away: false,
            log: Vec::new(),
            endings: Vec::new(),
        }
    }

    fn opened(terms: Terms) -> Self {
        let mut pair = Self::new(terms);
        let at = pair.now;
        pair.give(Role::Payer, Input::Opened { at }).unwrap();
        pair.give(Role::Payee, Input::Opened { at }).unwrap();
        pair
    }

    fn lease(&mut self, role: Role) -> &mut Lease {
        match role {
            Role::Payer => &mut self.payer,
            Role::Payee => &mut self.payee,
        }
    }

    fn give(&mut self, role: Role, input: Input) -> Result<(), Rejected> {
        let now = self.now;
        let result = self.lease(role).handle_input(input, now);
        self.drain();
        result
    }

    fn drain(&mut self) {
        loop {
            let (role, output) = match (self.payer.poll_output(), self.payee.poll_output()) {
                (Some(output), other) => {
                    if let Some(other) = other {
                        self.payee.outputs.push_front(other);
                    }
                    (Role::Payer, output)
                }
                (None, Some(output)) => (Role::Payee, output),
                (None, None) => return,
            };
            self.log.push((role, output.clone()));
            self.carry_out(role, output);
        }
    }

    fn carry_out(&mut self, role: Role, output: Output) {
        match output {
            Output::Persist(Record::Voucher(signed)) => {
                let kept = signed.verify(&chain()).unwrap().value.cumulative;
                match role {
                    Role::Payer => self.payer_kept = kept,
                    Role::Payee => self.payee_kept = kept,
                }
            }
            Output::Send(message) => {
                if let Message::Voucher(signed) = message.as_ref() {
                    let promised = signed.verify(&chain()).unwrap().value.cumulative;
                    assert!(promised <= self.payer_kept, "sent before it was flushed");
                }
                if self.link == Link::Up {
                    let other = match role {
                        Role::Payer => Role::Payee,
                        Role::Payee => Role::Payer,
                    };
                    let now = self.now;
                    let _ = self
                        .lease(other)
                        .handle_input(Input::Received(message), now);
                }
            }
            Output::ProveOpen if self.operator_is_away => {}
            Output::ProveOpen => self.answer(role, Input::ProvedOpen { at: self.now }),
            Output::FetchInputs => self.answer(role, Input::InputsReady),
            Output::StartWorker => {
                self.running = true;
                self.answer(role, Input::WorkerRunning);
            }
            Output::PauseWorker | Output::StopWorker => self.running = false,
            Output::ResumeWorker => self.running = true,
            Output::FetchArtefact(artefact) if self.link == Link::Up => {
                let index = artefact.index;
                self.answer(role, Input::ArtefactStored { index });
            }
            Output::CoopClose(voucher) => {
                let last =
                    voucher.map(|voucher| voucher.verify(&chain()).unwrap().value.cumulative);
                let first = self.payee.terms().rates.first_tick().unwrap();
                self.closed = Some(last.unwrap_or(first));
                let paid = self.closed.unwrap();
                self.answer(Role::Payee, Input::Settled { paid });
            }
            Output::PayerClose { cumulative, .. } => self.closed = Some(cumulative),
            Output::AskSettled => {
                let paid = self.closed.expect("a receipt follows the close");
                self.answer(Role::Payer, Input::Settled { paid });
            }
            Output::Ended(ending) => self.endings.push((role, ending)),
            _ => {}
        }
    }

    fn answer(&mut self, role: Role, input: Input) {
        let now = self.now;
        self.lease(role).handle_input(input, now).unwrap();
    }

    /// Moves time on, stopping at every timeout on the way.
    fn pass(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        for _ in 0..10_000 {
            let next = [self.payer.poll_timeout(), self.payee.poll_timeout()];
            let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            let now = self.now;
            self.payer.handle_timeout(now);
            self.payee.handle_timeout(now);
            self.drain();
        }
        self.now = end;
        self.payer.handle_timeout(end);
        self.payee.handle_timeout(end);
        self.drain();
    }

    fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn ending(&self, role: Role) -> &Ending {
        let found = self.endings.iter().find(|(who, _)| *who == role);
        &found.expect("the lease has ended").1
    }
}

#[test]
fn a_job_runs_is_paid_for_its_time_and_ends_with_one_receipt() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(95);
    pair.give(Role::Payee, Input::ArtefactMade(artefact(0)))
        .unwrap();
    pair.give(Role::Payee, Input::WorkerDone(Outcome::Completed))
        .unwrap();
    pair.drain();
    let (payer, payee) = (pair.ending(Role::Payer), pair.ending(Role::Payee));
    assert_eq!(payer.receipt, payee.receipt);
    let receipt = &payer.receipt.as_ref().unwrap();
    assert!(receipt.payer.is_some() && receipt.verify(&chain()).is_ok());
    assert_eq!(receipt.receipt.meter.running_ms, 95_000);
    assert_eq!(receipt.receipt.outputs, vec![artefact(0).hash]);
    let paid = payer.paid.nanocredits();
    assert!(
        (9_500..=10_500).contains(&paid),
        "95 s and at most one prepaid tick: {paid}"
    );
}

#[test]
fn no_work_begins_on_an_old_proof() {
    let mut payee = Pair::new(terms(10, 30)).payee;
    let now = Timestamp::from_millis(2_000_000);
    payee.handle_input(Input::Opened { at: now }, now).unwrap();
    let old = Timestamp::from_millis(now.as_millis() - 31_000);
    payee
        .handle_input(Input::ProvedOpen { at: old }, now)
        .unwrap();
    payee.handle_input(Input::InputsReady, now).unwrap();
    let outputs: Vec<_> = std::iter::from_fn(|| payee.poll_output()).collect();
    assert!(!outputs.contains(&Output::StartWorker));
    assert_eq!(
        outputs.iter().filter(|o| **o == Output::ProveOpen).count(),
        2
    );
    payee
        .handle_input(Input::ProvedOpen { at: now }, now)
        .unwrap();
    assert_eq!(payee.poll_output(), Some(Output::StartWorker));
}

#[test]
fn without_vouchers_the_worker_pauses_when_the_prepaid_tick_ends_and_stops_after_the_limit() {
    let mut pair = Pair::opened(terms(100, 30));
    assert!(pair.running);
    pair.link = Link::Down;
    pair.seconds(11);
    assert!(!pair.running, "one tick was prepaid");
    assert_eq!(pair.payee.phase(), Phase::Paused);
    assert_eq!(pair.payee.meter().running_ms, 10_001);
    pair.seconds(299 + 30);
    assert_eq!(
        pair.closed,
        Some(Amount::from_nanocredits(1_000)),
        "no more than was promised"
    );
}

#[test]
fn a_lost_link_lets_the_prepaid_work_end_and_its_return_resumes_without_paying_twice() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(3);
    pair.link = Link::Down;
    pair.give(Role::Payee, Input::LinkLost).unwrap();
    pair.give(Role::Payer, Input::LinkLost).unwrap();
    assert!(pair.running, "seven seconds are prepaid");
    pair.seconds(20);
    assert!(!pair.running);
    assert_eq!(pair.payee.waits_for(), Some(WaitsFor::OtherSide));
    pair.link = Link::Up;
    pair.give(Role::Payer, Input::LinkBack).unwrap();
    pair.give(Role::Payee, Input::LinkBack).unwrap();
    pair.seconds(0);
    assert!(pair.running);
    pair.seconds(7);
    let meter = pair.payee.meter();
    assert_eq!((meter.running_ms, meter.hold_ms), (17_001, 12_999));
    assert!(pair.payer.promised() <= Amount::from_nanocredits(3_400));
}

#[test]
fn the_payer_stops_paying_d_ticks_after_the_last_delivery() {
    let mut pair = Pair::opened(terms(100, 3));
    pair.seconds(200);
    assert_eq!(pair.payer.promised(), Amount::from_nanocredits(3_000));
    assert!(!pair.running);
    pair.give(Role::Payee, Input::ArtefactMade(artefact(0)))
        .unwrap();
    pair.seconds(11);
    assert!(pair.running, "delivery makes the next vouchers due");
    assert!(pair.payer.promised() > Amount::from_nanocredits(3_000));
}

#[test]
fn the_deposit_is_the_most_that_a_job_can_cost() {
    let mut pair = Pair::opened(terms(5, 30));
    pair.seconds(500);
    let ending = pair.ending(Role::Payee);
    assert_eq!(ending.outcome, Outcome::OutOfBudget);
    assert_eq!(ending.paid, Amount::from_nanocredits(5_000));
    assert!(!pair.running);
}

#[test]
fn a_yield_stops_the_worker_at_once_and_is_paid_for_the_work_done() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(42);
    pair.give(Role::Payee, Input::Yield).unwrap();
    assert!(!pair.running);
    assert_eq!(pair.ending(Role::Payer).outcome, Outcome::Yielded);
    assert_eq!(
        pair.ending(Role::Payer).receipt,
        pair.ending(Role::Payee).receipt
    );
}

#[test]
fn a_payer_whose_provider_vanishes_closes_alone_and_states_what_it_promised() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(25);
    pair.link = Link::Down;
    pair.give(Role::Payer, Input::LinkLost).unwrap();
    let promised = pair.payer.promised();
    pair.pass(Duration::from_secs(301));
    let closes = |output: &Output| matches!(output, Output::PayerClose { cumulative, .. } if *cumulative == promised);
    let found = pair
        .log
        .iter()
        .any(|(role, output)| *role == Role::Payer && closes(output));
    assert!(found, "the payer closed with {promised}");
}

#[test]
fn a_payer_that_hears_nothing_closes_alone_even_without_anything_to_send() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(25);
    pair.link = Link::Down; // Nobody tells the leases.
    pair.seconds(310);
    let closed = |(role, output): &(Role, Output)| {
        *role == Role::Payer && matches!(output, Output::PayerClose { .. })
    };
    assert!(pair.log.iter().any(closed));
}

#[test]
fn a_payee_with_nothing_to_ask_says_that_it_lives() {
    let mut free = terms(100, 30);
    free.rates.price_per_hour = PricePerHour(Amount::ZERO);
    let mut pair = Pair::opened(free);
    pair.seconds(1_000);
    assert!(pair.running && pair.closed.is_none());
}

#[test]
fn a_cancelled_job_is_paid_to_its_end_and_no_further() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(42);
    let promised = pair.payer.promised();
    pair.give(Role::Payer, Input::Cancel).unwrap();
    assert!(!pair.running);
    pair.seconds(60);
    assert_eq!(pair.ending(Role::Payer).outcome, Outcome::Cancelled);
    assert_eq!(pair.ending(Role::Payer).paid, promised);
}

#[test]
fn a_payer_that_closes_alone_stops_the_work() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(12);
    pair.give(Role::Payee, Input::ChannelClosing).unwrap();
    assert!(!pair.running);
    assert!(pair.closed.is_some(), "the newest voucher was handed in");
}

#[test]
fn dust_vouchers_and_repeated_deliveries_do_not_hold_the_card() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.link = Link::Down;
    pair.seconds(12);
    assert_eq!(pair.payee.phase(), Phase::Paused);
    let channel = pair.payee.terms().channel_id(&chain());
    for sequence in 1..40 {
        let voucher = Voucher {
            channel,
            sequence,
            cumulative: Amount::from_nanocredits(1_000 + sequence),
            meter_hash: [0; 32],
        };
        let signed = Signed::sign(&voucher, &key(11), &chain());
        let input = Input::Received(Box::new(Message::Voucher(signed)));
        let _ = pair.give(Role::Payee, input);
        pair.seconds(10);
    }
    assert!(pair.closed.is_some(), "five minutes are enough");
}

#[test]
fn a_channel_about_to_expire_takes_no_further_voucher() {
    let mut soon = terms(100, 30);
    soon.expires_at = Timestamp::from_millis(1_000_000 + 11 * 60_000);
    let mut pair = Pair::opened(soon);
    pair.seconds(30);
    let before = pair.payee.promised();
    assert!(before > Amount::from_nanocredits(3_000));
    pair.seconds(600);
    assert!(pair.closed.is_some() && !pair.running);
    assert!(pair.payee.promised() <= Amount::from_nanocredits(8_000));
}

#[test]
fn a_meter_that_outruns_time_is_not_paid() {
    let mut pair = Pair::opened(terms(100, 30));
    let due = |running_ms, asked| {
        let meter = Meter {
            running_ms,
            hold_ms: 0,
        };
        let cumulative = Amount::from_nanocredits(asked);
        Input::Received(Box::new(Message::Due { meter, cumulative }))
    };
    let ahead = pair.give(Role::Payer, due(60_000, 7_000));
    assert!(
        matches!(ahead, Err(Rejected::MeterAhead { .. })),
        "{ahead:?}"
    );
    let greedy = pair.give(Role::Payer, due(1_000, 5_000));
    assert!(
        matches!(greedy, Err(Rejected::TooMuchAsked { .. })),
        "{greedy:?}"
    );
    assert_eq!(pair.payer_kept, Amount::ZERO);
}

#[test]
fn vouchers_that_are_foreign_falling_or_over_the_deposit_are_refused() {
    let mut pair = Pair::opened(terms(10, 30));
    let channel = pair.payee.terms().channel_id(&chain());
    let voucher = |signer: u8, chain: ChainId, sequence, total| {
        let voucher = Voucher {
            channel,
            sequence,
            cumulative: Amount::from_nanocredits(total),
            meter_hash: [0; 32],
        };
        let signed = Signed::sign(&voucher, &key(signer), &chain);
        Input::Received(Box::new(Message::Voucher(signed)))
    };
    let other_chain = ChainId::from_bytes([9; 32]);
    let mut refusal = |input| pair.give(Role::Payee, input).unwrap_err();
    assert!(matches!(
        refusal(voucher(12, chain(), 1, 2_000)),
        Rejected::ForeignVoucher
    ));
    assert!(matches!(
        refusal(voucher(11, other_chain, 1, 2_000)),
        Rejected::Wire(_)
    ));
    assert!(matches!(
        refusal(voucher(11, chain(), 1, 11_000)),
        Rejected::OverDeposit { .. }
    ));
    assert!(matches!(
        refusal(voucher(11, chain(), 1, 900)),
        Rejected::VoucherDoesNotRise { .. }
    ));
    pair.give(Role::Payee, voucher(11, chain(), 1, 2_000))
        .unwrap();
    pair.give(Role::Payee, voucher(11, chain(), 1, 2_000))
        .unwrap();
    let replay = pair
        .give(Role::Payee, voucher(11, chain(), 1, 3_000))
        .unwrap_err();
    assert!(
        matches!(replay, Rejected::VoucherDoesNotRise { .. }),
        "{replay:?}"
    );
    assert_eq!(pair.payee_kept, Amount::from_nanocredits(2_000));
}

#[test]
fn output_names_that_could_leave_the_folder_are_refused() {
    let mut pair = Pair::opened(terms(10, 30));
    for name in ["", "../x", "/etc/x", "a/../../b", "nul\0", "back\\slash"] {
        let artefact = Artefact {
            name: name.to_owned(),
            ..artefact(0)
        };
        let input = Input::Received(Box::new(Message::Artefact(artefact)));
        let refused = pair.give(Role::Payer, input);
        assert!(
            matches!(refused, Err(Rejected::UnexpectedArtefact { .. })),
            "{name:?}"
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Link(bool),
    Artefact,
    Done,
    Yield,
    Cancel,
    Repeat(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u64..30_000).prop_map(Step::Pass),
        2 => any::<bool>().prop_map(Step::Link),
        2 => Just(Step::Artefact),
        1 => Just(Step::Done),
        1 => Just(Step::Yield),
        1 => Just(Step::Cancel),
        2 => (0usize..64).prop_map(Step::Repeat),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_money_stays_within_what_was_agreed(
        steps in proptest::collection::vec(step(), 1..60), deposit in 1u64..20, delivery in 1u16..6,
    ) {
        let mut pair = Pair::opened(terms(deposit, delivery));
        let mut made = 0;
        for step in steps {
            match step {
                Step::Pass(millis) => pair.pass(Duration::from_millis(millis)),
                Step::Link(up) => {
                    pair.link = if up { Link::Up } else { Link::Down };
                    let input = || if up { Input::LinkBack } else { Input::LinkLost };
                    let _ = pair.give(Role::Payer, input());
                    let _ = pair.give(Role::Payee, input());
                }
                Step::Artefact => {
                    if pair.give(Role::Payee, Input::ArtefactMade(artefact(made))).is_ok() {
                        made += 1;
                    }
                }
                Step::Done => {
                    pair.running = false; // The worker has left by itself.
                    let _ = pair.give(Role::Payee, Input::WorkerDone(Outcome::Completed));
                }
                Step::Yield => {
                    let _ = pair.give(Role::Payee, Input::Yield);
                }
                Step::Cancel => {
                    let _ = pair.give(Role::Payer, Input::Cancel);
                }
                Step::Repeat(index) => repeat_message(&mut pair, index),
            }
            let limit = pair.payer.terms().deposit;
            prop_assert!(pair.payer.promised() <= limit);
            prop_assert!(pair.payee.promised() <= pair.payer.promised().max(
                pair.payee.terms().rates.first_tick().unwrap()));
            prop_assert!(pair.payee_kept <= pair.payer_kept);
            if pair.running {
                let due = pair.payee.terms().rates.due(pair.payee.meter()).unwrap();
                prop_assert!(due <= pair.payee.promised() || pair.payee.promised() == limit);
            }
        }
        // With the link back for long enough, both sides come to an end, and one receipt or none.
        pair.link = Link::Up;
        let _ = pair.give(Role::Payer, Input::LinkBack);
        let _ = pair.give(Role::Payee, Input::LinkBack);
        pair.seconds(400);
        let _ = pair.give(Role::Payee, Input::Yield);
        pair.seconds(700);
        prop_assert!(pair.closed.is_some());
        prop_assert!(pair.closed.unwrap() <= pair.payer.terms().deposit);
        prop_assert!(!pair.running);
    }
}

/// Sends an earlier message of the log once more.
fn repeat_message(pair: &mut Pair, index: usize) {
    let sends: Vec<_> = pair
        .log
        .iter()
        .filter_map(|(role, output)| match output {
            Output::Send(message) => Some((*role, message.clone())),
            _ => None,
        })
        .collect();
    if let Some((role, message)) = sends.get(index % sends.len().max(1)) {
        let other = if *role == Role::Payer {
            Role::Payee
        } else {
            Role::Payer
        };
        let _ = pair.give(other, Input::Received(message.clone()));
    }
}
