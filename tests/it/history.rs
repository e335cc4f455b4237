//! Owns the tests of `nightshift wallet history` on a market where a job was bought and money was sent: who it names
//! on both sides, and that turning pages shows every entry once.
//!
//! Never reads the ledger but through the wallets.

use serde_json::{Value, json};

use crate::credits;
use crate::market::Market;
use crate::node::Node;
use crate::program;
use crate::purchase::{self, Purchase};

/// The part of what a channel pays that the market keeps: one in so many, rounded down.
const SHARE: i128 = 100;

/// A wallet's whole history, newest first, checked to add up from nothing to `balance`.
fn whole(node: &Node) -> Vec<Value> {
    let page = node.json(&["wallet", "history"]);
    assert_eq!(page["next"], Value::Null, "one page holds it: {page}");
    assert_eq!(page["account"], node.account());
    let entries = page["entries"].as_array().expect("a list").clone();
    let mut sum = 0;
    for entry in entries.iter().rev() {
        sum += credits::of(&entry["change"]);
        assert_eq!(credits::of(&entry["balance"]), sum, "{entry}");
    }
    let balance = node.json(&["wallet", "balance"]);
    assert_eq!(credits::of(&balance["available"]), sum);
    entries
}

/// Returns the one entry that is this.
fn one<'a>(entries: &'a [Value], what: &str) -> &'a Value {
    let found: Vec<&Value> = entries.iter().filter(|it| it["what"] == what).collect();
    match found.as_slice() {
        [entry] => entry,
        _ => panic!("not one {what}: {entries:#?}"),
    }
}

/// Trains a little, to its end, and returns the job as it ended.
fn buy(market: &Market) -> Value {
    let file = purchase::small_training(market, 50, "total = \"0.1\"");
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    let end = job.end();
    assert_eq!(end.last()["outcome"], "completed", "{:?}", end.done);
    end.last()
}

#[test]
fn both_sides_see_whom_they_dealt_with_and_pages_show_all_of_it_once() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let job = buy(&market);
    let provider = market.provider.account();
    let send = ["wallet", "send", &provider, "1.25", "--memo", "for coffee"];
    market
        .consumer
        .run(&[&send[..], &["--yes"]].concat())
        .succeeded();
    let bought = whole(&market.consumer);
    bought_names_its_provider(&bought, &job, &provider);
    let sold = whole(&market.provider);
    sold_names_its_consumer(&sold, &job, &market.consumer.account());
    for (node, all) in [(&market.consumer, &bought), (&market.provider, &sold)] {
        for limit in 1..=all.len() {
            assert_eq!(&node.history(limit), all, "pages of {limit}");
        }
    }
    typed_pages_end(&market.consumer, &bought);
    market.consumer.restart();
    let again = market.consumer.retry("the history after a restart", || {
        let done = market.consumer.run(&["wallet", "history", "--json"]);
        serde_json::from_str::<Value>(&done.stdout).map_err(|_| done.stderr)
    });
    assert_eq!(
        again["entries"],
        json!(bought),
        "a restart forgets no names"
    );
}

fn bought_names_its_provider(entries: &[Value], job: &Value, provider: &str) {
    for what in [
        "channel opened",
        "channel opening fee",
        "refund at the close",
    ] {
        let entry = one(entries, what);
        assert_eq!(entry["counterparty"], provider, "{entry}");
        for name in ["run", "agreement", "channel"] {
            assert!(
                job[name].is_string() && entry[name] == job[name],
                "{name}: {entry}, {job}"
            );
        }
    }
    let change = |what| credits::of(&one(entries, what)["change"]);
    assert_eq!(change("channel opened"), -credits::of(&job["deposit"]));
    assert_eq!(change("refund at the close"), credits::of(&job["refunded"]));
    let sent = one(entries, "transfer");
    assert_eq!(
        (&sent["counterparty"], &sent["change"], &sent["memo"]),
        (&json!(provider), &json!("-1.25"), &json!("for coffee"))
    );
    for what in ["issue", "transfer fee"] {
        let entry = one(entries, what);
        for name in ["counterparty", "channel", "agreement", "run"] {
            assert_eq!(entry[name], Value::Null, "{entry}");
        }
    }
    assert_eq!(entries.len(), 6, "{entries:#?}");
}

fn sold_names_its_consumer(entries: &[Value], job: &Value, consumer: &str) {
    let received = one(entries, "transfer");
    assert_eq!(received["memo"], "for coffee");
    for entry in entries {
        assert_eq!(entry["counterparty"], consumer, "{entry}");
        assert_eq!(entry["run"], Value::Null, "a run is its buyer's own word");
        let agreement = match entry["what"].as_str() {
            Some("first tick" | "claim" | "close") => &job["agreement"],
            Some("transfer") => &Value::Null,
            _ => panic!("{entry} is none of a seller's"),
        };
        assert_eq!(&entry["agreement"], agreement, "{entry}");
    }
    one(entries, "first tick");
    let payouts = entries.iter().filter(|entry| entry["code"] == "payout");
    let earned: i128 = payouts.map(|entry| credits::of(&entry["change"])).sum();
    let paid = credits::of(&job["paid"]);
    assert_eq!(earned, paid - paid / SHARE, "less the market's share");
}

/// Types what each page says of the next one, until one says nothing.
fn typed_pages_end(node: &Node, all: &[Value]) {
    let mut command = "nightshift wallet history --limit 2".to_owned();
    let mut seen: Vec<String> = Vec::new();
    let mut shown = String::new();
    for _ in 0..all.len() {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let text = node.run(&words).succeeded();
        let firsts = text
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let names = firsts.filter(|first| first.starts_with(|c: char| c.is_ascii_digit()));
        seen.extend(names.map(str::to_owned));
        shown.push_str(&text);
        match text.split_once("Next page: ") {
            Some((_, next)) => next.trim_end().clone_into(&mut command),
            None => break,
        }
    }
    let name = |entry: &Value| format!("{}:{}", entry["height"], entry["index"]);
    assert_eq!(seen, all.iter().map(name).collect::<Vec<_>>(), "{shown}");
    for entry in all {
        let parts = [&entry["counterparty"], &entry["run"], &entry["memo"]];
        for part in parts.into_iter().filter_map(Value::as_str) {
            assert!(shown.contains(part), "{part} is not shown: {shown}");
        }
    }
}
