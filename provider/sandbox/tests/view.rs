//! What a worker sees of the machine's files, and which device calls it may make. Linux only.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "what the tests share with each other is test code too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{
    AfterLock, Driver, DriverError, DriverProfile, Ioctl, LaunchError, Limits, Rights, Sandbox,
    WorkerProgram, read_frame,
};

const PROBE: &str = env!("CARGO_BIN_EXE_sandbox-probe");
const PATIENCE: Duration = Duration::from_secs(20);
/// The system's error numbers, as the probe answers them.
const NOT_PERMITTED: &str = "1";
const NO_SUCH_FILE: &str = "2";
const NO_SUCH_CALL: &str = "25";

fn program(args: &[&str]) -> WorkerProgram {
    WorkerProgram {
        path: PROBE.into(),
        args: args.iter().map(Into::into).collect(),
    }
}

/// What a worker with these arguments answers after LOCKED.
fn answer(args: &[&str], profile: DriverProfile) -> String {
    let sandbox = Sandbox::new(program(args), profile, Limits::default());
    let mut worker = sandbox.launch().unwrap().wait_locked(PATIENCE).unwrap();
    let mut output = worker.take_stdout().unwrap();
    let frame = read_frame(&mut output, 1024).unwrap().unwrap();
    String::from_utf8(frame).unwrap()
}

fn libraries(profile: &DriverProfile) -> Vec<PathBuf> {
    let entries = profile.paths.iter();
    entries
        .filter(|entry| entry.rights == Rights::Library)
        .map(|entry| entry.path.clone())
        .collect()
}

/// Every profile that can be made on this machine, for the probe.
fn profiles() -> Vec<DriverProfile> {
    let mut profiles = vec![DriverProfile::cpu()];
    match DriverProfile::lavapipe() {
        Ok(profile) => profiles.push(profile),
        Err(error) => println!("skipped: {error}"),
    }
    let probe = program(&["worker", "echo"]);
    profiles
        .iter()
        .map(|profile| profile.for_program(&probe).unwrap())
        .collect()
}

#[test]
fn a_view_has_single_libraries_and_no_folder_of_them() {
    for profile in profiles() {
        for path in libraries(&profile) {
            assert!(path.is_file(), "{} is a folder", path.display());
            assert_eq!(
                fs::canonicalize(&path).unwrap(),
                path,
                "links are told apart"
            );
        }
        for entry in &profile.paths {
            assert!(!entry.reason.is_empty(), "{}", entry.path.display());
            for folder in [
                "/usr/lib",
                "/usr/lib64",
                "/lib",
                "/lib64",
                "/nix/store",
                "/usr",
            ] {
                assert!(!Path::new(folder).starts_with(&entry.path), "{entry:?}");
            }
        }
        for link in &profile.links {
            assert_eq!(fs::read_link(&link.path).unwrap(), link.target);
        }
    }
}

#[test]
fn the_probes_view_has_the_c_library_and_the_loader() {
    let profile = DriverProfile::cpu().for_program(&program(&[])).unwrap();
    let libraries = libraries(&profile);
    let named = |start: &str| {
        libraries.iter().any(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(start)
        })
    };
    assert!(named("ld-"), "{libraries:?}");
    assert!(
        named("libc.") || named("libc-") || named("ld-musl-"),
        "{libraries:?}"
    );
    assert!(libraries.len() < 10, "{libraries:?}");
}

#[test]
fn a_library_that_nobody_needs_does_not_exist_inside_even_before_seccomp() {
    let profile = DriverProfile::cpu().for_program(&program(&[])).unwrap();
    let shown = libraries(&profile);
    let neighbours = fs::read_dir(shown[0].parent().unwrap()).unwrap();
    let hidden = neighbours
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file() && !path.is_symlink() && !shown.contains(path))
        .expect("a system has more libraries than the probe needs");
    let hidden = hidden.to_str().unwrap();
    assert_eq!(
        answer(&["worker", "look-at", hidden], DriverProfile::cpu()),
        NO_SUCH_FILE
    );
    let needed = shown[0].to_str().unwrap();
    assert_eq!(
        answer(&["worker", "look-at", needed], DriverProfile::cpu()),
        "0"
    );
}

#[test]
fn a_driver_computes_inside_with_its_view_before_the_lock_and_after() {
    match DriverProfile::lavapipe() {
        Ok(profile) => {
            let name = answer(&["worker", "vulkan"], profile);
            assert!(name.starts_with("llvmpipe"), "{name}");
        }
        Err(error) => println!("skipped: {error}"),
    }
}

/// A program whose loader is the probe, which then lies about it; `lie` is how.
fn with_lying_loader(lie: &str) -> LaunchError {
    let mut loader = PROBE.as_bytes().to_vec();
    loader.push(0);
    let mut file = fs::read(PROBE).unwrap()[..64].to_vec();
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    let mut segment = [0_u8; 56];
    segment[0] = 3;
    segment[8..16].copy_from_slice(&120_u64.to_le_bytes());
    segment[32..40].copy_from_slice(&(loader.len() as u64).to_le_bytes());
    file.extend_from_slice(&segment);
    file.extend_from_slice(&loader);
    let path = std::env::temp_dir().join(format!("sandbox-lie-{}.{lie}", std::process::id()));
    fs::write(&path, file).unwrap();
    let program = WorkerProgram {
        path: path.clone(),
        args: Vec::new(),
    };
    let launched = Sandbox::new(program, DriverProfile::cpu(), Limits::default()).launch();
    fs::remove_file(path).unwrap();
    launched.unwrap_err()
}

#[test]
fn whatever_a_loader_answers_nothing_but_libraries_is_shown() {
    for (lie, expected) in [
        ("folder", "it is no file"),
        ("private", "lies outside of"),
        ("relative", "no list of libraries"),
        ("missing", "does not find"),
        ("words", "no list of libraries"),
    ] {
        let error = with_lying_loader(lie);
        let of_the_view = matches!(error, LaunchError::View(DriverError::Libraries { .. }));
        let words = error.to_string();
        assert!(of_the_view && words.contains(expected), "{lie}: {words}");
    }
}

#[test]
fn only_the_listed_device_calls_are_made_after_the_lock() {
    let mut profile = DriverProfile::cpu();
    profile.after_lock = AfterLock::Devices {
        ioctls: vec![
            Ioctl::Type {
                letter: b'F',
                reason: "a test".into(),
            },
            Ioctl::Number {
                number: 23,
                reason: "a test".into(),
            },
        ],
    };
    // A pipe answers that it knows no such call, the filter that it is not permitted.
    for (number, error) in [
        ("3223340586", NO_SUCH_CALL), // 0xc020462a, type F
        ("23", NO_SUCH_CALL),
        ("24", NOT_PERMITTED),
        ("25623", NOT_PERMITTED), // 0x6417, type d
        ("21523", NOT_PERMITTED), // the size of a terminal
    ] {
        let answer = answer(&["worker", "ask-device", number], profile.clone());
        assert_eq!(answer, error, "device call {number}");
    }
}

#[test]
fn a_profile_that_nobody_recorded_says_so_and_what_to_do() {
    for (driver, proven) in [
        (Driver::Cpu, true),
        (Driver::Lavapipe, true),
        (Driver::Nvidia, false),
        (Driver::Amd, false),
        (Driver::Intel, false),
    ] {
        assert_eq!(driver.proven(), proven, "{driver}");
    }
    assert!(DriverProfile::cpu().proven());
    let words = DriverError::Unproven {
        driver: Driver::Nvidia,
    }
    .to_string();
    for part in ["nvidia", "processor", "make record-driver DRIVER=nvidia"] {
        assert!(words.contains(part), "{words}");
    }
}
