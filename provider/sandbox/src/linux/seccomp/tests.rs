//! Tests of the list itself; the integration tests install it and try it.

use super::*;

#[test]
fn no_call_that_reaches_outside_is_listed_for_any_profile() {
    let mut devices = DriverProfile::cpu();
    devices.after_lock = AfterLock::Devices {
        ioctls: vec![Ioctl::Type {
            letter: b'd',
            reason: "a test".into(),
        }],
    };
    for profile in [DriverProfile::cpu(), devices] {
        let rules = allowed(&profile, 2).unwrap();
        for call in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_kill,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_pidfd_open,
            libc::SYS_memfd_create,
        ] {
            assert!(!rules.contains_key(&call), "call {call} is listed");
        }
    }
}

#[test]
fn files_are_opened_after_the_lock_only_by_drivers_that_need_it() {
    let plain = allowed(&DriverProfile::cpu(), 2).unwrap();
    assert!(!plain.contains_key(&libc::SYS_openat));
    assert!(!plain.contains_key(&libc::SYS_ioctl));
}

#[test]
fn both_filters_compile_for_this_processor() {
    let list = allowed(&DriverProfile::cpu(), 2).unwrap();
    assert!(compile(list, refuse(libc::EPERM), SeccompAction::Allow).is_ok());
    assert!(
        compile(
            fallback_to_clone(),
            SeccompAction::Allow,
            refuse(libc::ENOSYS)
        )
        .is_ok()
    );
}
