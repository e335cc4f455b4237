//! Owns the bytes under every message: fixed-width little-endian integers, read with a bound.
//!
//! Never panics on any bytes, never sets memory aside for what is not there, and never leaves a byte over.

use crate::workload::WorkloadError;

/// The version of the protocol and of its bytes.
pub const PROTOCOL_VERSION: u8 = 1;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than this kind of message may have.
    #[error("{actual} bytes, more than the {max} that this message may have")]
    TooLarge {
        /// Bytes received.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The message ends in the middle of a field.
    #[error("{wanted} bytes of a field are missing where {left} are left")]
    Truncated {
        /// Bytes that the field has.
        wanted: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes were left after the message ended.
    #[error("{extra} bytes follow the end of the message")]
    TrailingBytes {
        /// Bytes left over.
        extra: usize,
    },
    /// Another version of the protocol.
    #[error(
        "version {actual} of the protocol is not known here, which speaks version {PROTOCOL_VERSION}"
    )]
    Version {
        /// The version received.
        actual: u8,
    },
    /// A field with a value that it cannot have.
    #[error("{value} is no {field}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// Lengths or rounds out of range.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
}

/// Bytes being read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts a message of at most `max` bytes.
    pub(crate) fn new(bytes: &'a [u8], max: usize) -> Result<Self, DecodeError> {
        let actual = bytes.len();
        if actual > max {
            return Err(DecodeError::TooLarge { actual, max });
        }
        Ok(Self { bytes })
    }

    /// Refuses what is left where it is more than `max` bytes.
    pub(crate) fn limit(&self, max: usize) -> Result<(), DecodeError> {
        Self::new(self.bytes, max).map(drop)
    }

    /// Reads the version, which must be this one, and then the kind of message.
    pub(crate) fn header(&mut self) -> Result<u8, DecodeError> {
        match self.u8()? {
            PROTOCOL_VERSION => self.u8(),
            actual => Err(DecodeError::Version { actual }),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((array, rest)) = self.bytes.split_first_chunk() else {
            return Err(DecodeError::Truncated {
                wanted: N,
                left: self.bytes.len(),
            });
        };
        self.bytes = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads `count` arrays; memory is set aside only once the bytes are known to be there.
    pub(crate) fn arrays<const N: usize>(
        &mut self,
        count: usize,
    ) -> Result<Vec<[u8; N]>, DecodeError> {
        let wanted = count.saturating_mul(N);
        let Some((taken, rest)) = self.bytes.split_at_checked(wanted) else {
            let left = self.bytes.len();
            return Err(DecodeError::Truncated { wanted, left });
        };
        self.bytes = rest;
        let (arrays, _) = taken.as_chunks();
        Ok(arrays.to_vec())
    }

    /// Ends the message: nothing may be left.
    pub(crate) fn end(self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            extra => Err(DecodeError::TrailingBytes { extra }),
        }
    }
}

/// Returns a number that is at most `max`, as the length of a list.
pub(crate) fn at_most(field: &'static str, number: u32, max: u32) -> Result<usize, DecodeError> {
    if number > max {
        let value = number.into();
        return Err(DecodeError::Field { field, value });
    }
    Ok(number as usize)
}

/// Bytes being written.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// Starts a message of this kind.
    pub(crate) fn new(kind: u8) -> Self {
        Self(vec![PROTOCOL_VERSION, kind])
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}
