//! Owns the list of jobs that this node bought: the running ones in memory, all of them on disk.
//!
//! Never changes a lease; it shows what the lease's task reports.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::AgreementId;
use market::wire;
use market_node::api::JobView;
use market_node::lease::LeaseHandle;
use market_node::store::{NodeStore, RecordKind, StoreError};

/// The most bytes of a job's record.
const MAX_RECORD_BYTES: usize = 16 << 10;

struct Running {
    view: JobView,
    lease: LeaseHandle,
}

/// The jobs of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Jobs {
    store: NodeStore,
    // A mutex and no owning task: each lease's task writes its own entry, views read all, and the lock is held
    // for a few instructions only.
    running: Arc<Mutex<BTreeMap<AgreementId, Running>>>,
}

impl Jobs {
    pub(crate) fn new(store: NodeStore) -> Self {
        Self {
            store,
            running: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgreementId, Running>> {
        // Every change is one insertion or removal, so a poisoned lock still holds a whole map.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a job runs, on disk first.
    pub(crate) async fn begin(&self, view: JobView, lease: LeaseHandle) -> Result<(), StoreError> {
        self.keep(&view).await?;
        self.lock().insert(view.agreement, Running { view, lease });
        Ok(())
    }

    /// Shows a change of a running job.
    pub(crate) fn update(&self, agreement: AgreementId, change: impl FnOnce(&mut JobView)) {
        if let Some(running) = self.lock().get_mut(&agreement) {
            change(&mut running.view);
        }
    }

    /// Notes that a job is over, and returns its last view.
    pub(crate) async fn end(&self, view: JobView) -> Result<(), StoreError> {
        self.lock().remove(&view.agreement);
        self.keep(&view).await
    }

    /// Returns a running job's view.
    pub(crate) fn running(&self, agreement: AgreementId) -> Option<JobView> {
        self.lock()
            .get(&agreement)
            .map(|running| running.view.clone())
    }

    /// Returns a running job's lease.
    pub(crate) fn lease(&self, agreement: AgreementId) -> Option<LeaseHandle> {
        self.lock()
            .get(&agreement)
            .map(|running| running.lease.clone())
    }

    /// Returns the leases of all running jobs.
    pub(crate) fn leases(&self) -> Vec<LeaseHandle> {
        let running = self.lock();
        running
            .values()
            .map(|running| running.lease.clone())
            .collect()
    }

    /// Returns all jobs, the newest first.
    pub(crate) fn list(&self) -> Result<Vec<JobView>, StoreError> {
        let mut views = BTreeMap::new();
        for (_, bytes) in self.store.records(RecordKind::Job)? {
            if let Ok(view) = wire::decode::<JobView>(&bytes, MAX_RECORD_BYTES) {
                views.insert(view.agreement, view);
            }
        }
        for running in self.lock().values() {
            views.insert(running.view.agreement, running.view.clone());
        }
        let mut list: Vec<JobView> = views.into_values().collect();
        list.sort_by_key(|view| std::cmp::Reverse((view.started_at, view.agreement)));
        Ok(list)
    }

    async fn keep(&self, view: &JobView) -> Result<(), StoreError> {
        let id = view.agreement.as_bytes();
        self.store
            .put_record(RecordKind::Job, id, &wire::encode(view))
            .await
    }
}
