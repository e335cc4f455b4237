//! What a node finds out about its own delegation, from a running ledger.

use market::delegation::{Delegation, Permission};
use market::ledger::Operation;
use market::wire::Signed;
use tempfile::TempDir;

use super::*;
use crate::clock::ProtocolClock;
use crate::ledger::client::Transport;
use crate::ledger::testing::{Running, config, genesis, issue, key, nano, signed};
use crate::store::NodeStore;

/// A delegation of account 1 to node 7.
fn identity(expires_at: Timestamp) -> Identity {
    let delegation = Delegation {
        account: key(1).account(),
        node: key(7).node(),
        permission: Permission::SellAndBuy,
        spend_cap: nano(9),
        expires_at,
    };
    Identity {
        account: key(1).account(),
        node_key: key(7),
        delegation: Signed::sign(&delegation, &key(1), &genesis().chain_id()),
    }
}

#[tokio::test]
async fn a_node_is_revoked_where_the_ledger_proves_it_for_as_long_as_its_delegation_lasts() {
    let folder = TempDir::new().unwrap();
    let running = Running::start(config(&folder));
    let genesis = genesis();
    let chain = genesis.chain_id();
    let (store, _) = NodeStore::open(&folder.path().join("node"), &chain).unwrap();
    let transport = Transport::Local(running.handle.clone());
    let ledger = LedgerClient::open(transport, &genesis, store, ProtocolClock::new());
    let ledger = ledger.await.unwrap();
    ledger.submit(&issue(1, &key(1), 3_000_000)).await.unwrap();
    let until = Timestamp::from_millis(u64::MAX - 1);
    let standing = |end| Standing::new(ledger.clone(), Arc::new(identity(end)), chain);
    let held = standing(until);
    assert_eq!((held.ask().await.unwrap(), held.known()), (None, None));
    let revoke = |node: u8| Operation::Revoke {
        account: key(1).account(),
        node: key(node).node(),
        until,
    };
    ledger
        .submit(&signed(2, revoke(8), &[&key(1)]))
        .await
        .unwrap();
    assert_eq!(held.ask().await.unwrap(), None, "another node");
    ledger
        .submit(&signed(3, revoke(7), &[&key(1)]))
        .await
        .unwrap();
    let revoked = Revoked {
        account: key(1).account(),
        node: key(7).node(),
        until,
    };
    assert_eq!(held.clone().ask().await.unwrap(), Some(revoked));
    assert_eq!(held.known(), Some(revoked), "clones know the same");
    assert!(revoked.to_string().contains("nightshift wallet delegate"));
    let longer = standing(Timestamp::from_millis(u64::MAX));
    assert_eq!(longer.ask().await.unwrap(), None, "it ends later");
}
