//! What is sealed opens with its passphrase alone, and says why where it does not open.

use proptest::prelude::*;

use super::*;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn sealed(secret: &[u8]) -> Vec<u8> {
    seal(
        secret,
        Purpose::AccountKey,
        &passphrase("right"),
        Cost::LEAST,
    )
    .unwrap()
}

fn opened(bytes: &[u8], text: &str) -> Result<Vec<u8>, OpenError> {
    open(bytes, Purpose::AccountKey, &passphrase(text)).map(|secret| secret.to_vec())
}

/// Replaces a value of the JSON object and mends the checksum, as one who forges a file would.
fn forged(bytes: &[u8], change: impl FnOnce(&mut Sealed)) -> Vec<u8> {
    let mut whole: Sealed = serde_json::from_slice(bytes).unwrap();
    change(&mut whole);
    whole.checksum = whole.head.checksum(&whole.sealed);
    serde_json::to_vec_pretty(&whole).unwrap()
}

#[test]
fn a_secret_opens_with_its_passphrase_and_with_no_other() {
    let bytes = sealed(b"secret");
    assert!(is_sealed(&bytes) && check(&bytes).is_ok());
    assert_eq!(opened(&bytes, "right").unwrap(), b"secret");
    for wrong in ["wrong", "Right", "right ", "righ"] {
        assert_eq!(opened(&bytes, wrong), Err(OpenError::WrongPassphrase));
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains(&hex::encode("secret")), "{text}");
}

#[test]
fn two_seals_of_one_secret_have_nothing_in_common() {
    let [one, two] = [sealed(b"secret"), sealed(b"secret")];
    let read = |bytes: &[u8]| serde_json::from_slice::<Sealed>(bytes).unwrap();
    let (one, two) = (read(&one), read(&two));
    assert_ne!(one.head.salt, two.head.salt);
    assert_ne!(one.head.nonce, two.head.nonce);
    assert_ne!(one.sealed, two.sealed);
}

#[test]
fn a_line_break_is_no_part_of_a_passphrase_and_nothing_else_is_taken_off() {
    for ending in ["", "\n", "\r\n"] {
        assert_eq!(passphrase(&format!("a b {ending}")), passphrase("a b "));
    }
    for empty in ["", "\n", "\r\n"] {
        let text = Zeroizing::new(empty.to_owned());
        assert_eq!(Passphrase::new(text), Err(EmptyPassphrase));
    }
    assert!(!format!("{:?}", passphrase("right")).contains("right"));
}

#[test]
fn every_changed_or_missing_byte_is_damage_and_not_a_wrong_passphrase() {
    let bytes = sealed(b"secret");
    for place in 0..bytes.len() - 1 {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let told = opened(&changed, "right");
        assert!(
            !matches!(told, Ok(_) | Err(OpenError::WrongPassphrase)),
            "byte {place}: {told:?}"
        );
        // The last byte is a line break after the object.
        let cut = opened(&bytes[..place], "right");
        assert!(
            matches!(cut, Err(OpenError::Damaged(_))),
            "{place}: {cut:?}"
        );
    }
}

#[test]
fn what_a_forger_changes_is_bound_to_the_secret() {
    let bytes = sealed(b"secret");
    let cheaper = forged(&bytes, |whole| whole.head.argon2id.memory_kib += 8);
    assert_eq!(opened(&cheaper, "right"), Err(OpenError::WrongPassphrase));
    let other = forged(&bytes, |whole| whole.head.purpose = Purpose::WalletBackup);
    assert_eq!(
        opened(&other, "right"),
        Err(OpenError::OtherPurpose(Purpose::WalletBackup))
    );
    let read = open(&other, Purpose::WalletBackup, &passphrase("right"));
    assert_eq!(read.unwrap_err(), OpenError::WrongPassphrase);
}

#[test]
fn a_file_that_asks_for_all_memory_is_refused_before_any_is_taken() {
    let bytes = sealed(b"secret");
    let dear = forged(&bytes, |whole| whole.head.argon2id.memory_kib = u32::MAX);
    assert!(matches!(opened(&dear, "right"), Err(OpenError::TooDear(_))));
    let slow = forged(&bytes, |whole| whole.head.argon2id.passes = u32::MAX);
    assert!(matches!(check(&slow), Err(OpenError::TooDear(_))));
}

#[test]
fn a_later_version_is_told_as_one() {
    let text = String::from_utf8(sealed(b"secret")).unwrap();
    let later = text.replace("\"nightshift_sealed\": 1", "\"nightshift_sealed\": 2");
    assert_eq!(
        opened(later.as_bytes(), "right"),
        Err(OpenError::Version(2))
    );
}

#[test]
fn the_form_on_disk_stays_as_it_is() {
    let bytes = include_bytes!("fixture.json");
    assert!(is_sealed(bytes));
    assert_eq!(opened(bytes, "right").unwrap(), b"secret");
    // The standard cost is what new files are written with.
    let (memory_kib, passes, lanes) = (65_536, 3, 4);
    assert_eq!(
        Cost::STANDARD,
        Cost {
            memory_kib,
            passes,
            lanes
        }
    );
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _refused = opened(&bytes, "right");
        let _refused = opened(&[BEGINNING, &bytes].concat(), "right");
    }
}
