//! Tests of the card: budgets, how failures are named, and, where a processor poses as a GPU, the GPU's own stack.

use market::job::{ModelShape, TrainSpec};

use super::*;
use crate::own_process::{is_alone, play, role};
use crate::text::Text;
use crate::trainer::Trainer;

const MIB: u64 = 1 << 20;

/// Opens the processor that poses as a GPU; says so where there is none.
fn software(budget: Budget) -> Option<Card> {
    if !EngineDevice::has_software() {
        eprintln!("skipped: no processor poses as a GPU here (install mesa-vulkan-drivers)");
        return None;
    }
    Some(Card::open(&EngineDevice::software(), budget).unwrap())
}

fn block() -> Vec<f32> {
    vec![1.5; (128 * MIB / NUMBER_BYTES) as usize]
}

#[test]
fn a_budget_is_refused_in_words_and_means_nothing_on_the_processor() {
    let allowed = Budget::of_bytes(10);
    let processor = Card::open(&EngineDevice::Flex, allowed).unwrap();
    assert_eq!(processor.admit(11), Ok(()));
    assert_eq!(processor.check(), Ok(()));
    assert_eq!(processor.scrub(), Ok(Scrubbed::default()));
    let error = CardError::Memory {
        needed: 11,
        allowed: 10,
    };
    let words = "the job needs about 11 bytes of the card's memory; it may use 10";
    assert_eq!(error.to_string(), words);
}

#[test]
fn a_card_that_the_driver_gave_up_is_told_from_one_that_failed() {
    let reason = || "Unknown: the device was lost".to_owned();
    let lost = ExecutionError::DevicePoisoned { reason: reason() };
    assert_eq!(CardError::from(lost), CardError::Lost { reason: reason() });
    let failed = ExecutionError::WithContext { reason: reason() };
    assert!(matches!(CardError::from(failed), CardError::Failed { .. }));
}

#[test]
fn sixty_four_blocks_of_128_mib_end_at_the_budget() {
    if !is_alone("card::tests::sixty_four_blocks_of_128_mib_end_at_the_budget") {
        return;
    }
    let budget = Budget::of_bytes(400 * MIB);
    let Some(card) = software(budget) else { return };
    let mut held = Vec::new();
    let refused = (0..64).find_map(|_| match card.upload(block(), [32, 1 << 20]) {
        Ok(tensor) => {
            held.push(tensor);
            None
        }
        Err(error) => Some(error),
    });
    match refused {
        Some(CardError::Memory { needed, allowed }) => {
            assert_eq!(allowed, 400 * MIB);
            assert!(needed > allowed, "{needed}");
        }
        other => unreachable!("{other:?} after {} blocks", held.len()),
    }
    assert!((1..=3).contains(&held.len()), "{} blocks fit", held.len());
    assert!(card.held_bytes().0 <= 2 * 400 * MIB);
}

#[test]
fn scrubbing_covers_what_a_job_left_and_gives_it_back() {
    if !is_alone("card::tests::scrubbing_covers_what_a_job_left_and_gives_it_back") {
        return;
    }
    let Some(card) = software(Budget::UNLIMITED) else {
        return;
    };
    let sizes = [5_usize, 1_000, 70_000, 1 << 20, 9 << 20, 32 << 20];
    let left: Vec<Tensor<1>> = sizes
        .iter()
        .map(|size| {
            card.upload(vec![f32::from_bits(0x5a5a_5a5a); *size], [*size])
                .unwrap()
        })
        .collect();
    let bytes: u64 = sizes.iter().map(|size| 4 * *size as u64).sum();
    drop(left);
    card.sync().unwrap();
    let began = std::time::Instant::now();
    let scrubbed = card.scrub().unwrap();
    eprintln!("{scrubbed:?} of {bytes} bytes in {:?}", began.elapsed());
    // Pools that were outgrown hand nothing out any more; what they held is counted as missed.
    assert!(scrubbed.overwritten > bytes / 8, "{scrubbed:?}");
    assert!(
        scrubbed.overwritten + scrubbed.missed >= bytes,
        "{scrubbed:?}"
    );
    assert_eq!(card.held_bytes().1, 0);
    assert!(
        card.held_bytes().0 < bytes / 2,
        "{:?} are still held",
        card.held_bytes()
    );
}

#[test]
fn a_second_card_of_a_process_is_refused_and_not_opened_anew() {
    if !is_alone("card::tests::a_second_card_of_a_process_is_refused_and_not_opened_anew") {
        return;
    }
    let Some(_card) = software(Budget::UNLIMITED) else {
        return;
    };
    let again = Card::open(&EngineDevice::software(), Budget::UNLIMITED);
    assert!(matches!(again, Err(CardError::Open { .. })), "{again:?}");
}

#[test]
fn what_one_process_left_on_the_card_another_never_sees() {
    let test = "card::tests::what_one_process_left_on_the_card_another_never_sees";
    match role().as_deref() {
        Some("leave") => {
            if let Some(card) = software(Budget::UNLIMITED) {
                let left = leave_residue(&card).unwrap();
                assert_eq!((left.numbers, left.of_pattern), (64 << 20, 64 << 20));
                println!("left");
            }
        }
        Some(_) => {
            if let Some(card) = software(Budget::UNLIMITED) {
                let found = find_residue(&card).unwrap();
                assert_eq!((found.numbers, found.not_zero), (64 << 20, 0), "{found:?}");
                // Within one process the pools hand out what they held: that is what scrubbing is for.
                leave_residue(&card).unwrap();
                let before = find_residue(&card).unwrap();
                leave_residue(&card).unwrap();
                card.scrub().unwrap();
                let after = find_residue(&card).unwrap();
                println!("dumped; before scrubbing {before:?}, after it {after:?}");
                assert!(
                    before.of_pattern > 0,
                    "the test sees what lies in the pools"
                );
                assert_eq!(after.of_pattern, 0);
            }
        }
        None => {
            for role in ["leave", "dump"] {
                play(test, role);
            }
        }
    }
}

/// Trains on the processor that poses as a GPU until `steps` are done; returns what is held after each.
fn held_while_training(card: &Card, steps: u32) -> Vec<u64> {
    let mut spec = TrainSpec::new("data".parse().unwrap());
    spec.model = ModelShape {
        dim: 64,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        ffn_dim: 64,
        vocabulary: 256,
        context: 32,
        tied_embeddings: true,
    };
    (spec.steps, spec.warm_up_steps, spec.batch, spec.sequence) = (steps, 1, 2, 16);
    let bytes = b"by night the cards work for whoever pays. ".repeat(20);
    let text = Text::split(&bytes, &spec).unwrap();
    let mut trainer = Trainer::new(&spec, card).unwrap();
    let step = |step| {
        trainer.step(step, &text.batch(step).unwrap()).unwrap();
        card.held_bytes().0
    };
    (1..=steps).map(step).collect()
}

#[test]
fn long_a_training_s_later_steps_take_little_more_of_the_card_than_its_second() {
    if !is_alone(
        "card::tests::long_a_training_s_later_steps_take_little_more_of_the_card_than_its_second",
    ) {
        return;
    }
    let Some(card) = software(Budget::UNLIMITED) else {
        return;
    };
    let held = held_while_training(&card, 6);
    assert!(held[1] > 0, "{held:?}");
    // What cubecl keeps of the launches themselves grows a little with each step.
    assert!(held[5] < held[1] + held[1] / 10, "{held:?}");
}
