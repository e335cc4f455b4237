//! Tests of what is believed of a loader's answer, and of loaders that do not answer.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn found(name: &str, path: &str) -> Found {
    Found {
        name: name.to_owned(),
        path: PathBuf::from(path),
    }
}

#[test]
fn the_answers_of_both_loaders_are_read() {
    let glibc = "\tlinux-vdso.so.1 (0x00007ffd1e9d2000)\n\
        \tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f0000000000)\n\
        \tlibodd.so => /opt/odd folder/libodd.so (0x00007f0000000000)\n\
        \t/lib64/ld-linux-x86-64.so.2 (0x00007f0000000000)\n";
    assert_eq!(
        parse(glibc).unwrap(),
        [
            found("libm.so.6", "/lib/x86_64-linux-gnu/libm.so.6"),
            found("libodd.so", "/opt/odd folder/libodd.so"),
            found("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"),
        ]
    );
    let musl = "\t/lib/ld-musl-x86_64.so.1 (0x7f0000000000)\n\
        \tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f0000000000)\n";
    assert_eq!(
        parse(musl).unwrap(),
        [
            found("/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1"),
            found("libc.musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1"),
        ]
    );
    assert_eq!(parse("\tstatically linked\n").unwrap(), []);
}

#[test]
fn a_library_that_is_not_found_is_named() {
    let answer = parse("\tlibz.so.1 => not found\n");
    assert!(matches!(answer, Err(AskError::NotFound(name)) if name == "libz.so.1"));
}

#[test]
fn what_is_no_list_is_nonsense() {
    for line in [
        "hello",
        "libc.so.6 => libc.so.6 (0x1)",
        "libc.so.6 => ../libc.so.6 (0x1)",
        "libc.so.6 (0x1)",
        "libc.so.6 => /lib/libc.so.6",
        "libc.so.6 => /lib/libc.so.6 (0x)",
        "libc.so.6 => /lib/libc.so.6 (0xzz)",
        "linux-vdso.so.1 => relative (0x1)",
        "=> (0x1)",
    ] {
        let answer = parse(line);
        assert!(
            matches!(answer, Err(AskError::Nonsense(_))),
            "{line}: {answer:?}"
        );
    }
}

/// Asks a loader that is a script of `body`.
fn ask_script(name: &str, body: &str, patience: Duration) -> Result<Vec<Found>, AskError> {
    let path = std::env::temp_dir().join(format!("sandbox-{name}-{}", std::process::id()));
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let answer = loop {
        let answer = ask(Question {
            loader: &path,
            preload: None,
            file: Path::new("/some/program"),
            handle: File::open("/dev/null").unwrap(),
            patience,
        });
        // Another test's fork may hold the script open for writing for a moment.
        match answer {
            Err(AskError::Run(error)) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
            answer => break answer,
        }
    };
    fs::remove_file(path).unwrap();
    answer
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_loader_is_asked_without_variables_about_the_file() {
    let body = r#"[ "$1 $2" = "--list /some/program" ] && [ -z "$HOME$LD_LIBRARY_PATH" ] &&
        echo " liba.so => /usr/lib/liba.so (0x1)""#;
    let answer = ask_script("fine", body, LONG).unwrap();
    assert_eq!(answer, [found("liba.so", "/usr/lib/liba.so")]);
}

#[test]
fn a_loader_that_fails_gives_no_list() {
    let body = "echo ' liba.so => /usr/lib/liba.so (0x1)'; exit 1";
    let answer = ask_script("fails", body, LONG);
    assert!(matches!(answer, Err(AskError::Failed(_))), "{answer:?}");
}

#[test]
fn a_loader_that_never_stops_talking_is_stopped() {
    let body = "exec yes ' liba.so => /usr/lib/liba.so (0x1)'";
    let answer = ask_script("floods", body, LONG);
    assert!(matches!(answer, Err(AskError::Nonsense(_))), "{answer:?}");
}

#[test]
fn a_loader_that_never_answers_is_given_up() {
    let answer = ask_script(
        "silent",
        "exec tail -f /dev/null",
        Duration::from_millis(50),
    );
    assert!(matches!(answer, Err(AskError::TimedOut(_))), "{answer:?}");
}

#[test]
fn a_loader_that_is_not_there_is_an_error() {
    let answer = ask(Question {
        loader: Path::new("/no/such/loader"),
        preload: None,
        file: Path::new("/some/program"),
        handle: File::open("/dev/null").unwrap(),
        patience: LONG,
    });
    assert!(matches!(answer, Err(AskError::Run(_))), "{answer:?}");
}
