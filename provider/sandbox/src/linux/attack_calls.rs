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
/// How many descriptors are tried for a leak: as many as a worker can be allowed.
const DESCRIPTORS: i32 = 4_096;

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
        let error = io::Error::last_os_error();
        // That a number is not open, or a pipe's, says nothing of the folders among them.
        if !matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTDIR)) {
            last = error;
        }
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

/// Makes a user namespace and mounts a file system in it, in a child process where one can be had.
pub(super) fn nest_namespaces() -> io::Result<()> {
    let nest = || {
        sys::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
        mount_something()
    };
    match sys::fork_unchecked() {
        Ok(Fork::Child) => {
            let errno = nest().err().and_then(|error| error.raw_os_error());
            sys::leave(errno.unwrap_or(0))
        }
        Ok(Fork::Parent(child)) => match init::wait_for(child)? {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
        Err(_) => nest(),
    }
}

fn mount_something() -> io::Result<()> {
    let nothing = std::ptr::null();
    // SAFETY: the names are constants that end in NUL, and a tmpfs takes no data.
    let answer = unsafe {
        libc::mount(
            c"tmpfs".as_ptr(),
            c"/dev".as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            nothing,
        )
    };
    check(answer.into())
}

/// Loads a program of two instructions into the kernel: return nothing.
pub(super) fn load_program() -> io::Result<()> {
    const LOAD: libc::c_ulong = 5;
    const SOCKET_FILTER: u32 = 1;
    // `r0 = 0` and `exit`, of eight bytes each.
    let instructions: [u64; 2] = [0xb7, 0x95];
    let licence = c"GPL";
    let mut attributes = [0_u64; 16];
    attributes[0] = u64::from(SOCKET_FILTER) | (2 << 32);
    attributes[1] = instructions.as_ptr() as u64;
    attributes[2] = licence.as_ptr() as u64;
    let size = size_of_val(&attributes);
    // SAFETY: the attributes point to memory that lives until the call returns, and have the size given.
    let loaded = unsafe { libc::syscall(libc::SYS_bpf, LOAD, attributes.as_mut_ptr(), size) };
    keep_nothing(loaded)
}

/// Joins a new key ring.
pub(super) fn join_key_ring() -> io::Result<()> {
    const JOIN: libc::c_ulong = 1;
    sys::probe(libc::SYS_keyctl, [JOIN, 0, 0, 0]).map(drop)
}

/// Asks to handle page faults from user space, as far as everyone may.
pub(super) fn handle_page_faults() -> io::Result<()> {
    const USER_MODE_ONLY: libc::c_ulong = 1;
    let faults = sys::probe(libc::SYS_userfaultfd, [USER_MODE_ONLY, 0, 0, 0])?;
    keep_nothing(faults)
}

/// Sets up an io_uring with one entry and closes it.
pub(super) fn set_up_ring() -> io::Result<()> {
    // The kernel's parameters take 120 bytes, all zero on the way in.
    let mut parameters = [0_u64; 15];
    // SAFETY: the array is as large as the structure that the kernel reads and writes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    keep_nothing(ring)
}

/// Closes the descriptor that a call has answered with, if it has.
fn keep_nothing(answer: libc::c_long) -> io::Result<()> {
    check(answer)?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    unsafe { libc::close(i32::try_from(answer).unwrap_or(-1)) };
    Ok(())
}

fn check(answer: libc::c_long) -> io::Result<()> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
