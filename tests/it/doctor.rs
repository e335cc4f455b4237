//! Owns the tests of the doctor: each of its checks is broken on a real home, and its advice is read.
//!
//! Never measures a GPU. The homes are those that a release left, or of an operator that runs here.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::market::LISTEN;
use crate::node::Node;
use crate::processes::signal;
use crate::program::{self, Done, LIMIT};

/// Unpacks the homes that a release left after one job.
fn homes() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../market/node/fixtures/home-v1.tar.gz"
    );
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(folder.path());
    assert!(tar.status().expect("the system has `tar`").success());
    folder
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions can be set");
}

/// One check of a report.
fn check(done: &Done, name: &str) -> Value {
    let report: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|error| panic!("no report ({error}): {done:?}"));
    let checks = report["checks"].as_array().expect("a list of checks");
    let failed = checks
        .iter()
        .filter(|check| check["verdict"] == "failed")
        .count();
    assert_eq!(report["failed"], failed);
    assert_eq!(done.code, Some(i32::from(failed > 0)), "{done:?}");
    let found = checks.iter().find(|check| check["name"] == name);
    found
        .unwrap_or_else(|| panic!("no check {name}: {report}"))
        .clone()
}

/// Fails unless the check has this verdict and its evidence and advice together say `parts`.
fn says(check: &Value, verdict: &str, parts: &[&str]) {
    assert_eq!(check["verdict"], verdict, "{check}");
    let words = format!("{} {}", check["evidence"], check["advice"]);
    for part in parts {
        assert!(words.contains(part), "{part:?} is not said: {check}");
    }
}

fn examined(home: &Path, name: &str) -> Value {
    check(&program::run(home, &["doctor", "--json"]), name)
}

#[test]
fn a_home_in_order_passes_and_an_empty_one_says_where_to_begin() {
    let homes = homes();
    let operator = homes.path().join("operator");
    for name in [
        "settings",
        "permissions",
        "keys",
        "instance",
        "market",
        "ledger",
        "ports",
    ] {
        says(&examined(&operator, name), "ok", &[]);
    }
    says(
        &examined(&operator, "operator"),
        "failed",
        &["does not run", "nightshift operator run"],
    );
    let empty = homes.path().join("empty");
    says(
        &examined(&empty, "market"),
        "failed",
        &["init --join HASH@ADDRESS", "operator init"],
    );
    let text = program::run(&empty, &["doctor"]);
    assert_eq!(text.code, Some(1));
    assert!(
        text.stderr.contains("each says above what to do"),
        "{text:?}"
    );
}

#[test]
fn settings_that_cannot_be_read_are_told() {
    let homes = homes();
    let home = homes.path().join("consumer");
    fs::write(home.join("config.toml"), "[sell]\ntick = 5\n").expect("a setting can be written");
    let parts = [
        "config.toml, line 2",
        "did you mean sell.tick_ms?",
        "config set KEY VALUE",
    ];
    says(&examined(&home, "settings"), "failed", &parts);
}

#[test]
fn loose_permissions_and_bad_keys_are_told_with_the_command_that_mends_them() {
    let homes = homes();
    let home = homes.path().join("consumer");
    mode(&home.join("keys"), 0o770);
    says(
        &examined(&home, "permissions"),
        "failed",
        &["keys", "mode 770", "chmod go-w"],
    );
    mode(&home.join("keys"), 0o700);
    says(&examined(&home, "permissions"), "ok", &[]);
    mode(&home, 0o777);
    says(
        &examined(&home, "permissions"),
        "failed",
        &["mode 777", "chmod 700"],
    );
    mode(&home, 0o700);
    let key = home.join("keys/account.key");
    mode(&key, 0o644);
    says(
        &examined(&home, "keys"),
        "failed",
        &["read by others", "chmod 600", "account.key"],
    );
    mode(&key, 0o600);
    fs::write(home.join("keys/node.key"), "rubbish").expect("a key can be spoilt");
    says(
        &examined(&home, "keys"),
        "failed",
        &["64 hexadecimal digits", "from a backup"],
    );
}

#[test]
fn a_damaged_genesis_store_and_block_log_are_told() {
    let homes = homes();
    let home = homes.path().join("operator");
    says(
        &examined(&home, "store"),
        "warning",
        &["older schema 1", "leaves a backup"],
    );
    let segment = home.join("ledger/blocks/00000000000000000000.blocks");
    let whole = fs::read(&segment).expect("the log can be read");
    fs::write(&segment, &whole[..whole.len() - 3]).expect("the log can be cut");
    says(
        &examined(&home, "ledger"),
        "warning",
        &["unfinished", "never acknowledged"],
    );
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&segment, &flipped).expect("the log can be spoilt");
    says(
        &examined(&home, "ledger"),
        "failed",
        &["block log is damaged", "backup"],
    );
    assert_eq!(
        fs::read(&segment).ok(),
        Some(flipped),
        "the doctor repairs nothing"
    );
    fs::write(home.join("store/db"), vec![0xff; 100_000]).expect("the store can be spoilt");
    says(
        &examined(&home, "store"),
        "failed",
        &["sets it aside", "copy"],
    );
    fs::write(home.join("genesis.json"), "{}").expect("the genesis can be spoilt");
    says(
        &examined(&home, "market"),
        "failed",
        &["genesis.json", "backup"],
    );
}

#[test]
fn a_full_disk_a_taken_port_and_an_absent_operator_are_told() {
    let homes = homes();
    let home = homes.path().join("consumer");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    for (key, value) in [
        ("network.listen", address.as_str()),
        ("disk.reserve_mib", "1048576"),
    ] {
        program::run(&home, &["config", "set", key, value]).succeeded();
    }
    let port = port.to_string();
    says(
        &examined(&home, "ports"),
        "failed",
        &[&port, "config set network.listen"],
    );
    says(
        &examined(&home, "disk"),
        "failed",
        &["below the reserve", "disk.reserve_mib"],
    );
    says(&examined(&home, "operator"), "failed", &["bootstrap.txt"]);
    says(&examined(&home, "peers"), "skipped", &["nightshift up"]);
}

#[test]
fn a_home_that_a_silent_process_holds_names_it() {
    let homes = homes();
    let home = homes.path().join("consumer");
    let mut lock = File::create(home.join("nightshift.lock")).expect("a file can be made");
    writeln!(lock, "4242").expect("a file can be written");
    lock.lock().expect("a file can be locked");
    says(
        &examined(&home, "instance"),
        "failed",
        &["process 4242", "kill 4242"],
    );
    let up = program::run(&home, &["up", "--listen", LISTEN]);
    assert_eq!(up.code, Some(1), "{up:?}");
    assert!(up.stderr.contains("process 4242"), "{up:?}");
}

#[test]
fn a_machine_without_adapter_is_told_what_to_install() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = program::command(home.path(), &["doctor", "--json"]);
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(variable, "/nowhere/driver.json");
    }
    let done = program::start(command).finish((LIMIT, "doctor"));
    says(
        &check(&done, "gpu"),
        "warning",
        &["no adapter", "Vulkan driver", "buy and not sell"],
    );
}

#[test]
fn a_machine_that_cannot_confine_says_which_layer_is_missing() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = program::clean("unshare");
    command
        .args(["-Ur", "sh", "-c", script, "sh"])
        .arg(program::path());
    command
        .arg("--home")
        .arg(home.path())
        .args(["doctor", "--json"]);
    let done = program::start(command).finish((LIMIT, "doctor without namespaces"));
    if done.stdout.is_empty() {
        eprintln!(
            "skipped: this system lets nobody forbid namespaces: {}",
            done.stderr
        );
        return;
    }
    says(
        &check(&done, "sandbox"),
        "warning",
        &["user namespace", "buy and not sell"],
    );
}

/// Builds a library that shows a process a clock two days ahead; `None` where there is no C compiler.
fn clock_ahead(folder: &Path) -> Option<PathBuf> {
    let source = folder.join("ahead.c");
    let text = "#define _GNU_SOURCE\n#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n\
        int clock_gettime(clockid_t id, struct timespec *t) {\n\
        int r = syscall(SYS_clock_gettime, id, t);\n\
        if (r == 0 && id == CLOCK_REALTIME) t->tv_sec += 2 * 24 * 3600;\n\
        return r; }\n";
    fs::write(&source, text).expect("a temporary file can be written");
    let library = folder.join("ahead.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source);
    let is_built = compiler.status().is_ok_and(|status| status.success());
    is_built.then_some(library)
}

#[test]
fn a_running_node_alone_with_a_wrong_clock_and_an_older_program_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("operator");
    program::run(&home, &["operator", "init"]).succeeded();
    let mut operator = Node::start(
        &home,
        &["operator", "run", "--listen", LISTEN],
        "The operator runs",
    );
    says(&examined(&home, "instance"), "ok", &["answers"]);
    says(&examined(&home, "operator"), "ok", &["block"]);
    says(&examined(&home, "clock"), "ok", &["protocol time"]);
    says(
        &examined(&home, "peers"),
        "failed",
        &["no other node", "bootstrap.txt"],
    );
    says(
        &examined(&home, "offers"),
        "warning",
        &["no offer", "market book"],
    );
    says(&examined(&home, "versions"), "ok", &[]);
    match clock_ahead(folder.path()) {
        None => eprintln!("skipped: no C compiler to build a wrong clock with"),
        Some(library) => {
            let mut command = program::command(&home, &["doctor", "--json"]);
            command.env("LD_PRELOAD", library);
            let done = program::start(command).finish((LIMIT, "doctor two days ahead"));
            let parts = ["48h 00m ahead of protocol time", "timedatectl"];
            says(&check(&done, "clock"), "failed", &parts);
        }
    }
    let status = operator.json(&["status"]);
    operator.stop();
    an_older_program(&home, status);
}

/// Answers in the home's name as a node of another release does.
fn an_older_program(home: &Path, mut status: Value) {
    status["version"] = "0.0.1".into();
    let mut lock = File::create(home.join("nightshift.lock")).expect("a file can be made");
    writeln!(lock, "{}", std::process::id()).expect("a file can be written");
    lock.lock().expect("a file can be locked");
    let socket = home.join("api.sock");
    let _stale = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).expect("a socket can be made");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut request = String::new();
            while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
            let (line, body) = match request.starts_with("GET /v1/status") {
                true => ("200 OK", status.to_string()),
                false => ("404 Not Found", String::new()),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 {line}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _gone = reader
                .get_mut()
                .write_all(format!("{head}{body}").as_bytes());
        }
    });
    let parts = ["running node is 0.0.1", "start it again"];
    says(&examined(home, "versions"), "warning", &parts);
}

#[test]
fn a_node_that_is_stopped_in_its_tracks_is_told_by_every_command_instead_of_waited_for() {
    let homes = homes();
    let home = homes.path().join("operator");
    let run = ["operator", "run", "--listen", LISTEN];
    let node = Node::start(&home, &run, "The operator runs");
    signal(node.pid(), Signal::STOP);
    for command in ["status", "wallet balance", "ps"] {
        let words: Vec<&str> = command.split(' ').collect();
        let done = node.run(&words);
        assert_eq!(done.code, Some(1), "{done:?}");
        for part in ["does not answer", "kill -CONT", "nightshift doctor"] {
            assert!(done.stderr.contains(part), "{part}: {done:?}");
        }
    }
    says(
        &examined(&home, "instance"),
        "failed",
        &["does not answer", &node.pid().to_string()],
    );
    signal(node.pid(), Signal::CONT);
    node.run(&["status"]).succeeded();
}
