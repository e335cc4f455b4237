//! Owns why a job could not be bought, or a bid not be left, in words that say what to do.
//!
//! Never decides which it is.

use market::{Amount, PricePerHour};
use market_node::api::MAX_BID_S;
use market_node::book::{BookError, PostError};
use market_node::home::HomeError;
use market_node::identity::IdentityError;
use market_node::ledger::client::LedgerError;
use market_node::revocation::Revoked;
use market_node::store::StoreError;

use crate::inputs::InputError;
use crate::job_file::JobFileError;

/// Why a job could not be bought.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The job file is wrong.
    #[error(transparent)]
    File(#[from] JobFileError),
    /// An input is missing or wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The book cannot be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The ledger cannot be asked.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The operator does not answer.
    #[error(
        "the operator of this market cannot be reached, so nothing can be bought now: {0}; try again later, and \
         see `nightshift doctor`"
    )]
    Operator(LedgerError),
    /// No entropy.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing fits.
    #[error("no offer fits this job: {0}")]
    NoOffer(String),
    /// Not enough money.
    #[error(
        "this job locks {needed} and the account can spend {available}: {missing} are missing. Lower \
         budget.total in the job file, or ask the operator for credits (`nightshift wallet address` shows \
         where to)"
    )]
    Money {
        /// What is missing.
        missing: Amount,
        /// What would be locked, with the fee for opening.
        needed: Amount,
        /// What can be spent.
        available: Amount,
    },
    /// Not enough money to go on with another provider.
    #[error(
        "going on with another provider locks {needed} at least, and the account can spend {available}: {missing} \
         are missing. What earlier attempts locked comes back by itself; `nightshift wallet balance` shows what \
         there is"
    )]
    MoneyToGoOn {
        /// What is missing.
        missing: Amount,
        /// What would be locked at least, with the fee for opening.
        needed: Amount,
        /// What can be spent.
        available: Amount,
    },
    /// Too little would be left.
    #[error(
        "this job locks {needed}, which would leave {rest} of {available}; an account holds nothing or at \
         least {minimum}. Change budget.total in the job file"
    )]
    Dust {
        /// What would be locked, with the fee for opening.
        needed: Amount,
        /// What can be spent.
        available: Amount,
        /// What would be left.
        rest: Amount,
        /// The least that an account may hold.
        minimum: Amount,
    },
    /// The account has taken this node's delegation back.
    #[error("nothing can be bought by this node: {0}")]
    Revoked(#[from] Revoked),
    /// A bid would stand too long, or not at all.
    #[error(
        "a bid stands from a second to {} days, and {stands_s} seconds were asked for; bid again when it is over",
        MAX_BID_S / 86_400
    )]
    BidTime {
        /// What was asked for.
        stands_s: u32,
    },
    /// The price of a bid is beyond all money.
    #[error(
        "the job's time limit at this price is more than can be counted; lower the price, or set budget.total in the \
         job file"
    )]
    BidCost,
    /// As many bids stand as a node can have.
    #[error(
        "this node has 63 bids standing, which is the most; `nightshift cancel RUN` ends one, and `nightshift ps` \
         lists them"
    )]
    NoSlot,
    /// A bid is not one that the book takes.
    #[error("the bid does not stand in the book: {0}")]
    Post(#[from] PostError),
    /// The time of a bid is over.
    #[error("nobody sold for at most {max_price} while the bid stood; the last look: {misfits}")]
    Unsold {
        /// What was bid.
        max_price: PricePerHour,
        /// Why what there was did not fit.
        misfits: String,
    },
    /// All that fit fell through.
    #[error("none of the {tried} fitting offers could be reserved; the last said: {last}")]
    AllRefused {
        /// How many were tried.
        tried: usize,
        /// The last reason.
        last: String,
    },
}

impl RunError {
    /// Returns how much more the account would have to hold to go on, where money is what is missing.
    pub(crate) fn missing(&self) -> Option<Amount> {
        match self {
            Self::MoneyToGoOn { missing, .. } => Some(*missing),
            _ => None,
        }
    }

    /// Tells a ledger that does not answer from one that says something wrong.
    pub(super) fn operator(error: LedgerError) -> Self {
        match error.is_temporary() {
            true => Self::Operator(error),
            false => Self::Ledger(error),
        }
    }
}
