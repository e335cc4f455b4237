//! Owns the test of `nightshift demo`: what it prints, that money adds up, and that nothing is left of it.
//!
//! Never looks inside: it sees what a person or a script sees.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::credits;
use crate::market::handbook_chapter;
use crate::processes::{self, Process};
use crate::program::{self, Done};

/// How long the demo may take; the person was promised three minutes.
const LIMIT: Duration = Duration::from_secs(180);

/// How often the demo's processes are listed while it runs.
const LOOK: Duration = Duration::from_millis(200);

/// What the demo's providers ask, in credits an hour.
const PRICES: [&str; 2] = ["0.45", "0.2"];

/// What was seen while the demo ran.
struct Seen {
    done: Done,
    processes: BTreeSet<Process>,
    /// The nodes of the providers, in the order of [`PRICES`].
    sellers: [Option<String>; 2],
}

#[test]
fn the_demo_buys_runs_and_pays_and_leaves_nothing_behind() {
    if !program::has_adapter() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path().join("text.txt");
    fs::write(&data, handbook_chapter()).expect("a temporary file can be written");
    let seen = watch_demo(folder.path(), &data);
    let report = seen.done.json();
    check_shape(&report);
    check_training(&report["train"]);
    check_money(&report);
    check_sandbox(&report["sandbox"]);
    check_choice(&report, &seen.sellers);
    assert!(
        seen.processes.len() >= 4,
        "the demo started four nodes: {:?}",
        seen.processes
    );
    processes::assert_gone(&seen.processes, "the demo");
    processes::assert_gone(&processes::that_name(folder.path()), "the demo");
    let left: Vec<PathBuf> = entries(folder.path());
    assert_eq!(left, [data], "the demo left files behind");
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

/// Runs the demo with `folder` for its temporary files, and looks at it meanwhile.
fn watch_demo(folder: &Path, data: &Path) -> Seen {
    let home = folder.join("unused");
    let data = data.to_str().expect("temporary paths are UTF-8");
    let arguments = ["demo", "--json", "--steps", "60", "--data", data];
    let mut command = program::command(&home, &arguments);
    command.env("TMPDIR", folder);
    let running = program::start(command);
    let pid = running.child.id();
    let made = folder.join(format!("nightshift-demo-{pid}"));
    let deadline = Instant::now() + LIMIT;
    let (mut processes, mut sellers) = (BTreeSet::new(), [None, None]);
    while Instant::now() < deadline && !running.stderr.ends_within(LOOK) {
        processes.extend(processes::descendants(pid));
        for (number, seller) in (1..).zip(&mut sellers) {
            let home = made.join(format!("provider-{number}"));
            if seller.is_none() && home.join("keys/delegation.bin").exists() {
                let address = program::run(&home, &["wallet", "address", "--json"]);
                *seller = address.json()["node"].as_str().map(str::to_owned);
            }
        }
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let done = running.finish((left, "nightshift demo"));
    Seen {
        done,
        processes,
        sellers,
    }
}

fn check_shape(report: &Value) {
    let keys = |value: &Value| -> Vec<String> {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("{value} is no object"));
        let mut keys: Vec<String> = object.keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let expected = [
        "infer",
        "left",
        "order_to_running_ms",
        "paid",
        "price_per_hour",
        "probe",
        "provider_chosen",
        "refunded",
        "sandbox",
        "supply_conserved",
        "train",
    ];
    assert_eq!(keys(report), expected);
    let probes = report["probe"].as_array().expect("a list of measurements");
    assert!(probes.len() >= 2, "each provider was measured: {report}");
    for probe in probes {
        assert_eq!(keys(probe), ["adapter", "class", "gemm_tflops"]);
        assert!(
            probe["adapter"]
                .as_str()
                .is_some_and(|name| !name.is_empty())
        );
        assert!(
            probe["class"]
                .as_str()
                .is_some_and(|class| class.contains("T-"))
        );
        assert!(probe["gemm_tflops"].as_f64().is_some_and(|rate| rate > 0.0));
    }
    let limit = u64::try_from(LIMIT.as_millis()).expect("a limit is short");
    let order = report["order_to_running_ms"].as_u64();
    assert!(order.is_some_and(|ms| ms > 0 && ms < limit), "{order:?}");
    let infer = &report["infer"];
    assert_eq!(keys(infer), ["text", "tokens"]);
    assert!(infer["tokens"].as_u64().is_some_and(|tokens| tokens > 0));
    assert!(infer["text"].as_str().is_some_and(|text| !text.is_empty()));
}

fn check_training(train: &Value) {
    let figure = |name: &str| {
        let value = train[name].as_f64();
        value.unwrap_or_else(|| panic!("{name} is missing in {train}"))
    };
    assert!(
        train["parameters"]
            .as_u64()
            .is_some_and(|count| count >= 1_000_000),
        "{train}"
    );
    assert_eq!(train["steps"], 60);
    assert!(figure("loss_last") < figure("loss_first"), "{train}");
    assert!(
        figure("loss_held_out") < figure("unigram_entropy"),
        "{train}"
    );
    // The entropy of bytes: above what any English text has, below what 256 symbols can have.
    assert!((2.0..5.6).contains(&figure("unigram_entropy")), "{train}");
    assert!(
        figure("loss_last") > 0.0 && figure("seconds") > 0.0,
        "{train}"
    );
}

/// The cheaper offer is taken. Offers are ranked by price times predicted time, so a provider that was measured
/// while the machine was busy with something else may lose although it asks less.
fn check_choice(report: &Value, sellers: &[Option<String>; 2]) {
    let chosen = report["provider_chosen"].as_str().map(str::to_owned);
    assert!(chosen.is_some(), "{report}");
    let price = match sellers.iter().position(|seller| *seller == chosen) {
        Some(number) => PRICES[number],
        None => panic!("{chosen:?} is none of {sellers:?}"),
    };
    assert_eq!(report["price_per_hour"], price);
    if report["probe"].as_array().map(Vec::len) != Some(PRICES.len()) {
        return; // Several adapters a provider: which of them was taken is not told.
    }
    let rate = |number: usize| report["probe"][number]["gemm_tflops"].as_f64();
    let Some((first, second)) = rate(0).zip(rate(1)) else {
        panic!("no measurements in {report}");
    };
    // The dearer one costs less where it was measured as faster by more than its price is higher.
    let is_close = (first / second - 2.25).abs() < 0.1;
    let cheaper = PRICES[usize::from(first < second * 2.25)];
    assert!(is_close || price == cheaper, "{price} was paid: {report}");
}

fn check_money(report: &Value) {
    // Both job files of the demo lock 0.2, opening a channel costs 0.0001, and 10 credits were issued.
    let (paid, refunded) = (
        credits::of(&report["paid"]),
        credits::of(&report["refunded"]),
    );
    assert_eq!(paid + refunded, 2 * credits::nano("0.2"));
    assert!(paid > 0 && refunded > 0, "{report}");
    let fees = 2 * credits::nano("0.0001");
    assert_eq!(
        credits::of(&report["left"]),
        credits::nano("10") - paid - fees
    );
    assert_eq!(report["supply_conserved"], true);
}

fn check_sandbox(sandbox: &Value) {
    let layers = sandbox["layers"].as_array().expect("a list of layers");
    for wanted in ["seccomp", "landlock", "network namespace"] {
        let names = |layer: &Value| {
            let name = layer.as_str().unwrap_or_default().to_lowercase();
            name.starts_with(wanted)
        };
        assert!(layers.iter().any(names), "{wanted} is not among {sandbox}");
    }
}
