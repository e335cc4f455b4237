//! Tests of a run's record: what it may still cost, with whom, and from where it goes on.

use market::agreement::{Meter, Rates};
use market::gpu::GpuClass;
use market::job::{Input, Limits, TrainSpec};
use market::{BlobHash, ChannelId, PricePerHour, wire};
use market_node::api::BidState;

use super::*;

fn amount(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

fn chain() -> ChainId {
    ChainId::from_bytes([9; 32])
}

pub(crate) fn attempt(number: u8, deposit: u64, paid: u64) -> AttemptView {
    let class: GpuClass = "8T-12G".parse().unwrap();
    AttemptView {
        attempt: number.into(),
        agreement: AgreementId::from_bytes([number; 32]),
        channel: ChannelId::from_bytes([number; 32]),
        provider: NodeId::from_bytes([number; 32]),
        class,
        rates: Rates {
            price_per_hour: PricePerHour(amount(360_000)),
            gpus: 1,
            hold_bps: 2_500,
            tick_ms: 10_000,
            prepaid_ticks: 1,
            delivery_ticks: 30,
        },
        phase: Phase::Running,
        outcome: None,
        lost: None,
        from_step: 0,
        meter: Meter::default(),
        deposit: amount(deposit),
        paid: amount(paid),
        refunded: None,
        pending_refund: None,
        receipt: false,
        started_at: Timestamp::from_millis(number.into()),
    }
}

pub(crate) fn record() -> RunRecord {
    let data: market::job::ArtifactName = "data.txt".parse().unwrap();
    RunRecord {
        run: RunId::from_bytes([1; 8]),
        kind: "train".to_owned(),
        job: JobSpec {
            inputs: vec![Input::of(data.clone(), b"text")],
            kind: JobKind::Train(TrainSpec::new(data)),
            limits: Limits::default(),
        },
        budget: BudgetView {
            total: Some(amount(1_000)),
            ..BudgetView::default()
        },
        output: "/out".into(),
        started_at: Timestamp::from_millis(5),
        attempts: Vec::new(),
        artefacts: Vec::new(),
        states: Vec::new(),
        progress: None,
        is_cancelled: false,
        outcome: None,
        note: None,
        sources: vec![Source::Path("/data.txt".into())],
        bid: None,
        needs: Needs::default(),
    }
}

fn bid() -> BidRecord {
    BidRecord {
        class: "8T-12G".parse().unwrap(),
        wanted: None,
        max_price: PricePerHour(amount(250_000_000)),
        deposit: amount(1_000),
        until: Timestamp::from_millis(9_000),
        end: None,
    }
}

fn delivered(record: &mut RunRecord, name: &str, byte: u8) {
    record.delivered(ArtefactView {
        name: name.to_owned(),
        hash: BlobHash::from_bytes([byte; 32]),
        bytes: 10,
        path: format!("/out/{name}").into(),
        delivered_at: Timestamp::from_millis(7),
    });
}

fn content(byte: u8) -> Content {
    Content {
        hash: BlobHash::from_bytes([byte; 32]),
        bytes: 20,
    }
}

#[test]
fn all_attempts_together_stay_within_the_budget() {
    let mut run = record();
    assert_eq!(run.next_budget().total, Some(amount(1_000)));
    run.attempts.push(attempt(1, 1_000, 300));
    run.attempts.push(attempt(2, 700, 150));
    assert_eq!(run.remaining(), amount(550));
    assert_eq!(run.next_budget().total, Some(amount(550)));
    run.attempts.push(attempt(3, 550, 550));
    assert_eq!(run.remaining(), Amount::ZERO);
    let view = run.view(&chain()).unwrap();
    assert_eq!((view.deposit, view.paid), (amount(1_000), amount(1_000)));
}

#[test]
fn without_a_budget_the_first_deposit_is_the_most() {
    let mut run = record();
    run.budget.total = None;
    assert_eq!(run.next_budget().total, None);
    run.attempts.push(attempt(1, 800, 300));
    assert_eq!(run.next_budget().total, Some(amount(500)));
}

#[test]
fn a_provider_with_whom_an_attempt_ended_is_not_tried_again() {
    let mut run = record();
    run.attempts = vec![attempt(1, 1_000, 1), attempt(2, 999, 1), attempt(3, 998, 1)];
    run.attempts[0].lost = Some("silent".to_owned());
    run.attempts[1].phase = Phase::Ended;
    let failed: Vec<NodeId> = run.failed_providers().into_iter().collect();
    assert_eq!(
        failed,
        [NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32])]
    );
}

#[test]
fn a_checkpoint_counts_once_weights_and_state_are_both_here() {
    let mut run = record();
    assert_eq!(run.kept_state(100, content(1)), Vec::<u32>::new());
    assert_eq!(run.checkpoint(), None);
    delivered(&mut run, "step-000100/model.safetensors", 2);
    assert_eq!(run.checkpoint().unwrap().step, 100);
    assert_eq!(run.checkpoint().unwrap().state, content(1));

    delivered(&mut run, "step-000200/model.safetensors", 3);
    assert_eq!(run.checkpoint().unwrap().step, 100);
    assert_eq!(run.kept_state(200, content(4)), [100], "the older goes");
    let newest = run.checkpoint().unwrap();
    assert_eq!((newest.step, newest.weights.hash), (200, content(3).hash));
    assert_eq!(run.states.len(), 1);
    let job = run.job_from(Some(&newest)).unwrap();
    assert_eq!(job.inputs.len(), 3);
    assert_eq!(run.steps_done(Some(&newest)), (200, 400));
}

#[test]
fn a_state_that_comes_before_its_weights_is_kept_beside_the_older_whole_one() {
    let mut run = record();
    run.kept_state(100, content(1));
    delivered(&mut run, "step-000100/model.safetensors", 2);
    assert!(run.kept_state(200, content(3)).is_empty());
    assert_eq!(run.checkpoint().unwrap().step, 100);
    delivered(&mut run, "step-000200/model.safetensors", 4);
    assert_eq!(run.superseded_states(), [100]);
}

#[test]
fn refunds_on_their_way_are_added_up_and_the_last_date_counts() {
    let mut run = record();
    run.attempts = vec![attempt(1, 1_000, 1), attempt(2, 999, 1)];
    assert_eq!(run.pending_refund(), None);
    for (attempt, due) in run.attempts.iter_mut().zip([70, 60]) {
        attempt.pending_refund = Some(PendingRefund {
            amount: amount(5),
            due_at: Timestamp::from_millis(due),
        });
    }
    let pending = run.view(&chain()).unwrap().pending_refund.unwrap();
    assert_eq!(pending.amount, amount(10));
    assert_eq!(pending.due_at, Timestamp::from_millis(70));
}

#[test]
fn a_run_between_two_providers_is_open_and_one_that_is_over_has_ended() {
    let mut run = record();
    assert_eq!(run.view(&chain()), None, "nothing was bought");
    run.attempts.push(attempt(1, 1_000, 10));
    assert_eq!(run.view(&chain()).unwrap().phase, Phase::Running);
    run.attempts[0].lost = Some("gone".to_owned());
    assert_eq!(run.view(&chain()).unwrap().phase, Phase::Opening);
    run.outcome = Some(Outcome::Lost);
    let view = run.view(&chain()).unwrap();
    assert_eq!((view.phase, view.refunded), (Phase::Ended, None));
    run.attempts[0].phase = Phase::Ended;
    let view = run.view(&chain()).unwrap();
    assert_eq!(view.refunded, Some(amount(990)));
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let mut run = record();
    run.attempts.push(attempt(1, 1_000, 10));
    delivered(&mut run, "a/b", 1);
    run.kept_state(3, content(3));
    assert_eq!(RunRecord::decode(&run.encode()).unwrap(), run);
    run.bid = Some(bid());
    assert_eq!(RunRecord::decode(&run.encode()).unwrap(), run);
    run.needs.sandbox = 2;
    assert_eq!(RunRecord::decode(&run.encode()).unwrap(), run);
    run.bid = None;
    assert_eq!(RunRecord::decode(&run.encode()).unwrap(), run);
}

#[test]
fn a_bid_without_needs_lies_on_disk_as_it_did_before_there_were_needs() {
    let mut run = record();
    run.bid = Some(bid());
    let (whole, written) = (wire::encode(&run), run.encode());
    assert_eq!(whole.strip_suffix(&[1]), Some(&written[..]));
    run.needs.sandbox = 2;
    assert_eq!(run.encode(), [&written[..], &[2]].concat());
}

#[test]
fn a_run_without_a_bid_lies_on_disk_as_it_did_before_there_were_bids() {
    let mut run = record();
    run.note = Some("n".repeat(3));
    let with_room = wire::encode(&run);
    let written = run.encode();
    assert_eq!(with_room.strip_suffix(&[0, 1]), Some(&written[..]));
    assert_eq!(RunRecord::decode(&written).unwrap(), run);
    for cut in 0..written.len() {
        assert!(RunRecord::decode(&written[..cut]).is_err(), "{cut} bytes");
    }
}

#[test]
fn a_bid_is_shown_until_something_is_bought_and_says_how_it_ended() {
    let mut run = record();
    assert_eq!(run.bid_view(&chain(), InBook::default()), None);
    run.bid = Some(bid());
    let book = InBook {
        misfits: Some("3 offers: 3 above your price".to_owned()),
        ..InBook::default()
    };
    let view = run.bid_view(&chain(), book).unwrap();
    assert_eq!(view.state, BidState::Waiting);
    assert_eq!(
        view.misfits.as_deref(),
        Some("3 offers: 3 above your price")
    );
    assert!(run.open_bid().is_some());
    run.outcome = Some(Outcome::Cancelled);
    run.bid.as_mut().unwrap().end = Some(BidEnd::Unsold);
    let view = run.bid_view(&chain(), InBook::default()).unwrap();
    assert_eq!((view.state, run.open_bid()), (BidState::Unsold, None));
    run.outcome = None;
    run.attempts.push(attempt(1, 1_000, 10));
    assert_eq!(run.bid_view(&chain(), InBook::default()), None);
    assert_eq!(run.open_bid(), None, "what was bought is no bid any more");
}
