//! Owns keeping the system awake while a lease is sold: logind is asked through `systemd-inhibit`.
//!
//! Never fails a lease: where the system cannot be kept awake, the view says so. Never outlives the node: the
//! inhibitor ends when its input does.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

/// The program that holds the inhibitor lock for as long as another one runs.
pub(crate) const INHIBIT: &str = "systemd-inhibit";

/// How long the inhibitor may take to end once its input is closed.
const RELEASE: Duration = Duration::from_secs(2);

/// The most bytes of an inhibitor's complaint that are shown.
const MAX_SAID: u64 = 400;

/// Keeps the system awake whenever `occupied` says so, and shows in `problem` why it cannot. Returns when
/// nobody can be occupied any more.
pub(crate) async fn keep(
    inhibit: &OsStr,
    mut occupied: watch::Receiver<bool>,
    problem: watch::Sender<Option<String>>,
) {
    while occupied.wait_for(|occupied| *occupied).await.is_ok() {
        let (mut inhibitor, input) = match hold(inhibit) {
            Ok(held) => held,
            Err(error) => {
                let name = inhibit.display();
                problem.send_replace(Some(cannot(&format!("{name} cannot be run: {error}"))));
                if occupied.wait_for(|occupied| !*occupied).await.is_err() {
                    return;
                }
                // Without a lease nothing is in the way of anything.
                problem.send_replace(None);
                continue;
            }
        };
        problem.send_replace(None);
        let ended = tokio::select! {
            ended = inhibitor.wait() => Some(ended),
            _ = occupied.wait_for(|occupied| !*occupied) => None,
        };
        if let Some(ended) = ended {
            let said = last_words(&mut inhibitor, ended).await;
            tracing::info!(said, "the system may go to sleep");
            problem.send_replace(Some(cannot(&said)));
        }
        let is_free = occupied.wait_for(|occupied| !*occupied).await.is_ok();
        release(inhibitor, input).await;
        problem.send_replace(None);
        if !is_free {
            return;
        }
    }
}

/// Starts the inhibitor, and returns it apart from its input: waiting for a child closes the input that it still has.
/// What the inhibitor runs ends with its input, which closes with this process at the latest.
fn hold(inhibit: &OsStr) -> std::io::Result<(Child, Option<ChildStdin>)> {
    let mut command = Command::new(inhibit);
    command
        .args(["--what=sleep", "--mode=block", "--who=nightshift"])
        .args(["--why=a lease runs on this machine", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own: Ctrl-C reaches the node alone, which still settles the lease.
        .process_group(0)
        .kill_on_drop(true);
    let mut inhibitor = command.spawn()?;
    let input = inhibitor.stdin.take();
    Ok((inhibitor, input))
}

async fn release(mut inhibitor: Child, input: Option<ChildStdin>) {
    drop(input);
    if tokio::time::timeout(RELEASE, inhibitor.wait())
        .await
        .is_err()
    {
        let _gone = inhibitor.kill().await;
    }
}

async fn last_words(inhibitor: &mut Child, ended: std::io::Result<ExitStatus>) -> String {
    let mut said = String::new();
    if let Some(error) = inhibitor.stderr.take() {
        let _unreadable = error.take(MAX_SAID).read_to_string(&mut said).await;
    }
    let said = said.trim();
    match (said.is_empty(), ended) {
        (false, _) => said.replace('\n', ", "),
        (true, Ok(status)) => format!("the inhibitor ended with {status}"),
        (true, Err(error)) => error.to_string(),
    }
}

fn cannot(why: &str) -> String {
    format!(
        "this system may go to sleep while a lease runs ({why}); switch its sleep off while you sell"
    )
}

#[cfg(test)]
mod tests;
