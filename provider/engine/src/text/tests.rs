//! Tests of the text: split, batches, entropy.

use super::*;

fn spec(held_out_bps: u16, sequence: u32, batch: u32) -> TrainSpec {
    let mut spec = TrainSpec::new("data".parse().unwrap());
    spec.held_out_bps = held_out_bps;
    spec.sequence = sequence;
    spec.batch = batch;
    spec
}

/// A text whose bytes tell their place.
fn ramp(length: usize) -> Vec<u8> {
    (0..length).map(|place| place as u8).collect()
}

fn ids(batch: &TokenBatch) -> Vec<i64> {
    batch.ids().iter().copied().map(i64::from).collect()
}

#[test]
fn the_end_of_the_text_is_held_out() {
    let bytes = ramp(200);
    let spec = spec(1_000, 8, 2);
    let text = Text::split(&bytes, &spec).unwrap();
    assert_eq!(text.training_part(), &bytes[..180]);
    assert_eq!(text.held_out, &bytes[180..]);
}

#[test]
fn texts_too_short_for_a_sequence_are_refused_by_part() {
    let part_of = |length: usize, bps: u16| match Text::split(&ramp(length), &spec(bps, 8, 2)) {
        Err(TextError::TooShort {
            part, needed: 9, ..
        }) => part,
        _ => "none",
    };
    assert_eq!(part_of(0, 1_000), "training");
    assert_eq!(part_of(90, 500), "held-out");
    assert_eq!(part_of(18, 5_000), "none");
    assert_eq!(part_of(17, 5_000), "training");
}

#[test]
fn every_target_is_the_token_that_follows() {
    let bytes = ramp(250);
    let spec = spec(1_000, 16, 4);
    let text = Text::split(&bytes, &spec).unwrap();
    for step in 1..20 {
        let windows = text.batch(step).unwrap();
        let (inputs, targets) = (ids(&windows.inputs), ids(&windows.targets));
        assert_eq!(inputs.len(), 64);
        assert!(
            inputs
                .iter()
                .zip(&targets)
                .all(|(input, target)| target - input == 1)
        );
        // Byte 225 is the first that is held out.
        assert!(targets.iter().all(|&target| target < 225));
    }
}

#[test]
fn batches_follow_from_seed_and_step() {
    let bytes = ramp(250);
    let mut spec = spec(1_000, 16, 4);
    let text = Text::split(&bytes, &spec).unwrap();
    let first = ids(&text.batch(7).unwrap().inputs);
    assert_eq!(first, ids(&text.batch(7).unwrap().inputs));
    assert_ne!(first, ids(&text.batch(8).unwrap().inputs));
    spec.seed += 1;
    let other = Text::split(&bytes, &spec).unwrap();
    assert_ne!(first, ids(&other.batch(7).unwrap().inputs));
}

#[test]
fn held_out_windows_cover_the_part_once() {
    let bytes = ramp(200);
    let spec = spec(2_000, 8, 3);
    let text = Text::split(&bytes, &spec).unwrap();
    let batches: Vec<Windows> = text.held_out().map(Result::unwrap).collect();
    let inputs: Vec<i64> = batches
        .iter()
        .flat_map(|windows| ids(&windows.inputs))
        .collect();
    // 40 bytes hold four windows of eight and a last target.
    assert_eq!(inputs, (160..192).collect::<Vec<i64>>());
    assert_eq!(batches[0].inputs.rows(), 3);
    assert_eq!(batches[1].inputs.rows(), 1);
}

#[test]
fn splitting_a_batch_keeps_every_row_and_the_whole_share() {
    let bytes = ramp(250);
    let spec = spec(1_000, 16, 5);
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    for parts in [1, 2, 4, 5, 9] {
        let pieces = windows.split(parts).unwrap();
        assert!(pieces.len() <= parts.min(5));
        let rows: Vec<i64> = pieces
            .iter()
            .flat_map(|(piece, _)| ids(&piece.inputs))
            .collect();
        assert_eq!(rows, ids(&windows.inputs));
        let shares: f32 = pieces.iter().map(|(_, share)| share).sum();
        assert!((shares - 1.0).abs() < 1e-6);
    }
}

#[test]
fn entropy_of_known_distributions() {
    assert!(unigram_entropy(b"").abs() < 1e-12);
    assert!(unigram_entropy(b"aaaa").abs() < 1e-12);
    assert!((unigram_entropy(b"abab") - 2_f64.ln()).abs() < 1e-12);
    assert!((unigram_entropy(&ramp(512)) - 256_f64.ln()).abs() < 1e-12);
}
