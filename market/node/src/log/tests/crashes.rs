//! The log of blocks on a disk that keeps any part of what was not waited for: nothing that was acknowledged is lost,
//! and each wait for the disk is needed for that.

use std::path::Path;
use std::sync::Arc;

use super::super::files::Barrier;
use super::super::simulated::{Draw, SimulatedFiles, explore};
use super::{CHAIN, LogConfig, LogError, LogRecovery};

/// Records that a process appends before it ends by itself.
const APPENDS: u64 = 9;

/// A segment holds two or three records.
const SEGMENT_BYTES: u64 = 400;

/// What processes on one disk have acknowledged.
#[derive(Debug, Default)]
struct Facts {
    acknowledged: Vec<Vec<u8>>,
    /// What was being appended when the process ended.
    unanswered: Option<Vec<u8>>,
}

/// Opens the log, looks for what was acknowledged, and appends until the process ends.
fn session(disk: &SimulatedFiles, facts: &mut Facts) -> Result<(), String> {
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        ..LogConfig::blocks(Path::new("/home/ledger/blocks").to_path_buf(), CHAIN)
    };
    let mut found = Vec::new();
    let opened = LogRecovery::read_on(Arc::new(disk.clone()), config, |entry| {
        found.push(entry.payload.to_vec());
        Ok::<(), LogError>(())
    })
    .and_then(LogRecovery::open);
    let mut log = match opened {
        Ok(log) => log,
        Err(_) if disk.is_over() => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let acknowledged = facts.acknowledged.len();
    if !found.starts_with(&facts.acknowledged) {
        let found = found.len();
        return Err(format!(
            "{acknowledged} records were acknowledged and {found} found"
        ));
    }
    let beyond = &found[acknowledged..];
    if beyond.len() > 1
        || beyond.first() != facts.unanswered.as_ref().filter(|_| !beyond.is_empty())
    {
        return Err("there is a record that was never appended".to_owned());
    }
    // From now on it counts: whoever asks is told that it is final.
    facts.acknowledged = found;
    let mut draw = Draw::new(facts.acknowledged.len() as u64);
    for _ in 0..APPENDS {
        let record = vec![draw.below(256) as u8; 1 + draw.index(150)];
        facts.unanswered = Some(record.clone());
        match log.append(&record) {
            Ok(_) => facts.acknowledged.push(record),
            Err(_) if disk.is_over() => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
    facts.unanswered = None;
    Ok(())
}

#[test]
fn no_acknowledged_record_is_lost_whatever_the_disk_keeps() {
    let tried = explore(None, session).unwrap();
    println!("{tried} disks");
    assert!(tried > 5_000, "{tried} disks");
}

#[test]
fn without_any_one_wait_for_the_disk_something_is_lost() {
    for barrier in [
        Barrier::FolderNamed,
        Barrier::SegmentWritten,
        Barrier::SegmentNamed,
        Barrier::RecordAppended,
        Barrier::TailFound,
        Barrier::NameFound,
    ] {
        match explore(Some(barrier), session) {
            Ok(tried) => panic!("{barrier:?} can be left out: nothing was lost on {tried} disks"),
            Err(lost) => {
                assert!(
                    lost.contains("seed"),
                    "nothing works without {barrier:?}: {lost}"
                );
                println!("without {barrier:?}: {lost}");
            }
        }
    }
}
