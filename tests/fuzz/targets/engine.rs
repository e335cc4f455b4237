//! Feeds what the fuzzer makes up to one parser of the crate `engine`, which sees the bytes of strangers' jobs; what must hold stands in its
//! `fuzz` module.

#![no_main]

mod chosen;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<fn(&[u8]) -> bool> = LazyLock::new(|| chosen::chosen(&engine::fuzz::DECODERS));

fuzz_target!(|bytes: &[u8]| {
    let _meant_something = CHECK(bytes);
});
