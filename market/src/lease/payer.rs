//! Owns the payer's rules: pay for measured time, never beyond the deposit, and never more than D ticks past
//! the last output that arrived.
//!
//! Never trusts the payee's meter further than the payer's own time allows.

use super::input::{Gone, Input, Message, Rejected};
use super::output::{Loss, Output, Record};
use super::state::{Artefact, Lease, MAX_ARTEFACTS, Phase};
use crate::agreement::Meter;
use crate::amount::Amount;
use crate::ids::BlobHash;
use crate::job::ArtifactName;
use crate::receipt::{Outcome, SignedReceipt};
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::{Seal, Signed};

impl Lease {
    pub(super) fn payer_input(&mut self, input: Input, now: Timestamp) -> Result<(), Rejected> {
        match input {
            Input::ArtefactStored { index } => self.artefact_stored(index),
            Input::Cancel => self.cancel(now),
            Input::Received(message) => {
                let result = self.payer_message(*message, now);
                if result.is_ok() {
                    self.heard(now);
                }
                result
            }
            Input::ProvedOpen { .. }
            | Input::ChannelClosing
            | Input::ClaimRefused { .. }
            | Input::InputsReady
            | Input::WorkerRunning
            | Input::ArtefactMade(_)
            | Input::WorkerDone(_)
            | Input::Yield => Err(Rejected::WrongRole {
                input: "a payee's input",
            }),
            Input::Opened { .. }
            | Input::LinkLost
            | Input::LinkBack
            | Input::PeerGone { .. }
            | Input::Settled { .. } => Ok(()),
        }
    }

    fn payer_message(&mut self, message: Message, now: Timestamp) -> Result<(), Rejected> {
        match message {
            Message::Phase {
                phase,
                meter,
                proved_until,
            } => {
                self.follow_phase(phase, meter, now)?;
                self.payee_proved_until = proved_until;
                Ok(())
            }
            Message::Due { meter, cumulative } => self.pay(meter, cumulative, now),
            Message::Artefact(artefact) => self.artefact_announced(artefact),
            Message::Finished { outcome, meter } => self.finished(outcome, meter, now),
            Message::Receipt(receipt) => self.receipt_offered(*receipt),
            Message::Voucher(_) | Message::Delivered { .. } | Message::Cancel | Message::Repeat => {
                Err(Rejected::WrongRole {
                    input: "a payer's message",
                })
            }
        }
    }

    /// Checks that the payee's meter neither went back nor outran the time since the opening.
    fn check_meter(&self, meter: Meter, now: Timestamp) -> Result<(), Rejected> {
        if meter.running_ms < self.meter.running_ms || meter.hold_ms < self.meter.hold_ms {
            return Err(Rejected::MeterBack);
        }
        let possible = now.saturating_since(self.opened_at) + self.timing.meter_slack;
        let possible_ms = u64::try_from(possible.as_millis()).unwrap_or(u64::MAX);
        let claimed_ms = meter.running_ms.saturating_add(meter.hold_ms);
        if claimed_ms > possible_ms {
            return Err(Rejected::MeterAhead {
                claimed_ms,
                possible_ms,
            });
        }
        Ok(())
    }

    fn follow_phase(&mut self, phase: Phase, meter: Meter, now: Timestamp) -> Result<(), Rejected> {
        let open = !matches!(self.phase, Phase::Opening | Phase::Closing | Phase::Ended);
        if !open || matches!(phase, Phase::Opening | Phase::Closing | Phase::Ended) {
            return Err(self.wrong_phase("Phase"));
        }
        self.check_meter(meter, now)?;
        (self.meter, self.phase) = (meter, phase);
        Ok(())
    }

    fn pay(&mut self, meter: Meter, asked: Amount, now: Timestamp) -> Result<(), Rejected> {
        if matches!(self.phase, Phase::Opening | Phase::Closing | Phase::Ended) {
            return Err(self.wrong_phase("Due"));
        }
        self.check_meter(meter, now)?;
        let allowed = self.due_with_ticks(meter, self.terms.rates.prepaid_ticks);
        if asked > allowed {
            return Err(Rejected::TooMuchAsked { asked, allowed });
        }
        let limit = self.delivery_limit();
        if asked > limit && asked > self.promised {
            return Err(Rejected::UndeliveredWork { limit });
        }
        self.meter = meter;
        self.promise(asked);
        Ok(())
    }

    /// The most that is promised before the next output arrives: D ticks past the last one.
    fn delivery_limit(&self) -> Amount {
        self.due_with_ticks(self.delivered_meter, self.terms.rates.delivery_ticks)
    }

    /// Signs a voucher for `total`, or repeats the newest one when it already covers that.
    fn promise(&mut self, total: Amount) {
        if total <= self.promised {
            if let Some(voucher) = self.voucher.clone() {
                self.send(Message::Voucher(voucher));
            }
            return;
        }
        let voucher = Voucher {
            channel: self.terms.channel_id(&self.chain),
            sequence: self.sequence + 1,
            cumulative: total,
            meter_hash: self.meter.hash(),
        };
        let signed = Signed::sign(&voucher, &self.key, &self.chain);
        self.sequence = voucher.sequence;
        self.promised = total;
        self.voucher = Some(signed.clone());
        self.outputs
            .push_back(Output::Persist(Record::Voucher(signed.clone())));
        self.send(Message::Voucher(signed));
    }

    fn artefact_announced(&mut self, artefact: Artefact) -> Result<(), Rejected> {
        let index = artefact.index;
        let unexpected = Rejected::UnexpectedArtefact { index };
        let position = usize::try_from(index).map_err(|_| unexpected.clone())?;
        if let Some(known) = self.artefacts.get(position) {
            if *known != artefact {
                return Err(unexpected);
            }
            if self.delivered.contains(&index) {
                self.send(Message::Delivered { index });
            }
            return Ok(());
        }
        let safe_name = artefact.name.parse::<ArtifactName>().is_ok();
        let fresh = self
            .artefacts
            .iter()
            .all(|known| known.name != artefact.name);
        let next = position == self.artefacts.len() && index < MAX_ARTEFACTS && fresh;
        if !next || !safe_name || matches!(self.phase, Phase::Opening | Phase::Ended) {
            return Err(unexpected);
        }
        self.artefacts.push(artefact.clone());
        self.outputs.push_back(Output::FetchArtefact(artefact));
        Ok(())
    }

    fn artefact_stored(&mut self, index: u32) -> Result<(), Rejected> {
        if usize::try_from(index).is_ok_and(|index| index >= self.artefacts.len()) {
            return Err(Rejected::UnexpectedArtefact { index });
        }
        if self.delivered.insert(index) {
            self.delivered_meter = self.meter;
            self.persist_record();
        }
        self.send(Message::Delivered { index });
        Ok(())
    }

    fn finished(&mut self, outcome: Outcome, meter: Meter, now: Timestamp) -> Result<(), Rejected> {
        if matches!(self.phase, Phase::Opening | Phase::Ended) {
            return Err(self.wrong_phase("Finished"));
        }
        if self.closes_alone {
            return Ok(()); // The last word on money was said.
        }
        if outcome == Outcome::Lost {
            return Err(Rejected::ReceiptMismatch { what: "outcome" }); // That is the payer's word.
        }
        self.check_meter(meter, now)?;
        let news = self.outcome.replace(outcome) != Some(outcome);
        self.meter = meter;
        self.phase = Phase::Closing;
        self.give_up_at
            .get_or_insert(now.saturating_add(self.timing.closing_patience));
        if news {
            self.persist_record();
        }
        let due = self.due().min(self.delivery_limit());
        if due > self.promised {
            self.promise(due);
        }
        Ok(())
    }

    /// Stops paying at once; what was done until then is still due.
    fn cancel(&mut self, now: Timestamp) -> Result<(), Rejected> {
        if matches!(self.phase, Phase::Closing | Phase::Ended) {
            return Ok(());
        }
        self.outcome = Some(Outcome::Cancelled);
        self.phase = Phase::Closing;
        self.give_up_at = Some(now.saturating_add(self.timing.closing_patience));
        self.persist_record();
        self.send(Message::Cancel);
        Ok(())
    }

    /// Keeps the payee's receipt aside until the ledger confirms what it says was paid.
    fn receipt_offered(&mut self, offered: SignedReceipt) -> Result<(), Rejected> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        offered.verify(&self.chain)?;
        let delivered = self
            .artefacts
            .iter()
            .filter(|a| self.delivered.contains(&a.index));
        let hashes: Vec<BlobHash> = delivered.map(|artefact| artefact.hash).collect();
        let receipt = &offered.receipt;
        let checks = [
            (
                "payee's seal",
                offered.payee.signer == *self.terms.payee.node.as_bytes(),
            ),
            ("agreement", receipt.agreement == self.terms.id(&self.chain)),
            (
                "outcome",
                receipt.outcome != Outcome::Lost
                    && self
                        .outcome
                        .is_none_or(|outcome| outcome == receipt.outcome),
            ),
            (
                "meter",
                receipt.meter == self.meter || self.phase != Phase::Closing,
            ),
            ("outputs", receipt.outputs == hashes),
        ];
        if let Some((what, _)) = checks.into_iter().find(|(_, holds)| !holds) {
            return Err(Rejected::ReceiptMismatch { what });
        }
        if self.receipt.replace(Box::new(offered)).is_none() {
            self.outputs.push_back(Output::AskSettled);
        }
        Ok(())
    }

    /// The channel is closed: signs the receipt if it says what the ledger says, and is done.
    pub(super) fn payer_settled(&mut self, paid: Amount) {
        let offered = self.receipt.take();
        if let Some(mut receipt) = offered.filter(|offered| offered.receipt.paid == paid) {
            receipt.payer = Some(Seal::new(&receipt.receipt, &self.key, &self.chain));
            self.outcome = Some(receipt.receipt.outcome);
            self.receipt = Some(receipt.clone());
            self.outputs
                .push_back(Output::Persist(Record::Receipt(receipt.clone())));
            self.send(Message::Receipt(receipt));
        }
        self.end(paid);
    }

    /// Closes alone when the other side has been lost, silent or idle for too long; points a silence out and
    /// asks into it before that.
    pub(super) fn payer_timeout(&mut self, now: Timestamp) {
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if passed(self.give_up_at) || passed(self.silent_at) {
            let for_ms = now.as_millis().saturating_sub(self.heard_at.as_millis());
            return self.close_alone(Loss::Silent { for_ms });
        }
        if passed(self.alert_at()) {
            self.alerted = true;
            let since = self.heard_at;
            self.outputs.push_back(Output::Silent { since });
        }
        if passed(self.probe_at()) {
            self.probed_at = Some(now);
            self.send(Message::Repeat);
        }
    }

    pub(super) fn payer_poll_timeout(&self) -> Option<Timestamp> {
        let waits = [
            self.give_up_at,
            self.silent_at,
            self.alert_at(),
            self.probe_at(),
        ];
        waits.into_iter().flatten().min()
    }

    /// When a silence is pointed out. A payee that only closes has nothing to say meanwhile.
    fn alert_at(&self) -> Option<Timestamp> {
        let works = !matches!(self.phase, Phase::Opening | Phase::Closing | Phase::Ended);
        (works && !self.alerted).then(|| self.heard_at.saturating_add(self.timing.alert_after))
    }

    /// When the payee is asked whether it is there.
    fn probe_at(&self) -> Option<Timestamp> {
        let matters = !self.closes_alone && self.receipt.is_none();
        if !matters || matches!(self.phase, Phase::Opening | Phase::Ended) {
            return None;
        }
        let doubt = self.heard_at.saturating_add(self.timing.doubt_after);
        let again = |at: Timestamp| at.saturating_add(self.timing.ask_every);
        Some(self.probed_at.map_or(doubt, again))
    }

    /// The payee's program no longer works on this agreement: waiting brings nothing.
    pub(super) fn payee_gone(&mut self, reason: Gone) {
        let settles = self.phase == Phase::Closing && self.receipt.is_some();
        if !settles && !matches!(self.phase, Phase::Opening | Phase::Ended) {
            self.close_alone(reason.into());
        }
    }

    /// States what was promised and signs nothing more. A payee that comes back is told to stop.
    fn close_alone(&mut self, loss: Loss) {
        if self.closes_alone {
            return;
        }
        (self.give_up_at, self.silent_at) = (None, None);
        (self.closes_alone, self.alerted) = (true, false);
        if self.phase != Phase::Closing {
            (self.phase, self.outcome) = (Phase::Closing, Some(Outcome::Lost));
            self.outputs.push_back(Output::Lost(loss));
        }
        self.persist_record();
        self.file_close();
    }

    /// Asks for the close, and tells the payee, wherever it is, to stop.
    pub(super) fn file_close(&mut self) {
        self.outputs.push_back(Output::PayerClose {
            sequence: self.sequence,
            cumulative: self.promised,
        });
        self.send(Message::Cancel);
    }
}
