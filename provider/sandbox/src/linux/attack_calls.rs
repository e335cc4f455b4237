//! The raw calls of the attacks that no safe function offers.
//!
//! It must never leave a process, a mapping or a debugged agent behind.
#![expect(
    unsafe_code,
    reason = "an attack is exactly the call that no safe wrapper makes"
)]

use std::ffi::CString;
use std::io;

use super::init;
use super::sys::{self, Fork};

/// How a shell that really ran ends.
const SHELL_RAN: i32 = 42;
/// How many descriptors are tried for a leak.
const DESCRIPTORS: i32 = 256;

/// Opens `name` through whatever folder any open descriptor may be.
pub(super) fn open_through_any_descriptor(name: &str) -> io::Result<()> {
    let name = CString::new(name)?;
    let mut last = io::Error::from_raw_os_error(libc::EBADF);
    for folder in 3..DESCRIPTORS {
        // SAFETY: the name ends in NUL; a descriptor that is not open is an error, not a fault.
        let file = unsafe { libc::openat(folder, name.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if file >= 0 {
            // SAFETY: the descriptor was opened just above and belongs to nobody else.
            unsafe { libc::close(file) };
            return Ok(());
        }
        last = io::Error::last_os_error();
    }
    Err(last)
}

/// Attaches to `pid` without stopping it; the attachment ends with this process.
pub(super) fn trace(pid: i32) -> io::Result<()> {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: PTRACE_SEIZE uses neither pointer when no options are set.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) })
}

/// Reads 16 bytes at `address` of process `pid`.
pub(super) fn read_memory(pid: i32, address: u64) -> io::Result<[u8; 16]> {
    let mut bytes = [0_u8; 16];
    let here = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let there = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    // SAFETY: the local vector covers `bytes`; the kernel checks the remote address.
    let count = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    check(count as libc::c_long)?;
    Ok(bytes)
}

/// Starts a shell, in a child process where one can be had.
pub(super) fn start_shell() -> io::Result<()> {
    let arguments = [
        c"sh".as_ptr(),
        c"-c".as_ptr(),
        c"exit 42".as_ptr(),
        std::ptr::null(),
    ];
    let exec = || {
        // SAFETY: the path and the arguments are constants that end in NUL and null.
        unsafe { libc::execv(c"/bin/sh".as_ptr(), arguments.as_ptr()) };
        io::Error::last_os_error()
    };
    match sys::fork_unchecked() {
        Ok(Fork::Child) => sys::leave(exec().raw_os_error().unwrap_or(init::FAILED)),
        Ok(Fork::Parent(child)) => match init::wait_for(child)? {
            SHELL_RAN => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        // Without a child the process itself would become the shell, and its report would be
        // missing, which closes the level.
        Err(_) => Err(exec()),
    }
}

/// Starts a second process.
pub(super) fn start_process() -> io::Result<()> {
    match sys::fork_unchecked()? {
        Fork::Child => sys::leave(0),
        Fork::Parent(child) => init::wait_for(child).map(drop),
    }
}

/// Makes a user namespace, in a child process where one can be had.
pub(super) fn nest_namespaces() -> io::Result<()> {
    let unshare = || sys::unshare(libc::CLONE_NEWUSER);
    match sys::fork_unchecked() {
        Ok(Fork::Child) => {
            let errno = unshare().err().and_then(|error| error.raw_os_error());
            sys::leave(errno.unwrap_or(0))
        }
        Ok(Fork::Parent(child)) => match init::wait_for(child)? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        Err(_) => unshare(),
    }
}

/// Sets up an io_uring with one entry and closes it.
pub(super) fn set_up_ring() -> io::Result<()> {
    // The kernel's parameters take 120 bytes, all zero on the way in.
    let mut parameters = [0_u64; 15];
    // SAFETY: the array is as large as the structure that the kernel reads and writes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    check(ring)?;
    // SAFETY: the descriptor was made just above and belongs to nobody else.
    unsafe { libc::close(i32::try_from(ring).unwrap_or(-1)) };
    Ok(())
}

fn check(answer: libc::c_long) -> io::Result<()> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
