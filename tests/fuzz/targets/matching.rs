//! Feeds what the fuzzer makes up to a limit order book and to another one, which must answer the same; how bytes are read
//! stands in the `differential` module of the crate `matching`.

#![no_main]

mod chosen;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static CHECK: LazyLock<fn(&[u8]) -> bool> =
    LazyLock::new(|| chosen::chosen(&matching::limit_book::differential::CHECKS));

fuzz_target!(|bytes: &[u8]| {
    let _traded = CHECK(bytes);
});
