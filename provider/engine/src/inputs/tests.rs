//! Tests of gathering inputs.

use market::job::{Input, JobKind, Limits, TrainSpec};

use super::*;

fn name(text: &str) -> ArtifactName {
    text.parse().unwrap()
}

fn job(content: &[u8]) -> JobSpec {
    JobSpec {
        inputs: vec![Input::of(name("data"), content)],
        kind: JobKind::Train(TrainSpec::new(name("data"))),
        limits: Limits::default(),
    }
}

#[test]
fn pieces_in_order_make_the_input() {
    let job = job(b"abcdef");
    let mut inputs = Inputs::new(&job).unwrap();
    inputs.add(&name("data"), 0, b"abc").unwrap();
    inputs.add(&name("data"), 3, b"def").unwrap();
    assert!(inputs.check_complete().is_err());
    inputs.finish(&name("data")).unwrap();
    inputs.check_complete().unwrap();
    assert_eq!(inputs.take(&name("data")).unwrap(), b"abcdef");
    assert!(matches!(
        inputs.take(&name("data")),
        Err(InputError::Incomplete { .. })
    ));
}

#[test]
fn content_with_another_hash_is_refused() {
    let job = job(b"abcdef");
    let mut inputs = Inputs::new(&job).unwrap();
    inputs.add(&name("data"), 0, b"abcdeX").unwrap();
    assert!(matches!(
        inputs.finish(&name("data")),
        Err(InputError::Hash { .. })
    ));
    assert!(matches!(
        inputs.check_complete(),
        Err(InputError::Incomplete { .. })
    ));
}

#[test]
fn content_of_another_length_is_refused() {
    let job = job(b"abcdef");
    let mut inputs = Inputs::new(&job).unwrap();
    inputs.add(&name("data"), 0, b"abc").unwrap();
    assert!(matches!(
        inputs.finish(&name("data")),
        Err(InputError::Length { actual: 3, .. })
    ));
    inputs.add(&name("data"), 0, b"abc").unwrap();
    let refused = inputs.add(&name("data"), 3, b"defg");
    assert!(matches!(
        refused,
        Err(InputError::Length {
            actual: 7,
            expected: 6,
            ..
        })
    ));
}

#[test]
fn pieces_out_of_place_or_after_the_end_are_refused() {
    let job = job(b"abcdef");
    let mut inputs = Inputs::new(&job).unwrap();
    for offset in [1, u64::MAX] {
        let refused = inputs.add(&name("data"), offset, b"abc");
        assert!(
            matches!(refused, Err(InputError::OutOfOrder { .. })),
            "{offset}"
        );
    }
    inputs.add(&name("data"), 0, b"abcdef").unwrap();
    inputs.finish(&name("data")).unwrap();
    for offset in [0, 6] {
        let refused = inputs.add(&name("data"), offset, b"");
        assert!(
            matches!(refused, Err(InputError::OutOfOrder { .. })),
            "{offset}"
        );
    }
}

#[test]
fn inputs_that_the_job_does_not_name_are_refused() {
    let job = job(b"abcdef");
    let mut inputs = Inputs::new(&job).unwrap();
    assert!(matches!(
        inputs.add(&name("other"), 0, b"a"),
        Err(InputError::Unknown { .. })
    ));
    assert!(matches!(
        inputs.finish(&name("other")),
        Err(InputError::Unknown { .. })
    ));
}

#[test]
fn inputs_larger_than_the_memory_limit_are_refused_at_once() {
    let mut job = job(b"abcdef");
    job.inputs[0].bytes = job.limits.memory_bytes + 1;
    assert!(matches!(Inputs::new(&job), Err(InputError::Memory { .. })));
}
