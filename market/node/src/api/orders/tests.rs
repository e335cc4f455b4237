//! What a node lists of its own orders, how one is named, and that a cancelled one is gone.

use std::time::Duration;

use market::genesis::Genesis;
use market::gpu::GpuClass;
use market::order::{Ask, AskFigures, Attributes, Bid, Evidence, OrderBody};
use market::{AccountId, Amount, BlobHash, PricePerHour};
use tempfile::TempDir;

use super::*;
use crate::clock::wall_now;
use crate::config::Config;
use crate::home::Home;
use crate::identity::{Identity, load_or_create};
use crate::lease::Takers;
use crate::ledger::testing::genesis;
use crate::membership::Membership;
use crate::node::{NodeConfig, NodeTasks};

const HOUR: Duration = Duration::from_secs(3_600);

fn class() -> GpuClass {
    "1T-8G".parse().unwrap()
}

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

fn ask() -> OrderBody {
    OrderBody::Ask(Ask {
        account: AccountId::from_bytes([77; 32]),
        class: class(),
        price: price(5),
        gpus: 2,
        max_duration_s: 3_600,
        figures: AskFigures {
            gemm_mflops: 1_000_000,
            usable_mib: 8_192,
            f16_mflops: None,
            gb_per_s: None,
        },
        upload_mb_per_s: None,
        network_mbit_per_s: None,
        attributes: Attributes::TRAIN,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    })
}

fn bid() -> OrderBody {
    OrderBody::Bid(Bid {
        account: AccountId::from_bytes([77; 32]),
        class: class(),
        max_price: price(4),
        gpus: 1,
        duration_s: 60,
        usable_mib: 0,
        attributes: Attributes::NONE,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(9),
        balance_height: 0,
    })
}

/// Starts a node that orders its own market.
async fn node(folder: &TempDir) -> (Node, NodeTasks) {
    let home = Home::at(folder.path().join("home")).unwrap();
    let key = load_or_create(&home, "node").unwrap();
    let genesis = Genesis {
        operators: vec![key.node()],
        open_posting: true,
        ..genesis()
    };
    let membership = Membership::create(&home, genesis, Vec::new()).unwrap();
    Identity::create(&home, &membership.chain, wall_now()).unwrap();
    let mut settings = Config::default();
    settings.network.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    settings.disk.reserve_mib = 1;
    let config = NodeConfig {
        home,
        settings,
        operator_interval_ms: Some(100),
        takers: Takers::default(),
    };
    let (node, tasks) = Node::start(config).await.unwrap();
    node.ledger.status().await.unwrap(); // From here on the clock is set.
    (node, tasks)
}

#[tokio::test]
async fn both_sides_are_listed_by_slot_and_named_by_their_first_digits() {
    let folder = TempDir::new().unwrap();
    let (node, _tasks) = node(&folder).await;
    assert_eq!(own_orders(&node).await.unwrap().orders, []);
    let slot = |number| Slot::new(number).unwrap();
    let bid_id = node.book.post(slot(7), bid(), HOUR).await.unwrap();
    let ask_id = node.book.post(slot(2), ask(), HOUR).await.unwrap();
    let view = own_orders(&node).await.unwrap();
    let [ask, bid] = view.orders.as_slice() else {
        panic!("two orders stand: {view:?}");
    };
    assert_eq!((ask.order, ask.slot, ask.side), (ask_id, 2, OrderSide::Ask));
    assert_eq!((bid.order, bid.slot, bid.side), (bid_id, 7, OrderSide::Bid));
    assert_eq!((ask.price, ask.gpus, bid.price), (price(5), 2, price(4)));
    assert!(
        (3_590..=3_600).contains(&ask.ends_in_s),
        "{}",
        ask.ends_in_s
    );
    assert!(ask.since <= view.time);
    let found = own_order(&node, &bid_id.to_string()[..20]).await.unwrap();
    assert_eq!(found.order, bid_id);
    let told = own_order(&node, "").await.unwrap_err().to_string();
    assert!(told.contains("several orders"), "{told}");
    cancel_slot(&node, found.slot).await.unwrap();
    let told = own_order(&node, &bid_id.to_string()).await.unwrap_err();
    assert!(told.to_string().contains("no order of this node"), "{told}");
    assert_eq!(own_orders(&node).await.unwrap().orders.len(), 1);
}
