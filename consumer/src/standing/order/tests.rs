//! Tests of the order that stands for a bid.

use market::job::{Input, JobKind, Limits, TrainSpec};
use market::order::{Order, Sequence, Slot};
use market::{Amount, ChainId, PricePerHour, Signed, Timestamp};

use super::*;

fn job(wall_clock_s: u32) -> JobSpec {
    let data: market::job::ArtifactName = "data.txt".parse().unwrap();
    JobSpec {
        inputs: vec![Input::of(data.clone(), b"text")],
        kind: JobKind::Train(TrainSpec::new(data)),
        limits: Limits {
            wall_clock_s,
            ..Limits::default()
        },
    }
}

#[test]
fn a_job_in_a_hurry_asks_for_a_faster_class_of_the_same_kind() {
    let (slow, fast) = (job(100_000), job(60));
    for kind in [AdapterKind::Gpu, AdapterKind::Cpu] {
        let (slow, fast) = (least_class(&slow, kind), least_class(&fast, kind));
        assert!(fast.satisfies(slow) && fast.band() > slow.band());
        assert_eq!(fast.kind(), kind);
    }
}

#[test]
fn every_bid_fits_into_an_order_and_passes_its_ranges() {
    let job = job(3_600);
    let account = AccountId::from_bytes([1; 32]);
    let mut need = Need::new(account, job.limits.wall_clock_s);
    need.usable_bytes = job.memory_bytes();
    let bid = BidRecord {
        class: least_class(&job, offered_kind(None)),
        wanted: None,
        max_price: PricePerHour(Amount::from_nanocredits(1)),
        deposit: Amount::from_nanocredits(5),
        until: Timestamp::from_millis(2_000),
        end: None,
    };
    let body = body(&bid, &need, account, 7);
    let OrderBody::Bid(posted) = &body else {
        panic!("not a bid: {body:?}");
    };
    assert_eq!(posted.validate(), Ok(()));
    assert_eq!(
        u64::from(posted.usable_mib),
        job.memory_bytes().div_ceil(1 << 20)
    );
    let order = Order {
        slot: Slot::new(63).unwrap(),
        sequence: Sequence::from_u64(1_000),
        expires_at: Timestamp::from_millis(2_000),
        body,
    };
    let (key, chain) = (
        market::keys::SecretKey::from_seed([1; 32]),
        ChainId::from_bytes([1; 32]),
    );
    assert!(Signed::sign(&order, &key, &chain).verify(&chain).is_ok());
}
