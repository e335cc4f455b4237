//! Owns the bytes of the four messages, each with its limit.
//!
//! Never lets two different byte strings mean the same message: what decodes encodes to the same bytes.

use super::{Challenge, Draw, MAX_LIMIT_MS, Message, Opening, Openings, Roots};
use crate::chain::{Root, Subject};
use crate::codec::{DecodeError, Reader, Writer, at_most};
use crate::draw::{OPENINGS, Place};
use crate::mode::Mode;
use crate::shape::Shape;
use crate::tile::{TILE_ENTRIES, Tile};
use crate::tree::{MAX_NEIGHBOURS, MAX_SIBLINGS, Path};
use crate::workload::{MAX_ROUNDS, Workload};

const HEADER_BYTES: usize = 2;
const HASH_BYTES: usize = 32;
const SUBJECT_BYTES: usize = HASH_BYTES + 4;
const WORKLOAD_BYTES: usize = 1 + 4 * 4;
const MAX_PATH_BYTES: usize = 2 + (MAX_NEIGHBOURS + MAX_SIBLINGS) * HASH_BYTES;
const MAX_OPENING_BYTES: usize = 4 + 4 + 4 * TILE_ENTRIES + MAX_PATH_BYTES;

/// The four kinds, by the byte after the version.
#[derive(Clone, Copy)]
enum Kind {
    Challenge = 1,
    Roots = 2,
    Draw = 3,
    Openings = 4,
}

impl Kind {
    fn of(code: u8) -> Result<Self, DecodeError> {
        let kinds = [Self::Challenge, Self::Roots, Self::Draw, Self::Openings];
        let known = kinds.into_iter().find(|kind| *kind as u8 == code);
        known.ok_or(DecodeError::Field {
            field: "kind of message",
            value: code.into(),
        })
    }

    const fn max_bytes(self) -> usize {
        HEADER_BYTES
            + match self {
                Self::Challenge => HASH_BYTES + SUBJECT_BYTES + WORKLOAD_BYTES + 4,
                Self::Roots => 4 + MAX_ROUNDS as usize * HASH_BYTES,
                Self::Draw => HASH_BYTES,
                Self::Openings => 4 + OPENINGS * MAX_OPENING_BYTES,
            }
    }
}

impl Message {
    /// The most bytes that a message has: the roots of the most rounds.
    pub const MAX_BYTES: usize = Kind::Roots.max_bytes();

    /// Encodes the message. Lists beyond their limits are encoded too, and refused by whoever decodes them.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Challenge(challenge) => {
                let mut writer = Writer::new(Kind::Challenge as u8);
                writer.bytes(&challenge.rho);
                write_subject(&mut writer, &challenge.subject);
                write_workload(&mut writer, challenge.workload);
                writer.u32(challenge.limit_ms);
                writer.finish()
            }
            Self::Roots(Roots { roots }) => {
                let mut writer = Writer::new(Kind::Roots as u8);
                writer.u32(roots.len() as u32);
                roots.iter().for_each(|root| writer.bytes(root.as_bytes()));
                writer.finish()
            }
            Self::Draw(draw) => {
                let mut writer = Writer::new(Kind::Draw as u8);
                writer.bytes(&draw.sigma);
                writer.finish()
            }
            Self::Openings(Openings { openings }) => {
                let mut writer = Writer::new(Kind::Openings as u8);
                writer.u32(openings.len() as u32);
                openings
                    .iter()
                    .for_each(|opening| write_opening(&mut writer, opening));
                writer.finish()
            }
        }
    }

    /// Decodes a message that must fill the whole input, under the limit of its kind. Sets aside at most three times
    /// the input's own size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, Self::MAX_BYTES)?;
        let kind = Kind::of(reader.header()?)?;
        reader.limit(kind.max_bytes() - HEADER_BYTES)?;
        let message = match kind {
            Kind::Challenge => Self::Challenge(read_challenge(&mut reader)?),
            Kind::Roots => Self::Roots(read_roots(&mut reader)?),
            Kind::Draw => Self::Draw(Draw {
                sigma: reader.array()?,
            }),
            Kind::Openings => Self::Openings(read_openings(&mut reader)?),
        };
        reader.end()?;
        Ok(message)
    }
}

fn read_challenge(reader: &mut Reader<'_>) -> Result<Challenge, DecodeError> {
    let rho = reader.array()?;
    let subject = read_subject(reader)?;
    let workload = read_workload(reader)?;
    let limit_ms = reader.u32()?;
    at_most("limit in milliseconds", limit_ms, MAX_LIMIT_MS)?;
    Ok(Challenge {
        rho,
        subject,
        workload,
        limit_ms,
    })
}

fn read_roots(reader: &mut Reader<'_>) -> Result<Roots, DecodeError> {
    let count = at_most("number of roots", reader.u32()?, MAX_ROUNDS)?;
    let roots = reader.arrays(count)?.into_iter().map(Root::from_bytes);
    Ok(Roots {
        roots: roots.collect(),
    })
}

fn read_openings(reader: &mut Reader<'_>) -> Result<Openings, DecodeError> {
    let count = at_most("number of openings", reader.u32()?, OPENINGS as u32)?;
    let openings = (0..count).map(|_| read_opening(reader));
    Ok(Openings {
        openings: openings.collect::<Result<_, _>>()?,
    })
}

fn read_opening(reader: &mut Reader<'_>) -> Result<Opening, DecodeError> {
    let place = Place {
        round: reader.u32()?,
        tile: reader.u32()?,
    };
    let words = reader
        .arrays(TILE_ENTRIES)?
        .into_iter()
        .map(u32::from_le_bytes);
    let tile = Tile::from_words(words.collect()).expect("as many words as a tile has were read");
    let neighbours = u32::from(reader.u8()?);
    let neighbours = at_most("number of neighbours", neighbours, MAX_NEIGHBOURS as u32)?;
    let siblings = u32::from(reader.u8()?);
    let siblings = at_most("number of siblings", siblings, MAX_SIBLINGS as u32)?;
    let path = Path {
        neighbours: reader.arrays(neighbours)?,
        siblings: reader.arrays(siblings)?,
    };
    Ok(Opening { place, tile, path })
}

fn write_opening(writer: &mut Writer, opening: &Opening) {
    writer.u32(opening.place.round);
    writer.u32(opening.place.tile);
    opening
        .tile
        .words()
        .iter()
        .for_each(|word| writer.u32(*word));
    let Path {
        neighbours,
        siblings,
    } = &opening.path;
    writer.u8(neighbours.len() as u8);
    writer.u8(siblings.len() as u8);
    for hash in neighbours.iter().chain(siblings) {
        writer.bytes(hash);
    }
}

pub(crate) fn read_subject(reader: &mut Reader<'_>) -> Result<Subject, DecodeError> {
    Ok(Subject {
        key: reader.array()?,
        gpu: reader.u32()?,
    })
}

pub(crate) fn write_subject(writer: &mut Writer, subject: &Subject) {
    writer.bytes(&subject.key);
    writer.u32(subject.gpu);
}

pub(crate) fn read_workload(reader: &mut Reader<'_>) -> Result<Workload, DecodeError> {
    let code = reader.u8()?;
    let mode = Mode::of_code(code).ok_or(DecodeError::Field {
        field: "mode",
        value: code.into(),
    })?;
    let [rows, columns, depth] = [reader.u32()?, reader.u32()?, reader.u32()?];
    let shape = Shape::new(rows, columns, depth);
    let shape = shape.map_err(crate::workload::WorkloadError::from)?;
    Ok(Workload::new(mode, shape, reader.u32()?)?)
}

pub(crate) fn write_workload(writer: &mut Writer, workload: Workload) {
    let shape = workload.shape();
    writer.u8(workload.mode().code());
    for word in [
        shape.rows(),
        shape.columns(),
        shape.depth(),
        workload.rounds(),
    ] {
        writer.u32(word);
    }
}
