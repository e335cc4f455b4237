//! Owns the count of allocations and of the bytes that are held.
//!
//! Never changes what the system's allocator does.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The system's allocator, counted.
pub struct Counted;

static CALLS: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting touches nothing that it uses.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        HELD.fetch_add(layout.size() as u64, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        HELD.fetch_add(size as u64, Relaxed);
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Returns how often memory was asked for since the start.
pub fn calls() -> u64 {
    CALLS.load(Relaxed)
}

/// Returns the bytes that are held now.
pub fn held() -> u64 {
    HELD.load(Relaxed)
}
