//! Owns how much memory a node keeps of what it has freed.
//!
//! Never used by a worker, whose large tensors should stay mapped.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "the allocator's settings are a C function")
)]

/// Heaps that threads share. By default each thread takes one of its own, up to eight a core, and each keeps what
/// its busiest moment needed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 2;

/// The size from which an allocation is returned to the system when it is freed, 256 KiB. By default it rises with
/// use, up to 32 MiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: libc::c_int = 256 << 10;

/// Free bytes at the end of a heap that are kept, 1 MiB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 1 << 20;

/// Tells glibc's allocator to keep little: a node lives for months beside its owner's games, and is idle most of
/// the time. Must be called before there are threads; does nothing with another C library.
pub(crate) fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (setting, value) in [
        (libc::M_ARENA_MAX, HEAPS),
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
    ] {
        // SAFETY: mallopt takes two numbers, reads and writes only the allocator's own state, and `main` has
        // started no thread yet.
        let is_taken = unsafe { libc::mallopt(setting, value) } == 1;
        debug_assert!(is_taken, "these settings exist in every glibc since 2.10");
    }
}
