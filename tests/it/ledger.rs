//! Owns the tests of `nightshift ledger`: what an operator can show of its log, and what others can check of it.
//!
//! Never writes into a log but to damage it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::credits;
use crate::market::LISTEN;
use crate::node::{Node, free_address};
use crate::program::{self, Done};

/// An operator, and a member without a GPU to whom 10 credits were issued and who sent 1 on.
struct Ledger {
    operator: Node,
    member: Node,
    /// The transaction that issued, and the one that sent.
    issued: String,
    sent: String,
    /// Whom it was sent to.
    receiver: String,
    _folder: tempfile::TempDir,
}

impl Ledger {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = folder.path().join("operator");
        program::run(&home, &["operator", "init", "--name", "test"]).succeeded();
        let run = ["operator", "run", "--listen", LISTEN];
        let operator = Node::start(&home, &run, "The operator runs");
        let status = operator.json(&["operator", "status"]);
        let join = status["join"].as_str().expect("a join string").to_owned();
        let home = folder.path().join("member");
        program::run(&home, &["init", "--join", &join]).succeeded();
        let member = Node::start(&home, &["up", "--listen", LISTEN], "It buys and watches");
        let tx = |done: Value| done["tx"].as_str().expect("a transaction").to_owned();
        let issued = tx(operator.json(&["operator", "issue", &member.account(), "10"]));
        let receiver = operator.account();
        let send = [
            "wallet",
            "send",
            "--yes",
            &receiver,
            "1",
            "--memo",
            "=for, \"you\"",
        ];
        let sent = tx(member.json(&send));
        Self {
            operator,
            member,
            issued,
            sent,
            receiver,
            _folder: folder,
        }
    }

    fn home(&self) -> &Path {
        &self.operator.home
    }

    /// The newest segment of the log.
    fn segment(&self) -> PathBuf {
        let folder = self.home().join("ledger/blocks");
        let files = fs::read_dir(folder).expect("the operator keeps a log");
        let paths = files.map(|file| file.expect("it can be read").path());
        paths.max().expect("the log has a segment")
    }
}

#[test]
fn a_log_is_verified_while_its_operator_runs_and_every_movement_is_exported() {
    let ledger = Ledger::start();
    let verified = ledger.operator.json(&["ledger", "verify"]);
    assert_eq!(verified["conserved"], true, "{verified}");
    assert_eq!(verified["journal_agrees"], true, "{verified}");
    assert_eq!(verified["transactions"], 2, "{verified}");
    assert_eq!(credits::of(&verified["issued"]), credits::nano("10"));
    let text = ledger.operator.run(&["ledger", "verify"]).succeeded();
    assert!(text.contains("conserved     yes"), "{text}");

    let lines = ledger.operator.run(&["ledger", "export"]).succeeded();
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    // Issued through the treasury; sent, with its fee.
    let codes: Vec<&str> = rows.iter().filter_map(|row| row["code"].as_str()).collect();
    assert_eq!(
        codes,
        ["issue", "issue", "transfer", "transfer_fee"],
        "{lines}"
    );
    let sent = &rows[2];
    assert_eq!(
        (&sent["tx"], &sent["amount"]),
        (&ledger.sent.clone().into(), &"1".into())
    );
    assert_eq!(
        sent["credit"],
        format!("account:{}", ledger.receiver),
        "{sent}"
    );
    assert_eq!(
        (&sent["debit_balance"], &sent["credit_balance"]),
        (&"9".into(), &"1".into())
    );
    assert_eq!(rows[3]["debit_balance"], "8.9999", "{lines}");

    let csv = ledger
        .operator
        .run(&["ledger", "export", "--format", "csv"])
        .succeeded();
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let read: Vec<csv::StringRecord> = table.records().map(|row| row.expect("RFC 4180")).collect();
    assert_eq!(read.len(), rows.len(), "{csv}");
    assert_eq!(read[2].iter().next_back(), Some("'=for, \"you\""), "{csv}");
    let only = ["ledger", "export", "--account", &ledger.receiver];
    let own = ledger.operator.run(&only).succeeded();
    assert_eq!(own.lines().count(), 1, "{own}");
}

#[test]
fn what_the_ledger_has_is_shown_with_proofs_to_whoever_asks() {
    let ledger = Ledger::start();
    let member = &ledger.member;
    let shown = member.json(&["ledger", "show", &ledger.sent]);
    assert_eq!(shown["is"], "transaction", "{shown}");
    assert_eq!(shown["operation"]["transfer"]["amount"], "1", "{shown}");
    assert_eq!(shown["proof"]["hex"], Value::Null, "only where asked for");
    let height = shown["height"].to_string();
    let block = member.json(&["ledger", "show", &height]);
    assert_eq!(
        (&block["is"], &block["votes"]),
        (&"block".into(), &1.into()),
        "{block}"
    );
    let account = member.json(&["ledger", "show", &ledger.receiver, "--proof"]);
    assert_eq!(
        (&account["is"], &account["available"]),
        (&"account".into(), &"1".into())
    );
    let bytes = account["proof"]["bytes"].as_u64().expect("a proof");
    assert!(bytes <= 2_000, "{bytes} bytes prove an account");
    let hex = account["proof"]["hex"].as_str().expect("it was asked for");
    assert_eq!(hex.len() as u64, 2 * bytes);
    let text = member.run(&["ledger", "show", &ledger.issued]).succeeded();
    assert!(text.contains("issue 10 cr to"), "{text}");
    let audit = member.json(&["ledger", "audit", &member.account()]);
    assert_eq!(audit["problem"], Value::Null, "{audit}");
    assert_eq!(
        (&audit["movements"], &audit["proved"]),
        (&3.into(), &3.into()),
        "{audit}"
    );
}

fn fails(done: &Done, code: i32, parts: &[&str]) {
    assert_eq!(done.code, Some(code), "{done:?}");
    for part in parts {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

/// An account without money: 32 zero bytes.
const NOBODY: &str = "night1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqu26kpe";

#[test]
fn what_is_wrong_with_a_log_or_a_question_is_told() {
    let mut ledger = Ledger::start();
    let member = &ledger.member;
    let done = member.run(&["ledger", "verify"]);
    fails(&done, 1, &["holds no block log", "ledger show"]);
    for nobody in ["0".repeat(64), NOBODY.to_owned()] {
        let done = member.run(&["ledger", "show", &nobody]);
        fails(&done, 1, &["the ledger has nothing under"]);
    }
    let done = member.run(&["ledger", "show", "../etc/passwd"]);
    fails(
        &done,
        1,
        &["names nothing in a ledger", "64 hexadecimal digits"],
    );
    let done = member.run(&["ledger", "show", "999999999"]);
    fails(&done, 1, &["the ledger has nothing under 999999999"]);
    let done = member.run(&["ledger", "audit", "somebody"]);
    fails(&done, 2, &["begins with night1"]);
    let slip = member.account().replace("night1", "night1q");
    let done = member.run(&["ledger", "show", &slip]);
    fails(&done, 1, &["there is a mistake in this address"]);
    // An append that was cut off was never acknowledged; a changed bit was.
    ledger.operator.kill();
    let segment = ledger.segment();
    let whole = fs::read(&segment).expect("the log can be read");
    fs::write(&segment, &whole[..whole.len() - 3]).expect("the test owns it");
    let home = ledger.home();
    let torn = program::run(home, &["ledger", "verify"]);
    assert_eq!(torn.code, Some(0), "{torn:?}");
    assert!(
        torn.stdout.contains("an append that was cut off"),
        "{torn:?}"
    );
    // The newest block, damaged in its last byte, looks the same: nobody may be told that it was no block.
    let mut last = whole.clone();
    *last.last_mut().expect("the log holds blocks") ^= 1;
    fs::write(&segment, &last).expect("the test owns it");
    let damaged = program::run(home, &["ledger", "verify"]);
    assert!(
        damaged.stdout.contains("or a damaged newest block")
            && damaged.stdout.contains("Compare height"),
        "{damaged:?}"
    );
    let mut changed = whole;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&segment, &changed).expect("the test owns it");
    let done = program::run(home, &["ledger", "verify"]);
    fails(&done, 1, &["the block log is damaged", "restore"]);
    assert_eq!(
        fs::read(&segment).expect("it is there"),
        changed,
        "it is left as it was"
    );
}

/// Asks for an HTTP page of this machine and returns its whole answer.
fn page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("something listens");
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).expect("a limit can be set");
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn an_operator_serves_its_figures_to_this_machine_with_what_it_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("operator");
    program::run(
        &home,
        &["operator", "init", "--name", "test", "--issue-cap", "100"],
    )
    .succeeded();
    let address = free_address();
    let settings = format!("[operator]\nmetrics = \"{address}\"\n");
    fs::write(home.join("config.toml"), settings).expect("a setting can be written");
    let run = ["operator", "run", "--listen", LISTEN];
    let operator = Node::start(&home, &run, "The operator runs");
    let own = operator.account();
    operator.run(&["operator", "issue", &own, "40"]).succeeded();
    let refused = operator.run(&["operator", "issue", &own, "70"]);
    fails(&refused, 1, &["issued in this epoch"]);
    let figures = page(address, "/metrics");
    for line in [
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8",
        "nightshift_money_issued_nanocredits 40000000000",
        "nightshift_money_conserved 1",
        "nightshift_transactions_final_total 1",
        "nightshift_transactions_rejected_total{reason=\"epoch_cap\"} 1",
    ] {
        assert!(figures.lines().any(|it| it == line), "{line}:\n{figures}");
    }
    assert!(
        page(address, "/").starts_with("HTTP/1.1 404"),
        "only the figures"
    );
}
