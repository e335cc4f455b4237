//! A backup makes a home of the same account again, and nothing else is taken for one.

use super::*;
use crate::ledger::testing::genesis;

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn empty_home(folder: &Path, name: &str) -> Home {
    Home::at(folder.join(name)).unwrap()
}

/// A home in a market, with a cap of 7 credits.
fn member(folder: &Path) -> (Home, Identity, Backup) {
    let home = empty_home(folder, "old");
    let addresses = vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let membership = Membership::create(&home, genesis(), addresses).unwrap();
    let setup = Setup {
        spend_cap: "7".parse().unwrap(),
        ..Setup::plain(NOW)
    };
    let identity = Identity::set_up(&home, &membership.chain, &setup).unwrap();
    let key = crate::identity::load_key(&home, "account").unwrap();
    let backup = Backup::of(&home, key).unwrap();
    (home, identity, backup)
}

#[test]
fn a_backup_makes_another_machine_of_the_same_account() {
    let folder = tempfile::tempdir().unwrap();
    let (_home, old, backup) = member(folder.path());
    let right = passphrase("right");
    for with in [None, Some(&right)] {
        let path = folder.path().join(format!("backup-{}", with.is_some()));
        backup.write(&path, with).unwrap();
        let wanted = if with.is_some() {
            Form::Encrypted
        } else {
            Form::Plain
        };
        assert_eq!(Backup::form(&path).unwrap(), wanted);
        let read = Backup::read(&path, with).unwrap();
        assert_eq!(read.contents, backup.contents);
        let home = empty_home(folder.path(), &format!("new-{}", with.is_some()));
        let new = read.restore(&home, (NOW, with)).unwrap();
        assert_eq!(new.account, old.account);
        assert_ne!(new.node(), old.node(), "two machines are two nodes");
        let chain = backup.contents.chain();
        assert_eq!(new.spend_cap(&chain), "7".parse().unwrap());
        assert_eq!(
            Membership::load(&home).unwrap().bootstrap,
            backup.contents.bootstrap
        );
        let key = crate::identity::AccountKey::load(&home).unwrap();
        assert_eq!(key.is_encrypted(), with.is_some());
        assert_eq!(key.open(with).unwrap().account(), old.account);
    }
}

#[test]
fn nothing_is_ever_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _, backup) = member(folder.path());
    let path = folder.path().join("backup");
    fs::write(&path, "mine").unwrap();
    assert!(matches!(
        backup.write(&path, None),
        Err(BackupError::Exists { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    let key = fs::read(home.key("account")).unwrap();
    let refused = backup.restore(&home, (NOW, None));
    assert!(matches!(refused, Err(BackupError::HasAccount { .. })));
    assert_eq!(fs::read(home.key("account")).unwrap(), key);
    let other = empty_home(folder.path(), "other");
    let name = "other".to_owned();
    Membership::create(&other, Genesis { name, ..genesis() }, Vec::new()).unwrap();
    let refused = backup.restore(&other, (NOW, None));
    assert!(matches!(refused, Err(BackupError::Membership(_))));
    // A machine whose account's key lies elsewhere keeps acting for that account.
    let rig = empty_home(folder.path(), "rig");
    Membership::create(&rig, genesis(), Vec::new()).unwrap();
    Identity::create(&rig, &genesis().chain_id(), NOW).unwrap();
    fs::remove_file(rig.key("account")).unwrap();
    let refused = backup.restore(&rig, (NOW, None));
    assert!(matches!(refused, Err(BackupError::OtherAccount { .. })));
}

#[test]
fn a_damaged_backup_and_a_wrong_passphrase_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (_home, _, backup) = member(folder.path());
    let path = folder.path().join("backup");
    backup.write(&path, Some(&passphrase("right"))).unwrap();
    let wrong = Backup::read(&path, Some(&passphrase("wrong"))).unwrap_err();
    let source = OpenError::WrongPassphrase;
    assert!(matches!(wrong, BackupError::Sealed { source: found, .. } if found == source));
    let plain = folder.path().join("plain");
    backup.write(&plain, None).unwrap();
    let text = fs::read_to_string(&plain).unwrap();
    for changed in [
        text[..text.len() / 2].to_owned(),
        text.replace("\"spend_cap\": \"7\"", "\"spend_cap\": \"8\""),
        text.replacen("/tcp/1", "/tcp/2", 1),
        String::new(),
    ] {
        assert_ne!(changed, text);
        fs::write(&plain, changed).unwrap();
        let error = Backup::read(&plain, None).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    }
    fs::write(
        &plain,
        text.replace("\"nightshift_backup\": 1", "\"nightshift_backup\": 2"),
    )
    .unwrap();
    assert!(matches!(
        Backup::read(&plain, None),
        Err(BackupError::Version(2))
    ));
}

#[cfg(unix)]
#[test]
fn a_backup_can_be_read_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (_home, _, backup) = member(folder.path());
    let path = folder.path().join("backup");
    backup.write(&path, None).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}
