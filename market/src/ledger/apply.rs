//! Owns what each operation means: who must sign it, when it is allowed, and which transfers it
//! compiles to.
//!
//! Never leaves a trace of a refused transaction.

mod money;
mod operators;
mod payout;
mod revoke;

use super::channel::{ChannelRecord, ChannelState};
use super::draft::Draft;
use super::leaf::{Key, Leaf};
use super::rejected::{Rejected, Role};
use super::transaction::{
    CheckedTransaction, MAX_VALIDITY_BLOCKS, Operation, SignedTransaction, VerifiedTransaction,
};
use super::transfer::{Bucket, Cause, Code, Transfer, TxReceipt};
use crate::agreement::{Party, Terms};
use crate::amount::Amount;
use crate::delegation::{Act, Delegation, Permission, authorise};
use crate::ids::{AccountId, ChannelId};
use crate::wire::Signed;

/// Money from one account to another.
struct Payment {
    from: AccountId,
    to: AccountId,
    amount: Amount,
}

impl Draft<'_> {
    /// Applies a transaction whole, or not at all when it is refused.
    pub fn apply(&mut self, signed: &SignedTransaction) -> Result<TxReceipt, Rejected> {
        if self.is_full() {
            return Err(Rejected::BlockFull);
        }
        let verified = signed.verify(self.chain())?;
        self.apply_verified(signed, &verified)
    }

    /// Applies a transaction whose seals were checked before; as [`Draft::apply`] otherwise.
    pub fn apply_checked(&mut self, checked: &CheckedTransaction) -> Result<TxReceipt, Rejected> {
        match checked.verified(self.chain()) {
            Some(verified) => self.apply_verified(checked.signed(), verified),
            None => self.apply(checked.signed()),
        }
    }

    fn apply_verified(
        &mut self,
        signed: &SignedTransaction,
        verified: &VerifiedTransaction,
    ) -> Result<TxReceipt, Rejected> {
        match self.attempt(verified) {
            Ok(receipt) => {
                self.keep(Some(receipt.clone()), Some(signed));
                Ok(receipt)
            }
            Err(reason) => {
                self.discard();
                Err(reason)
            }
        }
    }

    fn attempt(&mut self, verified: &VerifiedTransaction) -> Result<TxReceipt, Rejected> {
        if self.is_full() {
            return Err(Rejected::BlockFull);
        }
        self.check_window(verified)?;
        let channel = self.perform(verified)?;
        self.put(Leaf::Applied {
            id: verified.id,
            valid_until_height: verified.transaction.valid_until_height,
        });
        Ok(self.receipt(Cause::Transaction(verified.id), channel))
    }

    /// Does what is asked, and returns the channel that it concerned.
    fn perform(&mut self, verified: &VerifiedTransaction) -> Result<Option<ChannelId>, Rejected> {
        match &verified.transaction.operation {
            Operation::Transfer {
                from, to, amount, ..
            } => {
                let (from, to, amount) = (*from, *to, *amount);
                self.transfer(verified, Payment { from, to, amount })
                    .map(|()| None)
            }
            Operation::Issue { to, amount } => self.issue(verified, *to, *amount).map(|()| None),
            Operation::Redeem { from, amount } => {
                self.redeem(verified, *from, *amount).map(|()| None)
            }
            Operation::Open { terms } => self.open(verified, terms).map(Some),
            Operation::Claim { voucher } => self.claim(verified, voucher).map(Some),
            Operation::CoopClose { channel, voucher } => self
                .coop_close(verified, *channel, voucher.as_ref())
                .map(|()| Some(*channel)),
            Operation::PayerClose {
                channel,
                cumulative,
                ..
            } => self
                .payer_close(verified, *channel, *cumulative)
                .map(|()| Some(*channel)),
            Operation::SetOperators { operators } => {
                self.set_operators(verified, operators).map(|()| None)
            }
            Operation::Revoke {
                account,
                node,
                until,
            } => self
                .revoke(verified, (*account, *node), *until)
                .map(|()| None),
        }
    }

    /// Checks that the transaction may go into this block and has not gone into another.
    fn check_window(&self, verified: &VerifiedTransaction) -> Result<(), Rejected> {
        let height = self.context().height;
        let valid_until = verified.transaction.valid_until_height;
        if valid_until < height {
            return Err(Rejected::TooLate {
                valid_until,
                height,
            });
        }
        let latest = height.saturating_add(MAX_VALIDITY_BLOCKS);
        if valid_until > latest {
            return Err(Rejected::ValidTooLong {
                valid_until,
                latest,
            });
        }
        if self.leaf(&Key::Applied(verified.id)).is_some() {
            return Err(Rejected::AlreadyApplied { id: verified.id });
        }
        Ok(())
    }

    fn open(
        &mut self,
        verified: &VerifiedTransaction,
        terms: &Terms,
    ) -> Result<ChannelId, Rejected> {
        let record = self.check_terms(terms)?;
        let (id, payer) = (record.id, terms.payer.account);
        let first_tick = terms.rates.first_tick().ok_or(Rejected::Arithmetic)?;
        if let Some((spending, delegation)) = self.authority(verified, Role::Payer, terms.payer)? {
            self.spend(spending, &delegation, terms.deposit)?;
        }
        self.authority(verified, Role::Payee, terms.payee)?;
        let fee = self.rules().fees.open;
        self.require(payer, terms.deposit.checked_add(fee))?;
        self.put(Leaf::Channel(Box::new(record)));
        self.put(Leaf::PayerNonce {
            payer,
            nonce: terms.payer_nonce,
            channel: id,
        });
        self.post(Transfer {
            debit: Bucket::Available(payer),
            credit: Bucket::Channel(id),
            amount: terms.deposit,
            code: Code::Deposit,
        })?;
        self.post(Transfer {
            debit: Bucket::Available(payer),
            credit: Bucket::FeePool,
            amount: fee,
            code: Code::OpenFee,
        })?;
        self.check_minimum(payer)?;
        self.pay_out(id, first_tick, Amount::ZERO)?;
        Ok(id)
    }

    /// Checks the terms by themselves and against what was opened before.
    fn check_terms(&self, terms: &Terms) -> Result<ChannelRecord, Rejected> {
        terms.validate().map_err(|error| Rejected::Terms {
            detail: error.to_string(),
        })?;
        let (expires_at, now) = (terms.expires_at, self.context().time);
        if expires_at <= now {
            return Err(Rejected::TermsExpired { expires_at, now });
        }
        let record = ChannelRecord::new(terms, self.chain(), self.rules().fees.channel_bps);
        if self.leaf(&Key::Channel(record.id)).is_some() {
            return Err(Rejected::ChannelExists { channel: record.id });
        }
        let nonce = terms.payer_nonce;
        match self.leaf(&Key::PayerNonce(terms.payer.account, nonce)) {
            Some(Leaf::PayerNonce { channel, .. }) => Err(Rejected::NonceUsed {
                nonce,
                channel: *channel,
            }),
            _ => Ok(record),
        }
    }

    /// Checks that `party` signed: its account, which needs nothing more and gives `None`, or its
    /// node under a delegation, which is returned with its id.
    fn authority(
        &self,
        verified: &VerifiedTransaction,
        role: Role,
        party: Party,
    ) -> Result<Option<([u8; 32], Delegation)>, Rejected> {
        if verified.signers.contains(party.account.as_bytes()) {
            return Ok(None);
        }
        if !verified.signers.contains(party.node.as_bytes()) {
            return Err(Rejected::MissingSeal {
                role,
                signer: AccountId::from_bytes(*party.node.as_bytes()),
            });
        }
        let act = Act {
            account: party.account,
            node: party.node,
            wanted: match role {
                Role::Payee => Permission::Sell,
                Role::Payer | Role::Holder => Permission::Buy,
            },
        };
        self.find_delegation(&verified.delegations, role, act)
            .map(Some)
    }

    fn find_delegation(
        &self,
        delegations: &[Signed<Delegation>],
        role: Role,
        act: Act,
    ) -> Result<([u8; 32], Delegation), Rejected> {
        let mut refusal = Rejected::Delegation {
            role,
            detail: "no delegation came with the transaction".to_owned(),
        };
        for signed in delegations {
            let held = authorise(signed, act, self.chain(), self.context().time)
                .map_err(|error| Rejected::from_delegation(role, &error))
                .and_then(|delegation| self.check_revoked(role, delegation));
            match held {
                Ok(delegation) => return Ok((signed.id(self.chain()), delegation)),
                // The other party's delegation may come after it, and says nothing of why this one does not help.
                Err(_) if matches!(refusal, Rejected::Revoked { .. }) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Counts a deposit against the cap of the delegation that it is opened under.
    fn spend(
        &mut self,
        id: [u8; 32],
        delegation: &Delegation,
        wanted: Amount,
    ) -> Result<(), Rejected> {
        let spent = match self.leaf(&Key::Delegation(id)) {
            Some(Leaf::Delegation { spent, .. }) => *spent,
            _ => Amount::ZERO,
        };
        let cap = delegation.spend_cap;
        match spent.checked_add(wanted) {
            Some(total) if total <= cap => {
                self.put(Leaf::Delegation {
                    id,
                    spent: total,
                    expires_at: delegation.expires_at,
                });
                Ok(())
            }
            _ => Err(Rejected::SpendCap { cap, spent, wanted }),
        }
    }

    fn payer_close(
        &mut self,
        verified: &VerifiedTransaction,
        id: ChannelId,
        cumulative: Amount,
    ) -> Result<(), Rejected> {
        let record = self.channel(id)?;
        require_party(verified, Role::Payer, record.payer)?;
        if record.state != ChannelState::Open {
            return Err(Rejected::ChannelState {
                channel: id,
                state: record.state,
            });
        }
        if cumulative < record.claimed {
            return Err(Rejected::NothingDue {
                cumulative,
                claimed: record.claimed,
            });
        }
        self.pay_out(id, cumulative, Amount::ZERO)?;
        let closing = self.closing();
        self.update_channel(id, |record| record.state = closing)
    }
}

/// Checks that a party's account or node signed. Closing is always allowed to both: a party can leave
/// when its delegation has ended, and money goes only where the channel says.
fn require_party(verified: &VerifiedTransaction, role: Role, party: Party) -> Result<(), Rejected> {
    if is_signed_by(verified, party) {
        return Ok(());
    }
    Err(Rejected::MissingSeal {
        role,
        signer: party.account,
    })
}

/// Tells whether a party's account or node signed.
fn is_signed_by(verified: &VerifiedTransaction, party: Party) -> bool {
    verified.signers.contains(party.account.as_bytes())
        || verified.signers.contains(party.node.as_bytes())
}
