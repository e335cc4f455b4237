//! Tests of filling memory, with small chunks.

use super::*;
use crate::tests::session;
use crate::{Effort, best_adapter};

#[test]
fn filling_stops_at_the_limit_and_counts_what_held() {
    let Some(session) = session() else { return };
    let plan = FillPlan {
        chunk_bytes: 4 * MIB,
        limit_bytes: 19 * MIB,
        spilled_factor: u32::MAX,
        resident_factor: u32::MAX,
    };
    let mut calls = 0;
    let filled = fill(&session, &plan, &mut |_, _| calls += 1).unwrap();
    assert_eq!(filled, 16 * MIB);
    assert_eq!(calls, 4);
}

#[test]
fn memory_that_forgets_is_found() {
    let Some(session) = session() else { return };
    let pipeline = session.pipeline(&kernels::fill()).unwrap();
    let chunks: Vec<wgpu::Buffer> = (0..2)
        .map(|index| {
            let chunk = session.storage(4 * MIB).unwrap();
            write(&session, &pipeline, &chunk, index).unwrap();
            chunk
        })
        .collect();
    verify(&session, &chunks).unwrap();
    session
        .run(|encoder| encoder.clear_buffer(&chunks[1], 4 * MIB - 4, Some(4)))
        .unwrap();
    let result = verify(&session, &chunks);
    let Err(ProbeError::WrongMemory { offset, actual, .. }) = result else {
        unreachable!("a cleared word passed: {result:?}");
    };
    assert_eq!((offset, actual), (8 * MIB - 4, 0));
}

#[test]
fn two_buffers_of_one_memory_cannot_both_pass() {
    let Some(session) = session() else { return };
    let pipeline = session.pipeline(&kernels::fill()).unwrap();
    let chunk = session.storage(4 * MIB).unwrap();
    for index in 0..2 {
        write(&session, &pipeline, &chunk, index).unwrap();
    }
    let aliased = [chunk.clone(), chunk];
    let result = verify(&session, &aliased);
    assert!(
        matches!(result, Err(ProbeError::WrongMemory { .. })),
        "{result:?}"
    );
}

#[test]
fn a_cpu_adapter_claims_a_quarter_of_what_is_available() {
    let Some(session) = session() else { return };
    let Some(available) = host::available_bytes() else {
        eprintln!("skipped: the system does not say how much memory is available");
        return;
    };
    let adapter = market::gpu::AdapterInfo {
        form: AdapterForm::Cpu,
        ..best_adapter().unwrap().info().clone()
    };
    let claimed = usable_bytes(Bench {
        session: &session,
        adapter: &adapter,
        effort: Effort::Quick,
        report: &mut |_, _| (),
    })
    .unwrap()
    .unwrap();
    // Other programs take and give memory between the two looks.
    assert!(
        (available / 8..available / 3).contains(&claimed),
        "{claimed} of {available}"
    );
}

#[test]
fn chunks_that_do_not_lie_on_the_card_together_are_given_back() {
    let mut chunks: Vec<u32> = (0..100).collect();
    let mut looks = 0;
    keep_resident(&mut chunks, |chunks| {
        looks += 1;
        Ok(chunks.len() <= 60)
    })
    .unwrap();
    assert_eq!(chunks, (0..57).collect::<Vec<u32>>(), "the oldest stay");
    assert_eq!(looks, 5);
    keep_resident(&mut chunks, |_| Ok(false)).unwrap();
    assert!(chunks.is_empty());
}
