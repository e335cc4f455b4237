//! Owns the test of a machine that stops to allow what the sandbox needs while its node sells.
//!
//! Never changes the machine: the node runs in a user namespace of its own, and that one's bound is lowered. The
//! machine's root, whose processes the kernel does not count, gives the node a control group that does, and removes it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::market::Market;
use crate::node::Node;
use crate::program;
use crate::purchase::{self, Purchase};

/// Starts the node in a user namespace of its own.
const OWN_USERS: &[&str] = &["unshare", "--user", "--map-user=1000", "--map-group=1000"];

/// Bounds how many user namespaces can be made below that of the process $1 to $2. Whoever enters a user namespace has
/// every right in it until the next exec, so that one program does both.
const BOUND: &str = r#"
    require "syscall.ph";
    open my $users, "<", "/proc/$ARGV[0]/ns/user" or die "users: $!";
    syscall(&SYS_setns, fileno $users, 0) == 0 or die "setns: $!";
    open my $bound, ">", "/proc/sys/user/max_user_namespaces" or die "bound: $!";
    print $bound $ARGV[1];
    close $bound or die "write: $!";
"#;

/// Enters the control group $0 and starts the rest of the command there.
const INSIDE: &str = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;

fn can_enter_users() -> bool {
    let mut own = program::clean(OWN_USERS[0]);
    own.args(&OWN_USERS[1..])
        .args(["perl", "-e", "require \"syscall.ph\""]);
    own.stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_the_machines_root() -> bool {
    let read = |file| fs::read_to_string(file).expect("proc is there");
    let map = read("/proc/self/uid_map");
    let status = read("/proc/self/status");
    map.split_whitespace().take(2).all(|number| number == "0") && status.contains("\nUid:\t0\t")
}

/// A control group of version 1 that counts the processes of a node's workers.
struct Counted(PathBuf);

impl Counted {
    /// Makes one where the machine has that version and its user may.
    fn make() -> Option<Self> {
        let name = format!("nightshift-test-{}", std::process::id());
        let folder = Path::new("/sys/fs/cgroup/pids").join(name);
        fs::create_dir(&folder).ok().map(|()| Self(folder))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // A worker that was ended with the node may still be dying in a group of its own.
        let patience = Instant::now() + Duration::from_secs(10);
        let mut removed = Err(ErrorKind::Other.into());
        while removed.is_err() && Instant::now() < patience {
            for below in fs::read_dir(&self.0).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(below.path());
            }
            removed = fs::remove_dir(&self.0);
            std::thread::yield_now();
        }
        if !std::thread::panicking() {
            removed.expect("a node that has stopped leaves no worker");
        }
    }
}

fn bound_namespaces(node: &Node, most: u32) {
    let mut bound = Command::new("perl");
    bound.args(["-e", BOUND, &node.pid().to_string(), &most.to_string()]);
    let done = bound.output().expect("perl is there");
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_node_that_can_confine_no_job_any_more_takes_its_offer_back_and_says_why() {
    if !program::has_adapter() {
        return;
    }
    if !can_enter_users() {
        println!("skipped: no user namespace of our own, or no perl with its syscall.ph");
        return;
    }
    let counted = Counted::make();
    if counted.is_none() && is_the_machines_root() {
        println!("skipped: nothing counts what the machine's root runs under another number");
        return;
    }
    let group = counted.as_ref().map(|group| group.0.to_string_lossy());
    let mut wrapper = Vec::new();
    if let Some(group) = &group {
        wrapper.extend(["sh", "-c", INSIDE, group]);
    }
    wrapper.extend(OWN_USERS);
    let mut market = Market::start();
    market.provider.stop();
    let up = ["up", "--provide", "--price", "0.25"];
    let seller = Node::spawn_behind(&wrapper, &market.provider.home, &up, "It sells");
    seller.wait_until_ready();
    market.wait_for_offers(&market.consumer, 1);
    bound_namespaces(&seller, 0);
    let job = purchase::small_training(&market, 2, "total = \"0.1\"");
    let output = market.folder.path().join("out");
    let bought = Purchase::start(&market.consumer, &job, &output);
    let why = seller.retry("a withdrawn offer", || {
        let provider = seller.json(&["status"])["provider"].take();
        match provider["why"].as_str() {
            Some(why) if why.contains("jobs cannot be confined") => Ok(why.to_owned()),
            _ => Err(provider.to_string()),
        }
    });
    for part in ["user namespace", "max_user_namespaces", "press p"] {
        assert!(why.contains(part), "{why}");
    }
    market.wait_for_offers(&market.consumer, 0);
    bound_namespaces(&seller, 1_000);
    seller.post("/v1/provider/resume", &json!({}));
    market.wait_for_offers(&market.consumer, 1);
    bought.interrupt();
    drop(bought);
}
