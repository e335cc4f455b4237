//! Owns the tests of the wallet on a real ledger: keys under a passphrase, and where the money is afterwards.
//!
//! Never holds a passphrase that anything but these tests uses.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::market::LISTEN;
use crate::node::Node;
use crate::program::{self, Done};
use crate::terminal::Terminal;
use crate::transcript::retry;

/// How long a command on a terminal may take.
const LIMIT: Duration = Duration::from_secs(30);

/// An operator, and what newcomers join with.
struct Founded {
    operator: Node,
    join: String,
    folder: tempfile::TempDir,
}

impl Founded {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = folder.path().join("operator");
        program::run(&home, &["operator", "init", "--name", "test"]).succeeded();
        let run = ["operator", "run", "--listen", LISTEN];
        let operator = Node::start(&home, &run, "The operator runs");
        let status = operator.json(&["operator", "status"]);
        let join = status["join"].as_str().expect("a join string").to_owned();
        Self {
            operator,
            join,
            folder,
        }
    }

    fn home(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner can read.
    fn secret(&self, name: &str, text: &str) -> String {
        let path = self.home(name);
        fs::write(&path, text).expect("a temporary file can be written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the test owns it");
        path.to_str().expect("temporary paths are UTF-8").to_owned()
    }

    /// Starts the node of a home that has joined, and issues 10 credits to it.
    fn endowed(&self, home: &Path) -> Node {
        let node = start(home);
        let issue = ["operator", "issue", &node.account(), "10"];
        self.operator.run(&issue).succeeded();
        node
    }
}

fn start(home: &Path) -> Node {
    Node::start(home, &["up", "--listen", LISTEN], "It buys and watches")
}

fn fails(done: &Done, code: i32, parts: &[&str]) {
    assert_eq!(done.code, Some(code), "{done:?}");
    for part in parts {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
    assert!(done.stdout.is_empty(), "{done:?}");
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

#[test]
fn a_node_runs_without_the_passphrase_and_money_moves_with_it_alone() {
    let market = Founded::new();
    let (right, wrong) = (
        market.secret("right", "a b c\n"),
        market.secret("wrong", "a b d\n"),
    );
    let home = market.home("member");
    let init = ["init", "--join", &market.join, "--passphrase-file", &right];
    let done = program::run(&home, &init);
    assert!(!done.stderr.contains("unencrypted"), "{done:?}");
    done.succeeded();
    let key = fs::read_to_string(home.join("keys/account.key")).expect("there is a key");
    assert!(key.contains("argon2id") && !key.contains("a b c"), "{key}");
    let member = market.endowed(&home);
    let receiver = market.operator.account();
    let send = ["wallet", "send", "--yes", &receiver, "1"];
    fails(
        &member.run(&send),
        1,
        &[
            "is encrypted",
            "no terminal",
            "--passphrase-file",
            "NIGHTSHIFT_PASSPHRASE_FILE",
        ],
    );
    let send_with = |file: &str| member.run(&[&send[..], &["--passphrase-file", file]].concat());
    fails(
        &send_with(&wrong),
        1,
        &["account.key", "the passphrase is wrong"],
    );
    fails(&send_with("/nowhere"), 1, &["/nowhere", "No such file"]);
    fs::set_permissions(&wrong, Permissions::from_mode(0o644)).expect("the test owns it");
    fails(
        &send_with(&wrong),
        1,
        &["can be read by others", "chmod 600"],
    );
    let balance = member.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "10", "nothing was sent");
    send_with(&right).succeeded();
    let mut by_environment = program::command(&home, &send);
    by_environment.env("NIGHTSHIFT_PASSPHRASE_FILE", &right);
    program::start(by_environment)
        .finish((program::LIMIT, "nightshift wallet send"))
        .succeeded();
    let balance = member.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "7.9998");
}

#[test]
fn an_open_home_is_encrypted_changed_and_opened_again_while_its_node_runs() {
    let market = Founded::new();
    let (one, two) = (
        market.secret("one", "first"),
        market.secret("two", "second"),
    );
    let home = market.home("member");
    let done = program::run(&home, &["init", "--join", &market.join]);
    assert!(done.stderr.contains("unencrypted"), "{done:?}");
    done.succeeded();
    let path = home.join("keys/account.key");
    let open = fs::read_to_string(&path).expect("there is a key");
    let member = market.endowed(&home);
    let run = |arguments: &[&str]| member.run(arguments);
    let (file, new) = ("--passphrase-file", "--new-passphrase-file");
    fails(&run(&["wallet", "encrypt"]), 1, &["no terminal", file]);
    fails(
        &run(&["wallet", "decrypt", "--yes", file, &one]),
        1,
        &["is not encrypted"],
    );
    run(&["wallet", "encrypt", file, &one]).succeeded();
    for entry in fs::read_dir(home.join("keys")).expect("there are keys") {
        let entry = entry.expect("it can be read").path();
        let bytes = fs::read(&entry).expect("it can be read");
        let holds = bytes.windows(64).any(|part| part == open.as_bytes());
        assert!(!holds, "{} still holds the open key", entry.display());
    }
    fails(
        &run(&["wallet", "encrypt", file, &one]),
        1,
        &["encrypted already", "wallet passphrase"],
    );
    fails(
        &run(&["wallet", "passphrase", file, &two, new, &two]),
        1,
        &["passphrase is wrong"],
    );
    run(&["wallet", "passphrase", file, &one, new, &two]).succeeded();
    let keys = run(&["doctor"]).stdout;
    assert!(keys.contains("the account key is encrypted"), "{keys}");
    let receiver = market.operator.account();
    run(&["wallet", "send", "--yes", &receiver, "1", file, &two]).succeeded();
    fails(
        &run(&["wallet", "decrypt", file, &two]),
        1,
        &["no terminal", "--yes"],
    );
    run(&["wallet", "decrypt", "--yes", file, &two]).succeeded();
    assert_eq!(fs::read_to_string(&path).expect("there is a key"), open);
    run(&["wallet", "send", "--yes", &receiver, "1"]).succeeded();
    let whole = fs::read(&path).expect("there is a key");
    fs::write(&path, &whole[..40]).expect("the test owns it");
    fails(
        &run(&["wallet", "send", "--yes", &receiver, "1"]),
        1,
        &["account.key", "from a backup"],
    );
}

/// Presses keys once the terminal hides them, which it does an instant after the question stands there.
fn type_hidden(terminal: &mut Terminal, tty: &str, keys: &str) {
    let what = (LIMIT, "a terminal that hides what is typed");
    retry(what, terminal.screen(), || {
        let asked = program::clean("stty").args(["-F", tty, "-a"]).output();
        let modes = asked.map_err(|error| error.to_string())?.stdout;
        let modes = String::from_utf8_lossy(&modes).into_owned();
        match modes.split_whitespace().any(|mode| mode == "-echo") {
            true => Ok(()),
            false => Err(modes),
        }
    });
    terminal.press(keys);
}

#[test]
fn a_passphrase_is_asked_for_twice_on_a_terminal_and_never_shown() {
    let market = Founded::new();
    let mut terminal = Terminal::open("of a wallet", market.folder.path(), market.folder.path());
    let tty = terminal.run("tty", LIMIT).text;
    let tty = tty.lines().find(|line| line.starts_with("/dev/"));
    let tty = tty.expect("a terminal has a name").to_owned();
    let program = program::path();
    let at = format!(
        "{} --home {}",
        program.display(),
        market.home("member").display()
    );
    terminal.type_line(&format!("{at} init --join {}", market.join));
    terminal.wait_for("Enter for none", LIMIT);
    type_hidden(&mut terminal, &tty, "to be told\n");
    terminal.wait_for("The same again", LIMIT);
    type_hidden(&mut terminal, &tty, "to be tolt\n");
    terminal.wait_for_times("(Enter for none)", 2, LIMIT);
    type_hidden(&mut terminal, &tty, "to be told\n");
    terminal.wait_for_times("The same again", 2, LIMIT);
    type_hidden(&mut terminal, &tty, "to be told\n");
    let answer = terminal.answer(LIMIT);
    assert_eq!(answer.status, Some(0), "{answer:?}");
    assert!(answer.text.contains("Joined test"), "{answer:?}");
    assert!(!answer.text.contains("unencrypted"), "{answer:?}");
    terminal.type_line(&format!("{at} wallet decrypt --yes"));
    terminal.wait_for("Passphrase of the account key", LIMIT);
    type_hidden(&mut terminal, &tty, "to be tolt\n");
    let answer = terminal.answer(LIMIT);
    assert_eq!(answer.status, Some(1), "{answer:?}");
    assert!(
        answer.text.contains("the passphrase is wrong"),
        "{answer:?}"
    );
    let screen = terminal.screen().text();
    assert!(!screen.contains("to be tol"), "it was shown:\n{screen}");
    terminal.close();
}

#[test]
fn a_backup_brings_the_money_back_on_another_machine() {
    let market = Founded::new();
    let right = market.secret("right", "kept apart");
    let with = ["--passphrase-file", &right];
    let backup = market.home("wallet.backup").display().to_string();
    let old = market.home("old");
    program::run(&old, &["init", "--join", &market.join, "--spend-cap", "5"]).succeeded();
    let member = market.endowed(&old);
    let made = member.json(&[&["wallet", "backup", &backup][..], &with].concat());
    assert_eq!(made["encrypted"], true, "{made}");
    let mode = fs::metadata(&backup).expect("it was written").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let (account, id) = (member.account(), member.id());
    drop(member);
    let new = market.home("new");
    let restore = ["wallet", "restore", &backup, "--json"];
    let restored = program::run(&new, &[&restore[..], &with].concat()).json();
    assert_eq!(restored["account"], account.as_str(), "{restored}");
    assert_eq!(restored["spend_cap"], "5", "{restored}");
    assert_eq!(restored["encrypted"], true, "{restored}");
    let node = start(&new);
    assert_eq!(node.account(), account);
    assert_ne!(node.id(), id, "two machines are two nodes");
    assert_eq!(node.json(&["wallet", "balance"])["available"], "10");
    let receiver = market.operator.account();
    let send = ["wallet", "send", "--yes", &receiver, "1"];
    node.run(&[&send[..], &with].concat()).succeeded();
    let balance = node.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "8.9999", "{balance}");
    assert_eq!(balance["total"], "8.9999", "nothing is locked: {balance}");
    let plain = market.home("plain").display().to_string();
    let make = ["wallet", "backup", &plain, "--plain", "--yes"];
    let made = node.json(&[&make[..], &with].concat());
    assert_eq!(made["encrypted"], false, "{made}");
    let third = market.home("third");
    let told = program::run(&third, &["wallet", "restore", &plain]).succeeded();
    assert!(told.contains("lies unencrypted"), "{told}");
    assert!(told.contains(&account), "{told}");
}

#[test]
fn a_backup_that_is_wrong_or_in_the_way_is_refused_and_changes_nothing() {
    let market = Founded::new();
    let (right, wrong) = (market.secret("right", "one"), market.secret("wrong", "two"));
    let file = market.home("wallet.backup");
    let backup = file.display().to_string();
    let old = market.home("old");
    program::run(&old, &["init", "--join", &market.join]).succeeded();
    let [make, restore] = ["backup", "restore"].map(|what| ["wallet", what, &backup]);
    let made = |more: &[&str]| program::run(&old, &[&make[..], more].concat());
    let right = ["--passphrase-file", &right];
    fails(&made(&[]), 1, &["no terminal", "--passphrase-file"]);
    fails(&made(&["--plain"]), 1, &["no terminal", "--yes"]);
    assert!(!file.exists(), "nothing was written");
    made(&right).succeeded();
    let whole = fs::read_to_string(&file).expect("it is text");
    fails(&made(&right), 1, &["no backup overwrites a file"]);
    assert_eq!(fs::read_to_string(&file).expect("it is text"), whole);
    let restored = |home: &Path, more: &[&str]| {
        let line = [&restore[..], more].concat();
        program::run(home, &line)
    };
    let in_the_way = ["has an account already", "--home DIR"];
    fails(&restored(&old, &right), 1, &in_the_way);
    let new = market.home("new");
    let ask = ["the backup is encrypted", "no terminal"];
    fails(&restored(&new, &[]), 1, &ask);
    let other = ["--passphrase-file", &wrong];
    fails(&restored(&new, &other), 1, &["passphrase is wrong"]);
    fs::write(&file, &whole[1..]).expect("the test owns it");
    let damaged = ["wallet.backup", "not a whole backup"];
    fails(&restored(&new, &right), 1, &damaged);
    let is_there = new.join("keys/account.key").exists();
    assert!(!is_there, "nothing was restored");
}
