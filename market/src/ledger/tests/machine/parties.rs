//! What the parties of the model do: the real lease machine of each side is put where the model's state says that it
//! stands, told what happened, and asked for its outputs in order.
//!
//! Never decides a rule itself: which voucher is signed, refused, kept before it is served, or claimed, and what a
//! close states, are the machines' own outputs. The model only carries them out one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::lease::{
    Gone, Input, Lease, Message, Output, PayerRecord, Purpose, Record, Role, Timing,
};

/// How long after a block the parties act on it, in milliseconds: enough for a tick of work to end.
const REACTION_MS: u64 = 5_000;

/// One output of a machine, as far as the model looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// This voucher is on disk.
    Keep(u8),
    /// It is on disk that the payer closes alone.
    KeepClosing,
    /// This voucher leaves the payer.
    Send(u8),
    /// The payee works off what all vouchers up to this one prepay.
    Serve(u8),
    /// A close leaves, with or stating this voucher.
    File(u8),
}

/// What a payer has on disk about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PayerDisk {
    pub(super) signed: u8,
    pub(super) closing: bool,
}

/// What happens to a payer's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PayerEvent {
    /// The payee asks for this voucher.
    Asked(u8),
    /// The payee is gone for good.
    PayeeGone,
    /// The payer's process starts again.
    Restart,
}

/// Where a payee's machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PayeeStand {
    pub(super) kept: u8,
    pub(super) served: u8,
    pub(super) has_proof: bool,
}

/// What happens to a payee's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PayeeEvent {
    /// This voucher arrives.
    Voucher(u8),
    /// A proof arrives that the channel is open.
    ProvedOpen,
    /// The owner wants the machine back.
    Yield,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Payer(PayerDisk, PayerEvent),
    Payee(PayeeStand, PayeeEvent),
}

/// The machines of all channels, and what they have answered: they are deterministic, so each is asked once.
pub(super) struct Parties {
    chain: ChainId,
    answers: Mutex<BTreeMap<(Deal, u8, Question), Vec<Step>>>,
    vouchers: Mutex<BTreeMap<(Deal, u8), Signed<Voucher>>>,
}

impl Parties {
    pub(super) fn new(chain: ChainId) -> Self {
        Self {
            chain,
            answers: Mutex::default(),
            vouchers: Mutex::default(),
        }
    }

    pub(super) fn payer(
        &self,
        deal: Deal,
        tick: u8,
        disk: PayerDisk,
        event: PayerEvent,
    ) -> Vec<Step> {
        self.answer((deal, tick, Question::Payer(disk, event)), || {
            steps(&self.payer_outputs(deal, tick, disk, event), 0, &self.chain)
        })
    }

    pub(super) fn payee(
        &self,
        deal: Deal,
        tick: u8,
        stand: PayeeStand,
        event: PayeeEvent,
    ) -> Vec<Step> {
        self.answer((deal, tick, Question::Payee(stand, event)), || {
            // A worker that goes on works off all that has come, kept or not.
            let come = match event {
                PayeeEvent::Voucher(number) => number.max(stand.kept),
                PayeeEvent::ProvedOpen | PayeeEvent::Yield => stand.kept,
            };
            steps(
                &self.payee_outputs(deal, tick, stand, event),
                come,
                &self.chain,
            )
        })
    }

    fn answer(&self, key: (Deal, u8, Question), ask: impl FnOnce() -> Vec<Step>) -> Vec<Step> {
        if let Some(known) = self.answers.lock().unwrap().get(&key) {
            return known.clone();
        }
        let steps = ask();
        self.answers.lock().unwrap().insert(key, steps.clone());
        steps
    }

    /// Returns a voucher as the payer's machine signs it, which is asked for all before it first.
    pub(super) fn voucher(&self, deal: Deal, number: u8) -> Signed<Voucher> {
        if let Some(known) = self.vouchers.lock().unwrap().get(&(deal, number)) {
            return known.clone();
        }
        let disk = PayerDisk {
            signed: number - 1,
            closing: false,
        };
        let outputs = self.payer_outputs(deal, 0, disk, PayerEvent::Asked(number));
        let mut sent = outputs.into_iter().filter_map(|output| match output {
            Output::Send(message) => match *message {
                Message::Voucher(signed) => Some(signed),
                _ => None,
            },
            _ => None,
        });
        let signed = sent.next().expect("a payer signs what is due");
        self.vouchers
            .lock()
            .unwrap()
            .insert((deal, number), signed.clone());
        signed
    }

    fn payer_outputs(
        &self,
        deal: Deal,
        tick: u8,
        disk: PayerDisk,
        event: PayerEvent,
    ) -> Vec<Output> {
        let record = PayerRecord {
            terms: deal.terms(),
            opened_at: Timestamp::from_millis(START_MS),
            meter: Meter::default(),
            delivered_meter: Meter::default(),
            artefacts: Vec::new(),
            delivered: BTreeSet::new(),
            outcome: None,
            purpose: match disk.closing {
                true => Purpose::CloseAlone,
                false => Purpose::Work,
            },
        };
        let newest = (disk.signed > 0).then(|| self.voucher(deal, disk.signed));
        let now = time_of(tick, REACTION_MS);
        let key = deal.payer();
        let mut lease = Lease::resume(record, newest, self.chain, key, now).unwrap();
        let input = match event {
            PayerEvent::Restart => return drain(&mut lease),
            PayerEvent::PayeeGone => Input::PeerGone {
                reason: Gone::UnknownAgreement,
            },
            PayerEvent::Asked(number) => Input::Received(Box::new(Message::Due {
                meter: meter(number),
                cumulative: cumulative(number),
            })),
        };
        drain(&mut lease);
        // What is refused has no outputs.
        let _refused = lease.handle_input(input, now);
        drain(&mut lease)
    }

    fn payee_outputs(
        &self,
        deal: Deal,
        tick: u8,
        stand: PayeeStand,
        event: PayeeEvent,
    ) -> Vec<Output> {
        // It began in good time: in the model's first tick every voucher is taken.
        let began = |ms: u64| Timestamp::from_millis(START_MS - 120_000 + ms);
        let now = time_of(tick, REACTION_MS);
        let mut lease = self.working_payee(deal, stand, began(0));
        // All that is prepaid is worked off, and the proof is too old to go on.
        pass_until(&mut lease, began(60_000));
        for number in stand.served + 1..=stand.kept {
            self.hand_over(&mut lease, (deal, number), began(60_000));
        }
        if stand.has_proof {
            lease
                .handle_input(Input::ProvedOpen { at: now }, now)
                .unwrap();
        }
        drain(&mut lease);
        match event {
            PayeeEvent::Voucher(number) => self.hand_over(&mut lease, (deal, number), now),
            PayeeEvent::ProvedOpen => {
                lease
                    .handle_input(Input::ProvedOpen { at: now }, now)
                    .unwrap();
            }
            PayeeEvent::Yield => {
                lease.handle_input(Input::Yield, now).unwrap();
                // The payer has nothing to add: the close is filed when waiting for it is over.
                lease.handle_timeout(now.saturating_add(Timing::default().closing_patience));
            }
        }
        drain(&mut lease)
    }

    /// Returns a payee that began to work at `start` with the vouchers that it has served since.
    fn working_payee(&self, deal: Deal, stand: PayeeStand, start: Timestamp) -> Lease {
        let day = Duration::from_secs(24 * 3_600);
        let timing = Timing {
            patience: day,
            ..Timing::for_challenge(Duration::from_millis(CHALLENGE_TICKS * UPTIME_STEP_MS))
        };
        let lease = Lease::new(Role::Payee, deal.terms(), self.chain, deal.payee(), start);
        let mut lease = lease.with_timing(timing);
        let begin = [
            Input::Opened { at: start },
            Input::ProvedOpen { at: start },
            Input::InputsReady,
            Input::WorkerRunning,
        ];
        for input in begin {
            lease.handle_input(input, start).unwrap();
        }
        for number in 1..=stand.served {
            self.hand_over(&mut lease, (deal, number), start);
        }
        lease
    }

    fn hand_over(&self, lease: &mut Lease, (deal, number): (Deal, u8), now: Timestamp) {
        let message = Message::Voucher(self.voucher(deal, number));
        let _refused = lease.handle_input(Input::Received(Box::new(message)), now);
    }
}

/// Wakes a machine whenever it wants to be woken.
fn pass_until(lease: &mut Lease, end: Timestamp) {
    while let Some(at) = lease.poll_timeout().filter(|at| *at <= end) {
        lease.handle_timeout(at);
        drain(lease);
    }
}

fn drain(lease: &mut Lease) -> Vec<Output> {
    std::iter::from_fn(|| lease.poll_output()).collect()
}

/// What the vouchers up to `number` promise in all; the opening pays the first tick.
pub(super) fn cumulative(number: u8) -> Amount {
    nano((u64::from(number) + 1) * TICK)
}

/// Which voucher promises `total`.
pub(super) fn number_of(total: Amount) -> u8 {
    assert_eq!(total.nanocredits() % TICK, 0, "{total} is no whole tick");
    u8::try_from(total.nanocredits() / TICK - 1).unwrap()
}

/// The meter at which a voucher is due.
fn meter(number: u8) -> Meter {
    Meter {
        running_ms: u64::from(number) * 1_000,
        hold_ms: 0,
    }
}

/// Returns what the model looks at of outputs; a worker that goes on serves what has `come`.
fn steps(outputs: &[Output], come: u8, chain: &ChainId) -> Vec<Step> {
    let number =
        |signed: &Signed<Voucher>| number_of(signed.verify(chain).unwrap().value.cumulative);
    let mut steps = Vec::new();
    for output in outputs {
        match output {
            Output::Persist(Record::Voucher(signed)) => {
                steps.push(Step::Keep(number(signed)));
            }
            Output::Persist(Record::Payer(record)) if record.purpose == Purpose::CloseAlone => {
                steps.push(Step::KeepClosing);
            }
            Output::Send(message) => {
                if let Message::Voucher(signed) = message.as_ref() {
                    steps.push(Step::Send(number(signed)));
                }
            }
            Output::ResumeWorker => steps.push(Step::Serve(come)),
            Output::CoopClose(voucher) => {
                steps.push(Step::File(voucher.as_ref().map_or(0, number)));
            }
            Output::PayerClose { cumulative, .. } => steps.push(Step::File(number_of(*cumulative))),
            _ => {}
        }
    }
    steps
}
