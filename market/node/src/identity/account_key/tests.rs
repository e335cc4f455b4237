//! An encrypted key opens with its passphrase, is never lost on the way, and leaves no open copy behind.

use super::super::{Identity, Setup};
use super::*;
use crate::sealed::OpenError;
use market::{ChainId, Timestamp};

const CHAIN: ChainId = ChainId::from_bytes([3; 32]);

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn home(with: Option<&Passphrase>) -> (tempfile::TempDir, Home, Identity) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    let setup = Setup {
        passphrase: with,
        ..Setup::plain(Timestamp::from_millis(0))
    };
    let identity = Identity::set_up(&home, &CHAIN, &setup).unwrap();
    (folder, home, identity)
}

/// Tells whether any file of the home holds these digits, in either form.
fn lies_open(home: &Home, key: &SecretKey) -> bool {
    let seed = key.to_seed();
    let digits = hex::encode(seed);
    let files = std::fs::read_dir(home.path().join("keys")).unwrap();
    let contents = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    contents.into_iter().any(|bytes| {
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        holds(&seed) || holds(digits.as_bytes())
    })
}

fn account(home: &Home, with: Option<&Passphrase>) -> Result<market::AccountId, IdentityError> {
    AccountKey::load(home)?.open(with).map(|key| key.account())
}

#[test]
fn a_home_made_with_a_passphrase_never_holds_the_open_key_and_its_node_needs_none() {
    let right = passphrase("right");
    let (_folder, home, identity) = home(Some(&right));
    let key = AccountKey::load(&home).unwrap();
    assert!(key.is_encrypted());
    let key = key.open(Some(&right)).unwrap();
    assert_eq!(key.account(), identity.account);
    assert!(!lies_open(&home, &key));
    // A node starts, and a second `init` changes nothing, without the passphrase.
    assert_eq!(
        Identity::load(&home, &CHAIN).unwrap().account,
        identity.account
    );
    let again = Identity::create(&home, &CHAIN, Timestamp::from_millis(0)).unwrap();
    assert_eq!(again.account, identity.account);
}

#[test]
fn a_key_is_encrypted_changed_and_put_back_and_stays_the_same() {
    let (right, other) = (passphrase("right"), passphrase("other"));
    let (_folder, home, identity) = home(None);
    let key = AccountKey::load(&home).unwrap().open(None).unwrap();
    assert!(lies_open(&home, &key));
    encrypt(&home, &right).unwrap();
    assert!(!lies_open(&home, &key));
    assert!(matches!(
        account(&home, None),
        Err(IdentityError::Encrypted { .. })
    ));
    assert_eq!(account(&home, Some(&right)).unwrap(), identity.account);
    change_passphrase(&home, &right, &other).unwrap();
    assert_eq!(account(&home, Some(&other)).unwrap(), identity.account);
    decrypt(&home, &other).unwrap();
    assert!(lies_open(&home, &key));
    assert_eq!(account(&home, None).unwrap(), identity.account);
}

#[test]
fn a_wrong_passphrase_changes_nothing_and_is_told() {
    let (right, wrong) = (passphrase("right"), passphrase("wrong"));
    let (_folder, home, identity) = home(Some(&right));
    let before = std::fs::read(home.key(NAME)).unwrap();
    for refused in [
        decrypt(&home, &wrong),
        change_passphrase(&home, &wrong, &right),
        account(&home, Some(&wrong)).map(|_| ()),
    ] {
        let error = refused.unwrap_err();
        let is_wrong = |error: &IdentityError| {
            let source = OpenError::WrongPassphrase;
            matches!(error, IdentityError::Sealed { source: found, .. } if *found == source)
        };
        assert!(is_wrong(&error), "{error}");
    }
    assert_eq!(std::fs::read(home.key(NAME)).unwrap(), before);
    assert_eq!(account(&home, Some(&right)).unwrap(), identity.account);
}

#[test]
fn what_is_done_twice_or_at_once_is_refused() {
    let right = passphrase("right");
    let (_folder, home, _) = home(None);
    assert!(matches!(
        decrypt(&home, &right),
        Err(IdentityError::NotEncrypted { .. })
    ));
    let held = hold(&home).unwrap();
    assert!(matches!(
        encrypt(&home, &right),
        Err(IdentityError::InUse { .. })
    ));
    drop(held);
    encrypt(&home, &right).unwrap();
    assert!(matches!(
        encrypt(&home, &right),
        Err(IdentityError::AlreadyEncrypted { .. })
    ));
    std::fs::remove_file(home.key(NAME)).unwrap();
    assert!(matches!(
        encrypt(&home, &right),
        Err(IdentityError::AccountElsewhere { .. })
    ));
}

#[test]
fn a_damaged_file_is_told_as_damaged_and_one_open_to_others_is_not_read() {
    let right = passphrase("right");
    let (_folder, home, _) = home(Some(&right));
    let path = home.key(NAME);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = account(&home, Some(&right)).unwrap_err().to_string();
    for part in ["account.key", "damaged", "from a backup"] {
        assert!(error.contains(part), "{error}");
    }
    std::fs::write(&path, &whole).unwrap();
    use std::os::unix::fs::PermissionsExt;
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    mode(0o640).unwrap();
    assert!(matches!(
        account(&home, Some(&right)),
        Err(IdentityError::OpenKey { .. })
    ));
}

/// A crash may come before any step of the write; the key is then the old one or the new one.
#[test]
fn an_unfinished_file_of_an_earlier_crash_does_not_stay() {
    let right = passphrase("right");
    let (_folder, home, _) = home(None);
    let key = AccountKey::load(&home).unwrap().open(None).unwrap();
    let unfinished = home.key(NAME).with_extension("new");
    std::fs::write(&unfinished, hex::encode(key.to_seed())).unwrap();
    encrypt(&home, &right).unwrap();
    assert!(!unfinished.exists() && !lies_open(&home, &key));
}
