//! The wire form: what is signed is what was received, and no bytes panic a decoder.

use proptest::prelude::*;

use super::*;
use crate::ids::ChannelId;
use crate::voucher::Voucher;
use crate::{Amount, delegation::Delegation};

fn voucher() -> Voucher {
    Voucher {
        channel: ChannelId::from_bytes([7; 32]),
        sequence: 3,
        cumulative: Amount::from_nanocredits(42),
        meter_hash: [9; 32],
    }
}

fn chain(byte: u8) -> ChainId {
    ChainId::from_bytes([byte; 32])
}

#[test]
fn a_signature_verifies_only_on_its_own_chain_and_kind() {
    let key = SecretKey::from_seed([1; 32]);
    let signed = Signed::sign(&voucher(), &key, &chain(1));
    let verified = signed.verify(&chain(1)).unwrap();
    assert_eq!((verified.value, verified.signer), (voucher(), key.public()));
    assert!(matches!(
        signed.verify(&chain(2)),
        Err(WireError::BadSignature { .. })
    ));
    let other_kind: Signed<Delegation> = decode(&encode(&signed), 1 << 10).unwrap();
    assert!(matches!(
        other_kind.verify(&chain(1)),
        Err(WireError::BadSignature { .. })
    ));
}

#[test]
fn every_flipped_bit_of_a_signed_voucher_is_noticed() {
    let key = SecretKey::from_seed([1; 32]);
    let bytes = encode(&Signed::sign(&voucher(), &key, &chain(1)));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let accepted = decode::<Signed<Voucher>>(&flipped, 1 << 10)
            .is_ok_and(|signed| signed.verify(&chain(1)).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

#[test]
fn trailing_and_oversized_bytes_are_refused() {
    let mut bytes = encode(&voucher());
    bytes.push(0);
    assert_eq!(
        decode::<Voucher>(&bytes, 1 << 10),
        Err(WireError::TrailingBytes { extra: 1 })
    );
    assert_eq!(
        decode::<Voucher>(&bytes, 8),
        Err(WireError::TooLarge {
            actual: bytes.len(),
            max: 8
        })
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode::<Signed<Voucher>>(&bytes, 1 << 10);
        let _ = decode::<Vec<Signed<Delegation>>>(&bytes, 1 << 10);
        let _ = decode::<Vec<String>>(&bytes, 1 << 10);
    }
}
