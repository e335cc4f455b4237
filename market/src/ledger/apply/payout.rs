//! Owns what a channel pays: vouchers checked, deltas paid, fees taken, cooperative closes.
//!
//! Never pays anyone but the channel's payee, and never more than the deposit.

use super::super::channel::{ChannelRecord, ChannelState};
use super::super::draft::Draft;
use super::super::rejected::{Rejected, Role};
use super::super::transaction::VerifiedTransaction;
use super::super::transfer::{Bucket, Code, Transfer};
use super::{is_signed_by, require_party};
use crate::amount::Amount;
use crate::ids::ChannelId;
use crate::voucher::Voucher;
use crate::wire::Signed;

/// How often a claim of one open channel is free, in milliseconds on the uptime clock.
const FREE_CLAIM_INTERVAL_MS: u64 = 600_000;

impl Draft<'_> {
    pub(super) fn claim(
        &mut self,
        verified: &VerifiedTransaction,
        voucher: &Signed<Voucher>,
    ) -> Result<ChannelId, Rejected> {
        let (record, voucher) = self.check_voucher(voucher)?;
        if voucher.cumulative <= record.claimed {
            return Err(Rejected::NothingDue {
                cumulative: voucher.cumulative,
                claimed: record.claimed,
            });
        }
        let fee = self.claim_fee(verified, &record)?;
        let free_at_ms = match fee {
            None => self
                .context()
                .uptime_ms
                .saturating_add(FREE_CLAIM_INTERVAL_MS),
            Some(_) => record.free_claim_at_ms,
        };
        self.pay_out(record.id, voucher.cumulative, fee.unwrap_or(Amount::ZERO))?;
        self.update_channel(record.id, |record| {
            record.sequence = record.sequence.max(voucher.sequence);
            record.free_claim_at_ms = free_at_ms;
        })?;
        Ok(record.id)
    }

    /// Pays a last voucher and closes. A voucher that was claimed already, or an old one, adds
    /// nothing; that only hurts the payee, who signed.
    pub(super) fn coop_close(
        &mut self,
        verified: &VerifiedTransaction,
        id: ChannelId,
        voucher: Option<&Signed<Voucher>>,
    ) -> Result<(), Rejected> {
        let record = self.payable_channel(id)?;
        require_party(verified, Role::Payee, record.payee)?;
        if let Some(signed) = voucher {
            let (named, voucher) = self.check_voucher(signed)?;
            if named.id != id {
                return Err(Rejected::VoucherMismatch { channel: id });
            }
            self.pay_out(id, voucher.cumulative.max(record.claimed), Amount::ZERO)?;
            self.update_channel(id, |record| {
                record.sequence = record.sequence.max(voucher.sequence);
            })?;
        }
        self.close(id)
    }

    /// Returns a channel that still pays in this block.
    fn payable_channel(&self, id: ChannelId) -> Result<ChannelRecord, Rejected> {
        let record = self.channel(id)?;
        if record.pays_at(self.context().uptime_ms) {
            return Ok(record);
        }
        Err(Rejected::ChannelState {
            channel: id,
            state: record.state,
        })
    }

    /// Checks a voucher against the channel that it names: the only key that binds the payer there is
    /// the node in the record. The cumulative governs; the sequence is kept only for show.
    fn check_voucher(
        &self,
        signed: &Signed<Voucher>,
    ) -> Result<(ChannelRecord, Voucher), Rejected> {
        let verified = signed.verify(self.chain()).map_err(Rejected::from_wire)?;
        let record = self.payable_channel(verified.value.channel)?;
        if verified.signer != *record.payer.node.as_bytes() {
            return Err(Rejected::VoucherMismatch { channel: record.id });
        }
        Ok((record, verified.value))
    }

    /// Returns what this claim costs: `None` when it is the free one, else the flat fee, which only
    /// the payee may choose to bear. In the challenge window every claim is free, so that nobody can
    /// keep a payee from its money by claiming an older voucher first.
    fn claim_fee(
        &self,
        verified: &VerifiedTransaction,
        record: &ChannelRecord,
    ) -> Result<Option<Amount>, Rejected> {
        let is_closing = record.state != ChannelState::Open;
        if is_closing || self.context().uptime_ms >= record.free_claim_at_ms {
            return Ok(None);
        }
        let fee = self.rules().fees.transfer;
        if is_signed_by(verified, record.payee) {
            return Ok(Some(fee));
        }
        Err(Rejected::ClaimTooSoon {
            free_at_ms: record.free_claim_at_ms,
            fee,
        })
    }

    /// Raises what was claimed to `cumulative`, which is not below it, and pays the difference to the
    /// payee less the channel's share and `flat_fee`.
    pub(super) fn pay_out(
        &mut self,
        id: ChannelId,
        cumulative: Amount,
        flat_fee: Amount,
    ) -> Result<(), Rejected> {
        let record = self.channel(id)?;
        if cumulative > record.deposit {
            return Err(Rejected::AboveDeposit {
                cumulative,
                deposit: record.deposit,
            });
        }
        let delta = cumulative
            .checked_sub(record.claimed)
            .ok_or(Rejected::Arithmetic)?;
        let share = record.fee_until(cumulative).ok_or(Rejected::Arithmetic)?;
        let net = delta
            .checked_sub(share)
            .and_then(|rest| rest.checked_sub(flat_fee))
            .ok_or(Rejected::ClaimTooSoon {
                free_at_ms: record.free_claim_at_ms,
                fee: flat_fee,
            })?;
        self.update_channel(id, |record| record.claimed = cumulative)?;
        let payee = Bucket::Available(record.payee.account);
        let parts = [
            (Bucket::FeePool, share, Code::ChannelFee),
            (Bucket::FeePool, flat_fee, Code::ClaimFee),
            (payee, net, Code::Payout),
        ];
        for (credit, amount, code) in parts {
            self.post(Transfer {
                debit: Bucket::Channel(id),
                credit,
                amount,
                code,
            })?;
        }
        Ok(())
    }
}
