//! Owns how a page of history is asked for, and that the answer is that page.
//!
//! Never looks at what an entry says but at whose it is and where it stands.

use std::fmt;
use std::str::FromStr;

use market::AccountId;
use market::ledger::Bucket;
use serde::Deserialize;

use super::super::server::ApiError;
use super::HistoryError;
use crate::ledger::LedgerClient;
use crate::ledger::protocol::{
    HistoryCursor, HistoryEntry, HistoryPage, HistoryQuery, MAX_HISTORY_ENTRIES,
};

/// How many characters of a wrong text are shown again.
const SHOWN_CHARS: usize = 40;

/// How many entries a page may hold: 1 to [`MAX_HISTORY_ENTRIES`], by default 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u16);

/// A text that is not the length of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no number of entries for a page: the ledger hands out 1 to {MAX_HISTORY_ENTRIES} at a time. Ask for \
     that many at most, and for older ones with the next page"
)]
pub struct ParseLimitError(String);

/// A text that names no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no entry of a history: its name is HEIGHT:INDEX, two whole numbers with a colon between. Copy it \
     from the first column of `nightshift wallet history`"
)]
pub struct ParseCursorError(String);

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}

impl fmt::Display for PageLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PageLimit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match number(text) {
            Some(limit @ 1..=MAX_HISTORY_ENTRIES) => Ok(Self(limit)),
            _ => Err(ParseLimitError(shown(text))),
        }
    }
}

impl fmt::Display for HistoryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.index)
    }
}

impl FromStr for HistoryCursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (height, index) = text.split_once(':')?;
            Some(Self {
                height: number(height)?,
                index: number(index)?,
            })
        };
        read().ok_or_else(|| ParseCursorError(shown(text)))
    }
}

/// Reads digits and nothing else: a sign is not part of a name.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

/// Which page is wanted, as it stands in the address of the request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct PageQuery {
    pub(super) limit: Option<String>,
    pub(super) before: Option<String>,
}

/// Which page is wanted, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) account: AccountId,
    pub(super) before: Option<HistoryCursor>,
    pub(super) limit: PageLimit,
}

impl PageQuery {
    pub(super) fn wanted(&self, account: AccountId) -> Result<Wanted, ApiError> {
        let before = self.before.as_deref().map(str::parse).transpose();
        let limit = self.limit.as_deref().map(str::parse).transpose();
        Ok(Wanted {
            account,
            before: before.map_err(ApiError::bad_request)?,
            limit: limit.map_err(ApiError::bad_request)?.unwrap_or_default(),
        })
    }
}

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) entries: Vec<HistoryEntry>,
    /// The last entry of a page that others came before.
    pub(super) next: Option<HistoryCursor>,
}

impl Page {
    /// Asks for a page and, where it is full, whether anything came before it.
    ///
    /// # Errors
    /// The ledger could not be asked, or its answer is another page.
    pub(super) async fn read(ledger: &LedgerClient, wanted: Wanted) -> Result<Self, HistoryError> {
        let entries = wanted.read(ledger).await?;
        let oldest = entries.last().map(|entry| entry.at);
        let full = oldest.filter(|_| entries.len() == usize::from(wanted.limit.0));
        let next = match full {
            None => None,
            Some(oldest) => {
                let one_more = Wanted {
                    before: Some(oldest),
                    limit: PageLimit(1),
                    ..wanted
                };
                let found = one_more.read(ledger).await?;
                (!found.is_empty()).then_some(oldest)
            }
        };
        Ok(Self { entries, next })
    }
}

impl Wanted {
    async fn read(&self, ledger: &LedgerClient) -> Result<Vec<HistoryEntry>, HistoryError> {
        let entries = ledger.history(HistoryQuery {
            account: self.account,
            page: HistoryPage::Before(self.before),
            limit: self.limit.0,
        });
        let entries = entries.await?;
        match self.is_answered_by(&entries) {
            true => Ok(entries),
            false => Err(HistoryError::OtherPage(self.account)),
        }
    }

    /// Tells whether these can be the entries that were asked for, so that turning pages comes to an end and shows
    /// nothing twice.
    pub(super) fn is_answered_by(&self, entries: &[HistoryEntry]) -> bool {
        let own = Bucket::Available(self.account);
        let is_own =
            |entry: &HistoryEntry| (entry.transfer.debit == own) != (entry.transfer.credit == own);
        let newest = entries.first();
        entries.len() <= usize::from(self.limit.0)
            && entries.iter().all(is_own)
            && entries.is_sorted_by(|newer, older| newer.at > older.at)
            && newest.is_none_or(|newest| self.before.is_none_or(|before| newest.at < before))
    }
}
