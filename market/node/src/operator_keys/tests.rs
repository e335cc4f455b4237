//! Files of keys: never written over, never lost, wherever a change of names ends.

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    (folder, home)
}

fn names(home: &Home) -> Vec<String> {
    let files = std::fs::read_dir(home.path().join("keys")).unwrap();
    let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
    let mut names: Vec<String> = files
        .map(|file| name(file).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_key_is_drawn_once_until_it_signs_and_then_gets_its_name() {
    let (_folder, home) = home();
    assert!(load(&home).unwrap().is_empty());
    let first = prepare(&home).unwrap();
    assert_eq!(prepare(&home).unwrap().node(), first.node(), "drawn once");
    settle(&home, NodeId::from_bytes([1; 32])).unwrap();
    assert_eq!(names(&home), ["operator-next.key"], "another one signs");
    settle(&home, first.node()).unwrap();
    settle(&home, first.node()).unwrap();
    assert_eq!(names(&home), ["operator.key"]);
    let second = prepare(&home).unwrap();
    assert_ne!(second.node(), first.node());
    let nodes = |keys: Vec<SecretKey>| keys.iter().map(SecretKey::node).collect::<Vec<_>>();
    assert_eq!(nodes(load(&home).unwrap()), [second.node(), first.node()]);
    settle(&home, first.node()).unwrap();
    assert_eq!(names(&home), ["operator-next.key", "operator.key"]);
    settle(&home, second.node()).unwrap();
    let retired = format!("operator-retired-{}", first.node());
    assert_eq!(
        names(&home),
        [format!("{retired}.key"), "operator.key".to_owned()]
    );
    assert_eq!(nodes(load(&home).unwrap()), [second.node()]);
    assert_eq!(load_key(&home, &retired).unwrap().node(), first.node());
}

#[test]
fn a_change_of_names_that_was_cut_short_is_finished() {
    let (_folder, home) = home();
    let first = prepare(&home).unwrap();
    settle(&home, first.node()).unwrap();
    let second = prepare(&home).unwrap();
    // Killed between the two.
    std::fs::rename(home.key("operator"), home.key("operator-retired-x")).unwrap();
    assert_eq!(load(&home).unwrap().len(), 1);
    settle(&home, second.node()).unwrap();
    assert_eq!(names(&home), ["operator-retired-x.key", "operator.key"]);
    assert_eq!(load_key(&home, PRESENT).unwrap().node(), second.node());
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, home) = home();
    prepare(&home).unwrap();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(home.key(NEXT), open).unwrap();
    assert!(matches!(load(&home), Err(IdentityError::OpenKey { .. })));
}
