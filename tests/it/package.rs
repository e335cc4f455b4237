//! Owns the tests of what others install: the files of `make install`, and the Debian package on a real system.
//!
//! Never writes to the machine it runs on: folders of its own, and a copy of the machine made by an overlay.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::program::{self, Done};

/// How long a step may take; the longest packs the program.
const LIMIT: Duration = Duration::from_secs(240);

/// What `scripts/in-a-copy` ends with where there can be no copy.
const NO_COPY: i32 = 77;

/// What dpkg, useradd, the graphics driver and their like write for themselves, none of it ours.
const BOOKS: [&str; 6] = [
    "root/.cache/mesa_shader_cache/",
    "etc/",
    "var/lib/dpkg/",
    "var/log/",
    "var/cache/",
    "var/lib/systemd/",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs one of the project's scripts to its end.
fn script(name: &str, arguments: &[&str]) -> Done {
    let mut command = program::clean(repository().join("scripts").join(name));
    command.args(arguments).env("DEB_COMPRESSION", "gzip");
    program::start(command).finish((LIMIT, &format!("scripts/{name} {}", arguments.join(" "))))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is a text")
}

/// Lists the files and links below a folder, by their path in it.
fn files_below(top: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder can be read");
        for path in entries.map(|entry| entry.expect("an entry can be read").path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(top).expect("the walk starts at the top");
                found.insert(text(inside).to_owned());
            }
        }
    }
    found
}

#[test]
fn an_installation_is_whole_and_its_removal_leaves_what_is_not_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let dest = folder.path().join("dest");
    let built = program::path();
    script("install", &[text(&built), "/usr/local", text(&dest)]).succeeded();
    let installed = dest.join("usr/local/bin/nightshift");
    let version = program::start({
        let mut command = program::clean(&installed);
        command.arg("--version");
        command
    });
    let version = version.finish((LIMIT, "the installed program")).succeeded();
    assert_eq!(
        version.trim(),
        format!("nightshift {}", env!("CARGO_PKG_VERSION"))
    );
    for (path, holds) in [
        ("share/bash-completion/completions/nightshift", "nightshift"),
        ("share/zsh/vendor-completions/_nightshift", "#compdef"),
        (
            "share/fish/vendor_completions.d/nightshift.fish",
            "complete -c nightshift",
        ),
        ("share/doc/nightshift/LICENSE-MIT", "MIT License"),
        (
            "lib/systemd/system/nightshift-operator.service",
            "ExecStart=/usr/local/bin/nightshift ",
        ),
    ] {
        let found = fs::read_to_string(dest.join("usr/local").join(path));
        let found = found.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(
            found.contains(holds) && !found.contains("@BINDIR@"),
            "{path} lacks {holds}"
        );
    }
    assert!(
        dest.join("usr/local/share/man/man1/nightshift.1.gz")
            .is_file()
    );
    let foreign = dest.join("usr/local/share/man/man1/another.1");
    fs::write(&foreign, "of another program").expect("a file can be written");
    script("install", &["--remove", "/usr/local", text(&dest)]).succeeded();
    let left = BTreeSet::from(["usr/local/share/man/man1/another.1".to_owned()]);
    assert_eq!(files_below(&dest), left);
    let again = script("install", &["--remove", "/usr/local", text(&dest)]);
    assert!(again.code == Some(1) && again.stderr.contains("nothing to remove"));
}

#[test]
fn the_package_has_the_programs_version_and_names_its_settings_file() {
    let packaging = repository().join("packaging");
    let changelog = fs::read_to_string(packaging.join("debian/changelog")).expect("it is there");
    let wanted = format!("nightshift ({}-", env!("CARGO_PKG_VERSION"));
    assert!(
        changelog.starts_with(&wanted),
        "packaging/debian/changelog lacks an entry for {wanted}"
    );
    let named = fs::read_to_string(packaging.join("debian/conffiles")).expect("it is there");
    assert_eq!(named, "/etc/default/nightshift-operator\n");
    for name in ["postinst", "prerm", "postrm"] {
        let path = packaging.join("debian").join(name);
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(mode & 0o111 != 0 && text.contains("set -e"), "{name}");
    }
}

#[test]
fn the_packaged_unit_is_confined_as_the_one_that_the_program_writes() {
    let packaged = repository().join("packaging/nightshift-operator.service");
    let packaged = fs::read_to_string(packaged).expect("it is there");
    let written = repository().join("tui/src/service/unit.rs");
    let written = fs::read_to_string(written).expect("it is there");
    let (_, rest) = written
        .split_once("const HARDENING")
        .expect("it has a name");
    let (hardening, _) = rest.split_once("\";").expect("it ends");
    let lines = hardening
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("ProtectHome="));
    let missing: Vec<&str> = lines
        .filter(|line| !packaged.lines().any(|has| has == *line))
        .collect();
    assert_eq!(missing, [""; 0], "the packaged unit lacks these");
    // Its home is no person's, so persons' homes need not even be read.
    assert!(packaged.contains("ProtectHome=yes") && hardening.contains("NoNewPrivileges=yes"));
}

/// A copy of this machine.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn run(&self, arguments: &[&str]) -> Done {
        let folder = text(self.folder.path());
        script("in-a-copy", &[&[folder], arguments].concat())
    }

    /// Runs a shell line that must succeed.
    fn shell(&self, line: &str) -> String {
        self.run(&["sh", "-c", line]).succeeded()
    }

    fn changes(&self) -> PathBuf {
        self.folder.path().join("changes")
    }

    /// Lists what the copy has and this machine has not, but for the books of the system's own programs.
    fn left(&self) -> Vec<String> {
        let all = files_below(&self.changes()).into_iter();
        let not_booked = all.filter(|path| {
            let is_book = BOOKS.iter().any(|book| path.starts_with(book));
            path.contains("nightshift") || !is_book
        });
        not_booked.collect()
    }
}

/// Makes a copy of this machine, or says why there is none and the test skips.
fn copy_of_this_machine() -> Option<Copy> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let copy = Copy { folder };
    let has_dpkg = Command::new("dpkg").arg("--version").output().is_ok();
    let tried = copy.run(&["dpkg", "--version"]);
    if has_dpkg && tried.code != Some(NO_COPY) {
        return Some(copy);
    }
    eprintln!(
        "skipped: no copy of this machine with dpkg: {}",
        tried.stderr
    );
    None
}

#[test]
fn long_the_package_installs_runs_and_leaves_nothing_behind() {
    let Some(copy) = copy_of_this_machine() else {
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder can be made");
    let built = program::path();
    let package = script("deb", &[text(&built), text(out.path())]).succeeded();
    let package = Path::new(package.trim());
    look_into(package);
    ask_lintian(package);
    fs::copy(package, copy.changes().join("package.deb")).expect("the package can be copied");

    copy.shell("dpkg -i /package.deb && dpkg -i /package.deb"); // Maintainer scripts run twice without harm.
    assert_eq!(
        copy.shell("stat -c '%U %a' /var/lib/nightshift"),
        "nightshift 700\n"
    );
    assert!(!copy.changes().join("etc/systemd/system").exists());
    copy.shell("dpkg --verify nightshift");
    if program::has_adapter() {
        let told = copy.shell("cd /tmp && nightshift demo --steps 60 --json");
        let told: serde_json::Value = serde_json::from_str(&told).expect("one JSON object");
        assert!(told.is_object(), "{told}");
    }
    keys_outlive_a_purge(&copy);
    copy.shell("dpkg -i /package.deb && dpkg -r nightshift");
    assert!(
        copy.changes()
            .join("etc/default/nightshift-operator")
            .is_file()
    );
    copy.shell("dpkg -P nightshift");
    fs::remove_file(copy.changes().join("package.deb")).expect("the package can be removed");
    assert_eq!(copy.left(), [""; 0], "left after the purge");
    let books = copy.shell("cat /etc/passwd /etc/group /var/lib/dpkg/status");
    assert!(!books.contains("nightshift"), "the books still name it");
}

/// What the package says of itself, and what lies in it.
fn look_into(package: &Path) {
    let ask = |option: &str| {
        let output = Command::new("dpkg-deb").arg(option).arg(package).output();
        let output = output.expect("dpkg-deb is there");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let (info, contents) = (ask("--info"), ask("--contents"));
    for wanted in [
        "libc6 (>= 2.",
        "libvulkan1",
        "mesa-vulkan-drivers",
        "postrm",
    ] {
        assert!(info.contains(wanted), "no {wanted} in:\n{info}");
    }
    for wanted in [
        "root/root",
        "./usr/bin/nightshift",
        "./usr/share/man/man1/nightshift.1.gz",
        "./usr/share/man/man1/nightshift-run.1.gz",
        "./usr/share/bash-completion/completions/nightshift",
        "./usr/share/doc/nightshift/copyright",
        "./usr/share/doc/nightshift/changelog.Debian.gz",
        "./usr/share/doc/nightshift/handbook/03-selling.md",
        "./usr/lib/systemd/system/nightshift-operator.service",
        "./etc/default/nightshift-operator",
    ] {
        assert!(contents.contains(wanted), "no {wanted} in:\n{contents}");
    }
    assert!(!contents.contains("usr/local") && !contents.contains("doc/nightshift/installed"));
}

/// Debian's own checker finds no error, but that nobody can be written to. Where it is not installed, says so.
fn ask_lintian(package: &Path) {
    let mut command = Command::new("lintian");
    command.args(["--fail-on", "error", "--allow-root", "--suppress-tags"]);
    command.arg("bogus-mail-host,bogus-mail-host-in-debian-changelog");
    let Ok(told) = command.arg(package).output() else {
        return eprintln!("not checked: lintian is not installed");
    };
    let found = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success(), "lintian found:\n{found}");
}

/// A market made in the operator's home survives the purge of the program, and the purge says so.
fn keys_outlive_a_purge(copy: &Copy) {
    copy.shell(
        "setpriv --reuid=nightshift --regid=nightshift --clear-groups \
         nightshift --home /var/lib/nightshift operator init --name kept",
    );
    let purged = copy.run(&["dpkg", "-P", "nightshift"]);
    assert!(
        purged.stderr.contains("was kept") && purged.code == Some(0),
        "{purged:?}"
    );
    copy.shell("test -e /var/lib/nightshift/keys && ! test -e /usr/bin/nightshift");
    copy.shell("dpkg -i /package.deb"); // A new installation takes the old home as it is.
    copy.shell(
        "test -e /var/lib/nightshift/keys && dpkg -r nightshift && rm -r /var/lib/nightshift",
    );
}
