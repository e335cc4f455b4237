//! Tests of training steps on the processor.

use burn::tensor::TensorData;
use market::job::ModelShape;

use super::*;

fn spec() -> TrainSpec {
    let mut spec = TrainSpec::new("data".parse().unwrap());
    spec.model = ModelShape {
        dim: 32,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        ffn_dim: 64,
        vocabulary: 256,
        context: 32,
        tied_embeddings: true,
    };
    spec.steps = 60;
    spec.warm_up_steps = 3;
    spec.batch = 4;
    spec.sequence = 16;
    spec.learning_rate_micros = 10_000;
    spec
}

fn text() -> Vec<u8> {
    b"the cat sat on the mat and the rat sat on the cat. ".repeat(20)
}

fn bits(trainer: &Trainer<'_>) -> Vec<TensorData> {
    trainer.weights().iter().map(Tensor::to_data).collect()
}

fn trained<'spec>(spec: &'spec TrainSpec, text: &Text<'_>, steps: u32) -> Trainer<'spec> {
    let mut trainer = Trainer::new(spec, &Card::processor()).unwrap();
    for step in 1..=steps {
        trainer.step(step, &text.batch(step).unwrap()).unwrap();
    }
    trainer
}

#[test]
fn descent_lowers_the_loss_on_text_that_was_not_trained_on() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let before = trained(&spec, &text, 0).held_out_loss(&text).unwrap();
    let after = trained(&spec, &text, 60).held_out_loss(&text).unwrap();
    assert!(
        (before - 256_f32.ln()).abs() < 0.2,
        "an untrained model guesses: {before}"
    );
    assert!(after < 1.5, "{before} to {after}");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let first = bits(&trained(&spec, &text, 5));
    assert_eq!(first, bits(&trained(&spec, &text, 5)));
    let mut other = spec.clone();
    other.seed += 1;
    assert_ne!(first, bits(&trained(&other, &text, 5)));
}

#[test]
fn parts_of_a_batch_add_up_to_the_whole() {
    let (mut spec, bytes) = (spec(), text());
    spec.batch = 5;
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    let (loss, gradients) = trainer.gradients(&windows).unwrap();
    trainer.parts = 1;
    let (whole_loss, whole) = trainer.gradients(&windows).unwrap();
    assert!((loss - whole_loss).abs() < 1e-5);
    for (part, whole) in gradients.into_iter().zip(whole) {
        let difference = (part.unwrap() - whole.unwrap()).abs().max();
        assert!(scalar(difference).unwrap() < 1e-6);
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    let (_, gradients) = trainer.gradients(&windows).unwrap();
    let at_zero = trainer.weights.clone();
    // Along the gradient itself the slope is the squared norm.
    let slope = norm(&gradients).unwrap().powi(2);
    let mut loss_at = |distance: f32| {
        for (index, gradient) in gradients.iter().enumerate() {
            let step = gradient.clone().unwrap().mul_scalar(distance);
            trainer.weights[index] = at_zero[index].clone() + step;
        }
        trainer.gradients(&windows).unwrap().0
    };
    let distance = 1e-3;
    let measured = (loss_at(distance) - loss_at(-distance)) / (2.0 * distance);
    assert!(
        (measured / slope - 1.0).abs() < 0.02,
        "{measured} and {slope}"
    );
}

#[test]
fn clipping_bounds_the_gradient_that_moves_the_weights() {
    let (mut spec, bytes) = (spec(), text());
    spec.clip_milli = 1;
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    let (_, gradients) = trainer.gradients(&windows).unwrap();
    let length = norm(&gradients).unwrap();
    assert!(length > 0.001);
    trainer.step(1, &windows).unwrap();
    let squared: f32 = trainer
        .moments
        .iter()
        .flatten()
        .map(|state| state.momentum.moment_1.clone().square().sum())
        .map(|sum| scalar(sum).unwrap())
        .sum();
    // The first moment after one step is a tenth of the clipped gradient.
    assert!(
        (squared.sqrt() - 0.1 * 0.001).abs() < 1e-6,
        "{}",
        squared.sqrt()
    );
}

#[test]
fn norms_are_not_decayed() {
    let (mut spec, bytes) = (spec(), text());
    spec.weight_decay_milli = 1_000;
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    decay_everything(&mut trainer, &windows);
    for (weight, role) in trainer.weights.iter().zip(&trainer.roles) {
        let largest = scalar(weight.clone().abs().max()).unwrap();
        match role {
            Role::Norm => assert!((largest - 1.0).abs() < 1e-3, "{largest}"),
            _ => assert!(largest < 1e-3, "{largest}"),
        }
    }
}

/// Updates with no gradient and a learning rate of 1, where a decay of 1 takes everything.
fn decay_everything(trainer: &mut Trainer<'_>, windows: &Windows) {
    let (loss, gradients) = trainer.gradients(windows).unwrap();
    let zeros = gradients
        .into_iter()
        .map(|gradient| gradient.map(|tensor| tensor.mul_scalar(0.0)));
    let report = StepReport {
        loss,
        gradient_norm: 0.0,
        learning_rate: 1.0,
    };
    trainer.update(zeros.collect(), &report);
}

#[test]
fn a_diverging_run_ends_with_the_step_it_diverged_at() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    trainer.weights[0] = trainer.weights[0].clone().mul_scalar(f32::INFINITY);
    let outcome = trainer.step(3, &text.batch(3).unwrap());
    assert!(matches!(outcome, Err(StepError::Diverged { step: 3, .. })));
}

#[test]
fn the_learning_rate_rises_in_a_line_and_falls_along_a_cosine() {
    let mut spec = spec();
    spec.steps = 110;
    spec.warm_up_steps = 10;
    spec.learning_rate_micros = 1_000;
    spec.final_learning_rate_bps = 1_000;
    let rate = |step: u32| learning_rate(&spec, step);
    for (step, expected) in [(1, 1e-4), (5, 5e-4), (10, 1e-3), (60, 5.5e-4), (110, 1e-4)] {
        assert!(
            (rate(step) - expected).abs() < 1e-9,
            "step {step}: {}",
            rate(step)
        );
    }
    spec.warm_up_steps = 0;
    assert!(learning_rate(&spec, 1) < 1e-3);
    spec.warm_up_steps = 110;
    assert!((learning_rate(&spec, 110) - 1e-3).abs() < 1e-9);
}

#[test]
fn slices_of_a_batch_add_up_to_the_whole_whatever_their_size() {
    let (mut spec, bytes) = (spec(), text());
    spec.batch = 7;
    let text = Text::split(&bytes, &spec).unwrap();
    let windows = text.batch(1).unwrap();
    let mut trainer = Trainer::new(&spec, &Card::processor()).unwrap();
    assert_eq!(trainer.slice_rows, 7, "a small batch is one slice");
    let (whole_loss, whole) = trainer.gradients(&windows).unwrap();
    let whole_held_out = trainer.held_out_loss(&text).unwrap();
    for rows in [1, 2, 3] {
        trainer.slice_rows = rows;
        let (loss, sliced) = trainer.gradients(&windows).unwrap();
        assert!(
            (loss - whole_loss).abs() < 1e-5,
            "{rows}: {loss} and {whole_loss}"
        );
        for (sliced, whole) in sliced.into_iter().zip(whole.clone()) {
            let difference = (sliced.unwrap() - whole.unwrap()).abs().max();
            assert!(scalar(difference).unwrap() < 1e-5, "{rows}");
        }
        let held_out = trainer.held_out_loss(&text).unwrap();
        assert!((held_out - whole_held_out).abs() < 1e-5, "{rows}");
    }
}
