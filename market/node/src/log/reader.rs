//! Owns reading single records of a log of blocks while its writer goes on.
//!
//! Never returns bytes whose check does not hold.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::error::io;
use super::{LogError, LogKind, Position, segment, segment_path};

/// Reads single records of a log of blocks while its writer goes on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogReader {
    pub(super) directory: PathBuf,
}

impl LogReader {
    /// Reads the record at `position` and checks its bytes.
    pub fn read(&self, position: Position) -> Result<Vec<u8>, LogError> {
        let path = segment_path(&self.directory, position.segment, LogKind::Blocks);
        let damaged = |what: &str| LogError::Damaged {
            kind: LogKind::Blocks,
            file: path.clone(),
            offset: position.offset,
            what: what.to_owned(),
        };
        let mut file = File::open(&path).map_err(io("open", &path))?;
        file.seek(SeekFrom::Start(position.offset))
            .map_err(io("seek in", &path))?;
        let mut header = [0; segment::RECORD_HEADER_BYTES];
        file.read_exact(&mut header).map_err(io("read", &path))?;
        let length = segment::payload_length(&header)
            .ok_or_else(|| damaged("a record's header does not verify"))?;
        let mut record = header.to_vec();
        record.resize(segment::RECORD_HEADER_BYTES + length, 0);
        file.read_exact(&mut record[segment::RECORD_HEADER_BYTES..])
            .map_err(io("read", &path))?;
        match segment::intact_record(&record) {
            Some(payload) => Ok(payload.to_vec()),
            None => Err(damaged("a record's checksum does not verify")),
        }
    }
}
