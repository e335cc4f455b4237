//! Owns the one gate through which integers reach a device.
//!
//! Burn's kernels for tables (embedding, gather, select, scatter) are launched without bounds checks and use an
//! integer as an address, so an index tensor is made here and nowhere else, lives for one lookup, and every index was
//! compared on the processor with the size of the table that it goes into. A test reads the crate's own source and
//! fails where another file names Burn's integers.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData, module};

/// Why ids are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// An id is negative or not below the vocabulary's size.
    #[error("token {token} at position {position} is outside the vocabulary of {vocabulary}")]
    OutOfRange {
        /// The id.
        token: i64,
        /// Its place in the batch.
        position: usize,
        /// Ids are below this.
        vocabulary: u32,
    },
    /// The ids do not fill the rows, or there are none.
    #[error("{tokens} tokens do not fill rows of {columns}")]
    Ragged {
        /// Ids given.
        tokens: usize,
        /// Ids in a row.
        columns: usize,
    },
    /// The table that the ids would go into is smaller than the vocabulary that they were checked against.
    #[error("tokens of a vocabulary of {vocabulary} would go into a table of {entries}")]
    Table {
        /// Ids are below this.
        vocabulary: u32,
        /// Entries of the table.
        entries: usize,
    },
    /// The scores do not have one row for each id.
    #[error("{tokens} tokens do not fit {rows} rows of scores")]
    Rows {
        /// Ids given.
        tokens: usize,
        /// Rows of scores.
        rows: usize,
    },
}

/// Rows of token ids, each of them below the vocabulary's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenBatch {
    ids: Vec<i32>,
    columns: usize,
    vocabulary: u32,
}

impl TokenBatch {
    /// Checks ids that stand row after row, `columns` to a row. They come as the widest integer that any file
    /// holds, so that nothing wraps on the way to the check.
    pub(crate) fn new(ids: &[i64], columns: usize, vocabulary: u32) -> Result<Self, TokenError> {
        if columns == 0 || ids.is_empty() || !ids.len().is_multiple_of(columns) {
            return Err(TokenError::Ragged {
                tokens: ids.len(),
                columns,
            });
        }
        let mut checked = Vec::with_capacity(ids.len());
        for (position, &token) in ids.iter().enumerate() {
            match i32::try_from(token) {
                Ok(id) if (0..i64::from(vocabulary)).contains(&token) => checked.push(id),
                _ => {
                    return Err(TokenError::OutOfRange {
                        token,
                        position,
                        vocabulary,
                    });
                }
            }
        }
        Ok(Self {
            ids: checked,
            columns,
            vocabulary,
        })
    }

    /// Returns the number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.ids.len() / self.columns
    }

    /// Returns the number of ids in a row.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Returns some of the rows; none, or rows that do not exist, are refused.
    pub(crate) fn slice_rows(&self, rows: Range<usize>) -> Result<Self, TokenError> {
        let start = rows.start.saturating_mul(self.columns);
        let end = rows.end.saturating_mul(self.columns);
        match self.ids.get(start..end) {
            Some(ids) if !ids.is_empty() => Ok(Self {
                ids: ids.to_vec(),
                ..*self
            }),
            _ => Err(TokenError::Ragged {
                tokens: self.ids.len(),
                columns: self.columns,
            }),
        }
    }

    /// Looks every id up in a table `[entries, dim]`; returns `[rows * columns, dim]`.
    pub(crate) fn rows_of(&self, table: Tensor<2>) -> Result<Tensor<2>, TokenError> {
        let [entries, dim] = table.dims();
        self.check_table(entries)?;
        let shape = [self.rows(), self.columns];
        let ids = self.upload(shape, &table.device());
        let found = module::embedding(table, ids);
        Ok(found.reshape([self.ids.len(), dim]))
    }

    /// Picks for every id its score in its row of `[rows * columns, entries]`; returns `[rows * columns, 1]`.
    pub(crate) fn scores_in(&self, scores: Tensor<2>) -> Result<Tensor<2>, TokenError> {
        let [rows, entries] = scores.dims();
        self.check_table(entries)?;
        let tokens = self.ids.len();
        if rows != tokens {
            return Err(TokenError::Rows { tokens, rows });
        }
        let ids = self.upload([tokens, 1], &scores.device());
        Ok(scores.gather(1, ids))
    }

    /// Refuses a table with fewer entries than the ids were checked against.
    fn check_table(&self, entries: usize) -> Result<(), TokenError> {
        match entries >= self.vocabulary as usize {
            true => Ok(()),
            false => Err(TokenError::Table {
                vocabulary: self.vocabulary,
                entries,
            }),
        }
    }

    /// The only place where integers go to a device.
    fn upload(&self, shape: [usize; 2], device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(self.ids.clone(), shape), device)
    }

    #[cfg(test)]
    pub(crate) fn ids(&self) -> &[i32] {
        &self.ids
    }
}

#[cfg(test)]
mod tests;
