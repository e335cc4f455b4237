//! Older stores are migrated beside a backup, whenever the migration was interrupted before.

use std::path::{Path, PathBuf};
use std::process::Command;

use market::ledger::TrustedSet;
use tempfile::TempDir;

use super::{CHAIN, newest, put, reopen, store, voucher};
use crate::store::{
    Direction, NODE_CACHE_BYTES, NodeStore, OperatorIndex, Readable, RecordKind, SCHEMA_KEY,
    Schema, StoreError, open_patiently,
};

/// Writes a store as schema 1 had it: the same keys, values without a check.
fn write_schema_1(directory: &Path, entries: &[(&[u8], &[u8])]) {
    let db = sled::open(directory).unwrap();
    let kind = b"nightshift node store";
    db.insert(SCHEMA_KEY, [&1u32.to_be_bytes(), &kind[..]].concat())
        .unwrap();
    for (key, bytes) in entries {
        db.insert(key, [&[1], *bytes].concat()).unwrap();
    }
    db.flush().unwrap();
}

/// A job's record called `a`.
const JOB: (&[u8], &[u8]) = (&[16, 2, b'a'], b"a job");

fn folders_beside(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

fn database(directory: &Path) -> sled::Db {
    match open_patiently(directory, NODE_CACHE_BYTES).unwrap() {
        Readable::Yes(db) => db,
        Readable::No(why) => panic!("{}: {why}", directory.display()),
    }
}

fn schema_of(directory: &Path) -> u8 {
    database(directory).get(SCHEMA_KEY).unwrap().unwrap()[3]
}

#[tokio::test]
async fn an_older_store_is_migrated_and_its_backup_stays_as_it_was() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    write_schema_1(&directory, &[JOB]);
    let migrated = store(&folder);
    assert_eq!(
        migrated.record(RecordKind::Job, b"a").unwrap(),
        Some(b"a job".to_vec())
    );
    put(&migrated, market::ChannelId::from_bytes([1; 32]), 1)
        .await
        .unwrap();
    drop(migrated);
    assert_eq!(
        folders_beside(&folder),
        ["node", "node.backup-schema-1", "node.journal"]
    );
    assert_eq!(schema_of(&folder.path().join("node.backup-schema-1")), 1);
    assert_eq!(schema_of(&directory), 3);
    let again = store(&folder);
    assert_eq!(again.records(RecordKind::Job).unwrap().len(), 1);
    assert_eq!(
        again.count_vouchers(Direction::Received, market::ChannelId::from_bytes([1; 32])),
        1
    );
}

/// Writes a store as schema 2 had it: values with checks, and no journal.
fn write_schema_2(directory: &Path, sequence: u64) {
    let schema = Schema {
        version: 2,
        ..Schema::NODE
    };
    let (db, _) = super::open(directory, schema).unwrap();
    let (stated, signed) = voucher(market::ChannelId::from_bytes([1; 32]), sequence);
    let mut key = vec![1, Direction::Received as u8];
    key.extend_from_slice(stated.channel.as_bytes());
    key.extend_from_slice(&stated.sequence.to_be_bytes());
    db.insert(key, super::encode(&signed).unwrap()).unwrap();
    db.insert([16, 2, b'a'], super::versioned(b"a job").unwrap())
        .unwrap();
    db.flush().unwrap();
}

#[tokio::test]
async fn a_store_without_a_journal_gets_one_with_all_that_it_holds() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    write_schema_2(&directory, 7);
    let (migrated, recovered) = reopen(&folder).unwrap();
    assert_eq!(recovered.without_journal, 2);
    assert_eq!(
        folders_beside(&folder),
        ["node", "node.backup-schema-2", "node.journal"]
    );
    drop(migrated);
    assert_eq!(schema_of(&directory), 3);
    std::fs::remove_dir_all(&directory).unwrap();
    let (again, recovered) = reopen(&folder).unwrap();
    assert_eq!(recovered.repaired, 2);
    assert_eq!(
        newest(&again, market::ChannelId::from_bytes([1; 32])),
        Some(7)
    );
    assert_eq!(
        again.record(RecordKind::Job, b"a").unwrap(),
        Some(b"a job".to_vec())
    );
}

#[test]
fn a_migration_that_was_killed_while_it_copied_begins_again() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    write_schema_1(&directory, &[JOB]);
    // What a killed one leaves: some values, no schema.
    let half = sled::open(folder.path().join("node.migrating")).unwrap();
    half.insert(b"stale", b"value").unwrap();
    half.flush().unwrap();
    drop(half);
    let migrated = store(&folder);
    assert_eq!(migrated.records(RecordKind::Job).unwrap().len(), 1);
    drop(migrated);
    assert!(!database(&directory).contains_key(b"stale").unwrap());
    assert_eq!(
        folders_beside(&folder),
        ["node", "node.backup-schema-1", "node.journal"]
    );
}

#[test]
fn a_migration_that_was_killed_between_its_renamings_is_finished_or_begun_again() {
    for is_old_in_place in [true, false] {
        let folder = TempDir::new().unwrap();
        let directory = folder.path().join("node");
        write_schema_1(&directory, &[JOB]);
        drop(store(&folder));
        std::fs::rename(&directory, folder.path().join("node.migrated")).unwrap();
        if is_old_in_place {
            std::fs::rename(folder.path().join("node.backup-schema-1"), &directory).unwrap();
        } else {
            // As the home makes it before the store is opened.
            std::fs::create_dir(&directory).unwrap();
        }
        let finished = store(&folder);
        assert_eq!(finished.records(RecordKind::Job).unwrap().len(), 1);
        assert_eq!(
            folders_beside(&folder),
            ["node", "node.backup-schema-1", "node.journal"]
        );
        drop(finished);
        assert_eq!(schema_of(&directory), 3);
    }
}

#[test]
fn an_older_store_with_a_value_that_no_release_wrote_is_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    write_schema_1(&directory, &[JOB]);
    let db = database(&directory);
    db.insert(b"odd", b"\x07value").unwrap();
    db.flush().unwrap();
    drop(db);
    let error = reopen(&folder).unwrap_err();
    assert!(matches!(error, StoreError::NotMigrated { found: 1, .. }));
    assert!(!folder.path().join("node.migrating").exists());
    assert!(error.to_string().contains("left as it is"), "{error}");
    assert_eq!(schema_of(&directory), 1);
}

#[test]
fn a_second_backup_takes_another_name() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    for _ in 0..2 {
        write_schema_1(&directory, &[JOB]);
        drop(store(&folder));
        std::fs::remove_dir_all(&directory).unwrap();
    }
    let backups = [
        "node.backup-schema-1",
        "node.backup-schema-1-2",
        "node.journal",
    ];
    assert_eq!(folders_beside(&folder), backups);
}

/// Unpacks the homes that a release made; `fixtures/make` made them.
fn unpack(fixture: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let archive = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(fixture);
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(folder.path());
    assert!(tar.status().expect("the system has `tar`").success());
    folder
}

#[test]
fn the_stores_of_release_1_are_migrated_with_their_vouchers_and_jobs() {
    let homes = unpack("home-v1.tar.gz");
    let at = |home: &str| {
        let home = crate::home::Home::at(homes.path().join(home)).unwrap();
        let chain = crate::membership::Membership::load(&home).unwrap().chain;
        NodeStore::open(&home.path().join("store"), &chain)
            .unwrap()
            .0
    };
    let (consumer, provider) = (at("consumer"), at("provider"));
    assert_eq!(consumer.records(RecordKind::Job).unwrap().len(), 1);
    assert_eq!(consumer.records(RecordKind::Receipt).unwrap().len(), 1);
    let text = std::fs::read_to_string(homes.path().join("jobs.json")).unwrap();
    let jobs: serde_json::Value = serde_json::from_str(&text).unwrap();
    let channel = jobs[0]["channel"].as_str().unwrap().parse().unwrap();
    let (_, job) = consumer.records(RecordKind::Job).unwrap().remove(0);
    let job: crate::api::JobView = market::wire::decode(&job, 16 << 10).unwrap();
    let shown = serde_json::to_value(&job).unwrap();
    for (field, before) in jobs[0].as_object().unwrap() {
        assert_eq!(&shown[field], before, "{field} is what `ps` said");
    }
    let named = jobs[0]["agreement"].as_str().unwrap();
    assert_eq!(
        (job.run.to_string().as_str(), job.attempts),
        (&named[..16], 1)
    );
    let newest = |store: &NodeStore, direction| store.latest_voucher(direction, channel).unwrap();
    let sent = newest(&consumer, Direction::Sent).expect("the consumer signed vouchers");
    let received = newest(&provider, Direction::Received).expect("the provider kept the newest");
    assert_eq!(sent, received);
    let trusted: Option<TrustedSet> = consumer.trusted_set().unwrap();
    let genesis = crate::home::Home::at(homes.path().join("consumer")).unwrap();
    let membership = crate::membership::Membership::load(&genesis).unwrap();
    assert_eq!(trusted.map(|set| set.chain), Some(membership.chain));
    assert!(
        homes
            .path()
            .join("consumer/store.backup-schema-1/db")
            .exists()
    );
}

#[test]
fn an_index_of_release_1_is_migrated_and_answers_as_before() {
    let homes = unpack("home-v1.tar.gz");
    let (index, aside) = OperatorIndex::open(&homes.path().join("operator/ledger/index")).unwrap();
    assert_eq!(aside, None);
    let text = std::fs::read_to_string(homes.path().join("status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    let head = index.head().unwrap().unwrap();
    assert_eq!(Some(head.height), status["height"].as_u64());
}

#[test]
fn a_voucher_still_verifies_after_the_migration() {
    let folder = TempDir::new().unwrap();
    let channel = market::ChannelId::from_bytes([3; 32]);
    let (_, signed) = voucher(channel, 4);
    let key = [&[1, 1][..], channel.as_bytes(), &4u64.to_be_bytes()].concat();
    let bytes = market::wire::encode(&signed);
    write_schema_1(&folder.path().join("node"), &[(&key, &bytes)]);
    let kept = store(&folder)
        .latest_voucher(Direction::Received, channel)
        .unwrap();
    assert_eq!(kept.unwrap().verify(&CHAIN).unwrap().value.sequence, 4);
}
