//! Owns the exercise that a worker does before it is locked.
//!
//! Threads, lazily loaded code and a GPU's kernels must exist before system calls are taken away, so
//! one tiny training step, one checkpoint and a few tokens are computed from constants. Never sees a
//! byte of any job.

use market::job::{BYTE_VOCABULARY, InferSpec, ModelShape, TrainSpec};

use crate::card::Card;
use crate::checkpoint::Checkpoint;
use crate::generate::Generator;
use crate::text::Text;
use crate::train::TrainError;
use crate::trainer::{StepError, Trainer};
use crate::worker::RunError;

/// Large enough that matrix products are split over threads, small enough to take milliseconds.
const SHAPE: ModelShape = ModelShape {
    dim: 64,
    layers: 1,
    heads: 4,
    kv_heads: 2,
    ffn_dim: 256,
    vocabulary: BYTE_VOCABULARY,
    context: 128,
    tied_embeddings: true,
};

/// Touches every code path that a job takes, on the card that it will use.
///
/// # Errors
/// The card does not compute, or its budget is too small for a tiny model.
pub fn warm_up(card: &Card) -> Result<(), RunError> {
    let mut spec = TrainSpec::new("warm-up".parse().expect("a name"));
    spec.model = SHAPE;
    spec.steps = 1;
    spec.warm_up_steps = 0;
    spec.batch = 4;
    spec.held_out_bps = 5_000;
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(2_048).collect();
    let checkpoint = train_once(&spec, &bytes, card)?;
    let mut infer = InferSpec::new("warm");
    infer.max_tokens = 3;
    let generator = Generator::load(&checkpoint, infer.tokens(), u64::MAX, card)?;
    generator.generate(&infer, &mut |_| Ok(()))?;
    drop(generator);
    card.scrub()?;
    Ok(())
}

fn train_once(spec: &TrainSpec, bytes: &[u8], card: &Card) -> Result<Checkpoint, TrainError> {
    let text = Text::split(bytes, spec)?;
    let mut trainer = Trainer::new(spec, card)?;
    let windows = text.batch(1).map_err(StepError::from)?;
    trainer.step(1, &windows)?;
    trainer.held_out_loss(&text)?;
    Ok(Checkpoint::write(trainer.config(), trainer.weights())?)
}
