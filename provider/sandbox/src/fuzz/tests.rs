//! The bounded run of every reader of this crate, on small real bytes and thousands of mutations of each.

use sweep::{compare_corpus, sweep};

use super::*;
use crate::greeting::LockedReport;
use crate::layer::{ConfineError, Layer, LayerName};

#[path = "../../../../tests/fuzz/sweep.rs"]
mod sweep;

fn locked() -> Greeting {
    Greeting::Locked(LockedReport {
        layers: vec![Layer {
            name: LayerName::UserNamespace,
            evidence: "user:[1] is not user:[2]".to_owned(),
        }],
        landlock_abi: 6,
        profile: "cpu".to_owned(),
    })
}

fn entries() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let refused = ConfineError::new(
        LayerName::UserNamespace,
        "unshare",
        "not permitted".to_owned(),
    );
    let not_ready = Greeting::NotReady {
        cause: "no card".to_owned(),
    };
    let mut frames = Vec::new();
    for bytes in [&b"one"[..], &[0xff; 300]] {
        write_frame(&mut frames, bytes).unwrap();
    }
    vec![
        ("sandbox_frame", "two", frames),
        ("sandbox_greeting", "locked", locked().encode()),
        (
            "sandbox_greeting",
            "refused",
            Greeting::Refused(refused).encode(),
        ),
        ("sandbox_greeting", "not_ready", not_ready.encode()),
        (
            "sandbox_greeting",
            "unconfined",
            Greeting::Unconfined.encode(),
        ),
    ]
}

#[test]
fn the_corpus_is_what_this_crate_writes() {
    compare_corpus(&entries());
}

#[test]
fn whatever_comes_as_frames() {
    sweep(DECODERS[0]);
}

#[test]
fn whatever_comes_as_a_greeting() {
    sweep(DECODERS[1]);
}
