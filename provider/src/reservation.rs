//! Owns the decision about one reservation: whether its terms, its job and its signatures are what this
//! provider offered.
//!
//! Never submits anything and never starts work.

use market::agreement::Terms;
use market::delegation::{Act, Permission, authorise};
use market::gpu::GpuReport;
use market::job::{JobSpec, Limits};
use market::ledger::{Operation, SignedTransaction, VerifiedTransaction};
use market::order::Ask;
use market::{ChainId, NodeId, OrderId, Timestamp};
use market_node::config::SellSettings;
use market_node::identity::Identity;
use market_node::lease_protocol::{Refusal, Reservation};

/// What this provider offers at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) order: OrderId,
    pub(crate) ask: Ask,
    pub(crate) report: GpuReport,
}

/// Where and when a reservation arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) from: NodeId,
    pub(crate) now: Timestamp,
    /// Who is sold to.
    pub(crate) wanted: &'a SellSettings,
}

/// A reservation that this provider takes.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) terms: Terms,
    pub(crate) job: JobSpec,
    /// The opening with both signatures.
    pub(crate) open: SignedTransaction,
}

/// Checks a reservation against the offer and adds this provider's signature.
pub(crate) fn accept(
    reservation: Reservation,
    offered: &Offered,
    identity: &Identity,
    arrival: Arrival<'_>,
    chain: &ChainId,
) -> Result<Accepted, Refusal> {
    let verified = reservation
        .open
        .verify(chain)
        .map_err(|error| Refusal::Terms(error.to_string()))?;
    let Operation::Open { terms } = &verified.transaction.operation else {
        return Err(Refusal::Terms(
            "the transaction opens no channel".to_owned(),
        ));
    };
    let terms = terms.clone();
    check_parties(&terms, &verified, identity, arrival, chain)?;
    check_terms(&terms, offered, arrival.now)?;
    check_job(&terms, &reservation.job, offered, chain)?;
    let open = reservation
        .open
        .cosign(&identity.node_key, chain)
        .map_err(|error| Refusal::Terms(error.to_string()))?
        .with_delegation(identity.delegation.clone());
    Ok(Accepted {
        terms,
        job: reservation.job,
        open,
    })
}

fn check_parties(
    terms: &Terms,
    verified: &VerifiedTransaction,
    identity: &Identity,
    arrival: Arrival<'_>,
    chain: &ChainId,
) -> Result<(), Refusal> {
    let refuse = |reason: &str| Err(Refusal::Terms(reason.to_owned()));
    if (terms.payee.account, terms.payee.node) != (identity.account, identity.node()) {
        return refuse("they name another payee");
    }
    if terms.payer.node != arrival.from {
        return refuse("the payer's node is not the one that asks");
    }
    if !verified.signers.contains(terms.payer.node.as_bytes()) {
        return refuse("the payer's node has not signed");
    }
    let act = Act {
        account: terms.payer.account,
        node: terms.payer.node,
        wanted: Permission::Buy,
    };
    let allowed = verified
        .delegations
        .iter()
        .any(|delegation| authorise(delegation, act, chain, arrival.now).is_ok());
    if !allowed && terms.payer.account.as_bytes() != terms.payer.node.as_bytes() {
        return refuse("the payer's account has not delegated buying to its node");
    }
    let welcome = arrival
        .wanted
        .welcomes(terms.payer.account, terms.payer.node);
    welcome.map_err(|unwelcome| Refusal::Terms(unwelcome.to_string()))
}

fn check_terms(terms: &Terms, offered: &Offered, now: Timestamp) -> Result<(), Refusal> {
    terms
        .validate()
        .map_err(|error| Refusal::Terms(error.to_string()))?;
    let ask = &offered.ask;
    if terms.ask != offered.order {
        return Err(Refusal::OfferChanged(
            "it was replaced by a newer one".to_owned(),
        ));
    }
    let rates = &terms.rates;
    let as_offered = terms.class == ask.class
        && rates.price_per_hour >= ask.price
        && rates.gpus <= ask.gpus
        && rates.hold_bps >= ask.hold_bps
        && rates.tick_ms == ask.tick_ms;
    if !as_offered {
        return Err(Refusal::Terms(
            "class, price, GPUs, hold rate or tick differ".to_owned(),
        ));
    }
    let longest = std::time::Duration::from_secs(u64::from(ask.max_duration_s));
    let lifetime = terms.expires_at.saturating_since(now);
    if lifetime < std::time::Duration::from_secs(60) || lifetime > longest.saturating_mul(8) {
        return Err(Refusal::Terms(
            "the channel expires too soon or too late".to_owned(),
        ));
    }
    Ok(())
}

fn check_job(
    terms: &Terms,
    job: &JobSpec,
    offered: &Offered,
    chain: &ChainId,
) -> Result<(), Refusal> {
    let refuse = |reason: String| Err(Refusal::Job(reason));
    if job.id(chain) != terms.job {
        return refuse("it is not the job that the terms name".to_owned());
    }
    if let Err(error) = job.validate() {
        return refuse(error.to_string());
    }
    if job.limits.wall_clock_s > offered.ask.max_duration_s {
        return refuse(format!(
            "it may run {} s, and this offer ends after {} s",
            job.limits.wall_clock_s, offered.ask.max_duration_s
        ));
    }
    let usable = offered.report.figures.usable_memory_bytes.unwrap_or(0);
    let needed = job.memory_bytes();
    if needed > usable {
        return refuse(format!(
            "it needs {needed} bytes of memory, {usable} are usable"
        ));
    }
    // What the ask promises of memory, and what every job may use unless it says otherwise.
    let host_limit = usable
        .max(Limits::default().memory_bytes)
        .min(host_memory());
    if job.limits.memory_bytes > host_limit {
        return refuse(format!(
            "it may use {} bytes of host memory, and this offer allows {host_limit}",
            job.limits.memory_bytes
        ));
    }
    Ok(())
}

/// Returns three quarters of this machine's memory, in bytes: what a job may use of it, whatever the card has.
#[cfg(target_os = "linux")]
pub(crate) fn host_memory() -> u64 {
    let system = rustix::system::sysinfo();
    let total = (system.totalram as u64).saturating_mul(system.mem_unit.into());
    total / 4 * 3
}

/// A system that is not asked for its memory sets no further bound.
#[cfg(not(target_os = "linux"))]
pub(crate) fn host_memory() -> u64 {
    u64::MAX
}

#[cfg(test)]
pub(crate) mod tests;
