//! Tests of units and of what is refused. The test of a running unit stands with the integration tests.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use super::unit::{home_of, quoted, typed};
use super::{Manager, Unit, check_replaceable};

fn unit(manager: Manager) -> Unit {
    let arguments: &[&str] = match manager {
        Manager::User => &["up", "--provide", "--price", "0.25"],
        Manager::System => &["operator", "run"],
    };
    Unit {
        manager,
        program: "/usr/bin/nightshift".into(),
        home: "/".into(), // Belongs to root on every machine.
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
    }
}

#[test]
fn a_nodes_unit() {
    assert_snapshot!(unit(Manager::User).text().unwrap());
}

#[test]
fn an_operators_unit_has_the_rights_of_its_homes_owner_and_no_others() {
    assert_snapshot!(unit(Manager::System).text().unwrap());
}

#[test]
fn a_unit_names_its_home_also_with_spaces() {
    let unit = Unit {
        home: "/srv/night shift".into(),
        ..unit(Manager::User)
    };
    let text = unit.text().unwrap();
    assert_eq!(
        home_of(&text).as_deref(),
        Some(Path::new("/srv/night shift"))
    );
    assert!(text.contains("--home \"/srv/night shift\" up"), "{text}");
}

#[test]
fn words_reach_the_program_as_they_are() {
    assert_eq!(quoted("/ip4/0.0.0.0/tcp/0").unwrap(), "/ip4/0.0.0.0/tcp/0");
    assert_eq!(quoted("").unwrap(), "\"\"");
    assert_eq!(
        quoted("50% \"$A\" \\").unwrap(),
        "\"50%% \\\"$$A\\\" \\\\\""
    );
    assert!(quoted("two\nlines").is_err());
}

#[test]
fn commands_can_be_typed_as_they_are_told() {
    assert_eq!(typed("/srv/owls"), "/srv/owls");
    assert_eq!(typed("/srv/night owls"), "'/srv/night owls'");
    assert_eq!(typed("/srv/o'hare"), r"'/srv/o'\''hare'");
}

#[test]
fn a_unit_of_another_or_for_another_home_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nightshift.service");
    let unit = unit(Manager::User);
    check_replaceable(&unit, &path).unwrap();
    fs::write(&path, unit.text().unwrap()).unwrap();
    check_replaceable(&unit, &path).unwrap();
    let elsewhere = Unit {
        home: "/srv/other".into(),
        ..unit.clone()
    };
    let error = check_replaceable(&elsewhere, &path)
        .unwrap_err()
        .to_string();
    assert!(error.contains("runs the node in /;"), "{error}");
    assert!(error.contains("--home / up --uninstall"), "{error}");
    fs::write(&path, "[Service]\nExecStart=/bin/true\n").unwrap();
    let error = check_replaceable(&unit, &path).unwrap_err().to_string();
    assert!(error.contains("was not written by this program"), "{error}");
}

#[test]
fn a_system_without_systemd_is_told_what_to_do_instead() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("system");
    for manager in [Manager::User, Manager::System] {
        let error = manager.check(&missing).unwrap_err().to_string();
        assert!(
            error.contains("systemd does not run on this system"),
            "{error}"
        );
        assert!(error.contains("SIGTERM stops them"), "{error}");
    }
}
