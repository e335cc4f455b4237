//! Tests of the greeting's form.

use super::*;
use crate::layer::LayerName;

#[test]
fn a_locked_greeting_survives_the_pipe() {
    let greeting = Greeting::Locked(LockedReport {
        layers: vec![Layer {
            name: LayerName::Seccomp,
            evidence: "socket: EPERM".to_owned(),
        }],
        landlock_abi: 7,
        profile: "cpu".to_owned(),
    });
    assert_eq!(Greeting::decode(&greeting.encode()).unwrap(), greeting);
}

#[test]
fn a_refusal_keeps_the_layer_and_reads_as_a_sentence() {
    let refusal = ConfineError::new(LayerName::UserNamespace, "unshare", "EPERM");
    let Greeting::Refused(back) = Greeting::decode(&Greeting::Refused(refusal).encode()).unwrap()
    else {
        unreachable!("a refusal decodes as a refusal")
    };
    let words = back.to_string();
    assert!(words.starts_with("the user namespace layer is missing (unshare: EPERM)"));
    assert!(words.contains("max_user_namespaces"));
}

#[test]
fn an_engine_that_did_not_warm_up_is_told_apart_from_a_missing_layer() {
    let greeting = Greeting::NotReady {
        cause: "no adapter".to_owned(),
    };
    assert_eq!(Greeting::decode(&greeting.encode()).unwrap(), greeting);
}

#[test]
fn other_bytes_are_no_greeting() {
    for bytes in [
        &b"LOCKED"[..],
        b"{}",
        b"{\"greeting\":\"LOCKED\"}",
        b"{\"greeting\":\"UNCONFINED\"} trailing",
        b"\xff\xfe",
    ] {
        assert!(Greeting::decode(bytes).is_err());
    }
}
