//! Keys: made once, readable by their owner only, and never overwritten.

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    (folder, home)
}

fn chain() -> ChainId {
    ChainId::from_bytes([3; 32])
}

#[test]
fn keys_are_made_once_and_the_delegation_names_them() {
    let (_folder, home) = home();
    let now = Timestamp::from_millis(1_000);
    let first = Identity::create(&home, &chain(), now).unwrap();
    let second = Identity::create(&home, &chain(), now).unwrap();
    assert_eq!(first.account, second.account);
    assert_eq!(first.node(), second.node());
    let delegation = first.delegation.verify(&chain()).unwrap().value;
    assert_eq!(
        (delegation.account, delegation.node),
        (first.account, first.node())
    );
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, home) = home();
    Identity::create(&home, &chain(), Timestamp::from_millis(0)).unwrap();
    let path = home.key("node");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Identity::load(&home, &chain()).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn a_home_without_keys_and_a_foreign_delegation_are_said_in_words() {
    let (_folder, home) = home();
    let missing = Identity::load(&home, &chain()).unwrap_err().to_string();
    assert!(missing.contains("nightshift init"), "{missing}");
    Identity::create(&home, &chain(), Timestamp::from_millis(0)).unwrap();
    let other = ChainId::from_bytes([4; 32]);
    assert!(matches!(
        Identity::load(&home, &other),
        Err(IdentityError::Delegation(_))
    ));
}

#[test]
fn a_delegation_to_another_node_or_by_another_key_is_refused() {
    let (_folder, home) = home();
    let identity = Identity::create(&home, &chain(), Timestamp::from_millis(0)).unwrap();
    let stranger = SecretKey::from_seed([9; 32]);
    let mine = identity.delegation.verify(&chain()).unwrap().value;
    let keep = |delegation: &Delegation, key: &SecretKey| {
        let signed = Signed::sign(delegation, key, &chain());
        home::write_private(&home.delegation(), &wire::encode(&signed)).unwrap();
        Identity::load(&home, &chain())
    };
    assert!(matches!(
        keep(&mine, &stranger),
        Err(IdentityError::Delegation(
            DelegationError::NotByAccount { .. }
        ))
    ));
    let other = Delegation {
        node: stranger.node(),
        ..mine.clone()
    };
    let account = load_key(&home, "account").unwrap();
    assert!(matches!(
        keep(&other, &account),
        Err(IdentityError::Delegation(
            DelegationError::OtherParties { .. }
        ))
    ));
    assert!(keep(&mine, &account).is_ok());
}

#[test]
fn a_renewed_delegation_takes_the_place_of_the_old_one_and_the_keys_stay() {
    let (_folder, home) = home();
    let old = Identity::create(&home, &chain(), Timestamp::from_millis(0)).unwrap();
    let account_key = load_key(&home, "account").unwrap();
    let end = Timestamp::from_millis(u64::MAX);
    let cap = Amount::from_nanocredits(7);
    let signed = Identity::renew(&home, (&chain(), &account_key), (cap, end)).unwrap();
    let new = Identity::load(&home, &chain()).unwrap();
    assert_eq!((new.account, new.node()), (old.account, old.node()));
    assert_eq!(new.delegation.verify(&chain()).unwrap().value, signed);
    assert_eq!((new.spend_cap(&chain()), signed.expires_at), (cap, end));
    assert_ne!(new.delegation.id(&chain()), old.delegation.id(&chain()));
}

#[test]
fn a_second_process_cannot_take_the_same_home() {
    let (_folder, home) = home();
    let lock = home.lock().unwrap();
    assert!(matches!(home.lock(), Err(HomeError::Locked { .. })));
    drop(lock);
    assert!(home.lock().is_ok());
}

#[test]
fn a_long_home_path_gets_a_short_socket() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("x".repeat(120))).unwrap();
    let socket = home.socket().unwrap();
    assert!(socket.as_os_str().len() <= 107, "{}", socket.display());
    assert_eq!(socket, home.socket().unwrap(), "stable");
}
