//! The block log: what was acknowledged is there again, torn tails are cut, damage stops.

use std::fs;

use market::ChainId;
use tempfile::TempDir;

use super::files::SystemFiles;
use super::*;

mod crashes;

const CHAIN: ChainId = ChainId::from_bytes([3; 32]);

fn config(folder: &TempDir, segment_bytes: u64) -> LogConfig {
    LogConfig {
        segment_bytes,
        ..LogConfig::blocks(folder.path().to_path_buf(), CHAIN)
    }
}

type Opened = (Log, Vec<Vec<u8>>, Option<TornTail>);

/// Opens the log and returns it with all of its payloads.
fn open(config: LogConfig) -> Result<Opened, LogError> {
    let mut payloads = Vec::new();
    let recovery = LogRecovery::read::<LogError>(config, |_, payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    let torn = recovery.torn().cloned();
    Ok((recovery.open()?, payloads, torn))
}

/// Writes `count` records of different lengths, and returns them with their positions.
fn filled(config: &LogConfig, count: u8) -> Vec<(Position, Vec<u8>)> {
    let (mut log, _, _) = open(config.clone()).unwrap();
    (0..count)
        .map(|byte| {
            let payload = vec![byte; 5 + usize::from(byte) * 7];
            (log.append(&payload).unwrap(), payload)
        })
        .collect()
}

fn payloads(records: &[(Position, Vec<u8>)]) -> Vec<Vec<u8>> {
    records.iter().map(|(_, payload)| payload.clone()).collect()
}

#[test]
fn a_reopened_log_yields_every_record_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, SEGMENT_BYTES);
    let records = filled(&config, 4);
    let (mut log, found, torn) = open(config.clone()).unwrap();
    assert_eq!((found, torn), (payloads(&records), None));
    assert_eq!(log.records(), 4);
    log.append(b"more").unwrap();
    let (_, found, _) = open(config).unwrap();
    assert_eq!(found.len(), 5);
    assert_eq!(found[4], b"more");
}

#[test]
fn records_are_read_singly_across_segments() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 150);
    let records = filled(&config, 9);
    let (log, found, _) = open(config.clone()).unwrap();
    assert_eq!(found, payloads(&records));
    assert!(segments(&SystemFiles, &config).unwrap().len() > 2);
    for (position, payload) in records {
        assert_eq!(log.reader().read(position).unwrap(), payload);
    }
}

#[test]
fn the_last_record_cut_at_every_byte_is_dropped_and_the_log_goes_on() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, SEGMENT_BYTES);
    let records = filled(&config, 3);
    let path = segment_path(folder.path(), 0, LogKind::Blocks);
    let whole = fs::read(&path).unwrap();
    let last = usize::try_from(records[2].0.offset).unwrap();
    for length in last + 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut log, found, torn) = open(config.clone()).unwrap();
        assert_eq!(found, payloads(&records[..2]), "cut at {length}");
        assert_eq!(torn.unwrap().bytes, (length - last) as u64);
        log.append(&records[2].1).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "cut at {length}");
    }
}

#[test]
fn zeros_after_the_last_record_are_an_unfinished_append() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, SEGMENT_BYTES);
    let records = filled(&config, 2);
    let path = segment_path(folder.path(), 0, LogKind::Blocks);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0; 300]);
    fs::write(&path, &bytes).unwrap();
    let (_, found, torn) = open(config).unwrap();
    assert_eq!(found, payloads(&records));
    assert_eq!(torn.unwrap().bytes, 300);
}

#[test]
fn a_flipped_byte_before_the_last_record_stops_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, SEGMENT_BYTES);
    let records = filled(&config, 4);
    let path = segment_path(folder.path(), 0, LogKind::Blocks);
    let whole = fs::read(&path).unwrap();
    for index in 0..usize::try_from(records[3].0.offset).unwrap() {
        let mut flipped = whole.clone();
        flipped[index] ^= 0x10;
        fs::write(&path, &flipped).unwrap();
        assert!(open(config.clone()).is_err(), "byte {index}");
        assert_eq!(fs::read(&path).unwrap(), flipped, "byte {index}");
    }
}

#[test]
fn a_torn_end_of_an_inner_segment_is_damage() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 150);
    filled(&config, 6);
    let path = segment_path(folder.path(), 0, LogKind::Blocks);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(open(config), Err(LogError::Damaged { .. })));
}

#[test]
fn a_missing_segment_is_named() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 150);
    filled(&config, 8);
    let all = segments(&SystemFiles, &config).unwrap();
    fs::remove_file(config.segment(all[1])).unwrap();
    match open(config.clone()) {
        Err(LogError::MissingSegment { expected, .. }) => assert_eq!(expected, all[1]),
        other => panic!("{other:?}"),
    }
    fs::remove_file(segment_path(folder.path(), 0, LogKind::Blocks)).unwrap();
    assert!(matches!(
        open(config),
        Err(LogError::MissingSegment { expected: 0, .. })
    ));
}

#[test]
fn a_segment_of_another_history_does_not_fit() {
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config_ours = config(&ours, 150);
    filled(&config_ours, 8);
    let config_theirs = config(&theirs, 150);
    let (mut other, _, _) = open(config_theirs.clone()).unwrap();
    for byte in 0..8u8 {
        other
            .append(&vec![byte ^ 1; 5 + usize::from(byte) * 7])
            .unwrap();
    }
    let all = segments(&SystemFiles, &config_ours).unwrap();
    assert_eq!(all, segments(&SystemFiles, &config_theirs).unwrap());
    fs::copy(config_theirs.segment(all[1]), config_ours.segment(all[1])).unwrap();
    assert!(matches!(open(config_ours), Err(LogError::Damaged { .. })));
}

#[test]
fn a_log_of_another_chain_is_refused() {
    let folder = TempDir::new().unwrap();
    filled(&config(&folder, SEGMENT_BYTES), 1);
    let other = LogConfig {
        chain: ChainId::from_bytes([4; 32]),
        ..config(&folder, SEGMENT_BYTES)
    };
    assert!(matches!(open(other), Err(LogError::OtherChain { .. })));
}

#[test]
fn a_log_of_a_newer_version_is_refused_in_words_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, SEGMENT_BYTES);
    filled(&config, 2);
    let file = config.segment(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] += 1;
    fs::write(&file, &bytes).unwrap();
    let error = open(config).unwrap_err();
    assert!(matches!(
        error,
        LogError::NewerVersion {
            found: 2,
            known: 1,
            ..
        }
    ));
    assert!(error.to_string().contains("newer nightshift"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_leftover_of_an_unfinished_segment_is_ignored() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 150);
    let records = filled(&config, 2);
    fs::write(folder.path().join("00000000000000000002.new"), b"NSBL").unwrap();
    let (mut log, found, _) = open(config).unwrap();
    assert_eq!(found, payloads(&records));
    log.append(&[1; 200]).unwrap();
    log.append(&[2; 20]).unwrap();
}

#[test]
fn an_oversized_record_is_refused_and_the_log_goes_on() {
    let folder = TempDir::new().unwrap();
    let (mut log, _, _) = open(config(&folder, SEGMENT_BYTES)).unwrap();
    let oversized = vec![0; segment::MAX_RECORD_BYTES + 1];
    assert!(matches!(
        log.append(&oversized),
        Err(LogError::TooLarge { .. })
    ));
    log.append(b"small").unwrap();
}
