//! Tests that the text is valid and becomes SPIR-V; no CPU driver has matrix units to run it on.

use crate::kernels::{Element, Multiply, Reading, Sum};

fn kernel(side: u32) -> Multiply {
    Multiply {
        row_quads: 16,
        column_quads: 8,
        across: 1,
        down: 1,
        reading: Reading::MatrixUnits { side, lanes: 32 },
        sum: Sum::Integer,
        element: Element::F16,
    }
}

#[test]
fn the_text_is_valid_and_becomes_spirv() {
    for side in [8, 16] {
        let source = kernel(side).kernel().source;
        assert!(!source.contains("{{"), "a placeholder is left");
        let module = naga::front::wgsl::parse_str(&source).unwrap();
        let capabilities = naga::valid::Capabilities::COOPERATIVE_MATRIX
            | naga::valid::Capabilities::SHADER_FLOAT16;
        let mut validator = naga::valid::Validator::new(Default::default(), capabilities);
        let info = validator.validate(&module).unwrap();
        let options = naga::back::spv::Options::default();
        let words = naga::back::spv::write_vec(&module, &info, &options, None).unwrap();
        assert!(words.len() > 100);
    }
}

#[test]
fn every_block_is_added_to_and_kept_once() {
    let source = kernel(16).kernel().source;
    assert_eq!(source.matches("coopMultiplyAdd").count(), 8);
    assert_eq!(source.matches("coopStoreT").count(), 8);
    assert!(
        source.contains("add_block(1552u, lane);"),
        "the last block: row 48, column 16"
    );
}
