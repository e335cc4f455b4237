//! Owns the gate through which token ids reach a device.
//!
//! Burn's kernels index memory with the ids as given, so no index tensor is ever made in any other way
//! than from a [`TokenBatch`], which checks every id against the vocabulary on the processor.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Why ids are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// An id is not below the vocabulary's size.
    #[error("token {token} at position {position} is outside the vocabulary of {vocabulary}")]
    OutOfRange {
        /// The id.
        token: u32,
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
}

/// Rows of token ids, each of them below the vocabulary's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenBatch {
    ids: Vec<i32>,
    columns: usize,
}

impl TokenBatch {
    /// Checks ids that stand row after row, `columns` to a row.
    pub(crate) fn new(ids: &[u32], columns: usize, vocabulary: u32) -> Result<Self, TokenError> {
        if columns == 0 || ids.is_empty() || !ids.len().is_multiple_of(columns) {
            return Err(TokenError::Ragged {
                tokens: ids.len(),
                columns,
            });
        }
        let mut checked = Vec::with_capacity(ids.len());
        for (position, &token) in ids.iter().enumerate() {
            match i32::try_from(token) {
                Ok(id) if token < vocabulary => checked.push(id),
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
                columns: self.columns,
            }),
            _ => Err(TokenError::Ragged {
                tokens: self.ids.len(),
                columns: self.columns,
            }),
        }
    }

    /// Uploads the ids as a matrix of rows.
    pub(crate) fn upload(&self, device: &Device) -> Tensor<2, Int> {
        let shape = [self.rows(), self.columns];
        Tensor::from_data(TensorData::new(self.ids.clone(), shape), device)
    }
}

#[cfg(test)]
mod tests;
