//! Owns the tests of disks that fill up under a running node: what was acknowledged is kept, the reason is told,
//! and work goes on by itself when there is room again.
//!
//! Never fills a disk of the machine: the full one is a small file system in memory that only the node sees.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use crate::market::{LISTEN, Market, Plan};
use crate::processes::{self, Process};
use crate::program::{self, Done, Running};
use crate::purchase;
use crate::transcript::retry;

/// How long starting and recovering may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A node whose disk is small in one folder of its home.
struct Cramped {
    home: PathBuf,
    /// The small folder, as this process reaches it.
    seen: PathBuf,
    running: Running,
}

impl Cramped {
    /// Founds a market and starts its operator with `size` (for example `24m`) below `folder` of its home;
    /// `None` where this system lets nobody mount.
    fn operator(home: &Path, small: (&str, &str), reserve_mib: u32) -> Option<Self> {
        program::run(home, &["operator", "init"]).succeeded();
        let settings =
            format!("[operator]\nblock_interval_ms = 500\n[disk]\nreserve_mib = {reserve_mib}\n");
        fs::write(home.join("config.toml"), settings).expect("a setting can be written");
        let arguments = ["operator", "run", "--listen", LISTEN];
        Self::start(home, small, (&arguments, "The operator runs"))
    }

    /// Starts a consumer that keeps nothing in reserve and has 5 credits; `None` where nobody may mount.
    fn consumer(market: &Market, small: (&str, &str)) -> Option<Self> {
        let home = market.folder.path().join("cramped");
        program::run(&home, &["init", "--join", &market.join]).succeeded();
        fs::write(home.join("config.toml"), "[disk]\nreserve_mib = 0\n")
            .expect("a setting can be written");
        let up = ["up", "--listen", LISTEN];
        let cramped = Self::start(&home, small, (&up, "It buys and watches"))?;
        let account = cramped.run(&["wallet", "address"]).succeeded();
        let issue = ["operator", "issue", account.trim(), "5"];
        market.operator.run(&issue).succeeded();
        Some(cramped)
    }

    /// Starts a provider whose whole home is small and that keeps 32 MiB in reserve; `None` where nobody may
    /// mount.
    fn provider(market: &Market, size: &str) -> Option<Self> {
        if !geteuid().is_root() {
            eprintln!("skipped: in a user namespace of the test no worker can be confined");
            return None;
        }
        let home = market.folder.path().join("cramped");
        program::run(&home, &["init", "--join", &market.join]).succeeded();
        let settings = "[sell]\ntick_ms = 1000\n[disk]\nreserve_mib = 32\n";
        fs::write(home.join("config.toml"), settings).expect("a setting can be written");
        let up = ["up", "--provide", "--price", "0.25", "--listen", LISTEN];
        let mut cramped = Self::start(&home, ("", size), (&up, "It sells"))?;
        // Its socket lies on the small file system as well.
        cramped.home.clone_from(&cramped.seen);
        Some(cramped)
    }

    /// Waits until an offer fits a job.
    fn wait_for_offer(&self, job: &str) {
        let stderr = &self.running.stderr;
        retry((LIMIT, "the offer in the book"), stderr, || {
            let quote = self.run(&["quote", job]);
            match quote.code {
                Some(0) => Ok(()),
                _ => Err(quote.stderr),
            }
        });
    }

    /// Lists the files of the small folder, with their folders, but for what fills it.
    fn files(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.seen.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the folder can be listed") {
                let path = entry.expect("the folder can be listed").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        files.retain(|file| *file != self.filler());
        files
    }

    /// Starts the program with a small file system that it alone sees, in the place of a folder and with what
    /// lay there.
    fn start(
        home: &Path,
        (folder, size): (&str, &str),
        (arguments, ready): (&[&str], &str),
    ) -> Option<Self> {
        let small = home.join(folder);
        fs::create_dir_all(&small).expect("a folder can be made");
        let script = "kept=$(mktemp -d) && cp -a \"$1/.\" \"$kept\" \\
            && mount -t tmpfs -o size=$0,mode=700 tmpfs \"$1\" \\
            && cp -a \"$kept/.\" \"$1\" && rm -r \"$kept\" || exit 77; shift; exec \"$@\"";
        let mut command = program::clean("unshare");
        // Without the rights of root only a user namespace lets one mount.
        let namespaces = match geteuid().is_root() {
            true => "-m",
            false => "-Urm",
        };
        command
            .args([namespaces, "sh", "-c", script, size])
            .arg(&small);
        command.arg(program::path()).arg("--home").arg(home);
        command.args(arguments);
        let running = program::start(command);
        let pid = running.child.id();
        let inside = small
            .strip_prefix("/")
            .expect("temporary paths are absolute");
        let cramped = Self {
            home: home.to_owned(),
            seen: PathBuf::from(format!("/proc/{pid}/root")).join(inside),
            running,
        };
        let stderr = &cramped.running.stderr;
        let what = "the node, or that it cannot mount";
        let is_up = stderr.wait(0, (LIMIT, what), |text| {
            let is_refused = ["mount:", "unshare:"]
                .iter()
                .any(|word| text.contains(word));
            match text.contains(ready) {
                true => Some(true),
                false => is_refused.then_some(false),
            }
        });
        if !is_up {
            eprintln!("skipped: this system lets nobody mount: {}", stderr.text());
        }
        is_up.then_some(cramped)
    }

    fn run(&self, arguments: &[&str]) -> Done {
        program::run(&self.home, arguments)
    }

    /// Issues money to the operator's own account.
    fn issue(&self, amount: &str) -> Done {
        let account = self.run(&["wallet", "address"]).succeeded();
        self.run(&["operator", "issue", account.trim(), amount])
    }

    /// Takes all room but `left` bytes.
    fn fill(&self, left: u64) {
        let mut filler = File::create(self.filler()).expect("a file can be made");
        let page = [0x5a; 4096];
        while filler.write_all(&page).is_ok() {}
        let length = filler.metadata().expect("the file is there").len();
        filler
            .set_len(length.saturating_sub(left))
            .expect("a file can be cut");
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("the filler can be removed");
    }

    fn filler(&self) -> PathBuf {
        self.seen.join("filler")
    }

    /// Issues `amount` again and again until there is room.
    fn issue_when_there_is_room(&self, amount: &str) {
        retry((LIMIT, "room for a block"), &self.running.stderr, || {
            let done = self.issue(amount);
            match done.code {
                Some(0) => Ok(()),
                _ => Err(done.stderr),
            }
        });
    }

    fn balance(&self) -> String {
        let balance = self.run(&["wallet", "balance", "--json"]).json();
        balance["available"].as_str().expect("an amount").to_owned()
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let child = &mut self.running.child;
        processes::signal(child.id(), Signal::KILL);
        let _reaped = child.wait();
        if let Some(process) = Process::of(child.id()) {
            process.is_gone_within(LIMIT);
        }
    }
}

/// Copies what an operator cannot lose out of a file system that dies with it, and starts from the copy.
fn balance_of_a_copy(cramped: &Cramped, blocks: &Path) -> String {
    let copy = cramped.home.with_file_name("copy");
    for folder in ["keys", "ledger/blocks"] {
        fs::create_dir_all(copy.join(folder)).expect("a folder can be made");
    }
    let file = |from: &Path, to: PathBuf| {
        fs::copy(from, to).expect("a file can be copied");
    };
    for name in [
        "genesis.json",
        "config.toml",
        "keys/node.key",
        "keys/delegation.bin",
    ] {
        file(&cramped.home.join(name), copy.join(name));
    }
    for entry in fs::read_dir(blocks).expect("the log can be listed") {
        let path = entry.expect("the log can be listed").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "blocks")
        {
            let name = path.file_name().expect("a segment has a name");
            file(&path, copy.join("ledger/blocks").join(name));
        }
    }
    let report = program::run(&copy, &["doctor", "--json"]).stdout;
    assert!(report.contains("blocks, all whole"), "{report}");
    let run = ["operator", "run", "--listen", LISTEN];
    let again = crate::node::Node::start(&copy, &run, "The operator runs");
    let balance = again.json(&["wallet", "balance"]);
    balance["available"].as_str().expect("an amount").to_owned()
}

/// Fills the folder, sees that issuing is refused in words while reading goes on, and makes room again.
fn fills_up_and_goes_on(cramped: &Cramped, left: u64) {
    cramped.issue("5").succeeded();
    cramped.fill(left);
    let refused = retry((LIMIT, "a refusal"), &cramped.running.stderr, || {
        let done = cramped.issue("0.000000001");
        match done.code {
            Some(0) => Err("it found room".to_owned()),
            _ => Ok(done),
        }
    });
    assert!(refused.stderr.contains("disk is full"), "{refused:?}");
    let before = cramped.balance();
    assert!(
        before.starts_with('5'),
        "what is final is still served: {before}"
    );
    assert_eq!(
        cramped.balance(),
        before,
        "nothing that was refused is final"
    );
    cramped.make_room();
    cramped.issue_when_there_is_room("2");
}

#[test]
fn an_operator_without_room_for_a_block_says_so_and_goes_on_when_there_is_some() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("operator");
    let Some(cramped) = Cramped::operator(&home, ("ledger", "48m"), 16) else {
        return;
    };
    fills_up_and_goes_on(&cramped, 4 << 20);
    let balance = cramped.balance();
    assert_eq!(
        balance_of_a_copy(&cramped, &cramped.seen.join("blocks")),
        balance
    );
}

#[test]
fn a_block_that_is_cut_short_by_a_full_disk_is_taken_back_and_never_served() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("operator");
    let Some(cramped) = Cramped::operator(&home, ("ledger/blocks", "128k"), 0) else {
        return;
    };
    // A page is left, so that some blocks fit and then one fits in part.
    fills_up_and_goes_on(&cramped, 4096);
    let balance = cramped.balance();
    assert_eq!(balance_of_a_copy(&cramped, &cramped.seen), balance);
}

#[test]
fn a_consumer_whose_store_has_no_room_buys_nothing_and_buys_when_there_is_some() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let Some(cramped) = Cramped::consumer(&market, ("store", "8m")) else {
        return;
    };
    let job = market.train_job("cramped.toml", "steps = 1", "total = \"0.1\"");
    cramped.wait_for_offer(&job);
    cramped.fill(1 << 20);
    let output = market.folder.path().join("cramped-out");
    let run = ["run", &job, "--yes", "-o", output.to_str().unwrap()];
    let refused = cramped.run(&run);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("nothing was written"),
        "{refused:?}"
    );
    assert_eq!(cramped.balance(), "5", "what is not kept is not promised");
    cramped.make_room();
    cramped.run(&run).succeeded();
}

#[test]
fn a_consumer_without_room_for_outputs_says_so_leaves_no_half_and_takes_them_when_there_is_some() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let Some(cramped) = Cramped::consumer(&market, ("out", "16m")) else {
        return;
    };
    let job = purchase::small_training(&market, 60, "total = \"0.1\"");
    cramped.wait_for_offer(&job);
    cramped.fill(4096);
    let out = cramped.home.join("out");
    let run = ["run", &job, "--yes", "--json", "-o"];
    let run = [
        &run[..],
        &[out.to_str().expect("temporary paths are UTF-8")],
    ]
    .concat();
    let bought = program::start(program::command(&cramped.home, &run));
    let what = "a note that outputs wait";
    bought.stdout.wait(0, (LIMIT, what), |text| {
        text.contains("outputs wait").then_some(())
    });
    // What is small may have had room.
    let is_whole = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name == Some("config.json")
            && fs::read_to_string(file).is_ok_and(|text| text.ends_with('}'))
    };
    // Each try begins a file and takes it away again, and may be at it just now.
    market
        .operator
        .retry("a folder without half an output", || {
            let files = cramped.files();
            let is_clean = files.iter().all(is_whole);
            is_clean.then_some(()).ok_or(format!("{files:?}"))
        });
    cramped.make_room();
    let done = bought.finish((LIMIT, "the job"));
    assert_eq!(done.code, Some(0), "{done:?}");
    let files = cramped.files();
    for name in ["step-000025/model.safetensors", "model.safetensors"] {
        let path = cramped.seen.join(name);
        assert!(files.contains(&path), "{name} is not among {files:?}");
    }
    let is_partial = |file: &PathBuf| file.extension().is_some_and(|end| end == "part");
    assert!(!files.iter().any(is_partial), "{files:?}");
}

#[test]
fn a_provider_without_room_offers_nothing_and_offers_again_when_there_is_some() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        prices: &["0.9"],
        ..Plan::default()
    };
    let market = Market::found(&plan);
    let Some(cramped) = Cramped::provider(&market, "128m") else {
        return;
    };
    market.wait_for_offers(&market.consumer, 2);
    cramped.fill(16 << 20);
    let why = retry(
        (LIMIT, "a withdrawn offer"),
        &cramped.running.stderr,
        || {
            let status = cramped.run(&["status", "--json"]).json();
            match status["provider"]["state"] == "offline" {
                true => Ok(status["provider"]["why"].to_string()),
                false => Err(status["provider"].to_string()),
            }
        },
    );
    assert!(why.contains("below the reserve of 32 MiB"), "{why}");
    market.wait_for_offers(&market.consumer, 1);
    cramped.make_room();
    market.wait_for_offers(&market.consumer, 2);
    let job = purchase::small_training(&market, 2, "total = \"0.1\"");
    let output = market.folder.path().join("cramped-out");
    let output = output.to_str().expect("temporary paths are UTF-8");
    let bought = market.consumer.run(&["run", &job, "--yes", "-o", output]);
    bought.succeeded();
}
