//! Checks that hostile batches are refused and that honest ones come through once.

use market::progress::StepMetric;

use super::*;

fn line(text: &str) -> Progress {
    Progress::Log {
        line: text.to_owned(),
    }
}

fn step(loss: f32) -> Progress {
    Progress::Step(StepMetric {
        step: 1,
        steps: 2,
        loss,
        tokens: 3,
        tokens_per_second: 4.0,
    })
}

#[test]
fn a_batch_at_the_end_of_the_numbers_is_refused() {
    let first = u64::MAX;
    assert_eq!(
        check(first, vec![line("a"), line("b")], 0),
        Err(BadReport::Gap { first, next: 0 })
    );
    assert_eq!(
        check(first, vec![line("a"), line("b")], u64::MAX),
        Err(BadReport::Numbers)
    );
}

#[test]
fn a_batch_that_leaves_a_gap_is_refused() {
    let gap = check(4, vec![line("a")], 3);
    assert_eq!(gap, Err(BadReport::Gap { first: 4, next: 3 }));
}

#[test]
fn a_repeated_report_comes_through_once() {
    let again = check(1, vec![line("b"), line("c")], 2).expect("the batch overlaps");
    assert_eq!((again.reports, again.next), (vec![(2, line("c"))], 3));
    let old = check(0, vec![line("a")], 3).expect("the batch is old");
    assert_eq!((old.reports, old.next), (Vec::new(), 3));
}

#[test]
fn a_loss_that_is_no_number_is_left_out_and_the_others_stay() {
    let checked = check(0, vec![step(f32::NAN), step(1.5)], 0).expect("the numbers are right");
    assert_eq!(checked.reports, vec![(1, step(1.5))]);
    assert_eq!(checked.next, 2);
    assert_eq!(
        checked.left_out,
        Some((1, BadReport::NotFinite("the loss")))
    );
}

#[test]
fn a_text_beyond_its_limit_is_left_out() {
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    let checked = check(0, vec![line(&long)], 0).expect("the numbers are right");
    assert!(checked.reports.is_empty());
    let longest = line(&long[1..]);
    let checked = check(0, vec![longest.clone()], 0).expect("the numbers are right");
    assert_eq!(checked.reports, vec![(0, longest)]);
}

#[test]
fn more_layers_than_there_are_is_left_out() {
    let layers = vec!["a".to_owned(); MAX_LAYERS + 1];
    let checked = check(0, vec![Progress::Confined { layers }], 0).expect("the numbers are right");
    assert_eq!(
        checked.left_out,
        Some((0, BadReport::Layers(MAX_LAYERS + 1)))
    );
}
