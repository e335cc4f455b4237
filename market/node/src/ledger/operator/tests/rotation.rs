//! The operator's key is changed while it runs; wherever a kill comes, it starts again with the key that the log
//! names, and with no other.

use std::path::Path;

use market::keys::SecretKey;
use market::ledger::{CertifiedHeader, EpochProof};

use super::*;
use crate::home::Home;
use crate::ledger::operator::core::Core;
use crate::ledger::testing::hand_over;
use crate::operator_keys;

/// A home whose node key is that of the genesis.
fn home_in(folder: &TempDir) -> Home {
    Home::at(folder.path().join("home")).unwrap()
}

fn config_of(folder: &TempDir) -> OperatorConfig {
    OperatorConfig {
        spare_keys: operator_keys::load(&home_in(folder)).unwrap(),
        ..config(folder)
    }
}

/// Starts as a node does: with the keys that the home has, whose files then get their names.
fn start(folder: &TempDir) -> Running {
    let running = Running::start(config_of(folder));
    operator_keys::settle(&home_in(folder), running.recovered.operator).unwrap();
    running
}

async fn rotate(running: &Running, key: &SecretKey) -> CertifiedHeader {
    let nonce = u64::from(key.public()[0]) + 77_000;
    let proof = running.handle.hand_over(key.clone(), nonce).await.unwrap();
    proof.certified
}

/// Makes a block and returns who signed it.
async fn signer(running: &Running, nonce: u64) -> NodeId {
    let proof = running.handle.submit(issue(nonce, &key(1), 3)).await;
    let certified = proof.unwrap().certified;
    let seal = &certified.certificate.precommits[0];
    assert_eq!(certified.header.proposer.as_bytes(), &seal.signer);
    certified.header.proposer
}

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[tokio::test]
async fn a_running_operator_signs_with_the_new_key_from_the_next_block_on() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let change = rotate(&running, &key(210)).await;
    assert_eq!(change.header.proposer, key(200).node());
    assert_eq!(signer(&running, 5).await, key(210).node());
    let set = running.handle.operators().await.unwrap();
    assert_eq!(set.operators, [key(210).node()]);
    assert_eq!(set.height, change.header.height + 1);
    let expected = EpochProof {
        certified: change.clone(),
        operators: set.operators.clone(),
    };
    let height = change.header.height;
    assert_eq!(
        running.handle.epochs(0).await.unwrap(),
        std::slice::from_ref(&expected)
    );
    assert_eq!(
        running.handle.epochs(height).await.unwrap(),
        std::slice::from_ref(&expected)
    );
    assert!(running.handle.epochs(height + 1).await.unwrap().is_empty());
    // After a restart it knows the change from its log.
    running.kill().await;
    let again = Running::start(OperatorConfig {
        spare_keys: vec![key(210)],
        ..config(&folder)
    });
    assert_eq!(again.handle.epochs(0).await.unwrap(), [expected]);
    assert_eq!(signer(&again, 6).await, key(210).node());
}

#[tokio::test]
async fn what_is_submitted_with_a_change_is_final_and_none_of_it_is_lost() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let payments = (0..40).map(|n| {
        running
            .handle
            .submit(transfer(100 + n, &key(1), &key(2), 10))
    });
    let payments = futures::future::join_all(payments);
    let (first, second, payments) = tokio::join!(
        running.handle.hand_over(key(210), 1),
        running.handle.hand_over(key(211), 2),
        payments,
    );
    assert!(payments.iter().all(Result::is_ok));
    // Of two at the same time one is first, and the other may come in the block after.
    assert!(first.is_ok());
    if let Err(error) = second {
        assert!(
            matches!(error, SubmitError::Rejected(Rejected::OperatorsChanging)),
            "{error}"
        );
    }
    let paid = history(&running.handle, 2, HistoryPage::After(None)).await;
    assert_eq!(paid.len(), 40);
}

#[tokio::test]
async fn a_change_to_a_key_that_is_not_here_is_not_looked_at() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let to_stranger = hand_over(5, &key(66), &[&key(200), &key(66)]);
    let refused = running.handle.submit(to_stranger).await.unwrap_err();
    assert!(
        matches!(refused, SubmitError::Unavailable(Unavailable::NoKey)),
        "{refused}"
    );
    assert_eq!(running.handle.tallied().unavailable["no_key"], 1);
    let same = running.handle.hand_over(key(200), 6).await.unwrap_err();
    assert!(matches!(
        same,
        SubmitError::Rejected(Rejected::OperatorsSame)
    ));
    assert_eq!(signer(&running, 7).await, key(200).node());
}

#[tokio::test]
async fn an_operator_that_has_only_the_old_key_does_not_start() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    rotate(&running, &key(210)).await;
    let height = running.handle.head().header.height;
    running.kill().await;
    match Operator::open(config(&folder)).unwrap_err() {
        OperatorError::NotOperator {
            node,
            operator,
            height: next,
        } => assert_eq!(
            (node, operator, next),
            (key(200).node(), key(210).node(), height + 1)
        ),
        other => panic!("{other}"),
    }
}

/// Has the change to `next` in the log but for its last bytes, and the index of before: it was never acknowledged.
async fn tear_the_change(folder: &TempDir, next: &SecretKey) {
    let (ledger, before) = (folder.path().join("ledger"), folder.path().join("before"));
    copy(&ledger, &before);
    let running = start(folder);
    rotate(&running, next).await;
    running.kill().await;
    let newest = newest_segment(folder);
    let bytes = fs::read(&newest).unwrap();
    let name = newest.file_name().unwrap();
    let whole = fs::read(before.join("blocks").join(name)).map_or(0, |old| old.len());
    fs::remove_dir_all(&ledger).unwrap();
    copy(&before, &ledger);
    fs::write(&newest, &bytes[..whole.max(bytes.len() - 9)]).unwrap();
}

#[test]
fn answers_between_a_change_and_the_next_block_are_by_the_new_key_and_gossip_is_by_the_old_one() {
    let folder = TempDir::new().unwrap();
    let both = || OperatorConfig {
        spare_keys: vec![key(210)],
        ..config(&folder)
    };
    let check = |core: &mut Core| {
        let epoch = core.epochs_from(0).pop().unwrap();
        let mut moved_on = trusted();
        moved_on.advance(&epoch).unwrap();
        assert!(core.has_just_handed_over());
        moved_on.check(&core.status().head).unwrap();
        let proof = core.prove(&Key::Operators).unwrap();
        proof.verify(&moved_on).unwrap();
        let account = core.account(key(1).account());
        moved_on.check(&account.head).unwrap();
        trusted().check(&core.announced()).unwrap();
        assert_eq!(core.announced(), epoch.certified);
    };
    let (mut core, _) = Core::open(both(), wall_now()).unwrap();
    assert_eq!(core.announced(), core.head);
    let change = core.hand_over(key(210), 1);
    let outcomes = core.make_block(&[change], wall_now()).unwrap();
    outcomes[0].as_ref().unwrap().verify(&trusted()).unwrap();
    check(&mut core);
    drop(core);
    // The same after a kill right there, and no more once there is a block by the new key.
    let (mut core, _) = Core::open(both(), wall_now()).unwrap();
    check(&mut core);
    core.make_block(&[], wall_now()).unwrap();
    assert!(!core.has_just_handed_over());
    assert_eq!(core.announced(), core.head);
    assert!(trusted().check(&core.head).is_err());
}

/// Rotates twice over, and kills the operator where `instant` says in the second rotation. It must start with the
/// key that the log names, finish what was begun, and rotate again.
async fn killed_at(instant: &str) {
    let folder = TempDir::new().unwrap();
    let home = home_in(&folder);
    let running = start(&folder);
    let first = operator_keys::prepare(&home).unwrap();
    rotate(&running, &first).await;
    operator_keys::settle(&home, first.node()).unwrap();
    assert_eq!(signer(&running, 1).await, first.node());
    let ledger = folder.path().join("ledger");
    let before = folder.path().join("before");
    let mut expected = first.node();

    let next = operator_keys::prepare(&home).unwrap();
    match instant {
        "the key is on disk" => running.kill().await,
        "the block is torn" => {
            running.kill().await;
            tear_the_change(&folder, &next).await;
        }
        "the block is in the log and not in the index" => {
            running.kill().await;
            copy(&ledger.join("index"), &before);
            let running = start(&folder);
            rotate(&running, &next).await;
            running.kill().await;
            fs::remove_dir_all(ledger.join("index")).unwrap();
            copy(&before, &ledger.join("index"));
            expected = next.node();
        }
        "the change is final" => {
            rotate(&running, &next).await;
            running.kill().await;
            expected = next.node();
        }
        "the old key has its other name" => {
            rotate(&running, &next).await;
            running.kill().await;
            let retired = home.key(&format!("operator-retired-{}", first.node()));
            fs::rename(home.key("operator"), retired).unwrap();
            expected = next.node();
        }
        "all is done" => {
            rotate(&running, &next).await;
            operator_keys::settle(&home, next.node()).unwrap();
            running.kill().await;
            expected = next.node();
        }
        other => panic!("no such instant: {other}"),
    }

    let again = start(&folder);
    let is_torn = instant == "the block is torn";
    assert_eq!(again.recovered.torn.is_some(), is_torn, "{instant}");
    assert_eq!(again.recovered.operator, expected, "{instant}");
    assert_eq!(signer(&again, 2).await, expected, "{instant}");
    let third = operator_keys::prepare(&home).unwrap();
    rotate(&again, &third).await;
    operator_keys::settle(&home, third.node()).unwrap();
    assert_eq!(signer(&again, 3).await, third.node(), "{instant}");
    let mut trusted = trusted();
    for epoch in again.handle.epochs(0).await.unwrap() {
        trusted.advance(&epoch).unwrap();
    }
    trusted.check(&again.handle.head()).unwrap();
    again.kill().await;
    assert_eq!(start(&folder).recovered.operator, third.node());
}

#[tokio::test]
async fn killed_when_the_new_key_is_on_disk_it_signs_with_the_old_one() {
    killed_at("the key is on disk").await;
}

#[tokio::test]
async fn killed_while_the_block_is_written_it_signs_with_the_old_key() {
    killed_at("the block is torn").await;
}

#[tokio::test]
async fn killed_when_the_block_is_in_the_log_it_signs_with_the_new_key() {
    killed_at("the block is in the log and not in the index").await;
}

#[tokio::test]
async fn killed_before_the_files_have_their_names_it_signs_with_the_new_key() {
    killed_at("the change is final").await;
}

#[tokio::test]
async fn killed_between_two_names_it_signs_with_the_new_key() {
    killed_at("the old key has its other name").await;
}

#[tokio::test]
async fn killed_when_all_is_done_it_signs_with_the_new_key() {
    killed_at("all is done").await;
}
