//! The channel machine, searched exhaustively: two payers, two payees, a crash after every single output of either
//! side, messages and transactions that are lost, late, doubled or out of order, and the ledger itself.
//!
//! The model has no rules of its own. What the ledger does is `execute`, `verify_block` and `commit`; what the
//! parties do is what their lease machines put out (see `parties`). It stands beside the ledger's other tests, and not
//! in a crate of its own, for their small market of known keys and for [`ChannelRecord::is_sound`].
//!
//! ```text
//!   payer 0 ──── Alpha ────► payee 0      both attempts of one search carry one nonce
//!        └────── Beta  ──┐
//!   payer 1 ──── Gamma ──┴─► payee 1      two leases of one process: it crashes with both
//! ```
//!
//! How the world is made finite without leaving anything out:
//!
//! - A message or transaction that left can arrive at any later time, again and again, or never: the state holds only
//!   what left. A claim may be filed by anybody with the voucher, so every voucher that the payee has kept can be
//!   claimed at any time.
//! - An event and the outputs that follow from it are one action with a crash after any of them: nobody else sees
//!   what lies between, because whatever leaves can arrive later.
//! - Time is seven ticks of five minutes. A block without transactions ends a tick, and every other block is at the
//!   time of the one before it. A payee that runs does not let the last tick of a window pass with a voucher
//!   unclaimed; one that is down does, and that is its choice.
//! - Pages of the ledger with one root at one time are one page (see `book::Page`).
//!
//! That a channel can always be closed is checked as: at the end of time every channel is closed, and until then time
//! or a party can always go on. Every action but a crash raises something that never falls, so no run avoids the end.

mod book;
mod model;
mod parties;

use stateright::{Checker, HasDiscoveries, Model};

use self::model::{Bounds, Market};
use super::*;
use crate::agreement::Meter;
use crate::ids::ChainId;

/// How long a tick of the model is: the uptime clock moves on by its largest step.
const TICK_MS: u64 = 300_000;

/// How long a challenge window is, in ticks of the model.
const CHALLENGE_TICKS: u64 = 2;

/// At which tick channels expire. Vouchers are taken until ten minutes before.
const EXPIRY_TICKS: u8 = 4;

/// The tick by which every channel is closed by itself.
const END: u8 = EXPIRY_TICKS + 2;

/// Vouchers of a channel, beside the first tick that its opening pays: together they use up the deposit.
const VOUCHERS: u8 = 3;

const CONSERVED: &str = "money is conserved and no bucket is overdrawn";
const SOUND: &str = "a channel has paid what was claimed, which never falls nor passes the deposit";
const NONCES: &str = "a payer nonce opens at most one channel";
const ONCE: &str = "an id applies once";
const TERMINAL: &str = "a closed channel holds nothing and never moves again";
const REPLAYS: &str = "a block replays to the same root";
const SUPPLY: &str = "only the treasury changes the supply";
const CLAIMABLE: &str = "every voucher that adds something pays until the deadline";
const PAYER_KNOWS: &str = "a payer pays no more than it knows to have signed";
const CLOSE_KEPT: &str = "a payer that has filed a close has it on disk that it closes";
const KEPT_FIRST: &str = "a payee serves only what it has kept";
const PAID: &str = "a payee that runs before the deadline is paid all that it served";
const ONE_ATTEMPT: &str = "of the attempts of one search at most one opens";
const ENDS: &str = "at the end of time every channel is closed";

/// The three channels that can open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Channel {
    Alpha,
    Beta,
    Gamma,
}

/// One agreement that would open a channel: an honest payer uses one nonce for all attempts of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Deal {
    channel: Channel,
    nonce: u8,
}

impl Channel {
    fn payer(self) -> usize {
        usize::from(self == Self::Gamma)
    }

    fn payee(self) -> usize {
        usize::from(self != Self::Alpha)
    }
}

impl Deal {
    fn payer(self) -> SecretKey {
        key(10 + u8::try_from(self.channel.payer()).unwrap())
    }

    fn payee(self) -> SecretKey {
        key(20 + u8::try_from(self.channel.payee()).unwrap())
    }

    fn terms(self) -> Terms {
        let mut world = World::empty();
        (world.payer, world.payee) = (self.payer(), self.payee());
        let mut terms = world.terms();
        terms.rates.hold_bps = 0;
        terms.deposit = nano((u64::from(VOUCHERS) + 1) * TICK);
        terms.payer_nonce = self.nonce.into();
        terms.expires_at = time_of(EXPIRY_TICKS, 0);
        terms
    }
}

fn model_genesis() -> Genesis {
    Genesis {
        challenge_ms: CHALLENGE_TICKS * UPTIME_STEP_MS,
        ..genesis()
    }
}

fn time_of(tick: u8, after_ms: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + u64::from(tick) * TICK_MS + after_ms)
}

/// A bug that is planted, to see that the search finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sabotage {
    /// The payee works on a voucher, and only then puts it on disk.
    ServesBeforeKeeping,
    /// The payer hands a voucher out, and only then puts it on disk.
    SendsBeforeKeeping,
    /// The payee claims when the window ends, not before.
    ClaimsAtTheDeadline,
    /// The payer has its nonce in memory alone, and draws another after a crash.
    DrawsANewNonce,
    /// The ledger pays the whole cumulative of a later claim, not what it adds.
    PaysTheWholeAgain,
}

const ONE_CHANNEL: Bounds = Bounds {
    channels: &[Channel::Alpha],
    vouchers: VOUCHERS,
};

const ALL_CHANNELS: Bounds = Bounds {
    channels: &[Channel::Alpha, Channel::Beta, Channel::Gamma],
    vouchers: 1,
};

/// Searches everything, and expects to find nothing but the examples.
fn search_all(bounds: Bounds) {
    let checker = Market::honest(bounds).checker().threads(2);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let (pages, moves) = checker.model().book_sizes();
    println!(
        "{} unique states of {} reached, up to {} actions deep; {pages} states of the ledger, {moves} moves of it",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth() - 1,
    );
    checker.assert_properties();
}

/// Searches a market with a planted bug for the nearest breach of `property`, and expects one.
fn expect_found(sabotage: Sabotage, bounds: Bounds, property: &'static str) {
    let market = Market::sabotaged(bounds, sabotage, property);
    let checker = market.checker().spawn_bfs().join();
    let found = checker.discovery(property);
    let path = found.unwrap_or_else(|| panic!("{sabotage:?} does not break: {property}"));
    let actions = path.into_actions();
    println!(
        "{sabotage:?} breaks \"{property}\" after {} actions:",
        actions.len()
    );
    for action in &actions {
        println!("  {action:?}");
    }
}

#[test]
fn one_channel_with_three_vouchers_keeps_every_invariant() {
    search_all(ONE_CHANNEL);
}

#[test]
fn two_payers_and_two_payees_keep_every_invariant() {
    search_all(ALL_CHANNELS);
}

#[test]
fn long_two_payers_and_two_payees_with_three_vouchers_keep_every_invariant() {
    search_all(Bounds {
        vouchers: VOUCHERS,
        ..ALL_CHANNELS
    });
}

#[test]
fn a_payee_that_serves_before_it_keeps_is_found() {
    expect_found(Sabotage::ServesBeforeKeeping, ONE_CHANNEL, KEPT_FIRST);
}

#[test]
fn a_payer_that_sends_before_it_keeps_is_found() {
    expect_found(Sabotage::SendsBeforeKeeping, ONE_CHANNEL, PAYER_KNOWS);
}

#[test]
fn a_payee_that_claims_at_the_deadline_is_found() {
    expect_found(Sabotage::ClaimsAtTheDeadline, ONE_CHANNEL, PAID);
}

#[test]
fn a_payer_that_draws_a_new_nonce_after_a_crash_is_found() {
    expect_found(Sabotage::DrawsANewNonce, ALL_CHANNELS, ONE_ATTEMPT);
}

#[test]
fn a_ledger_that_pays_the_whole_again_is_found() {
    expect_found(Sabotage::PaysTheWholeAgain, ONE_CHANNEL, SOUND);
}
