//! Tests of the configuration file.

use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use super::*;

fn file() -> Value {
    serde_json::from_slice(&ModelConfig::new(ModelShape::DEMO_1M).to_json()).unwrap()
}

fn read(file: &Value) -> Result<ModelConfig, ConfigError> {
    ModelConfig::from_json(&serde_json::to_vec(file).unwrap())
}

#[test]
fn a_configuration_comes_back_from_its_file() {
    let config = ModelConfig::new(ModelShape::SMALL_10M);
    assert_eq!(ModelConfig::from_json(&config.to_json()).unwrap(), config);
}

#[test]
fn the_file_has_the_names_that_llama_readers_expect() {
    let file = file();
    assert_eq!(file["architectures"], json!(["LlamaForCausalLM"]));
    assert_eq!(file["model_type"], "llama");
    assert_eq!(file["hidden_size"], 128);
    assert_eq!(file["intermediate_size"], 384);
    assert_eq!(file["num_hidden_layers"], 5);
    assert_eq!(file["num_attention_heads"], 4);
    assert_eq!(file["num_key_value_heads"], 2);
    assert_eq!(file["head_dim"], 32);
    assert_eq!(file["max_position_embeddings"], 256);
    assert_eq!(file["vocab_size"], 256);
    assert_eq!(file["hidden_act"], "silu");
    assert_eq!(file["tie_word_embeddings"], true);
}

#[test]
fn notes_of_other_programs_are_known_and_change_nothing() {
    let mut file = file();
    for field in [
        "transformers_version",
        "use_cache",
        "_name_or_path",
        "pretraining_tp",
        "dtype",
    ] {
        file[field] = json!({"any": ["thing"]});
    }
    assert_eq!(read(&file).unwrap(), ModelConfig::new(ModelShape::DEMO_1M));
}

#[test]
fn unknown_fields_and_fields_given_twice_are_refused_by_name() {
    let mut file = file();
    file["sliding_window"] = json!(4_096);
    let refused = read(&file).unwrap_err().to_string();
    assert!(
        refused.starts_with("config.json cannot be read: unknown field `sliding_window`"),
        "{refused}"
    );
    let text = String::from_utf8(ModelConfig::new(ModelShape::DEMO_1M).to_json()).unwrap();
    let twice = text.replacen('{', "{\"hidden_size\": 16,", 1);
    let refused = ModelConfig::from_json(twice.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("duplicate field `hidden_size`"),
        "{refused}"
    );
}

#[test]
fn deep_nesting_ends_in_an_error_and_not_in_a_full_stack() {
    let text = String::from_utf8(ModelConfig::new(ModelShape::DEMO_1M).to_json()).unwrap();
    for (field, deep) in [
        ("rope_scaling", "["),
        ("use_cache", "["),
        ("rope_scaling", "{\"a\":"),
    ] {
        let nested = deep.repeat(20_000);
        let name = format!("\"{field}\"");
        let without = text.replace("\"rope_scaling\"", "\"pad_token_id\"");
        let hostile = without.replacen(
            '{',
            &format!("{{{name}: {}", &nested[..40_000.min(nested.len())]),
            1,
        );
        let refused = ModelConfig::from_json(hostile.as_bytes());
        assert!(
            matches!(refused, Err(ConfigError::Json(_))),
            "{field}: {refused:?}"
        );
    }
    let hostile = text.replacen(
        "\"rope_scaling\": null",
        &format!("\"rope_scaling\": {}", "[".repeat(200)),
        1,
    );
    let refused = ModelConfig::from_json(hostile.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("recursion limit"), "{refused}");
}

#[test]
fn what_would_be_computed_differently_is_refused() {
    let changes = [
        ("model_type", json!("mamba")),
        ("hidden_act", json!("gelu")),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("rope_scaling", json!({"rope_type": "yarn"})),
        ("head_dim", json!(64)),
        ("rope_theta", json!(-1.0)),
        ("rms_norm_eps", json!(0.0)),
    ];
    for (field, value) in changes {
        let mut file = file();
        file[field] = value;
        match read(&file) {
            Err(ConfigError::Unsupported { field: refused, .. }) => assert_eq!(refused, field),
            other => unreachable!("{field}: {other:?}"),
        }
    }
}

#[test]
fn sizes_out_of_range_are_refused_before_anything_is_allocated() {
    let changes = [
        ("hidden_size", json!(u32::MAX)),
        ("num_hidden_layers", json!(0)),
        ("num_attention_heads", json!(0)),
        ("num_key_value_heads", json!(0)),
        ("num_key_value_heads", json!(3)),
        ("intermediate_size", json!(u32::MAX)),
        ("vocab_size", json!(u32::MAX)),
        ("max_position_embeddings", json!(u32::MAX)),
    ];
    for (field, value) in changes {
        let mut file = file();
        file[field] = value;
        assert!(matches!(read(&file), Err(ConfigError::Shape(_))), "{field}");
    }
    let mut file = file();
    file["hidden_size"] = json!(u64::MAX);
    assert!(matches!(read(&file), Err(ConfigError::Json(_))));
}

#[test]
fn an_oversized_file_is_refused_unread() {
    let spaces = vec![b' '; MAX_BYTES + 1];
    assert!(matches!(
        ModelConfig::from_json(&spaces),
        Err(ConfigError::TooLarge { .. })
    ));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert!(ModelConfig::from_json(&bytes).is_err());
    }

    #[test]
    fn random_sizes_never_panic(sizes in any::<[u32; 7]>()) {
        let mut file = file();
        let fields = [
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
            "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
        ];
        for (field, size) in fields.iter().zip(sizes) {
            file[*field] = json!(size);
        }
        let _ = read(&file);
    }
}
