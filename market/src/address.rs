//! Owns the address: how an account is written for people, with a checksum that catches slips of the hand.
//!
//! Never touches bytes that are signed: in bincode an account is its 32 bytes.
//!
//! An address is Bech32m (BIP-350): the prefix `night`, a `1`, 52 characters that carry the 32 bytes of the public
//! key, and 6 of a checksum. Any four wrong characters, and any two neighbours in the wrong order, are noticed.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::{
    CharError, CheckedHrpstring, CheckedHrpstringError, UncheckedHrpstringError,
};
use bech32::{Bech32m, Hrp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::ids::{AccountId, parse_hex};

/// What every address begins with, before its `1`.
const PREFIX: Hrp = Hrp::parse_unchecked("night");

/// How an address begins, for messages.
const BEGINNING: &str = "night1";

/// The length of an address, in characters.
pub const ADDRESS_CHARS: usize = 64;

/// How many characters after the beginning tell accounts apart for people.
const SHORT_CHARS: usize = 8;

/// Why a text is not the address of an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddressError {
    /// The 64 hexadecimal digits that earlier versions wrote.
    #[error(
        "these are the 64 hexadecimal digits in which earlier versions wrote an account; they have no checksum, so \
         only files may still hold them. Ask the owner for the address: `nightshift wallet address` prints it, and \
         it begins with {BEGINNING}"
    )]
    HexadecimalDigits,
    /// It does not begin as an address does.
    #[error(
        "this is not the address of an account, which begins with {BEGINNING} and has {ADDRESS_CHARS} characters; \
         `nightshift wallet address` prints one's own"
    )]
    OtherBeginning,
    /// Upper and lower case are mixed.
    #[error(
        "there is a mistake in this address: it mixes upper and lower case; copy it whole, in one case"
    )]
    MixedCase,
    /// It holds a character that no address has.
    #[error(
        "there is a mistake in this address: no address has {character:?} after {BEGINNING}; copy it again from its \
         owner"
    )]
    Character {
        /// The first such character.
        character: char,
    },
    /// It is too long or too short.
    #[error(
        "there is a mistake in this address: it has {length} characters, and an address has {ADDRESS_CHARS}; copy \
         it whole"
    )]
    Length {
        /// What it has.
        length: usize,
    },
    /// The checksum does not fit.
    #[error(
        "there is a mistake in this address: its checksum does not fit, so at least one character is wrong or out \
         of place; copy it again from its owner"
    )]
    Checksum,
}

impl AccountId {
    /// Returns the beginning of the address, which is for people to tell accounts apart, not to send to.
    pub fn short(&self) -> String {
        let address = self.to_string();
        let shown = BEGINNING.len() + SHORT_CHARS;
        address.chars().take(shown).collect()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = bech32::encode::<Bech32m>(PREFIX, self.as_bytes());
        f.pad(&address.expect("32 bytes and this prefix fit into the code's length"))
    }
}

impl FromStr for AccountId {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if parse_hex("AccountId", text).is_ok() {
            return Err(ParseAddressError::HexadecimalDigits);
        }
        let start = text.get(..BEGINNING.len()).unwrap_or_default();
        if !start.eq_ignore_ascii_case(BEGINNING) {
            return Err(ParseAddressError::OtherBeginning);
        }
        let checked =
            CheckedHrpstring::new::<Bech32m>(text).map_err(|error| refusal(text, &error))?;
        let mut bytes = [0; 32];
        let mut found = checked.byte_iter();
        if found.len() != bytes.len() || text.len() != ADDRESS_CHARS {
            return Err(length_of(text));
        }
        bytes
            .iter_mut()
            .zip(&mut found)
            .for_each(|(to, from)| *to = from);
        let account = Self::from_bytes(bytes);
        // The last of the 52 characters has spare bits, which are zero in an account's one address.
        match account.to_string().eq_ignore_ascii_case(text) {
            true => Ok(account),
            false => Err(ParseAddressError::Checksum),
        }
    }
}

fn length_of(text: &str) -> ParseAddressError {
    ParseAddressError::Length {
        length: text.chars().count(),
    }
}

/// Says what is wrong in the words of whoever typed it.
fn refusal(text: &str, error: &CheckedHrpstringError) -> ParseAddressError {
    let is_ours = |c: &char| c.is_ascii_alphanumeric() && !"1bio".contains(c.to_ascii_lowercase());
    let foreign = text.chars().skip(BEGINNING.len()).find(|c| !is_ours(c));
    let mixed = CheckedHrpstringError::Parse(UncheckedHrpstringError::Char(CharError::MixedCase));
    match foreign {
        Some(character) => ParseAddressError::Character { character },
        None if *error == mixed => ParseAddressError::MixedCase,
        None if text.len() != ADDRESS_CHARS => length_of(text),
        None => ParseAddressError::Checksum,
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AccountId {
    /// Reads the address. Files of earlier versions hold 64 hexadecimal digits, which are read as well.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self::from_bytes);
        }
        let text = String::deserialize(deserializer)?;
        match parse_hex("AccountId", &text) {
            Ok(bytes) => Ok(Self::from_bytes(bytes)),
            Err(_) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests;
