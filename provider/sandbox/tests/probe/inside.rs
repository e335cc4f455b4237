//! Workers that try one thing from inside and answer with the system's error number, 0 for none.
//! It must never be part of the product.
#![expect(
    unsafe_code,
    reason = "a device call with a bare number has no safe wrapper, and memory is asked for and written by hand"
)]

use std::fs::File;
use std::io;
use std::process::ExitCode;

use sandbox::{Entered, write_frame};

/// Opens `path` before LOCKED, where seccomp does not forbid it yet.
pub(crate) fn look_at(path: &str) -> ExitCode {
    answer(|| File::open(path).map(drop), || Ok(()))
}

/// Makes the device call `number` on the input pipe, which knows none, after LOCKED.
pub(crate) fn ask_device(number: &str) -> ExitCode {
    let number = number.parse::<u32>().expect("a number") as libc::Ioctl;
    answer(
        || Ok(()),
        || {
            // SAFETY: a pipe has no call that reads or writes through a null pointer.
            match unsafe { libc::ioctl(0, number, std::ptr::null::<u8>()) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        },
    )
}

/// Writes to so many mebibytes and protects them afterwards, so that they are no data any more; stays.
pub(crate) fn hold_protected(mebibytes: usize) {
    hold(mebibytes, libc::MAP_PRIVATE, true);
}

/// Reads here and there in so much memory that so many mebibytes of tables say where it lies; stays.
pub(crate) fn hold_tables(mebibytes: usize) {
    /// What one table of 4 KiB covers.
    const COVERED: usize = 2 << 20;
    const TABLES: usize = 256;
    for _ in 0..mebibytes {
        // SAFETY: the system chooses where the new memory lies, and nothing else knows of it.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let bytes = TABLES * COVERED;
            let memory = libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED, "nothing bounds addresses");
            for table in 0..TABLES {
                let place = memory.cast::<u8>().add(table * COVERED);
                std::hint::black_box(std::ptr::read_volatile(place));
            }
        }
    }
    stay_full();
}

/// Says that it holds what it was to hold, and stays.
fn stay_full() -> ! {
    write_frame(&mut io::stdout(), b"full").expect("the pipe is open");
    super::stay()
}

/// Writes to so many mebibytes of memory that could be shared; stays.
pub(crate) fn hold_shared(mebibytes: usize) {
    hold(mebibytes, libc::MAP_SHARED, false);
}

fn hold(mebibytes: usize, kind: libc::c_int, is_protected: bool) {
    const BYTES: usize = 1 << 20;
    for _ in 0..mebibytes {
        // SAFETY: the system chooses where the new memory lies, and nothing else knows of it.
        unsafe {
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            let flags = kind | libc::MAP_ANONYMOUS;
            let memory = libc::mmap(std::ptr::null_mut(), BYTES, writable, flags, -1, 0);
            if memory == libc::MAP_FAILED {
                let words = io::Error::last_os_error().to_string();
                write_frame(&mut io::stdout(), words.as_bytes()).expect("the pipe is open");
                return;
            }
            std::ptr::write_bytes(memory.cast::<u8>(), 1, BYTES);
            if is_protected {
                assert_eq!(libc::mprotect(memory, BYTES, libc::PROT_READ), 0);
            }
        }
    }
    stay_full();
}

fn answer(
    before: impl FnOnce() -> io::Result<()>,
    after: impl FnOnce() -> io::Result<()>,
) -> ExitCode {
    match sandbox::enter() {
        Ok(Entered::Confined(confined)) => {
            let tried = before();
            let Ok(locked) = confined.lock() else {
                return ExitCode::FAILURE;
            };
            locked
                .announce(&mut io::stdout())
                .expect("the pipe is open");
            let error = tried.and_then(|()| after()).err();
            let number = error.map_or(0, |error| error.raw_os_error().unwrap_or(-1));
            write_frame(&mut io::stdout(), number.to_string().as_bytes())
                .expect("the pipe is open");
            ExitCode::SUCCESS
        }
        Ok(Entered::Finished(code)) => code,
        Ok(Entered::Unconfined(_)) | Err(_) => ExitCode::FAILURE,
    }
}

/// Plays a dynamic loader that answers nonsense about `file`, whose name says which.
pub(crate) fn lie(file: &str) -> ExitCode {
    println!(
        "{}",
        match file.rsplit_once('.').map_or("", |(_, kind)| kind) {
            "folder" => "\tlibc.so.6 => /usr/lib (0x0000700000000000)",
            "private" => "\tlibc.so.6 => /etc/passwd (0x0000700000000000)",
            "relative" => "\tlibc.so.6 => lib/libc.so.6 (0x0000700000000000)",
            "missing" => "\tlibc.so.6 => not found",
            _ => "I am a loader, believe me",
        }
    );
    ExitCode::SUCCESS
}
