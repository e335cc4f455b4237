//! Owns the tests of what others install: the files of `make install`, and the Debian package on a real system.
//!
//! Never writes to the machine it runs on: folders of its own, and a copy of the machine made by an overlay.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::copy::{Copy, LIMIT, repository, script, text};
use crate::program;

/// What dpkg, useradd, the graphics driver and their like write for themselves, none of it ours.
const BOOKS: [&str; 6] = [
    "root/.cache/mesa_shader_cache/",
    "etc/",
    "var/lib/dpkg/",
    "var/log/",
    "var/cache/",
    "var/lib/systemd/",
];

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
        ("share/nightshift/apparmor", "userns,"),
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
    let odd = script("install", &[text(&built), "/opt/night shift", text(&dest)]);
    assert!(odd.code == Some(1) && odd.stderr.contains("PREFIX is /opt/night shift"));
    let foreign = dest.join("usr/local/share/man/man1/another.1");
    fs::write(&foreign, "of another program").expect("a file can be written");
    script("install", &["--remove", "/usr/local/", text(&dest)]).succeeded();
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

/// Returns the value of the only line of `unit` that begins with `key` and `=`.
fn value_of<'a>(unit: &'a str, key: &str) -> &'a str {
    let mut found = unit
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = found
        .next()
        .unwrap_or_else(|| panic!("the unit has no {key}"));
    assert_eq!(found.next(), None, "the unit has two of {key}");
    value
}

/// Returns the variables that a file sets, with a port of this machine alone instead of the public one.
fn variables_of(file: &str) -> Vec<(&str, String)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let unquoted = pairs.map(|(name, value)| (name, value.trim_matches('"')));
    let own = |value: &str| value.replace("/0.0.0.0/tcp/4001", "/127.0.0.1/tcp/0");
    unquoted.map(|(name, value)| (name, own(value))).collect()
}

/// Starts what the unit starts as systemd does: the variables of its file in the environment, and a variable
/// that stands alone made into words. Only the home and the port are a test's own.
#[test]
fn the_packaged_units_command_runs_an_operator_with_the_packaged_environment() {
    let packaging = repository().join("packaging");
    let read = |name| fs::read_to_string(packaging.join(name)).expect("it is there");
    let (unit, defaults) = (
        read("nightshift-operator.service"),
        read("nightshift-operator.default"),
    );
    let file = value_of(&unit, "EnvironmentFile");
    assert_eq!(file, "-/etc/default/nightshift-operator");
    let set = variables_of(&defaults);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    program::run(folder.path(), &["operator", "init", "--name", "test"]).succeeded();
    let line = value_of(&unit, "ExecStart");
    let words = line
        .split(' ')
        .flat_map(|word| match word.strip_prefix('$') {
            Some(name) => {
                let value = set.iter().find(|(own, _)| *own == name);
                let (_, value) = value.unwrap_or_else(|| panic!("nothing sets {name}"));
                value.split(' ').map(str::to_owned).collect()
            }
            None => vec![word.to_owned()],
        });
    let words: Vec<String> = words.collect();
    assert_eq!(words[0], "@BINDIR@/nightshift");
    assert_eq!(
        words[2],
        value_of(&unit, "ConditionPathExists").trim_end_matches("/genesis.json")
    );
    let mut command = program::clean(program::path());
    command.arg(&words[1]).arg(folder.path()).args(&words[3..]);
    command.envs(set.iter().map(|(name, value)| (name, value)));
    let mut running = program::start(command);
    let what = (LIMIT, "an operator that runs or says why not");
    let told = running.stderr.wait(0, what, |text| {
        let is_ready = text.contains("The operator runs");
        (is_ready || text.contains("error: ")).then(|| (is_ready, text.to_owned()))
    });
    running.child.kill().expect("it can be ended");
    running.child.wait().expect("it can be waited for");
    assert!(told.0, "{}", told.1);
}

#[test]
fn an_installation_needs_neither_cargo_nor_a_home_and_what_breaks_off_can_be_taken_away() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (bin, dest) = (folder.path().join("built"), folder.path().join("dest"));
    fs::create_dir(&bin).expect("a folder can be made");
    let program = bin.join("nightshift");
    std::os::unix::fs::symlink(program::path(), &program).expect("a link can be made");
    let install = || {
        let mut command = program::clean(repository().join("scripts/install"));
        command.arg(&program).arg("/usr/local").arg(&dest);
        command
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path());
        program::start(command).finish((LIMIT, "install without cargo"))
    };
    let told = install();
    assert!(
        told.code == Some(1) && told.stderr.contains("make licences"),
        "{told:?}"
    );
    assert!(
        !dest.exists(),
        "nothing was put there before all was at hand"
    );
    fs::write(bin.join("third-party-licences.txt"), "texts").expect("a file can be written");
    // A folder in the way of a file: the installation breaks off behind the program.
    let blocked = dest.join("usr/local/share/doc/nightshift/README.md");
    fs::create_dir_all(blocked.join("README.md/own")).expect("a folder can be made");
    assert_eq!(install().code, Some(1));
    assert!(dest.join("usr/local/bin/nightshift").is_file());
    script("install", &["--remove", "/usr/local", text(&dest)]).succeeded();
    assert_eq!(files_below(&dest), BTreeSet::new());
    fs::remove_dir_all(&blocked).expect("it can be removed");
    install().succeeded();
    install().succeeded();
    script("install", &["--remove", "/usr/local", text(&dest)]).succeeded();
    assert_eq!(files_below(&dest), BTreeSet::new());
}

/// A parser of AppArmor stands in: one that knows the rule of user namespaces, and one that does not.
#[test]
fn the_profile_is_put_where_apparmor_understands_it_and_is_taken_away_again() {
    for (answer, is_put) in [("exit 0", true), ("exit 1", false)] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (bin, dest) = (folder.path().join("bin"), folder.path().join("dest"));
        let own = dest.join("etc/apparmor.d/local/nightshift");
        fs::create_dir_all(own.parent().expect("it is below")).expect("a folder can be made");
        fs::write(&own, "of the owner").expect("a file can be written");
        fs::create_dir(&bin).expect("a folder can be made");
        let parser = bin.join("apparmor_parser");
        fs::write(&parser, format!("#!/bin/sh\n{answer}\n")).expect("a file can be written");
        fs::set_permissions(&parser, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let run = |arguments: &[&str]| {
            let mut command = program::clean(repository().join("scripts/install"));
            let others = std::env::var("PATH").expect("there is a PATH");
            command.args(arguments);
            command.env("PATH", format!("{}:{others}", bin.display()));
            let done = program::start(command).finish((LIMIT, "an installation"));
            done.succeeded();
        };
        let built = program::path();
        let profile = dest.join("etc/apparmor.d/nightshift");
        // The second time it is there already, and is still taken away.
        for _ in 0..2 {
            run(&[text(&built), "/usr/local", text(&dest)]);
            assert_eq!(profile.is_file(), is_put, "{answer}");
        }
        run(&["--remove", "/usr/local", text(&dest)]);
        let left = BTreeSet::from(["etc/apparmor.d/local/nightshift".to_owned()]);
        assert_eq!(files_below(&dest), left, "{answer}");
    }
}

#[test]
fn root_by_sudo_builds_nothing_and_is_told_who_does() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root by sudo is told so");
    }
    let mut command = program::clean("make");
    command.args(["install", "PROFILE=never-built"]);
    command
        .current_dir(repository())
        .env("SUDO_USER", "someone");
    let told = program::start(command).finish((LIMIT, "make install by sudo"));
    let advice = "make licences PROFILE=never-built";
    assert!(
        told.code == Some(2) && told.stderr.contains(advice),
        "{told:?}"
    );
}

/// Lists what the copy has and this machine has not, but for the books of the system's own programs.
fn left(copy: &Copy) -> Vec<String> {
    let all = files_below(&copy.changes()).into_iter();
    let not_booked = all.filter(|path| {
        let is_book = BOOKS.iter().any(|book| path.starts_with(book));
        path.contains("nightshift") || !is_book
    });
    not_booked.collect()
}

/// Makes a copy of this machine, or says why there is none and the test skips.
fn copy_with_dpkg() -> Option<Copy> {
    let has_dpkg = Command::new("dpkg").arg("--version").output().is_ok();
    if !has_dpkg {
        eprintln!("skipped: this machine has no dpkg");
        return None;
    }
    Copy::of_this_machine()
}

#[test]
fn long_the_package_installs_runs_and_leaves_nothing_behind() {
    let Some(copy) = copy_with_dpkg() else {
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
    assert_eq!(left(&copy), [""; 0], "left after the purge");
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
        "./usr/share/nightshift/apparmor",
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
