//! Tests of the command line.

use clap::{CommandFactory as _, Parser as _};

use super::Cli;
use crate::commands::Command;
use crate::logs::Logs;

const ACCOUNT: &str = "night15xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xss8tc2v8";

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
        "nightshift bid job.toml --max-price 0.25 --for 2h --yes -f",
        "nightshift tui",
        "nightshift market book",
        "nightshift market classes --json",
        "nightshift market depth cpu-0.06T-8G",
        "nightshift market rates",
        "nightshift market history 16T-12G --interval 1d --count 30",
        "nightshift market trades",
        "nightshift market trades --class 16T-12G --count 1000 price>0.1",
        "nightshift market rebuild",
        "nightshift quote job.toml --explain",
        "nightshift wallet address",
        "nightshift wallet balance",
        "nightshift wallet history",
        "nightshift wallet delegations",
        "nightshift wallet delegate --spend-cap 3 --days 30 --yes",
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
        format!("nightshift wallet revoke {ACCOUNT}"),
        "nightshift wallet delegate --days 0".to_owned(),
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
fn wrong_questions_about_the_market_are_told_what_may_be_asked() {
    for (wrong, said) in [
        ("depth", "<CLASS>"),
        ("depth big", "write for example 16T-12G"),
        ("history 16T-12G --interval 5m", "write 1m, 1h or 1d"),
        ("history 16T-12G --count 0", "1 to 1000"),
        ("trades --count -1", "1 to 1000"),
        ("trades --class 16T-11G", "the tiers are"),
        ("trades 16T-12G", "there is no comparison"),
    ] {
        let error = parse(&format!("nightshift market {wrong}")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{wrong}");
        assert!(error.to_string().contains(said), "{wrong}: {error}");
    }
}

#[test]
fn the_screen_keeps_logs_off_its_terminal() {
    assert_eq!(
        parse("nightshift tui").unwrap().command.logs(),
        Logs::Screen
    );
    assert_eq!(parse("nightshift ps").unwrap().command.logs(), Logs::Brief);
}

#[test]
fn help_documents_the_exit_codes() {
    let help = Cli::command().render_help().to_string();
    for code in ["  0    done", "  3    no node runs", "  130  a signal"] {
        assert!(help.contains(code), "{help}");
    }
}

/// Lists every command with its full name, the program itself first.
fn all_commands() -> Vec<(String, clap::Command)> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut found = vec![(String::from("nightshift"), program)];
    let mut next = 0;
    while let Some((name, command)) = found.get(next).cloned() {
        let below = command.get_subcommands();
        let below = below.map(|sub| (format!("{name} {}", sub.get_name()), sub.clone()));
        found.extend(below);
        next += 1;
    }
    found
}

#[test]
fn every_command_and_every_flag_says_what_it_is_for() {
    let all = all_commands();
    assert!(all.len() > 30, "{}", all.len());
    for (name, command) in all {
        assert!(command.get_about().is_some(), "{name} has no help text");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(
                argument.get_help().is_some(),
                "{name}: {id} has no help text"
            );
        }
    }
}

#[test]
fn every_command_takes_the_flags_of_the_program() {
    for (name, command) in all_commands() {
        for flag in ["json", "home", "log_level", "log_format"] {
            let mut arguments = command.get_arguments();
            let has = arguments.any(|argument| argument.get_id() == flag);
            assert!(has, "{name} does not take --{flag}");
        }
    }
}

#[test]
fn names_of_commands_and_flags_stay_as_they_are() {
    for (name, mut command) in all_commands() {
        let help = command.render_long_help().to_string();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("help");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name.replace(' ', "-"), help));
    }
}

#[test]
fn only_a_node_logs_into_its_home() {
    for (line, logs) in [
        ("nightshift up --provide", Logs::Node),
        ("nightshift operator run", Logs::Node),
        ("nightshift up --install", Logs::Brief),
        ("nightshift operator run --uninstall", Logs::Brief),
        ("nightshift run job.toml", Logs::Brief),
    ] {
        assert_eq!(parse(line).unwrap().command.logs(), logs, "{line}");
    }
}

#[test]
fn a_unit_is_either_installed_or_removed() {
    for wrong in [
        "nightshift up --install --uninstall",
        "nightshift operator run --install --uninstall",
        "nightshift tui --install",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}
