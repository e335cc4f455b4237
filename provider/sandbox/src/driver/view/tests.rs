//! Tests of how paths are followed and what a view takes in.
#![cfg(target_os = "linux")]

use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use super::*;

/// A folder of the test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandbox-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    /// Puts the first bytes of this test's program, which are a library's as well, under `name`.
    fn library(&self, name: &str) -> PathBuf {
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        fs::write(self.0.join(name), &program[..64]).unwrap();
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_link_on_the_way_is_told_and_the_end_has_none() {
    let folder = Folder::new("walk");
    let top = &folder.0;
    fs::create_dir_all(top.join("usr/lib/deep")).unwrap();
    fs::write(top.join("usr/lib/libx.so.1.2"), "").unwrap();
    symlink("usr/lib", top.join("lib")).unwrap();
    symlink("libx.so.1.2", top.join("usr/lib/libx.so.1")).unwrap();
    symlink(top.join("lib/libx.so.1"), top.join("usr/lib/deep/libx.so")).unwrap();
    let (links, file) = walk(&top.join("lib/deep/../deep/./libx.so")).unwrap();
    assert_eq!(file, top.join("usr/lib/libx.so.1.2"));
    let names: Vec<_> = links.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(
        names,
        [
            top.join("lib"),
            top.join("usr/lib/deep/libx.so"),
            top.join("lib"),
            top.join("usr/lib/libx.so.1"),
        ]
    );
}

#[test]
fn circles_gaps_and_relative_paths_are_refused() {
    let folder = Folder::new("circle");
    symlink("b", folder.0.join("a")).unwrap();
    symlink("a", folder.0.join("b")).unwrap();
    assert!(walk(&folder.0.join("a")).is_err());
    assert!(walk(&folder.0.join("nothing")).is_err());
    assert!(walk(Path::new("usr/lib")).is_err());
}

#[test]
fn only_libraries_below_the_known_folders_are_shown() {
    let folder = Folder::new("homes");
    let library = folder.library("libx.so");
    let reason = Text::from("a test");
    let mut view = View::new(vec![folder.0.clone()]);
    view.show_library(&library, &reason).unwrap();
    assert!(view.show_library(&folder.0, &reason).is_err(), "a folder");
    fs::write(folder.0.join("text.so"), [b'x'; 100]).unwrap();
    let text = view.show_library(&folder.0.join("text.so"), &reason);
    assert!(matches!(text, Err(LibraryError::Unfit { .. })), "{text:?}");
    assert_eq!(view.files.len(), 1);

    let mut elsewhere = View::new(vec![folder.0.join("lib")]);
    symlink(&library, folder.0.join("linked.so")).unwrap();
    for path in [&library, &folder.0.join("linked.so")] {
        let answer = elsewhere.show_library(path, &reason);
        assert!(
            matches!(answer, Err(LibraryError::Outside { .. })),
            "{answer:?}"
        );
    }
    assert!(elsewhere.files.is_empty());
}

#[test]
fn a_family_is_what_has_the_same_version_and_is_not_left_out() {
    let folder = Folder::new("family");
    for name in [
        "libGLX_nvidia.so.550.54",
        "libnvidia-glcore.so.550.54",
        "libnvidia-tls.so.550.54",
        "libnvidia-encode.so.550.54",
        "libnvidia-glcore.so.545.29",
        "libnvidia-egl-gbm.so.1.1.1",
        "libcuda.so.550.54",
    ] {
        folder.library(name);
    }
    let one = folder.0.join("libGLX_nvidia.so.0");
    symlink("libGLX_nvidia.so.550.54", &one).unwrap();
    let mut view = View::new(vec![folder.0.clone()]);
    view.show_family(
        &one,
        "libnvidia-",
        &["libnvidia-encode".into()],
        &"a test".into(),
    )
    .unwrap();
    let shown: Vec<_> = view.files.keys().cloned().collect();
    assert_eq!(
        shown,
        [
            folder.0.join("libnvidia-glcore.so.550.54"),
            folder.0.join("libnvidia-tls.so.550.54"),
        ]
    );
    let unversioned = folder.library("libplain.so");
    assert!(
        view.show_family(&unversioned, "lib", &[], &"a test".into())
            .is_err()
    );
}

#[test]
fn this_tests_own_view_is_its_loader_and_its_libraries() {
    let program = WorkerProgram::this_binary(["worker"]);
    let profile = DriverProfile::cpu().for_program(&program).unwrap();
    assert!(profile.libraries.is_empty());
    let shown = |start: &str| {
        profile.paths.iter().any(|entry| {
            let name = entry.path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(start)
        })
    };
    assert!(shown("ld-"), "{profile:#?}");
    assert!(
        shown("libc.") || shown("libc-") || shown("ld-musl-"),
        "{profile:#?}"
    );
    assert_eq!(
        profile.for_program(&program).unwrap(),
        profile,
        "once is enough"
    );
}

#[test]
fn each_loader_has_its_own_table() {
    let table = |loader| loader_table(Path::new(loader)).path;
    assert_eq!(
        table("/lib64/ld-linux-x86-64.so.2"),
        Path::new("/etc/ld.so.cache")
    );
    assert_eq!(
        table("/lib/ld-musl-aarch64.so.1"),
        Path::new("/etc/ld-musl-aarch64.path")
    );
}

#[test]
fn a_static_program_has_no_libraries_and_opens_no_driver() {
    let mut program = Program {
        path: std::env::current_exe().unwrap(),
        file: File::open("/proc/self/exe").unwrap(),
        loader: None,
    };
    let mut view = View::new(Vec::new());
    view.show_program(&mut program).unwrap();
    assert!(view.files.is_empty() && view.links.is_empty());
    let opened = view.show_opened(&mut program, "libvulkan.so.1", &"a test".into());
    assert!(
        matches!(opened, Err(LibraryError::Static { .. })),
        "{opened:?}"
    );
}

#[test]
fn a_program_that_was_removed_from_the_disk_still_tells_its_libraries() {
    let folder = Folder::new("removed");
    let copy = folder.0.join("program");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let handle = File::open(&copy).unwrap();
    fs::remove_file(&copy).unwrap();
    let view = |path: String| {
        let program = WorkerProgram {
            path: path.into(),
            args: Vec::new(),
        };
        DriverProfile::cpu().for_program(&program).unwrap()
    };
    let removed = view(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    assert_eq!(removed, view("/proc/self/exe".to_owned()));
}
