//! Owns what a provider's or consumer's node must not lose: vouchers, leases, jobs, receipts, and the
//! trusted set.
//!
//! Never interprets a record: its bytes mean something to the code that wrote them. Every function
//! that writes returns only after the write is in the journal, on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use market::ledger::TrustedSet;
use market::voucher::Voucher;
use market::wire::Signed;
use market::{ChainId, ChannelId};

use super::journal::{Change, Journal, Recovery};
use super::{Schema, SetAside, StoreError, decode, encode, key, reconcile, unversioned, versioned};
use crate::disk;
use crate::log::TornTail;
use crate::log::files::SystemFiles;

/// The most bytes of a record's id.
const MAX_ID_BYTES: usize = 64;

/// Room on the disk without which nothing is written, 2 MiB: the database takes it half a MiB at a time.
const MARGIN_BYTES: u64 = 2 << 20;

const VOUCHER: u8 = 1;
const TRUSTED_SET: u8 = 2;
// 3 is the mark of `reconcile`.
/// Kinds of records lie above this byte.
const RECORDS: u8 = 16;

/// Which way a voucher went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Direction {
    /// A payer promised us.
    Received = 1,
    /// We promised a payee.
    Sent = 2,
}

/// What a record is about. The numbers are on disk: new kinds take new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RecordKind {
    /// The state of a lease, by agreement.
    Lease = 1,
    /// A job that was asked for or taken, by job or run.
    Job = 2,
    /// A receipt that both sides signed, by agreement.
    Receipt = 3,
    /// A transaction that was submitted and is not known to be final, by its id.
    Submission = 4,
    /// An order of this node's own, by its slot.
    Order = 5,
    /// A figure or choice that must survive a restart, by its name.
    Setting = 6,
    /// One purchase over all its agreements, by run.
    Run = 7,
    /// A lease that this node pays for and that is not over, by agreement.
    Purchase = 8,
    /// The run for which an opening was sent whose fate is not known, by the id of its transaction.
    Opening = 9,
}

/// A record's id and its bytes.
pub type Record = (Vec<u8>, Vec<u8>);

/// The store of a provider's or consumer's node: a journal, which is the truth, and a database over it, which answers.
/// Cheap to clone.
///
/// Reading is immediate; writing waits for the disk on a thread where waiting is allowed.
#[derive(Debug, Clone)]
pub struct NodeStore {
    db: sled::Db,
    directory: Arc<Path>,
    // A mutex and no owning task: a voucher is compared with the newest one and then written, by
    // several leases at a time; it is only taken on threads that may block.
    journal: Arc<Mutex<Journal>>,
}

/// What opening a store had to repair.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// A database that could not be used and was set aside; what it held was made again from the journal.
    pub set_aside: Option<SetAside>,
    /// An unfinished write that was cut off the journal. It was never acknowledged.
    pub torn: Option<TornTail>,
    /// Values of the database that were not as the journal has them, and are now.
    pub repaired: u64,
    /// Values for which the database was believed, because there was no journal.
    pub without_journal: u64,
}

impl NodeStore {
    /// Opens the store in `directory` with the journal beside it, or begins one for `chain`. Blocks.
    ///
    /// # Errors
    /// A newer release wrote it, it is of another chain, or the journal is damaged or lacks what the database has: then
    /// nothing is changed.
    pub fn open(directory: &Path, chain: &ChainId) -> Result<(Self, Recovered), StoreError> {
        let journal = Recovery::read(Arc::new(SystemFiles), journal_of(directory), *chain)?;
        let (mut db, mut aside) = super::open(directory, Schema::NODE)?;
        let mut recovered = Recovered {
            torn: journal.torn().cloned(),
            ..Recovered::default()
        };
        let kept = if journal.is_absent() {
            let kept = reconcile::read(&db)?;
            recovered.without_journal = kept.len() as u64;
            kept
        } else {
            match reconcile::standing(&db) {
                Ok(Some(mark)) if !journal.has_reached(mark) => {
                    return Err(StoreError::JournalBehind {
                        journal: journal_of(directory),
                        directory: directory.to_path_buf(),
                    });
                }
                Ok(_) => {}
                Err(why) => {
                    drop(db);
                    aside = Some(super::set_aside(directory, why)?);
                    db = super::open(directory, Schema::NODE)?.0;
                }
            }
            recovered.repaired = reconcile::repair(&db, &journal.values)?;
            journal.values.clone()
        };
        let journal = journal.open(&kept)?;
        reconcile::note(&db, journal.mark())?;
        recovered.set_aside = aside;
        let store = Self {
            db,
            directory: directory.into(),
            journal: Arc::new(Mutex::new(journal)),
        };
        Ok((store, recovered))
    }

    /// Asks `plan`, as the only writer, what is to change, and makes that durable; on a thread that may block.
    async fn write<F>(&self, plan: F) -> Result<(), StoreError>
    where
        F: FnOnce(&sled::Db) -> Result<Vec<Change>, StoreError> + Send + 'static,
    {
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            // The database does not recover from a disk that fills up under it.
            disk::check_room(&store.directory, 0, MARGIN_BYTES)?;
            // What a poisoned lock guards may be half done, which only opening it again repairs.
            let mut journal = store.journal.lock().map_err(|_| StoreError::Stopping)?;
            let changes = plan(&store.db)?;
            if changes.is_empty() {
                return Ok(());
            }
            let batch = reconcile::batch(&changes);
            let mark = journal.append(changes)?;
            let indexed = reconcile::index(&store.db, (batch, mark));
            if indexed.is_err() {
                journal.poison();
            }
            indexed?;
            if journal.is_long() {
                let mark = journal.begin_anew(&reconcile::read(&store.db)?)?;
                reconcile::note(&store.db, mark)?;
            }
            Ok(())
        })
        .await
        .map_err(|_| StoreError::Stopping)?
    }

    /// Keeps a voucher in place of the older ones, which it covers. `voucher` is what `signed` was verified to
    /// say.
    ///
    /// Its sequence must rise above the newest of its channel and direction, or the voucher must be
    /// that newest one again.
    pub async fn put_voucher(
        &self,
        direction: Direction,
        voucher: Voucher,
        signed: Signed<Voucher>,
    ) -> Result<(), StoreError> {
        self.write(move |db| {
            let value = encode(&signed)?;
            let newest = newest_voucher(db, direction, voucher.channel)?;
            if let Some((sequence, kept)) = newest {
                if sequence == voucher.sequence && kept == value {
                    return Ok(Vec::new());
                }
                if sequence >= voucher.sequence {
                    return Err(StoreError::NotRising {
                        channel: voucher.channel,
                        newest: sequence,
                        offered: voucher.sequence,
                    });
                }
            }
            let mut key = voucher_prefix(direction, voucher.channel);
            let mut changes = Vec::new();
            for older in db.scan_prefix(&key).keys() {
                let key = older?.to_vec();
                changes.push(Change::Remove { key });
            }
            key.extend_from_slice(&voucher.sequence.to_be_bytes());
            changes.push(Change::Put { key, value });
            Ok(changes)
        })
        .await
    }

    /// Returns the newest voucher of a channel.
    pub fn latest_voucher(
        &self,
        direction: Direction,
        channel: ChannelId,
    ) -> Result<Option<Signed<Voucher>>, StoreError> {
        match newest_voucher(&self.db, direction, channel)? {
            Some((_, value)) => decode(&value).map(Some),
            None => Ok(None),
        }
    }

    #[cfg(test)]
    pub(super) fn count_vouchers(&self, direction: Direction, channel: ChannelId) -> usize {
        self.db
            .scan_prefix(voucher_prefix(direction, channel))
            .count()
    }

    /// Keeps a record, in place of the one that was there. `id` has at most 64 bytes.
    pub async fn put_record(
        &self,
        kind: RecordKind,
        id: &[u8],
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.put_records(&[(kind, id, bytes)]).await
    }

    /// Keeps records, each a kind, an id and bytes: all or none of them are there afterwards.
    pub async fn put_records(
        &self,
        records: &[(RecordKind, &[u8], &[u8])],
    ) -> Result<(), StoreError> {
        let put = |(kind, id, bytes): &(RecordKind, &[u8], &[u8])| {
            Ok(Change::Put {
                key: record_key(*kind, id)?,
                value: versioned(bytes)?,
            })
        };
        let changes = records.iter().map(put).collect::<Result<_, StoreError>>()?;
        self.write(move |_| Ok(changes)).await
    }

    /// Removes a record; one that is not there is no error.
    pub async fn remove_record(&self, kind: RecordKind, id: &[u8]) -> Result<(), StoreError> {
        self.remove_records(&[(kind, id)]).await
    }

    /// Removes records, all or none of those that are there.
    pub async fn remove_records(&self, records: &[(RecordKind, &[u8])]) -> Result<(), StoreError> {
        let keys = records.iter().map(|(kind, id)| record_key(*kind, id));
        let keys = keys.collect::<Result<Vec<_>, StoreError>>()?;
        self.write(move |db| {
            let mut changes = Vec::new();
            for key in keys {
                if db.contains_key(&key)? {
                    changes.push(Change::Remove { key });
                }
            }
            Ok(changes)
        })
        .await
    }

    /// Returns a record's bytes.
    pub fn record(&self, kind: RecordKind, id: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.db.get(record_key(kind, id)?)? {
            Some(value) => Ok(Some(unversioned(&value)?.to_vec())),
            None => Ok(None),
        }
    }

    /// Returns all records of a kind, in the order of their ids.
    pub fn records(&self, kind: RecordKind) -> Result<Vec<Record>, StoreError> {
        let prefix = record_key(kind, &[])?;
        let scan = self.db.scan_prefix(&prefix);
        scan.map(|entry| {
            let (key, value) = entry?;
            let id = key.get(prefix.len()..).unwrap_or_default();
            Ok((id.to_vec(), unversioned(&value)?.to_vec()))
        })
        .collect()
    }

    /// Returns all whole records of a kind, in the order of their ids, and the ids of the damaged ones.
    ///
    /// # Errors
    /// The database fails.
    pub fn whole_records(
        &self,
        kind: RecordKind,
    ) -> Result<(Vec<Record>, Vec<Vec<u8>>), StoreError> {
        let prefix = record_key(kind, &[])?;
        let (mut whole, mut damaged) = (Vec::new(), Vec::new());
        for entry in self.db.scan_prefix(&prefix) {
            let (key, value) = entry?;
            let id = key.get(prefix.len()..).unwrap_or_default().to_vec();
            match unversioned(&value) {
                Ok(bytes) => whole.push((id, bytes.to_vec())),
                Err(_) => damaged.push(id),
            }
        }
        Ok((whole, damaged))
    }

    /// Keeps the trusted set. On one chain it never goes back to a lower height.
    pub async fn put_trusted_set(&self, trusted: TrustedSet) -> Result<(), StoreError> {
        self.write(move |db| {
            let held = db.get([TRUSTED_SET])?;
            if let Some(held) = held {
                let held: TrustedSet = decode(&held)?;
                if held.chain == trusted.chain && held.height > trusted.height {
                    return Err(StoreError::TrustGoesBack {
                        held: held.height,
                        offered: trusted.height,
                    });
                }
            }
            Ok(vec![Change::Put {
                key: vec![TRUSTED_SET],
                value: encode(&trusted)?,
            }])
        })
        .await
    }

    /// Returns the trusted set, or `None` in a fresh store.
    pub fn trusted_set(&self) -> Result<Option<TrustedSet>, StoreError> {
        self.db
            .get([TRUSTED_SET])?
            .map(|value| decode(&value))
            .transpose()
    }
}

/// Returns where the journal of the store in `directory` lies: beside it, so that setting a database aside leaves it.
pub(super) fn journal_of(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

fn voucher_prefix(direction: Direction, channel: ChannelId) -> Vec<u8> {
    key(VOUCHER, &[&[direction as u8], channel.as_bytes()])
}

/// Returns the sequence and the stored value of the newest voucher.
fn newest_voucher(
    db: &sled::Db,
    direction: Direction,
    channel: ChannelId,
) -> Result<Option<(u64, sled::IVec)>, StoreError> {
    let prefix = voucher_prefix(direction, channel);
    let Some(entry) = db.scan_prefix(&prefix).next_back() else {
        return Ok(None);
    };
    let (key, value) = entry?;
    let sequence = key
        .get(prefix.len()..)
        .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok())
        .ok_or_else(|| StoreError::Value("a voucher's key has no sequence".to_owned()))?;
    Ok(Some((u64::from_be_bytes(sequence), value)))
}

/// Tells whether a key of a store of some form is that of a job's record.
pub(super) fn is_job(key: &[u8], schema: Schema) -> bool {
    schema.kind == Schema::NODE.kind && key.starts_with(&[RECORDS, RecordKind::Job as u8])
}

fn record_key(kind: RecordKind, id: &[u8]) -> Result<Vec<u8>, StoreError> {
    if id.len() > MAX_ID_BYTES {
        return Err(StoreError::TooLarge {
            actual: id.len(),
            max: MAX_ID_BYTES,
        });
    }
    Ok(key(RECORDS, &[&[kind as u8], id]))
}
