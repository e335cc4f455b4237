//! Tests of generation: a saved model continues as the trained one would, within its bounds.

use market::job::ModelShape;

use super::*;
use crate::weights::initial;

const SHAPE: ModelShape = ModelShape {
    dim: 32,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    ffn_dim: 48,
    vocabulary: 256,
    context: 320,
    tied_embeddings: true,
};

/// A model whose scores are far apart, so that tiny differences cannot change a choice.
fn weights() -> Vec<Tensor<2>> {
    let weights = initial(&SHAPE, 11, &Card::processor()).unwrap();
    weights
        .into_iter()
        .map(|weight| weight.mul_scalar(6.0))
        .collect()
}

fn generator() -> Generator {
    let checkpoint = Checkpoint::write(&ModelConfig::new(SHAPE), &weights()).unwrap();
    Generator::load(&checkpoint, 320, u64::MAX, &Card::processor()).unwrap()
}

fn spec(prompt: &str, max_tokens: u32, temperature_milli: u32) -> InferSpec {
    let mut spec = InferSpec::new(prompt);
    spec.max_tokens = max_tokens;
    spec.temperature_milli = temperature_milli;
    spec
}

fn complete(generator: &Generator, spec: &InferSpec) -> Completion {
    generator.generate(spec, &mut |_| Ok(())).unwrap()
}

/// Scores after every position from one pass without a cache, with weights that were never saved.
fn full_scores(tokens: &[i64]) -> Vec<f32> {
    let config = ModelConfig::new(SHAPE);
    let weights = weights();
    let decoder = Decoder {
        config: &config,
        weights: &weights,
    };
    let tables = PositionTables::new(&config, &Card::processor()).unwrap();
    let batch = TokenBatch::new(tokens, tokens.len(), 256).unwrap();
    let logits = decoder
        .logits(&batch, &tables.stretch(0, tokens.len()).unwrap(), None)
        .unwrap();
    logits.into_data().iter::<f32>().collect()
}

#[test]
fn a_saved_model_gives_the_scores_of_the_one_that_was_saved() {
    // Longer than one piece of the prompt, so that pieces must fit together.
    let prompt: Vec<i64> = (0..PREFILL_TOKENS as i64 + 9)
        .map(|i| i * 37 % 256)
        .collect();
    let generator = generator();
    let mut cache = Cache::new(&generator.config, prompt.len());
    let scores = generator.prefill(&prompt, &mut cache).unwrap();
    let expected = full_scores(&prompt);
    let last = &expected[expected.len() - 256..];
    for (score, expected) in scores.iter().zip(last) {
        assert!((score - expected).abs() < 1e-3, "{score} and {expected}");
    }
    assert_eq!(cache.length(), prompt.len());
}

#[test]
fn greedy_text_is_what_repeated_full_passes_choose() {
    let completion = complete(&generator(), &spec("Night", 12, 0));
    let mut tokens: Vec<i64> = b"Night".iter().map(|&byte| byte.into()).collect();
    for _ in 0..12 {
        let scores = full_scores(&tokens);
        let last = &scores[scores.len() - 256..];
        tokens.push(Sampler::new(0, 0).choose(last).unwrap().into());
    }
    let expected: Vec<u8> = tokens[5..].iter().map(|&token| token as u8).collect();
    assert_eq!(completion.text, expected);
    assert_eq!((completion.prompt_tokens, completion.tokens), (5, 12));
}

#[test]
fn the_seed_decides_sampled_text() {
    let generator = generator();
    let mut hot = spec("a", 24, 5_000);
    let first = complete(&generator, &hot).text;
    assert_eq!(first, complete(&generator, &hot).text);
    hot.seed = 1;
    assert_ne!(first, complete(&generator, &hot).text);
}

#[test]
fn every_token_is_handed_out_as_it_is_chosen() {
    let mut streamed = Vec::new();
    let completion = generator().generate(&spec("a", 5, 0), &mut |bytes| {
        streamed.push(bytes.to_vec());
        Ok(())
    });
    assert_eq!(streamed.len(), 5);
    assert_eq!(streamed.concat(), completion.unwrap().text);
}

#[test]
fn prompt_and_completion_must_fit_into_the_context() {
    let generator = generator();
    let prompt = "x".repeat(310);
    assert_eq!(complete(&generator, &spec(&prompt, 10, 0)).tokens, 10);
    for (prompt, max_tokens) in [(prompt.as_str(), 11), ("x", u32::MAX), ("", 1)] {
        let refused = generator.generate(&spec(prompt, max_tokens, 0), &mut |_| Ok(()));
        assert!(
            matches!(refused, Err(GenerateError::Context { .. })),
            "{max_tokens}"
        );
    }
}

#[test]
fn a_cache_beyond_the_memory_limit_is_refused_before_the_weights_are_read() {
    let config = ModelConfig::new(SHAPE);
    let nothing = Checkpoint {
        config: config.to_json(),
        weights: Vec::new(),
    };
    let piece = prefill_tokens(&config) as u64;
    let needed = 4 * SHAPE.parameters() + SHAPE.infer_bytes(101, piece);
    let load = |limit| Generator::load(&nothing, 101, limit, &Card::processor()).err();
    let refused = load(needed - 1);
    assert!(
        matches!(refused, Some(GenerateError::Memory { .. })),
        "{refused:?}"
    );
    let refused = load(needed);
    assert!(
        matches!(refused, Some(GenerateError::Checkpoint(_))),
        "{refused:?}"
    );
}
