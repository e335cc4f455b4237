//! Owns the strict reading of a safetensors file: a file is exactly what the model asks for, or it is refused by name.
//!
//! The whole header is compared with the expected tensors before a weight is copied and before any memory is taken
//! that a size in the file asks for: its length, every name once, type, shape, and offsets that follow each other
//! without gap or overlap up to the file's end. `serde_json` ends a header that nests deeper than 128 levels; this
//! form has three. Never opens a file and never knows what the numbers are for.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// The most bytes that the header may have; ours needs 120 a tensor.
pub(crate) const MAX_HEADER_BYTES: u64 = 1 << 20;

/// The name under which a header keeps texts that are no tensors.
const METADATA: &str = "__metadata__";

/// The one type that is read, and its bytes.
const TYPE: &str = "F32";
const NUMBER_BYTES: usize = 4;

/// The most characters of a hostile text that an error repeats.
const SHOWN: usize = 80;

/// Which file is refused, and why.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct TensorFileError {
    /// The file's name in its checkpoint.
    pub file: &'static str,
    /// What is wrong with it.
    #[source]
    pub problem: TensorFileProblem,
}

/// Why a safetensors file is refused.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileProblem {
    /// The header is longer than the file or than any header needs to be, or there is none.
    #[error("the header says {length} bytes; the file has {available} for it")]
    HeaderLength {
        /// What the first eight bytes say.
        length: u64,
        /// What there is, at most 1 MiB.
        available: u64,
    },
    /// The header is no JSON, nests too deep, or has a field that is unknown, missing or of another type.
    #[error("the header cannot be read: {0}")]
    Header(#[from] serde_json::Error),
    /// A name stands in the header twice.
    #[error("the header has {name} twice")]
    Duplicate {
        /// The name, shortened.
        name: String,
    },
    /// The file has more or fewer tensors than the model.
    #[error("{actual} tensors, but the model has {expected}")]
    TensorCount {
        /// Tensors in the file.
        actual: usize,
        /// Tensors expected.
        expected: usize,
    },
    /// A tensor of the model is not in the file.
    #[error("there is no tensor {name}")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// A tensor is not in 32-bit floats.
    #[error("tensor {name} is {actual}; this engine reads F32")]
    Type {
        /// The tensor.
        name: String,
        /// Its type in the file, shortened.
        actual: String,
    },
    /// A tensor has another shape than the model's.
    #[error("tensor {name} has shape {actual:?}, but the model asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file, at most nine sizes of it.
        actual: Vec<u64>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A tensor's bytes do not begin where the ones before it end, or are more or fewer than its shape says.
    #[error(
        "tensor {name} lies at bytes {begin} to {end}; it must lie at {expected_begin} to {expected_end}"
    )]
    Offsets {
        /// The tensor.
        name: String,
        /// Where it begins in the file's data, as the header says.
        begin: u64,
        /// Where it ends.
        end: u64,
        /// Where the one before it ends.
        expected_begin: u64,
        /// Where it must end.
        expected_end: u64,
    },
    /// The tensors are more or fewer bytes than the file has.
    #[error("the tensors have {expected} bytes, but the file has {actual} for them")]
    DataLength {
        /// Bytes after the header.
        actual: u64,
        /// Bytes of all tensors.
        expected: u64,
    },
    /// A value is not a finite number.
    #[error("tensor {name} holds a value that is not finite")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A text beside the tensors is one that nobody writes.
    #[error("the header's texts have {name}, which means nothing here")]
    UnknownText {
        /// Its name, shortened.
        name: String,
    },
}

/// A tensor that a file must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

/// A file whose header was read, but not yet compared with anything.
pub(crate) struct TensorFile<'data> {
    name: &'static str,
    entries: BTreeMap<String, Entry>,
    texts: BTreeMap<String, String>,
    data: &'data [u8],
}

/// A tensor as the header describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A header as it stands in the file, with names that occur twice still there.
struct Header {
    entries: Vec<(String, Entry)>,
    texts: Vec<(String, String)>,
}

impl<'data> TensorFile<'data> {
    /// Reads the header of the file called `name`.
    pub(crate) fn parse(name: &'static str, bytes: &'data [u8]) -> Result<Self, TensorFileError> {
        let wrong = |problem| TensorFileError {
            file: name,
            problem,
        };
        let (header, data) = split_header(bytes).map_err(wrong)?;
        let header: Header = serde_json::from_slice(header).map_err(|error| wrong(error.into()))?;
        Ok(Self {
            name,
            entries: once_each(header.entries).map_err(wrong)?,
            texts: once_each(header.texts).map_err(wrong)?,
            data,
        })
    }

    /// Returns a text of the header.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Refuses texts other than `known`.
    pub(crate) fn check_texts(&self, known: &[&str]) -> Result<(), TensorFileError> {
        let unknown = self
            .texts
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            let name = shortened(name);
            Err(self.wrong(TensorFileProblem::UnknownText { name }))
        })
    }

    /// Checks that the file has exactly these tensors, and that its data is exactly theirs; copies nothing.
    pub(crate) fn check(&self, expected: &[Expected]) -> Result<(), TensorFileError> {
        if self.entries.len() != expected.len() {
            return Err(self.wrong(TensorFileProblem::TensorCount {
                actual: self.entries.len(),
                expected: expected.len(),
            }));
        }
        let mut lengths = BTreeMap::new();
        for tensor in expected {
            lengths.insert(tensor.name.as_str(), self.check_tensor(tensor)?);
        }
        self.check_offsets(&lengths)
    }

    /// Checks a tensor's type and shape; returns its bytes.
    fn check_tensor(&self, expected: &Expected) -> Result<u64, TensorFileError> {
        let name = expected.name.clone();
        let Some(entry) = self.entries.get(&expected.name) else {
            return Err(self.wrong(TensorFileProblem::Missing { name }));
        };
        if entry.dtype != TYPE {
            let actual = shortened(&entry.dtype);
            return Err(self.wrong(TensorFileProblem::Type { name, actual }));
        }
        let shape = expected.shape.iter().map(|size| *size as u64);
        if !entry.shape.iter().copied().eq(shape.clone()) {
            return Err(self.wrong(TensorFileProblem::Shape {
                name,
                actual: entry.shape.iter().copied().take(9).collect(),
                expected: expected.shape.clone(),
            }));
        }
        Ok(shape.fold(NUMBER_BYTES as u64, u64::saturating_mul))
    }

    /// Checks that the tensors lie one behind the other from the data's first byte to its last.
    fn check_offsets(&self, lengths: &BTreeMap<&str, u64>) -> Result<(), TensorFileError> {
        let mut placed: Vec<(&String, &Entry)> = self.entries.iter().collect();
        placed.sort_by_key(|(_, entry)| entry.data_offsets);
        let mut expected_begin = 0_u64;
        for (name, entry) in placed {
            let Some(length) = lengths.get(name.as_str()) else {
                let name = shortened(name);
                return Err(self.wrong(TensorFileProblem::Missing { name }));
            };
            let (begin, end) = entry.data_offsets;
            let expected_end = expected_begin.saturating_add(*length);
            if (begin, end) != (expected_begin, expected_end) {
                return Err(self.wrong(TensorFileProblem::Offsets {
                    name: name.clone(),
                    begin,
                    end,
                    expected_begin,
                    expected_end,
                }));
            }
            expected_begin = expected_end;
        }
        let (actual, expected) = (self.data.len() as u64, expected_begin);
        match actual == expected {
            true => Ok(()),
            false => Err(self.wrong(TensorFileProblem::DataLength { actual, expected })),
        }
    }

    /// Copies the numbers of a tensor of a checked file; each must be finite.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>, TensorFileError> {
        let range = self.entries.get(name).and_then(|entry| {
            let begin = usize::try_from(entry.data_offsets.0).ok()?;
            Some(begin..usize::try_from(entry.data_offsets.1).ok()?)
        });
        let Some(bytes) = range.and_then(|range| self.data.get(range)) else {
            let name = name.to_owned();
            return Err(self.wrong(TensorFileProblem::Missing { name }));
        };
        let values = from_bytes(bytes);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(self.wrong(TensorFileProblem::NotFinite {
                name: name.to_owned(),
            })),
        }
    }

    fn wrong(&self, problem: TensorFileProblem) -> TensorFileError {
        TensorFileError {
            file: self.name,
            problem,
        }
    }
}

/// Cuts a file into its header and its data.
fn split_header(bytes: &[u8]) -> Result<(&[u8], &[u8]), TensorFileProblem> {
    let (length, rest) = match bytes.split_first_chunk::<8>() {
        Some((length, rest)) => (u64::from_le_bytes(*length), rest),
        None => (0, &[][..]),
    };
    let available = MAX_HEADER_BYTES.min(rest.len() as u64);
    let wrong = TensorFileProblem::HeaderLength { length, available };
    match usize::try_from(length) {
        Ok(cut) if length > 0 && length <= available => Ok(rest.split_at(cut)),
        _ => Err(wrong),
    }
}

/// Makes a map of pairs whose names must differ.
fn once_each<T>(pairs: Vec<(String, T)>) -> Result<BTreeMap<String, T>, TensorFileProblem> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        let shown = shortened(&name);
        if map.insert(name, value).is_some() {
            return Err(TensorFileProblem::Duplicate { name: shown });
        }
    }
    Ok(map)
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Returns the values as a file holds them.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.collect()
}

/// Returns the values that a file holds; bytes after the last whole one are left out.
fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<NUMBER_BYTES>();
    chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a description for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header {
            entries: Vec::new(),
            texts: Vec::new(),
        };
        let mut texts_came = false;
        while let Some(name) = map.next_key::<String>()? {
            if name != METADATA {
                let entry = map.next_value()?;
                header.entries.push((name, entry));
                continue;
            }
            if std::mem::replace(&mut texts_came, true) {
                return Err(serde::de::Error::duplicate_field(METADATA));
            }
            header.texts = map.next_value::<Pairs>()?.0;
        }
        Ok(header)
    }
}

/// Texts by name, with names that occur twice still there.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests;
