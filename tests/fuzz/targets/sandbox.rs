//! Feeds what the fuzzer makes up to one reader of a worker's pipe of the crate `sandbox`; what must hold stands in its
//! `fuzz` module.

#![no_main]

mod chosen;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<fn(&[u8]) -> bool> = LazyLock::new(|| chosen::chosen(&sandbox::fuzz::DECODERS));

fuzz_target!(|bytes: &[u8]| {
    let _meant_something = CHECK(bytes);
});
