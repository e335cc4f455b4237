//! Tests of the job: canonical bytes, the form people write, ranges, estimates.

use super::*;

fn name(text: &str) -> ArtifactName {
    text.parse().unwrap()
}

fn train_job() -> JobSpec {
    JobSpec {
        inputs: vec![Input::of(name("data.txt"), b"some text")],
        kind: JobKind::Train(TrainSpec::new(name("data.txt"))),
        limits: Limits::default(),
    }
}

fn infer_job() -> JobSpec {
    JobSpec {
        inputs: vec![
            Input::of(name("config.json"), b"{}"),
            Input::of(name("model.safetensors"), &[0; 4_000]),
        ],
        kind: JobKind::Infer(InferSpec::new("Once")),
        limits: Limits::default(),
    }
}

fn train_of(job: &mut JobSpec) -> &mut TrainSpec {
    match &mut job.kind {
        JobKind::Train(train) => train,
        JobKind::Infer(_) => unreachable!("the job trains"),
    }
}

#[test]
fn canonical_bytes_come_back_as_the_same_job() {
    for job in [train_job(), infer_job()] {
        assert_eq!(JobSpec::from_bytes(&job.to_bytes()), Ok(job));
    }
}

#[test]
fn the_id_depends_on_the_chain_and_on_every_figure() {
    let chain = ChainId::from_bytes([1; 32]);
    let other = ChainId::from_bytes([2; 32]);
    let job = train_job();
    let mut changed = job.clone();
    train_of(&mut changed).seed += 1;
    assert_eq!(job.id(&chain), train_job().id(&chain));
    assert_ne!(job.id(&chain), job.id(&other));
    assert_ne!(job.id(&chain), changed.id(&chain));
}

#[test]
fn canonical_bytes_of_the_default_recipe_do_not_change_unnoticed() {
    let id = train_job().id(&ChainId::from_bytes([0; 32]));
    assert_eq!(id.to_string(), DEFAULT_RECIPE_ID);
}

/// Changes only together with the namespace's version or the demo's recipe.
const DEFAULT_RECIPE_ID: &str = "af1eba092000aba936e10c4616d5fad6a59943ba09adf61c34e3a83efc2b0720";

#[test]
fn a_training_table_needs_only_its_data() {
    let train: TrainSpec = toml::from_str("data = \"data.txt\"").unwrap();
    assert_eq!(train, TrainSpec::new(name("data.txt")));
}

#[test]
fn an_inference_table_needs_only_its_prompt() {
    let infer: InferSpec = toml::from_str("prompt = \"Once\"").unwrap();
    assert_eq!(infer, InferSpec::new("Once"));
}

#[test]
fn a_model_is_a_preset_or_sizes() {
    let preset: TrainSpec = toml::from_str("data = \"d\"\nmodel = \"small-10m\"").unwrap();
    assert_eq!(preset.model, ModelShape::SMALL_10M);
    let sizes: TrainSpec = toml::from_str("data = \"d\"\nmodel = { layers = 2 }").unwrap();
    assert_eq!(sizes.model.layers, 2);
    assert_eq!(sizes.model.dim, ModelShape::DEMO_1M.dim);
    let unknown = toml::from_str::<TrainSpec>("data = \"d\"\nmodel = \"gpt\"").unwrap_err();
    assert!(unknown.to_string().contains("demo-1m"), "{unknown}");
}

#[test]
fn misspelt_fields_are_refused() {
    assert!(toml::from_str::<TrainSpec>("data = \"d\"\nstep = 3").is_err());
    assert!(toml::from_str::<TrainSpec>("data = \"d\"\nmodel = { layer = 2 }").is_err());
    assert!(toml::from_str::<InferSpec>("prompt = \"p\"\ntop = 3").is_err());
    assert!(toml::from_str::<Limits>("memory = 3").is_err());
}

#[test]
fn a_job_survives_json() {
    for job in [train_job(), infer_job()] {
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), job);
    }
}

/// Puts one figure out of range.
type Spoil = fn(&mut TrainSpec);

#[test]
fn figures_out_of_range_are_refused_by_name() {
    let spoil: [(&str, Spoil); 11] = [
        ("train.steps", |train| train.steps = 0),
        ("train.batch", |train| train.batch = 5_000),
        ("train.sequence", |train| train.sequence = 257),
        ("train.warm_up_steps", |train| {
            train.warm_up_steps = train.steps + 1
        }),
        ("train.held_out_bps", |train| train.held_out_bps = 0),
        ("train.learning_rate_micros", |train| {
            train.learning_rate_micros = 0
        }),
        ("train.log_every", |train| train.log_every = 0),
        ("model.dim", |train| train.model.dim = u32::MAX),
        ("model.dim / model.heads", |train| {
            (train.model.dim, train.model.heads, train.model.kv_heads) = (1_024, 1, 1);
        }),
        ("train.steps / train.log_every", |train| {
            (train.steps, train.log_every) = (200_000, 1);
        }),
        ("model.vocabulary", |train| train.model.vocabulary = 257),
    ];
    for (field, spoil) in spoil {
        let mut job = train_job();
        spoil(train_of(&mut job));
        match JobSpec::from_bytes(&job.to_bytes()) {
            Err(JobError::Range(error)) => assert_eq!(error.field, field),
            other => unreachable!("{field}: {other:?}"),
        }
    }
}

#[test]
fn heads_must_divide() {
    let mut shape = ModelShape::DEMO_1M;
    shape.heads = 3;
    assert!(matches!(
        shape.validate(),
        Err(JobError::DoesNotDivide { .. })
    ));
    let mut shape = ModelShape::DEMO_1M;
    shape.kv_heads = 3;
    assert!(matches!(
        shape.validate(),
        Err(JobError::DoesNotDivide { .. })
    ));
    let mut shape = ModelShape::DEMO_1M;
    shape.heads = 0;
    assert!(matches!(shape.validate(), Err(JobError::Range(_))));
}

#[test]
fn inputs_are_named_once_and_exist() {
    let mut job = train_job();
    job.inputs.push(job.inputs[0].clone());
    assert!(matches!(
        job.validate(),
        Err(JobError::DuplicateInput { .. })
    ));
    let mut job = train_job();
    train_of(&mut job).data = name("other.txt");
    assert!(matches!(
        job.validate(),
        Err(JobError::MissingInput {
            field: "train.data",
            ..
        })
    ));
    let mut job = train_job();
    job.inputs.clear();
    assert!(matches!(job.validate(), Err(JobError::Range(_))));
}

#[test]
fn inputs_too_large_together_are_refused_without_overflow() {
    let mut job = infer_job();
    for input in &mut job.inputs {
        input.bytes = MAX_INPUT_BYTES;
    }
    assert!(matches!(job.validate(), Err(JobError::Range(_))));
    job.inputs[0].bytes = u64::MAX;
    assert!(matches!(job.validate(), Err(JobError::Range(_))));
}

#[test]
fn names_cannot_leave_a_folder() {
    for good in ["a", "step-100/model.safetensors", "A_b.c-d"] {
        assert_eq!(name(good).as_str(), good);
    }
    let long = "a".repeat(129);
    for bad in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "a/../b",
        ".ssh",
        "a//b",
        "a\\b",
        "a:",
        "a.",
        &long,
    ] {
        assert!(bad.parse::<ArtifactName>().is_err(), "{bad}");
    }
}

#[test]
fn hostile_names_are_refused_in_bytes_too() {
    let good = train_job().to_bytes();
    let at = good
        .windows(8)
        .position(|window| window == b"data.txt")
        .unwrap();
    let mut bad = good;
    bad[at..at + 8].copy_from_slice(b"../a.txt");
    assert!(matches!(JobSpec::from_bytes(&bad), Err(JobError::Wire(_))));
}

#[test]
fn the_demo_preset_has_a_million_parameters() {
    // By hand: 256*128 + 5*(2*128*128 + 2*128*64 + 3*128*384 + 2*128) + 128.
    assert_eq!(ModelShape::DEMO_1M.parameters(), 1_017_216);
    let mut untied = ModelShape::DEMO_1M;
    untied.tied_embeddings = false;
    assert_eq!(untied.parameters(), 1_017_216 + 32_768);
}

#[test]
fn estimates_grow_with_the_job() {
    let job = train_job();
    let mut larger = job.clone();
    train_of(&mut larger).batch *= 2;
    assert!(larger.memory_bytes() > job.memory_bytes());
    assert_eq!(larger.flops(), 2 * job.flops());
    let infer = infer_job();
    assert_eq!(infer.flops(), 2 * 1_000 * (128 + 4));
    assert!(infer.memory_bytes() > 8_000);
}

#[test]
fn estimates_of_the_largest_job_do_not_overflow() {
    let mut job = train_job();
    let train = train_of(&mut job);
    train.model = ModelShape {
        dim: 8_192,
        layers: 128,
        heads: 128,
        kv_heads: 128,
        ffn_dim: 32_768,
        vocabulary: BYTE_VOCABULARY,
        context: 16_384,
        tied_embeddings: false,
    };
    train.steps = 10_000_000;
    train.log_every = 1_000;
    train.sequence = 16_384;
    train.batch = 64;
    assert!(job.memory_bytes() > 1 << 40);
    assert!(job.card_bytes() > 1 << 40);
    assert!(job.flops() > 1 << 60);
    let refused = job.validate();
    let is_the_kernel = |error: &RangeError| error.field == "train.sequence with the model's sizes";
    assert!(
        matches!(&refused, Err(JobError::Range(error)) if is_the_kernel(error)),
        "{refused:?}"
    );
    // 2 * 512 tokens * 8,192 * 32,768 is exactly the bound.
    train_of(&mut job).sequence = 512;
    assert_eq!(job.validate(), Ok(()));
    assert_eq!(train_of(&mut job).slice_rows(), 1);
}

/// The widest shape in which one row still fits into a kernel, with as long a row as the ranges allow.
#[test]
fn no_kernel_of_a_valid_job_passes_the_bound() {
    let sizes = [
        (16, 16, 16_384),
        (384, 1_024, 1_024),
        (4_096, 11_008, 2_048),
        (8_192, 32_768, 512),
    ];
    for (dim, ffn_dim, sequence) in sizes {
        for batch in [1, 7, 64] {
            let mut job = train_job();
            let train = train_of(&mut job);
            train.model = ModelShape {
                dim,
                layers: 2,
                heads: 16.min(dim / 8),
                kv_heads: 2,
                ffn_dim,
                vocabulary: BYTE_VOCABULARY,
                context: sequence,
                tied_embeddings: true,
            };
            (train.sequence, train.batch) = (sequence, batch);
            assert_eq!(job.validate(), Ok(()), "{dim} {ffn_dim} {sequence} {batch}");
            let train = train_of(&mut job);
            let rows = u64::from(train.slice_rows());
            assert!((1..=u64::from(batch)).contains(&rows));
            let [dim, ffn_dim, sequence] = [dim, ffn_dim, sequence].map(u64::from);
            let tokens = rows * sequence;
            for kernel in [
                2 * tokens * dim * ffn_dim,
                2 * tokens * sequence * dim,
                2 * tokens * dim * dim,
            ] {
                assert!(kernel <= SLICE_OPERATIONS, "{kernel} in {rows} rows");
            }
        }
    }
}

#[test]
fn the_usual_recipes_are_computed_in_one_slice() {
    let mut job = train_job();
    assert_eq!(train_of(&mut job).slice_rows(), train_of(&mut job).batch);
    let train = train_of(&mut job);
    (train.model, train.sequence, train.batch) = (ModelShape::SMALL_10M, 256, 8);
    assert_eq!(train.slice_rows(), 8);
}

#[test]
fn a_prompt_s_pieces_shrink_with_context_and_heads() {
    assert_eq!(ModelShape::DEMO_1M.prefill_tokens(256, 1 << 28), 256);
    let wide = ModelShape {
        dim: 256,
        heads: 128,
        kv_heads: 1,
        context: 16_384,
        ..ModelShape::DEMO_1M
    };
    // 128 heads * 16,384 positions * 4 bytes are 8 MiB a token.
    assert_eq!(wide.prefill_tokens(256, 1 << 28), 32);
    assert_eq!(wide.prefill_tokens(256, 1), 1);
    assert!(wide.infer_bytes(16_384, 32) > 4 * wide.parameters() + (1 << 28));
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
        let _ = JobSpec::from_bytes(&bytes);
    }

    #[test]
    fn flipped_bytes_never_panic(at in 0_usize..400, value: u8) {
        let mut bytes = infer_job().to_bytes();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        let _ = JobSpec::from_bytes(&bytes);
    }
}
