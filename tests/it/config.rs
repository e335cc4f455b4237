//! Owns the tests of settings as a person meets them: shown, set, mistyped, beaten by the environment.
//!
//! Never starts a node.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{self, Done, LIMIT};

fn with_variable(home: &Path, (name, value): (&str, &str), arguments: &[&str]) -> Done {
    let mut command = program::command(home, arguments);
    command.env(name, value);
    program::start(command).finish((LIMIT, &arguments.join(" ")))
}

fn setting(rows: &Value, key: &str) -> Value {
    let rows = rows.as_array().expect("a list of settings");
    let found = rows.iter().find(|row| row["key"] == key);
    found.expect("every setting is listed").clone()
}

#[test]
fn a_setting_is_set_shown_with_its_place_and_beaten_by_the_environment() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let home = home.path();
    let run = |arguments: &[&str]| program::run(home, arguments);
    let before = run(&["config", "show", "--json"]).json();
    assert_eq!(setting(&before, "sell.price")["from"], "default");
    fs::write(home.join("config.toml"), "# mine\n[sell] # here\n").expect("a file can be written");
    let set = run(&["config", "set", "sell.price", "0.35", "--json"]).json();
    assert_eq!(
        (&set["value"], &set["before"]),
        (&"0.35".into(), &Value::Null)
    );
    assert_eq!(set["restart_needed"], false);
    let file = fs::read_to_string(home.join("config.toml")).expect("the file is there");
    assert_eq!(file, "# mine\n[sell] # here\nprice = \"0.35\"\n");
    let one = run(&["config", "show", "sell.price", "--json"]).json();
    assert_eq!(
        (&one["value"], &one["from"]),
        (&"0.35".into(), &"config.toml, line 3".into())
    );
    let variable = ("NIGHTSHIFT_SELL_PRICE", "0.5");
    let shown = with_variable(home, variable, &["config", "show", "--json"]).json();
    let row = setting(&shown, "sell.price");
    assert_eq!(
        (&row["value"], &row["from"]),
        (&"0.5".into(), &"environment, NIGHTSHIFT_SELL_PRICE".into())
    );
    let beaten = with_variable(home, variable, &["config", "set", "sell.price", "0.4"]);
    assert!(beaten.succeeded().contains("beats the file"));
}

#[test]
fn mistyped_settings_are_told_with_their_place_and_change_nothing() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let home = home.path();
    let file = home.join("config.toml");
    let refused = |arguments: &[&str], wanted: &[&str]| {
        let done = program::run(home, arguments);
        assert_eq!(done.code, Some(1), "{done:?}");
        for part in wanted {
            assert!(done.stderr.contains(part), "{part:?} is not in {done:?}");
        }
    };
    refused(
        &["config", "set", "sell.tick", "500"],
        &["did you mean sell.tick_ms?"],
    );
    refused(
        &["config", "set", "sell.tick_ms", "5"],
        &["sell.tick_ms is 5", "100 to 60000"],
    );
    refused(
        &["config", "show", "log.colour"],
        &["unknown key log.colour"],
    );
    assert!(!file.exists(), "a refused setting makes no file");
    let text = "[network]\nlisten = []\n\n[sell]\ntick = 500\n";
    fs::write(&file, text).expect("a file can be written");
    let place = &[
        "config.toml, line 5, column 1",
        "did you mean sell.tick_ms?",
    ];
    for arguments in [
        &["up"][..],
        &["config", "show"],
        &["config", "set", "sell.price", "1"],
    ] {
        refused(arguments, place);
    }
    assert_eq!(fs::read_to_string(&file).ok().as_deref(), Some(text));
}

#[test]
fn the_reference_lists_every_setting_that_is_shown() {
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let reference = program::run(home.path(), &["config", "show", "--reference"]).succeeded();
    let shown = program::run(home.path(), &["config", "show", "--json"]).json();
    for row in shown.as_array().expect("a list of settings") {
        for part in ["key", "variable", "meaning"] {
            let part = row[part].as_str().expect("text");
            assert!(reference.contains(part), "{part}:\n{reference}");
        }
    }
}
