//! What a limit order book must do, said one behaviour at a time, and compared with naive books.

use super::differential::{CHECKS, Check};
use super::*;
use market::Amount;
use sweep::{compare_corpus, sweep};

#[path = "../../../tests/fuzz/sweep.rs"]
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus lies in files, and only tests read them"
)]
mod sweep;

mod corpus;
mod rules;
