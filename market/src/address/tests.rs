//! Slips of the hand are noticed, old files are read, and signed bytes do not know addresses.

use proptest::prelude::*;

use super::*;
use crate::wire;

/// The characters that carry data.
const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn account() -> impl Strategy<Value = AccountId> {
    any::<[u8; 32]>().prop_map(AccountId::from_bytes)
}

fn error_of(text: &str) -> ParseAddressError {
    text.parse::<AccountId>().unwrap_err()
}

proptest! {
    // Each case goes through every place of an address.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_address_is_read_back_in_either_case(account in account()) {
        let address = account.to_string();
        prop_assert_eq!(address.len(), ADDRESS_CHARS);
        prop_assert_eq!(address.parse(), Ok(account));
        prop_assert_eq!(address.to_uppercase().parse(), Ok(account));
    }

    #[test]
    fn one_wrong_character_anywhere_is_noticed(account in account()) {
        let address = account.to_string();
        for place in 0..address.len() {
            for wrong in ALPHABET.chars().chain("1bioBIO-Q".chars()) {
                let mut text = address.clone();
                text.replace_range(place..=place, &wrong.to_string());
                prop_assert!(text == address || text.parse::<AccountId>().is_err(), "{text}");
            }
        }
    }

    #[test]
    fn neighbours_in_the_wrong_order_are_noticed(account in account()) {
        let address = account.to_string();
        for place in 1..address.len() {
            let mut bytes = address.clone().into_bytes();
            bytes.swap(place - 1, place);
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(text == address || text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_of_an_address_is_noticed(account in account()) {
        let address = account.to_string();
        for place in 0..address.len() {
            prop_assert!(address[..place].parse::<AccountId>().is_err());
            prop_assert!(address[place + 1..].parse::<AccountId>().is_err());
            let mut without = address.clone();
            without.remove(place);
            prop_assert!(without.parse::<AccountId>().is_err(), "{without}");
            for more in ALPHABET.chars() {
                let mut with = address.clone();
                with.insert(place, more);
                prop_assert!(with.parse::<AccountId>().is_err(), "{with}");
            }
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in "(night1)?\\PC{0,70}") {
        let _either = text.parse::<AccountId>();
    }
}

#[test]
fn the_text_of_an_account_stays_as_it_is() {
    let account = AccountId::from_bytes([0xa1; 32]);
    let address = "night15xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xss8tc2v8";
    assert_eq!(account.to_string(), address);
    assert_eq!(account.short(), "night15xs6rgdp");
    assert_eq!(format!("{account:?}"), "AccountId(night15xs6rgdp)");
}

#[test]
fn each_mistake_is_told_as_what_it_is() {
    let address = AccountId::from_bytes([0xa1; 32]).to_string();
    let digits = "a1".repeat(32);
    assert_eq!(error_of(&digits), ParseAddressError::HexadecimalDigits);
    let told = error_of(&digits).to_string();
    for part in ["earlier versions", "no checksum", "files", "night1"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(error_of(&digits[1..]), ParseAddressError::OtherBeginning);
    assert_eq!(error_of(""), ParseAddressError::OtherBeginning);
    assert_eq!(error_of("nichté"), ParseAddressError::OtherBeginning);
    let half = format!("{}{}", &address[..40], address[40..].to_uppercase());
    assert_eq!(error_of(&half), ParseAddressError::MixedCase);
    let length = 63;
    assert_eq!(
        error_of(&address[..length]),
        ParseAddressError::Length { length }
    );
    let foreign = address.replace("5xs", "5xb");
    assert_eq!(
        error_of(&foreign),
        ParseAddressError::Character { character: 'b' }
    );
    let slip = address.replace("8tc2", "8ct2");
    assert_eq!(error_of(&slip), ParseAddressError::Checksum);
    for mistake in [half, address[..length].to_owned(), foreign, slip] {
        let told = error_of(&mistake).to_string();
        assert!(
            told.starts_with("there is a mistake in this address"),
            "{told}"
        );
    }
}

#[test]
fn a_text_of_the_older_bech32_is_refused() {
    let older = bech32::encode::<bech32::Bech32>(PREFIX, &[0xa1; 32]).unwrap();
    assert_eq!(error_of(&older), ParseAddressError::Checksum);
    let longer = bech32::encode::<Bech32m>(PREFIX, &[0xa1; 33]).unwrap();
    assert!(matches!(
        error_of(&longer),
        ParseAddressError::Length { .. }
    ));
}

#[test]
fn an_account_has_one_address_alone() {
    // A good checksum over a last character whose spare bits are not zero.
    let other = "night15xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp5xs36avl34";
    assert!(CheckedHrpstring::new::<Bech32m>(other).is_ok());
    assert_eq!(error_of(other), ParseAddressError::Checksum);
}

#[test]
fn files_may_hold_the_digits_of_earlier_versions_and_are_written_with_addresses() {
    let account = AccountId::from_bytes([0xa1; 32]);
    let old = format!("{:?}", "a1".repeat(32));
    assert_eq!(serde_json::from_str::<AccountId>(&old).unwrap(), account);
    let new = serde_json::to_string(&account).unwrap();
    assert_eq!(new, format!("\"{account}\""));
    assert_eq!(serde_json::from_str::<AccountId>(&new).unwrap(), account);
    let slip = new.replace("8tc2", "8ct2");
    let error = serde_json::from_str::<AccountId>(&slip)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is a mistake in this address"),
        "{error}"
    );
}

#[test]
fn signed_bytes_hold_the_key_and_no_address() {
    let account = AccountId::from_bytes([0xa1; 32]);
    assert_eq!(wire::encode(&account), [0xa1; 32]);
}
