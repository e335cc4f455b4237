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

#[test]
fn a_passphrase_is_asked_for_twice_on_a_terminal_and_never_shown() {
    let market = Founded::new();
    let mut terminal = Terminal::open("of a wallet", market.folder.path(), market.folder.path());
    let program = program::path();
    let at = format!(
        "{} --home {}",
        program.display(),
        market.home("member").display()
    );
    terminal.type_line(&format!("{at} init --join {}", market.join));
    terminal.wait_for("Enter for none", LIMIT);
    terminal.press("to be told\n");
    terminal.wait_for("The same again", LIMIT);
    terminal.press("to be tolt\n");
    terminal.wait_for("not the same", LIMIT);
    terminal.press("to be told\n");
    terminal.wait_for_times("The same again", 2, LIMIT);
    terminal.press("to be told\n");
    let answer = terminal.answer(LIMIT);
    assert_eq!(answer.status, Some(0), "{answer:?}");
    assert!(answer.text.contains("Joined test"), "{answer:?}");
    assert!(!answer.text.contains("unencrypted"), "{answer:?}");
    terminal.type_line(&format!("{at} wallet decrypt --yes"));
    terminal.wait_for("Passphrase of the account key", LIMIT);
    terminal.press("to be tolt\n");
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
    let (right, wrong) = (
        market.secret("right", "kept apart"),
        market.secret("wrong", "kept part"),
    );
    let file = market.home("wallet.backup");
    let backup = file.to_str().expect("temporary paths are UTF-8").to_owned();
    let old = market.home("old");
    program::run(&old, &["init", "--join", &market.join, "--spend-cap", "5"]).succeeded();
    let member = market.endowed(&old);
    let with = |file: &'static str, secret: &str| [file.to_owned(), secret.to_owned()];
    let [flag, secret] = with("--passphrase-file", &right);
    fails(
        &member.run(&["wallet", "backup", &backup]),
        1,
        &["no terminal", "--passphrase-file"],
    );
    fails(
        &member.run(&["wallet", "backup", &backup, "--plain"]),
        1,
        &["no terminal", "--yes"],
    );
    assert!(!file.exists(), "nothing was written");
    let made = member.json(&["wallet", "backup", &backup, &flag, &secret]);
    assert_eq!(made["encrypted"], true, "{made}");
    let mode = fs::metadata(&file)
        .expect("it was written")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600, "{mode:o}");
    fails(
        &member.run(&["wallet", "backup", &backup, &flag, &secret]),
        1,
        &["no backup overwrites a file"],
    );
    let account = member.account();
    let id = member.id();
    fails(
        &member.run(&["wallet", "restore", &backup, &flag, &secret]),
        1,
        &["another nightshift uses"],
    );
    drop(member);
    let restore = ["wallet", "restore", &backup, &flag];
    fails(
        &program::run(&old, &[&restore[..], &[&secret]].concat()),
        1,
        &["has an account already", "--home DIR"],
    );
    let new = market.home("new");
    fails(
        &program::run(&new, &["wallet", "restore", &backup]),
        1,
        &["the backup is encrypted", "no terminal"],
    );
    fails(
        &program::run(&new, &[&restore[..], &[&wrong]].concat()),
        1,
        &["wallet.backup", "passphrase is wrong"],
    );
    let damaged = market.secret(
        "damaged",
        &fs::read_to_string(&file).expect("it is text")[1..],
    );
    let again = ["wallet", "restore", &damaged, &flag, &secret];
    fails(
        &program::run(&new, &again),
        1,
        &["damaged", "not a whole backup"],
    );
    assert!(
        !new.join("keys/account.key").exists(),
        "nothing was restored"
    );
    let restored = program::run(&new, &[&restore[..], &[&secret, "--json"]].concat()).json();
    assert_eq!(restored["account"], account.as_str(), "{restored}");
    assert_eq!(
        (&restored["spend_cap"], &restored["encrypted"]),
        (&"5".into(), &true.into())
    );
    let node = start(&new);
    assert_eq!(node.account(), account);
    assert_ne!(node.id(), id, "two machines are two nodes");
    assert_eq!(node.json(&["wallet", "balance"])["available"], "10");
    let receiver = market.operator.account();
    node.run(&["wallet", "send", "--yes", &receiver, "1", &flag, &secret])
        .succeeded();
    assert_eq!(node.json(&["wallet", "balance"])["available"], "8.9999");
    let plain = market.home("plain").display().to_string();
    let made = node.json(&[
        "wallet", "backup", &plain, "--plain", "--yes", &flag, &secret,
    ]);
    assert_eq!(made["encrypted"], false, "{made}");
    let third = market.home("third");
    let told = program::run(&third, &["wallet", "restore", &plain]).succeeded();
    assert!(
        told.contains("lies unencrypted") && told.contains(&account),
        "{told}"
    );
}
