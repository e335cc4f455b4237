//! The journal on a disk that keeps any part of what was not waited for: no acknowledged write is lost or half there,
//! and each wait for the disk is needed for that.

use std::path::Path;
use std::sync::Arc;

use market::ChainId;

use super::{Change, Journal, Recovery, Values, apply};
use crate::log::files::Barrier;
use crate::log::simulated::{Draw, SimulatedFiles, explore};
use crate::store::StoreError;

const CHAIN: ChainId = ChainId::from_bytes([3; 32]);

/// Writes of one process, and how many of them lie between two new segments.
const WRITES: u64 = 9;
const WRITES_A_SEGMENT: u64 = 4;

/// What processes on one disk have acknowledged.
#[derive(Debug, Default)]
struct Facts {
    acknowledged: Values,
    /// What there would be with the write that was not answered when the process ended.
    unanswered: Option<Values>,
}

fn open(disk: &SimulatedFiles) -> Result<(Journal, Values), StoreError> {
    let directory = Path::new("/home/store.journal").to_path_buf();
    let recovery = Recovery::read(Arc::new(disk.clone()), directory, CHAIN)?;
    let values = recovery.values.clone();
    Ok((recovery.open(&values)?, values))
}

/// A few changes, as of a voucher that replaces the one before.
fn changes(draw: &mut Draw) -> Vec<Change> {
    let key = |draw: &mut Draw| vec![1, draw.below(5) as u8];
    let put = Change::Put {
        key: key(draw),
        value: vec![draw.below(256) as u8; draw.index(120)],
    };
    vec![Change::Remove { key: key(draw) }, put]
}

/// Opens the journal, looks for what was acknowledged, and writes until the process ends.
fn session(disk: &SimulatedFiles, facts: &mut Facts) -> Result<(), String> {
    let (mut journal, values) = match open(disk) {
        Ok(opened) => opened,
        Err(_) if disk.is_over() => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if values != facts.acknowledged && Some(&values) != facts.unanswered.as_ref() {
        return Err("what is kept is not what was acknowledged".to_owned());
    }
    facts.acknowledged = values;
    let mut draw = Draw::new(journal.mark().records);
    for number in 1..=WRITES {
        let changes = changes(&mut draw);
        let mut after = facts.acknowledged.clone();
        apply(&mut after, changes.clone());
        facts.unanswered = Some(after.clone());
        let mut written = journal.append(changes);
        if written.is_ok() {
            facts.acknowledged = after;
        }
        if written.is_ok() && number % WRITES_A_SEGMENT == 0 {
            written = journal.begin_anew(&facts.acknowledged);
        }
        match written {
            Ok(_) => {}
            Err(_) if disk.is_over() => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
    facts.unanswered = None;
    Ok(())
}

#[test]
fn no_acknowledged_write_is_lost_or_half_there_whatever_the_disk_keeps() {
    let tried = explore(None, session).unwrap();
    println!("{tried} disks");
    assert!(tried > 4_000, "{tried} disks");
}

#[test]
fn without_any_one_wait_for_the_disk_a_write_is_lost() {
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
