//! A lease between a shell that is busy and a peer that does not answer.

use market::lease::{Artefact, Input, Lease, Output, Phase, Role};
use market::progress::Progress;
use market::{BlobHash, Timestamp};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{LeaseHandle, LeaseParts, LeaseRouter, spawn};
use crate::clock::{ProtocolClock, wall_now};
use crate::ledger::testing::terms;
use crate::network::fixture::{TestNode, chain, node, within};
use crate::store::NodeStore;

/// A provider's lease with `payer`, and what its shell is asked to do.
async fn lease_with(
    payer: &TestNode,
    payee: &TestNode,
    folder: &TempDir,
) -> (LeaseHandle, mpsc::Receiver<Output>) {
    let clock = ProtocolClock::new();
    clock.observe(1, wall_now());
    let (router, mut leases) = LeaseRouter::new(super::Takers::default());
    tokio::spawn(async move {
        loop {
            leases.changed().await;
        }
    });
    let parts = LeaseParts {
        network: payee.client.clone(),
        router,
        store: NodeStore::open(&folder.path().join("store"), &chain())
            .unwrap()
            .0,
        clock,
        chain: chain(),
    };
    let terms = terms(&payer.key, &payee.key);
    let machine = Lease::new(Role::Payee, terms, chain(), payee.key.clone(), wall_now());
    spawn(parts, machine, Role::Payee, None).await
}

async fn reaches(lease: &LeaseHandle, phase: Phase) {
    let mut watch = lease.watch();
    within(watch.wait_for(|snapshot| snapshot.phase == phase))
        .await
        .unwrap();
}

#[tokio::test]
async fn neither_a_busy_shell_nor_a_silent_peer_holds_a_lease_up() {
    let folder = TempDir::new().unwrap();
    let payer = node(1, &[]).await;
    let payee = node(2, &[payer.address().await]).await;
    let (lease, mut effects) = lease_with(&payer, &payee, &folder).await;
    within(async {
        let at = wall_now();
        lease.input(Input::Opened { at }).await;
        lease.input(Input::InputsReady).await;
        // Each proof is too old, so that each asks the shell, which reads nothing, for another one.
        for _ in 0..300 {
            let at = Timestamp::from_millis(0);
            lease.input(Input::ProvedOpen { at }).await;
        }
        let at = wall_now();
        lease.input(Input::ProvedOpen { at }).await;
        lease.input(Input::WorkerRunning).await;
        for index in 0..200 {
            let artefact = Artefact {
                index,
                name: format!("{index}.bin"),
                hash: BlobHash::of(&[1]),
                bytes: 1,
            };
            lease.input(Input::ArtefactMade(artefact)).await;
            let line = format!("output {index} is made");
            lease.report(Progress::Log { line });
        }
        lease.input(Input::Yield).await;
    })
    .await;
    reaches(&lease, Phase::Delivering).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&Output::StopWorker) {
        seen.push(within(effects.recv()).await.unwrap());
    }
    let proofs = seen.iter().filter(|effect| **effect == Output::ProveOpen);
    assert_eq!(proofs.count(), 301, "none is lost");
}

#[tokio::test]
async fn a_lease_without_a_shell_stops_and_takes_no_more_mail() {
    let folder = TempDir::new().unwrap();
    let payer = node(3, &[]).await;
    let payee = node(4, &[payer.address().await]).await;
    let (lease, mut effects) = lease_with(&payer, &payee, &folder).await;
    drop(payer);
    let at = wall_now();
    lease.input(Input::Opened { at }).await;
    drop(effects.recv().await);
    drop(effects);
    // Nobody carries anything out any more: the lease stops, and its watch says so.
    let mut watch = lease.watch();
    within(async { while watch.changed().await.is_ok() {} }).await;
    within(lease.input(Input::Yield)).await;
}
