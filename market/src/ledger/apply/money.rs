//! Owns the operations between accounts and on supply, and the rules on what an account may hold.
//!
//! Never touches a channel.

use super::super::draft::Draft;
use super::super::leaf::Leaf;
use super::super::rejected::{Rejected, Role};
use super::super::transaction::VerifiedTransaction;
use super::super::transfer::{Bucket, Code, Transfer};
use super::Payment;
use crate::amount::{Amount, SUPPLY_CAP};
use crate::ids::AccountId;

/// The length of an epoch of the issue cap, in milliseconds on the uptime clock.
const EPOCH_MS: u64 = 24 * 3_600_000;

impl Draft<'_> {
    pub(super) fn transfer(
        &mut self,
        verified: &VerifiedTransaction,
        payment: Payment,
    ) -> Result<(), Rejected> {
        let Payment { from, to, amount } = payment;
        require_holder(verified, from)?;
        require_some(amount)?;
        if from == to {
            return Err(Rejected::SameAccount);
        }
        let fee = self.rules().fees.transfer;
        self.require(from, amount.checked_add(fee))?;
        self.post(Transfer {
            debit: Bucket::Available(from),
            credit: Bucket::Available(to),
            amount,
            code: Code::Transfer,
        })?;
        self.post(Transfer {
            debit: Bucket::Available(from),
            credit: Bucket::FeePool,
            amount: fee,
            code: Code::TransferFee,
        })?;
        self.check_minimum(from)?;
        self.check_minimum(to)
    }

    /// Makes money: from the counter into the treasury, and on to the account.
    pub(super) fn issue(
        &mut self,
        verified: &VerifiedTransaction,
        to: AccountId,
        amount: Amount,
    ) -> Result<(), Rejected> {
        self.require_treasury(verified)?;
        require_some(amount)?;
        self.count_issue(amount)?;
        self.post(Transfer {
            debit: Bucket::Issued,
            credit: Bucket::Treasury,
            amount,
            code: Code::Issue,
        })?;
        self.post(Transfer {
            debit: Bucket::Treasury,
            credit: Bucket::Available(to),
            amount,
            code: Code::Issue,
        })?;
        self.check_minimum(to)
    }

    /// Takes money out: from the account into the treasury, and on to the counter.
    pub(super) fn redeem(
        &mut self,
        verified: &VerifiedTransaction,
        from: AccountId,
        amount: Amount,
    ) -> Result<(), Rejected> {
        self.require_treasury(verified)?;
        require_holder(verified, from)?;
        require_some(amount)?;
        self.post(Transfer {
            debit: Bucket::Available(from),
            credit: Bucket::Treasury,
            amount,
            code: Code::Redeem,
        })?;
        self.post(Transfer {
            debit: Bucket::Treasury,
            credit: Bucket::Redeemed,
            amount,
            code: Code::Redeem,
        })?;
        self.check_minimum(from)
    }

    /// Checks both caps on new money and counts it in its epoch.
    fn count_issue(&mut self, wanted: Amount) -> Result<(), Rejected> {
        let mut supply = self.supply();
        let epoch = self.context().uptime_ms / EPOCH_MS;
        if supply.epoch != epoch {
            (supply.epoch, supply.issued_in_epoch) = (epoch, Amount::ZERO);
        }
        let outstanding = supply.outstanding().ok_or(Rejected::Arithmetic)?;
        if sum_above(outstanding, wanted, SUPPLY_CAP) {
            return Err(Rejected::SupplyCap {
                supply: outstanding,
                cap: SUPPLY_CAP,
                wanted,
            });
        }
        let (issued, cap) = (supply.issued_in_epoch, self.rules().issue_cap_per_epoch);
        if sum_above(issued, wanted, cap) {
            return Err(Rejected::EpochCap {
                issued,
                cap,
                wanted,
            });
        }
        supply.issued_in_epoch = issued.checked_add(wanted).ok_or(Rejected::Arithmetic)?;
        self.put(Leaf::Supply(supply));
        Ok(())
    }

    fn require_treasury(&self, verified: &VerifiedTransaction) -> Result<(), Rejected> {
        let rules = self.rules();
        let signers = &verified.signers;
        let have = signers
            .iter()
            .filter(|signer| rules.treasury.contains(&AccountId::from_bytes(**signer)))
            .count();
        let need = usize::from(rules.treasury_threshold);
        if have < need {
            return Err(Rejected::Threshold { have, need });
        }
        Ok(())
    }

    /// Checks that an account can pay `needed`, which is `None` when the sum does not fit.
    pub(super) fn require(
        &self,
        account: AccountId,
        needed: Option<Amount>,
    ) -> Result<(), Rejected> {
        let needed = needed.ok_or(Rejected::Arithmetic)?;
        let available = self.available(account);
        if available < needed {
            return Err(Rejected::Insufficient {
                account,
                available,
                needed,
            });
        }
        Ok(())
    }

    /// Checks that an account holds nothing, or at least the minimum. What a channel pays to someone
    /// is never refused for being little: the rule binds those who move money, not those who earn it.
    pub(super) fn check_minimum(&self, account: AccountId) -> Result<(), Rejected> {
        let (balance, minimum) = (self.available(account), self.rules().minimum_balance);
        if balance > Amount::ZERO && balance < minimum {
            return Err(Rejected::BelowMinimum {
                account,
                balance,
                minimum,
            });
        }
        Ok(())
    }
}

fn sum_above(sum: Amount, wanted: Amount, cap: Amount) -> bool {
    sum.checked_add(wanted).is_none_or(|total| total > cap)
}

fn require_some(amount: Amount) -> Result<(), Rejected> {
    if amount == Amount::ZERO {
        return Err(Rejected::ZeroAmount);
    }
    Ok(())
}

/// Checks that the account's own key signed; a node never moves its account's balance.
pub(super) fn require_holder(
    verified: &VerifiedTransaction,
    account: AccountId,
) -> Result<(), Rejected> {
    if verified.signers.contains(account.as_bytes()) {
        return Ok(());
    }
    Err(Rejected::MissingSeal {
        role: Role::Holder,
        signer: account,
    })
}
