//! Tests of the command line.

use clap::{CommandFactory as _, Parser as _};

use super::Cli;
use crate::commands::Command;
use crate::logs::Logs;

const ACCOUNT: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_tree_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn home_and_json_go_before_or_after_the_command() {
    let before = parse("nightshift --home /a --json status").unwrap();
    let after = parse("nightshift status --json --home /a").unwrap();
    for cli in [before, after] {
        assert!(cli.json);
        assert_eq!(cli.home.as_deref(), Some(std::path::Path::new("/a")));
        assert!(matches!(cli.command, Command::Status(_)));
    }
}

#[test]
fn what_readers_type_is_understood() {
    for line in [
        "nightshift ps",
        "nightshift tui",
        "nightshift market book",
        "nightshift quote job.toml --explain",
        "nightshift wallet address",
        "nightshift wallet balance",
        "nightshift wallet history",
        "nightshift operator status",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
    for command in ["wallet send", "operator issue"] {
        assert!(
            parse(&format!("nightshift {command} {ACCOUNT} 0.25")).is_ok(),
            "{command}"
        );
    }
}

#[test]
fn wrong_money_and_wrong_accounts_are_usage_errors() {
    for wrong in [
        format!("nightshift wallet send {ACCOUNT} -1"),
        format!("nightshift wallet send {ACCOUNT} 0.0000000001"),
        format!("nightshift wallet send {} 1", &ACCOUNT[1..]),
        format!("nightshift operator issue {ACCOUNT} 1e3"),
        format!(
            "nightshift wallet send {ACCOUNT} 1 --memo {}",
            "m".repeat(65)
        ),
    ] {
        let error = parse(&wrong).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{wrong}");
    }
    assert!(
        parse(&format!(
            "nightshift wallet send {ACCOUNT} 1 --memo {}",
            "m".repeat(64)
        ))
        .is_ok()
    );
}

#[test]
fn the_screen_keeps_logs_off_its_terminal() {
    assert_eq!(parse("nightshift tui").unwrap().command.logs(), Logs::File);
    assert_eq!(
        parse("nightshift ps").unwrap().command.logs(),
        Logs::Error("warn")
    );
}

#[test]
fn help_documents_the_exit_codes() {
    let help = Cli::command().render_help().to_string();
    for code in ["  0  done", "  3  no node runs", "  4  no offer fits"] {
        assert!(help.contains(code), "{help}");
    }
}
