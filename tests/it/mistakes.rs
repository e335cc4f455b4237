//! Owns the tests of obvious mistakes: each is told clearly, with what, why and what next, and its exit code.
//!
//! Never compares whole messages: a message may get better, and must keep what a person needs from it.

mod job_files;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::market::{LISTEN, Market};
use crate::program::{self, Done};

/// What standard error must contain, and the exit code.
struct Told<'a> {
    code: i32,
    parts: &'a [&'a str],
}

/// Fails unless a command failed as it should: with its code, all parts in its message, no data on standard
/// output, nothing that looks like a crash, and no character that could not be printed.
fn refused(done: &Done, told: Told) {
    let Done {
        line,
        code,
        stdout,
        stderr,
    } = done;
    assert_eq!(*code, Some(told.code), "{line}:\n{stdout}\n{stderr}");
    assert!(
        stdout.is_empty(),
        "{line} printed on standard output:\n{stdout}"
    );
    said(done, told.parts);
}

fn said(done: &Done, parts: &[&str]) {
    let (line, stderr) = (&done.line, &done.stderr);
    for part in parts {
        assert!(
            stderr.contains(part),
            "{line} does not say {part:?}:\n{stderr}"
        );
    }
    for bad in ["panicked", "RUST_BACKTRACE", "\u{fffd}", "Some(", "Error {"] {
        assert!(!stderr.contains(bad), "{line} says {bad:?}:\n{stderr}");
    }
}

#[test]
fn mistakes_without_a_market_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("home");
    let run = |arguments: &[&str]| program::run(&home, arguments);
    let not_joined = Told {
        code: 1,
        parts: &["joined no market", "nightshift init --join"],
    };
    refused(&run(&["up"]), not_joined);
    let malformed = Told {
        code: 2,
        parts: &[
            "\"rubbish\"",
            "not a join string",
            "HASH@/ip4/",
            "operator run",
        ],
    };
    refused(&run(&["init", "--join", "rubbish"]), malformed);
    let nobody = format!("{}@/ip4/127.0.0.1/tcp/9/p2p/{PEER}", "ab".repeat(32));
    let unreachable = Told {
        code: 1,
        parts: &["/ip4/127.0.0.1/tcp/9", "Connection refused", "check"],
    };
    refused(&run(&["init", "--join", &nobody]), unreachable);
    assert!(
        !home.join("keys/account.key").exists(),
        "a failed init makes no account"
    );
    for arguments in [
        &["ps", "--json"][..],
        &["wallet", "balance"],
        &["market", "book"],
    ] {
        let not_running = Told {
            code: 3,
            parts: &["no node runs", "nightshift up"],
        };
        refused(&run(arguments), not_running);
    }
    let unknown = Told {
        code: 2,
        parts: &["walet", "wallet"],
    };
    refused(&run(&["walet"]), unknown);
}

#[test]
fn pages_that_no_history_has_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let history = |option: &str, value: &str| {
        let arguments = ["wallet", "history", option, value];
        program::run(&folder.path().join("home"), &arguments)
    };
    for limit in ["0", "257", "-1", "many"] {
        let no_page = Told {
            code: 2,
            parts: &["--limit", limit, "1 to 256", "next page"],
        };
        refused(&history("--limit", limit), no_page);
    }
    for before in ["7", "7:", "-7:1", "7:1:1", "yesterday"] {
        let no_entry = Told {
            code: 2,
            parts: &["--before", before, "HEIGHT:INDEX", "first column"],
        };
        refused(&history("--before", before), no_entry);
    }
}

/// Some peer.
const PEER: &str = "12D3KooWQiNrwPxJycti8Eo34JNT86dw6tKCsXQJ1EZRqXf4xFjB";

#[test]
fn mistakes_on_a_market_are_told() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    joining(&market);
    job_files::all(&market);
    budgets(&market);
    homes(&market);
    money(&market);
    nobody_sells(&market);
    without_the_operator(market);
}

/// The hash and the address must belong together.
fn joining(market: &Market) {
    let (_, address) = market.join.split_once('@').expect("a join string has an @");
    let other = format!("{}@{address}", "ab".repeat(32));
    let home = market.folder.path().join("stranger");
    let other_market = Told {
        code: 1,
        parts: &[address, "abababab", "another market", "operator run"],
    };
    refused(
        &program::run(&home, &["init", "--join", &other]),
        other_market,
    );
    assert!(
        !home.join("keys/account.key").exists(),
        "a failed init makes no account"
    );
    let again = market.consumer.run(&["init", "--join", &other]);
    let locked = Told {
        code: 1,
        parts: &["another nightshift uses"],
    };
    refused(&again, locked);
}

fn budgets(market: &Market) {
    let run = |file: &str| market.consumer.run(&["run", file, "--yes"]);
    let rich = market.train_job("rich.toml", "steps = 1", "total = \"11\"");
    let done = run(&rich);
    assert_eq!(done.code, Some(1), "{done:?}");
    said(
        &done,
        &["11.0001 cr", "10 cr", "budget.total", "ask the operator"],
    );
    let cheap = market.train_job("cheap.toml", "steps = 1", "max_price = \"0.01\"");
    for arguments in [&["run", &cheap, "--yes"][..], &["run", &cheap]] {
        let done = market.consumer.run(arguments);
        assert_eq!(done.code, Some(4), "{done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        said(&done, &["no offer fits", "1 above your price", "or wait"]);
    }
    let quote = market.consumer.run(&["quote", &cheap]);
    assert_eq!(quote.code, Some(4), "{quote:?}");
    assert!(quote.stdout.contains("1  above your price"), "{quote:?}");
    said(&quote, &["no offer fits", "1 above your price"]);
    let strict = "total = \"0.1\"\n\n[needs]\nsandbox = 2";
    let strict = market.train_job("strict.toml", "steps = 1", strict);
    let quote = market.consumer.run(&["quote", &strict, "--explain"]);
    assert_eq!(quote.code, Some(4), "{quote:?}");
    assert!(quote.stdout.contains("1  too weak a sandbox"), "{quote:?}");
    let short = market.train_job("short.toml", "steps = 1", "total = \"0.000000001\"");
    let quote = market.consumer.run(&["quote", &short, "--json"]);
    assert_eq!(quote.code, Some(4), "{quote:?}");
    let view: serde_json::Value = serde_json::from_str(&quote.stdout).expect("a quote in JSON");
    assert_eq!(
        view["rejections"],
        serde_json::json!([["above your budget", 1]])
    );
    let fair = market.train_job("fair.toml", "steps = 1", "total = \"0.1\"");
    let nobody_to_ask = market.consumer.run(&["run", &fair]);
    assert_eq!(nobody_to_ask.code, Some(1), "{nobody_to_ask:?}");
    said(&nobody_to_ask, &["no terminal to ask on", "--yes"]);
    assert_eq!(
        market.consumer.json(&["ps"]),
        serde_json::json!([]),
        "nothing was bought"
    );
}

fn homes(market: &Market) {
    let locked = Told {
        code: 1,
        parts: &["another nightshift uses", "stop it first"],
    };
    refused(&market.consumer.run(&["up", "--listen", LISTEN]), locked);
    let copy = market.folder.path().join("copy");
    copy_membership(&market.consumer.home, &copy);
    let key = copy.join("keys/node.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("permissions can be set");
    let open_key = Told {
        code: 1,
        parts: &["keys/node.key", "can be read by others", "644", "chmod 600"],
    };
    refused(&program::run(&copy, &["up", "--listen", LISTEN]), open_key);
    let settings = "[network]\nlisten = []\ncolour = \"blue\"\n";
    fs::write(copy.join("config.toml"), settings).expect("a setting can be written");
    let unknown_setting = Told {
        code: 1,
        parts: &["config.toml", "colour", "line 3"],
    };
    refused(&program::run(&copy, &["up"]), unknown_setting);
}

/// Copies what makes a home a member of its market.
fn copy_membership(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("keys")).expect("a temporary folder can be made");
    for name in [
        "genesis.json",
        "bootstrap.txt",
        "keys/node.key",
        "keys/delegation.bin",
    ] {
        fs::copy(from.join(name), to.join(name)).expect("a member's home has this file");
    }
}

/// Lists what can be typed instead of an address, and what is said of it.
fn mistyped(address: &str) -> [(String, &'static str); 5] {
    let (kept, last) = address.split_at(address.len() - 1);
    let other = if last == "q" { "p" } else { "q" };
    let (start, rest) = address.split_at(20);
    [
        ("xyz".to_owned(), "begins with night1"),
        ("ab".repeat(32), "earlier versions wrote an account"),
        (format!("{kept}{other}"), "its checksum does not fit"),
        (kept.to_owned(), "it has 63 characters"),
        (
            format!("{start}{}", rest.to_uppercase()),
            "mixes upper and lower case",
        ),
    ]
}

fn money(market: &Market) {
    let send = |to: &str, amount: &str| {
        let arguments = ["wallet", "send", "--yes", to, amount, "--json"];
        market.consumer.run(&arguments)
    };
    let address = market.provider.account();
    for (wrong, why) in mistyped(&address) {
        let malformed = Told {
            code: 2,
            parts: &[&wrong, why],
        };
        refused(&send(&wrong, "1"), malformed);
    }
    let amounts = [
        ("1.0000000001", "more than 9 decimals"),
        ("many", "write for example 12 or 0.25"),
        ("-1", "write for example 12 or 0.25"),
    ];
    for (amount, why) in amounts {
        let no_amount = Told {
            code: 2,
            parts: &[amount, why],
        };
        let arguments = ["wallet", "send", "--yes", "--json", &address, amount];
        refused(&market.consumer.run(&arguments), no_amount);
    }
    let nothing = Told {
        code: 1,
        parts: &["nothing to send"],
    };
    refused(&send(&address, "0"), nothing);
    let too_much = Told {
        code: 1,
        parts: &["has 10 cr", "needs 10.0001 cr"],
    };
    refused(&send(&address, "10"), too_much);
    let nobody_to_ask = Told {
        code: 1,
        parts: &["no terminal to ask on", "--yes"],
    };
    refused(
        &market.consumer.run(&["wallet", "send", &address, "1"]),
        nobody_to_ask,
    );
    let no_operator = Told {
        code: 1,
        parts: &["operator"],
    };
    refused(
        &market.consumer.run(&["operator", "issue", &address, "1"]),
        no_operator,
    );
    let balance = market.consumer.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "10", "nothing was sent");
}

/// With an empty book there is nothing to buy, which is no failure of anyone.
fn nobody_sells(market: &Market) {
    let paused = serde_json::json!(null);
    market.provider.post("/v1/provider/pause", &paused);
    market.wait_for_offers(&market.consumer, 0);
    let fair = market.train_job("fair.toml", "steps = 1", "total = \"0.1\"");
    let done = market.consumer.run(&["run", &fair, "--yes"]);
    assert_eq!(done.code, Some(4), "{done:?}");
    assert!(done.stdout.is_empty(), "{done:?}");
    said(&done, &["no offer", "wait"]);
    let quote = market.consumer.run(&["quote", &fair]);
    assert_eq!(quote.code, Some(4), "{quote:?}");
}

/// Nodes that run, and one that starts, say that the operator is gone.
fn without_the_operator(mut market: Market) {
    let fair = market.train_job("fair.toml", "steps = 1", "total = \"0.1\"");
    let copy = market.folder.path().join("late");
    copy_membership(&market.consumer.home, &copy);
    market.operator.stop();
    let done = market.consumer.run(&["run", &fair, "--yes"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    said(
        &done,
        &["operator", "cannot be reached", "check the connection"],
    );
    // What was proved last is shown, and how old it is.
    let balance = market.consumer.json(&["wallet", "balance"]);
    assert_eq!(balance["available"], "10", "{balance}");
    assert!(balance["stale_s"].as_u64().is_some(), "{balance}");
    let words = market.consumer.run(&["wallet", "balance"]).succeeded();
    assert!(words.contains("ago"), "{words}");
    let late = program::run(&copy, &["run", &fair, "--yes"]);
    assert_eq!(late.code, Some(1), "{late:?}");
    said(&late, &["operator", "check the connection"]);
}
