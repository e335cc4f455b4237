//! Tests of exit codes and of how failures are told.

use anyhow::Context as _;
use market_node::api::ClientError;

use super::{Ending, HELP, code, told};

fn not_running() -> anyhow::Error {
    let home = "/tmp/home".into();
    ClientError::NotRunning { home }.into()
}

#[test]
fn each_kind_of_failure_has_its_code() {
    let text = || "2 offers: 2 above your price".to_owned();
    assert_eq!(code(&not_running()), 3);
    assert_eq!(code(&Ending::NothingFits { summary: text() }.into()), 4);
    assert_eq!(code(&Ending::Cancelled.into()), 5);
    assert_eq!(code(&Ending::ProviderLost { reason: text() }.into()), 6);
    assert_eq!(code(&Ending::Interrupted("stopped").into()), 130);
    assert_eq!(code(&anyhow::anyhow!("anything else")), 1);
    let refused = ClientError::Refused("not enough money".to_owned());
    assert_eq!(code(&refused.into()), 1);
}

#[test]
fn context_does_not_hide_the_kind() {
    let error = Err::<(), _>(not_running())
        .context("asking the node")
        .unwrap_err();
    assert_eq!(code(&error), 3);
}

#[test]
fn causes_are_told_once() {
    let inner = anyhow::anyhow!("no such file");
    let middle = inner.context("cannot read job.toml: no such file");
    let error = middle.context("asking for offers");
    assert_eq!(
        told(&error),
        "error: asking for offers: cannot read job.toml: no such file"
    );
}

#[test]
fn lines_of_a_cause_stay_lines_and_look_like_no_other_message() {
    let error = anyhow::anyhow!("line 1\n1 | [train]\nerror: gone");
    assert_eq!(told(&error), "error: line 1\n  1 | [train]\n  error: gone");
}

#[test]
fn what_others_wrote_cannot_command_the_terminal() {
    let error: anyhow::Error = ClientError::Refused("\x1b[2Jgone".to_owned()).into();
    assert!(!told(&error).contains('\x1b'));
}

#[test]
fn the_help_lists_every_code_once() {
    let codes = HELP.lines().skip(1);
    let codes = codes.map(|line| line.split_whitespace().next().unwrap());
    let codes: Vec<&str> = codes.collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "5", "6", "130"]);
}
