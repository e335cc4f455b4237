//! Owns the payee's rules: no work without proof, inputs and a voucher; a pause without one; a fair close.
//!
//! Never signs money: it only accepts vouchers.

use super::input::{Input, MARGIN_MINUTES, Message, Rejected};
use super::output::{Output, Record};
use super::state::{Artefact, Lease, Link, MAX_ARTEFACTS, Phase};
use crate::amount::Amount;
use crate::receipt::{Outcome, Receipt, SignedReceipt};
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::{Seal, Signed};
use std::time::Duration;

impl Lease {
    pub(super) fn payee_input(&mut self, input: Input, now: Timestamp) -> Result<(), Rejected> {
        match input {
            Input::ProvedOpen { at } => {
                self.proved(at, now);
                Ok(())
            }
            Input::ChannelClosing => self.stop_work(Outcome::Cancelled, now),
            Input::ClaimRefused { cumulative } => {
                self.claim_was_refused(cumulative, now);
                Ok(())
            }
            Input::InputsReady => {
                self.inputs_ready = true;
                self.start_if_ready(now);
                Ok(())
            }
            Input::WorkerRunning => self.worker_running(now),
            Input::ArtefactMade(artefact) => self.artefact_made(artefact),
            Input::WorkerDone(outcome) => {
                self.end_work(outcome, now);
                Ok(())
            }
            Input::Yield => self.stop_work(Outcome::Yielded, now),
            Input::Received(message) => self.payee_message(*message, now),
            Input::ArtefactStored { .. } => Err(Rejected::WrongRole {
                input: "ArtefactStored",
            }),
            Input::Cancel => Err(Rejected::WrongRole { input: "Cancel" }),
            Input::Opened { .. }
            | Input::LinkLost
            | Input::LinkBack
            | Input::PeerGone { .. }
            | Input::Settled { .. } => Ok(()),
        }
    }

    fn payee_message(&mut self, message: Message, now: Timestamp) -> Result<(), Rejected> {
        match message {
            Message::Voucher(signed) => self.accept_voucher(signed, now),
            Message::Delivered { index } => self.artefact_delivered(index, now),
            Message::Cancel => self.stop_work(Outcome::Cancelled, now),
            Message::Receipt(receipt) => self.accept_countersigned(*receipt),
            Message::Repeat => {
                self.repeat_what_was_lost(now);
                Ok(())
            }
            Message::Phase { .. }
            | Message::Due { .. }
            | Message::Artefact(_)
            | Message::Finished { .. } => Err(Rejected::WrongRole {
                input: "a payee's message",
            }),
        }
    }

    pub(super) fn start_if_ready(&mut self, now: Timestamp) {
        let (Phase::Preparing, true, false, Some(proved_at)) =
            (self.phase, self.inputs_ready, self.started, self.proved_at)
        else {
            return;
        };
        if now.saturating_since(proved_at) > self.timing.proof_age {
            self.proved_at = None;
            self.outputs.push_back(Output::ProveOpen);
            return;
        }
        self.started = true;
        self.outputs.push_back(Output::StartWorker);
    }

    fn worker_running(&mut self, now: Timestamp) -> Result<(), Rejected> {
        if self.phase != Phase::Preparing || !self.started {
            return Err(self.wrong_phase("WorkerRunning"));
        }
        self.enter(Phase::Running, now);
        self.check_cover(now);
        Ok(())
    }

    fn artefact_made(&mut self, artefact: Artefact) -> Result<(), Rejected> {
        if !matches!(
            self.phase,
            Phase::Running | Phase::Paused | Phase::Delivering
        ) {
            return Err(self.wrong_phase("ArtefactMade"));
        }
        let index = artefact.index;
        if index >= MAX_ARTEFACTS || usize::try_from(index) != Ok(self.artefacts.len()) {
            return Err(Rejected::UnexpectedArtefact { index });
        }
        self.artefacts.push(artefact.clone());
        self.send(Message::Artefact(artefact));
        Ok(())
    }

    fn artefact_delivered(&mut self, index: u32, now: Timestamp) -> Result<(), Rejected> {
        if usize::try_from(index).is_ok_and(|index| index >= self.artefacts.len()) {
            return Err(Rejected::UnexpectedArtefact { index });
        }
        // A repeated message must not buy time.
        if self.delivered.insert(index) && self.phase == Phase::Delivering {
            self.give_up_at = Some(now.saturating_add(self.timing.patience));
            self.finish_if_delivered(now);
        }
        Ok(())
    }

    /// The worker is gone; what it made may still be on its way.
    fn end_work(&mut self, outcome: Outcome, now: Timestamp) {
        if matches!(
            self.phase,
            Phase::Delivering | Phase::Closing | Phase::Ended
        ) {
            return;
        }
        self.outcome = Some(outcome);
        self.enter(Phase::Delivering, now);
        self.give_up_at = Some(now.saturating_add(self.timing.patience));
        self.finish_if_delivered(now);
    }

    fn stop_work(&mut self, outcome: Outcome, now: Timestamp) -> Result<(), Rejected> {
        if self.phase == Phase::Opening {
            return Err(self.wrong_phase("a stop"));
        }
        if matches!(self.phase, Phase::Closing | Phase::Ended) {
            return Ok(());
        }
        self.outputs.push_back(Output::StopWorker);
        self.outcome.get_or_insert(outcome);
        if outcome == Outcome::Cancelled {
            self.finish(now);
            return Ok(());
        }
        self.end_work(outcome, now);
        Ok(())
    }

    fn finish_if_delivered(&mut self, now: Timestamp) {
        if self.delivered.len() == self.artefacts.len() {
            self.finish(now);
        }
    }

    /// Fixes the meter, says so, and closes once what is due is promised.
    fn finish(&mut self, now: Timestamp) {
        self.phase = Phase::Closing;
        self.give_up_at = Some(now.saturating_add(self.timing.closing_patience));
        let outcome = *self.outcome.get_or_insert(Outcome::Completed);
        let meter = self.meter;
        self.send(Message::Finished { outcome, meter });
        if self.due() <= self.promised {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.close_sent {
            self.close_sent = true;
            self.outputs
                .push_back(Output::CoopClose(self.voucher.clone()));
        }
    }

    fn accept_voucher(&mut self, signed: Signed<Voucher>, now: Timestamp) -> Result<(), Rejected> {
        if self.voucher.as_ref() == Some(&signed) {
            return Ok(()); // Sent twice.
        }
        let verified = signed.verify(&self.chain)?;
        let voucher = verified.value;
        let ours = verified.signer == *self.terms.payer.node.as_bytes()
            && voucher.channel == self.terms.channel_id(&self.chain);
        if !ours {
            return Err(Rejected::ForeignVoucher);
        }
        let margin = Duration::from_secs(MARGIN_MINUTES * 60);
        if now.saturating_add(margin) >= self.terms.expires_at {
            return Err(Rejected::Expiring);
        }
        if voucher.cumulative > self.terms.deposit {
            return Err(Rejected::OverDeposit {
                cumulative: voucher.cumulative,
                deposit: self.terms.deposit,
            });
        }
        if voucher.sequence <= self.sequence || voucher.cumulative <= self.promised {
            return Err(Rejected::VoucherDoesNotRise {
                sequence: voucher.sequence,
                cumulative: voucher.cumulative,
            });
        }
        self.sequence = voucher.sequence;
        self.promised = voucher.cumulative;
        self.voucher = Some(signed.clone());
        self.asked_at = None;
        self.outputs
            .push_back(Output::Persist(Record::Voucher(signed)));
        if std::mem::take(&mut self.claim_refused) {
            self.claim(now);
        }
        match self.phase {
            Phase::Closing if self.due() <= self.promised => self.close(),
            Phase::Preparing | Phase::Paused => {
                self.mind_patience(now);
                self.resume_if_covered(now);
            }
            _ => {}
        }
        Ok(())
    }

    /// Keeps the card for a payer that pays and can be reached, and for as long as it is patient for any other.
    pub(super) fn mind_patience(&mut self, now: Timestamp) {
        if !matches!(
            self.phase,
            Phase::Preparing | Phase::Running | Phase::Paused
        ) {
            return;
        }
        let patient =
            self.link == Link::Up && (self.covered_ms() > 0 || self.phase == Phase::Running);
        if patient {
            self.give_up_at = None;
        } else {
            self.give_up_at
                .get_or_insert(now.saturating_add(self.timing.patience));
        }
    }

    /// Says again what may not have arrived while the link was lost; every message may come twice.
    pub(super) fn repeat_what_was_lost(&mut self, now: Timestamp) {
        self.asked_at = None;
        self.said_at = now;
        let meter = self.meter;
        match (self.phase, self.receipt.clone()) {
            (Phase::Opening | Phase::Ended, _) => return,
            (Phase::Closing, Some(receipt)) => self.send(Message::Receipt(receipt)),
            (Phase::Closing, None) => {
                let outcome = self.outcome.unwrap_or(Outcome::Completed);
                self.send(Message::Finished { outcome, meter });
            }
            _ => self.send_phase(),
        }
        let undelivered = self
            .artefacts
            .iter()
            .filter(|a| !self.delivered.contains(&a.index));
        for artefact in undelivered.cloned().collect::<Vec<_>>() {
            self.send(Message::Artefact(artefact));
        }
    }

    pub(super) fn resume_if_covered(&mut self, now: Timestamp) {
        let may_work = self.due() < self.promised && self.has_fresh_proof(now);
        if self.phase == Phase::Paused && may_work {
            self.enter(Phase::Running, now);
            self.outputs.push_back(Output::ResumeWorker);
        }
    }

    pub(super) fn payee_timeout(&mut self, now: Timestamp) {
        if self.give_up_at.is_some_and(|at| at <= now) {
            self.give_up(now);
        }
        self.check_cover(now);
        if self.last_claim.saturating_add(self.timing.claim_every) <= now {
            self.claim(now);
        }
        if self.is_metered() && self.said_at.saturating_add(self.timing.heartbeat) <= now {
            self.enter(self.phase, now);
        }
        if self.prove_at().is_some_and(|at| at <= now) {
            self.proof_asked_at = Some(now);
            self.outputs.push_back(Output::ProveOpen);
        }
    }

    pub(super) fn is_metered(&self) -> bool {
        matches!(
            self.phase,
            Phase::Preparing | Phase::Running | Phase::Paused | Phase::Delivering
        )
    }

    /// The other side has been silent for too long: keep what was promised and go.
    fn give_up(&mut self, now: Timestamp) {
        self.give_up_at = None;
        match self.phase {
            Phase::Preparing | Phase::Running | Phase::Paused | Phase::Delivering => {
                self.outputs.push_back(Output::StopWorker);
                self.outcome.get_or_insert(Outcome::Cancelled);
                self.finish(now);
                self.close();
            }
            Phase::Closing if !self.close_sent => self.close(),
            Phase::Closing => {
                if let Some(receipt) = self.receipt.clone() {
                    let paid = receipt.receipt.paid;
                    self.outputs
                        .push_back(Output::Persist(Record::Receipt(receipt)));
                    self.end(paid);
                }
            }
            Phase::Opening | Phase::Ended => {}
        }
    }

    /// Asks for the next voucher in time, pauses without it, stops when the deposit is spent.
    fn check_cover(&mut self, now: Timestamp) {
        if !self.is_metered() {
            return;
        }
        let exhausted = self.promised >= self.terms.deposit;
        if exhausted && self.covered_ms() == 0 && self.phase != Phase::Delivering {
            self.outputs.push_back(Output::StopWorker);
            self.end_work(Outcome::OutOfBudget, now);
            return;
        }
        if !exhausted && self.ask_at().is_some_and(|at| at <= now) {
            self.ask(now);
        }
        let may_work = self.due() <= self.promised && self.has_fresh_proof(now);
        if self.phase == Phase::Running && !may_work {
            self.enter(Phase::Paused, now);
            self.outputs.push_back(Output::PauseWorker);
        }
        self.mind_patience(now);
    }

    fn ask(&mut self, now: Timestamp) {
        let (meter, ticks) = (self.meter, self.terms.rates.prepaid_ticks);
        let cumulative = self.due_with_ticks(meter, ticks);
        if cumulative > self.promised {
            self.asked_at = Some(now);
            self.send(Message::Due { meter, cumulative });
        }
    }

    fn covered_ms(&self) -> u64 {
        self.terms.rates.covered_ms(self.meter, self.promised)
    }

    /// Half a tick before the cover ends, or a tick after an unanswered question.
    fn ask_at(&self) -> Option<Timestamp> {
        let tick = Duration::from_millis(self.terms.rates.tick_ms.into());
        if let Some(asked_at) = self.asked_at {
            return Some(asked_at.saturating_add(tick));
        }
        let left = Duration::from_millis(self.covered_ms());
        Some(
            self.metered_at
                .saturating_add(left.saturating_sub(tick / 2)),
        )
    }

    pub(super) fn payee_poll_timeout(&self) -> Option<Timestamp> {
        if !self.is_metered() {
            return self.give_up_at;
        }
        let exhausted = self.promised >= self.terms.deposit;
        let ask_at = self.ask_at().filter(|_| !exhausted);
        let cover_ends = (self.phase == Phase::Running || exhausted).then(|| {
            let left = Duration::from_millis(self.covered_ms().saturating_add(1));
            self.metered_at.saturating_add(left)
        });
        let claim_at = (self.promised > self.claimed && self.voucher.is_some())
            .then(|| self.last_claim.saturating_add(self.timing.claim_every));
        let proof_ends = self.proof_ends().filter(|_| self.phase == Phase::Running);
        let speak_at = Some(self.said_at.saturating_add(self.timing.heartbeat));
        [
            self.give_up_at,
            ask_at,
            cover_ends,
            claim_at,
            self.prove_at(),
            proof_ends,
            speak_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn payee_settled(&mut self, paid: Amount, now: Timestamp) -> Result<(), Rejected> {
        if self.receipt.is_some() {
            return Ok(()); // Told twice, which must not buy time.
        }
        if self.phase != Phase::Closing {
            self.outputs.push_back(Output::StopWorker);
            self.phase = Phase::Closing;
        }
        let outcome = *self.outcome.get_or_insert(Outcome::Cancelled);
        let outputs = self
            .artefacts
            .iter()
            .filter(|a| self.delivered.contains(&a.index));
        let receipt = Receipt {
            agreement: self.terms.id(&self.chain),
            outcome,
            meter: self.meter,
            paid,
            outputs: outputs.map(|artefact| artefact.hash).collect(),
            ended_at: now,
        };
        let payee = Seal::new(&receipt, &self.key, &self.chain);
        let signed = Box::new(SignedReceipt {
            receipt,
            payee,
            payer: None,
        });
        self.receipt = Some(signed.clone());
        self.close_sent = true;
        self.give_up_at = Some(now.saturating_add(self.timing.receipt_patience));
        self.outputs.push_back(Output::Paid(paid));
        self.send(Message::Receipt(signed));
        Ok(())
    }

    fn accept_countersigned(&mut self, countersigned: SignedReceipt) -> Result<(), Rejected> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        let Some(own) = &self.receipt else {
            return Err(self.wrong_phase("Receipt"));
        };
        if own.receipt != countersigned.receipt {
            return Err(Rejected::ReceiptMismatch { what: "content" });
        }
        countersigned.verify(&self.chain)?;
        let by_payer = countersigned
            .payer
            .as_ref()
            .is_some_and(|seal| seal.signer == *self.terms.payer.node.as_bytes());
        if !by_payer {
            return Err(Rejected::ReceiptMismatch {
                what: "payer's seal",
            });
        }
        let paid = countersigned.receipt.paid;
        let receipt = Box::new(countersigned);
        self.receipt = Some(receipt.clone());
        self.outputs
            .push_back(Output::Persist(Record::Receipt(receipt)));
        self.end(paid);
        Ok(())
    }
}
