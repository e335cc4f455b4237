//! Tests of moving memory, in small buffers: honest kernels pass, and kernels that save work do not.

use super::*;
use crate::tests::session;

/// Fills the first of two small buffers with the pattern.
fn filled(session: &Session) -> Buffers<'_> {
    let buffers = Buffers::sized(session, STEP_BYTES).unwrap();
    run(&buffers, &kernels::fill());
    buffers
}

/// Writes the first buffer with a kernel.
fn run(buffers: &Buffers<'_>, kernel: &Kernel) {
    let session = buffers.session;
    let parameters = session
        .parameters([buffers.salt, LINE_GROUPS * 256, 0, 0, 0, 0, 0, 0])
        .unwrap();
    let bound = (&[&parameters][..], buffers.from.clone());
    let pipeline = session.pipeline(kernel).unwrap();
    let dispatch = Dispatch::new(session, pipeline, bound, buffers.lines());
    dispatch.run(1).unwrap();
}

fn replaced(mut kernel: Kernel, from: &str, to: &str) -> Kernel {
    assert!(kernel.source.contains(from), "nothing to change");
    kernel.source = kernel.source.replace(from, to);
    kernel
}

fn assert_wrong(result: Result<(), ProbeError>) {
    assert!(
        matches!(result, Err(ProbeError::WrongWords { .. })),
        "{result:?}"
    );
}

#[test]
fn what_is_written_holds_the_pattern_and_half_of_it_does_not_pass() {
    let Some(session) = session() else { return };
    let buffers = filled(&session);
    buffers.check_pattern(&buffers.from).unwrap();
    let other = Buffers::sized(&session, STEP_BYTES).unwrap();
    let odd_only = "if quad % 2u == 0u { return; }\n    words[quad] =";
    run(
        &other,
        &replaced(kernels::fill(), "words[quad] =", odd_only),
    );
    assert_wrong(other.check_pattern(&other.from));
}

#[test]
fn sums_of_all_words_pass_and_sums_of_half_of_them_do_not() {
    let Some(session) = session() else { return };
    let buffers = filled(&session);
    for layout in [Layout::Neighbours, Layout::Blocks] {
        let honest = buffers.reading(&layout.kernel()).unwrap();
        honest.run(1).unwrap();
        buffers.check_sums(layout, honest.result()).unwrap();
        let lazy = replaced(layout.kernel(), "turn < TURNS;", "turn < TURNS / 2u;");
        let lazy = buffers.reading(&lazy).unwrap();
        lazy.run(1).unwrap();
        assert_wrong(buffers.check_sums(layout, lazy.result()));
    }
}

#[test]
fn copies_are_whole() {
    let Some(session) = session() else { return };
    let buffers = filled(&session);
    let skip = "if group.y >= 8u { return; }\n    copied[quad] =";
    let lazy = replaced(copy_kernel(), "copied[quad] =", skip);
    for (kernel, is_honest) in [(lazy, false), (copy_kernel(), true)] {
        let bound = (&[&buffers.from][..], buffers.to.clone());
        let pipeline = session.pipeline(&kernel).unwrap();
        let dispatch = Dispatch::new(&session, pipeline, bound, buffers.lines());
        dispatch.run(1).unwrap();
        let result = buffers.check_pattern(&buffers.to);
        assert_eq!(result.is_ok(), is_honest, "{result:?}");
    }
}

#[test]
fn buffers_of_a_cpu_are_larger_than_its_cache() {
    let wanted = wanted_bytes(AdapterForm::Cpu);
    let cache = cache::last_level_bytes().unwrap_or(0);
    let available = host::available_bytes().unwrap_or(u64::MAX);
    assert!(
        wanted >= (CACHE_FACTOR * cache).min(available / 9),
        "{wanted}"
    );
    assert_eq!(wanted_bytes(AdapterForm::Discrete), GPU_BYTES);
}

#[test]
fn a_device_short_of_memory_is_measured_with_less_of_it_but_never_in_its_cache() {
    let allocate = |limit| {
        largest(GPU_BYTES, &mut |bytes| match bytes {
            _ if bytes <= limit => Ok(bytes),
            _ => Err(ProbeError::OutOfMemory { bytes }),
        })
    };
    assert_eq!(allocate(u64::MAX).unwrap(), GPU_BYTES);
    assert_eq!(allocate(200 * MIB).unwrap(), 128 * MIB);
    let too_little = allocate(63 * MIB);
    assert!(
        matches!(too_little, Err(ProbeError::OutOfMemory { .. })),
        "{too_little:?}"
    );
}
