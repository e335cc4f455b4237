//! Tests of who may certify what for whom and when, and of a certificate's bytes.

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::mode::Mode;
use crate::shape::Shape;

const CHAIN: [u8; 32] = [1; 32];
const KEY: [u8; 32] = [2; 32];
const NOW_MS: u64 = 1_800_000_000_000;

fn issuer() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn signed_with(certificate: Certificate, key: &SigningKey) -> SignedCertificate {
    let public = key.verifying_key().to_bytes();
    certificate.signed_by(public, |bytes| key.sign(bytes).to_bytes())
}

fn certificate() -> Certificate {
    let shape = Shape::new(4_096, 4_096, 4_096).unwrap();
    let proved = Proved {
        subject: Subject { key: KEY, gpu: 1 },
        workload: Workload::new(Mode::F, shape, 550).unwrap(),
        mflops: 14_900_000,
    };
    Certificate::new(&proved, CHAIN, NOW_MS)
}

fn check_at(signed: &SignedCertificate, now_ms: u64) -> Result<&Certificate, CertificateError> {
    signed.check(&Demand {
        chain_id: CHAIN,
        subject: Subject { key: KEY, gpu: 1 },
        mode: Mode::F,
        max_validity_ms: DEFAULT_VALIDITY_MS,
        issuers: &[[8; 32], issuer().verifying_key().to_bytes()],
        now_ms,
    })
}

#[test]
fn a_certificate_counts_for_a_day() {
    let signed = signed_with(certificate(), &issuer());
    assert_eq!(check_at(&signed, NOW_MS), Ok(&certificate()));
    let end_ms = NOW_MS + DEFAULT_VALIDITY_MS;
    assert!(check_at(&signed, end_ms - 1).is_ok());
    let expired = CertificateError::Expired {
        expires_at_ms: end_ms,
        now_ms: end_ms,
    };
    assert_eq!(check_at(&signed, end_ms), Err(expired));
}

#[test]
fn a_certificate_of_the_future_counts_only_within_the_tolerance() {
    let signed = signed_with(certificate(), &issuer());
    assert!(check_at(&signed, NOW_MS - CLOCK_TOLERANCE_MS).is_ok());
    let early = check_at(&signed, NOW_MS - CLOCK_TOLERANCE_MS - 1);
    assert!(matches!(early, Err(CertificateError::NotYetIssued { .. })));
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let mut other = certificate();
    other.subject.key = [3; 32];
    let signed = signed_with(other, &issuer());
    let actual = Subject {
        key: [3; 32],
        gpu: 1,
    };
    assert_eq!(
        check_at(&signed, NOW_MS),
        Err(CertificateError::Subject { actual })
    );
}

#[test]
fn a_certificate_of_another_network_is_refused() {
    let mut other = certificate();
    other.chain_id = [4; 32];
    let signed = signed_with(other, &issuer());
    let actual = [4; 32];
    assert_eq!(
        check_at(&signed, NOW_MS),
        Err(CertificateError::Chain { actual })
    );
}

#[test]
fn an_issuer_who_is_not_on_the_list_is_refused() {
    let own = SigningKey::from_bytes(&[5; 32]);
    let signed = signed_with(certificate(), &own);
    let actual = own.verifying_key().to_bytes();
    assert_eq!(
        check_at(&signed, NOW_MS),
        Err(CertificateError::Issuer { actual })
    );
    // Under the name of an issuer of the list it does not verify.
    let public = issuer().verifying_key().to_bytes();
    let forged = certificate().signed_by(public, |bytes| own.sign(bytes).to_bytes());
    assert_eq!(check_at(&forged, NOW_MS), Err(CertificateError::Signature));
}

#[test]
fn a_certificate_says_nothing_of_another_gpu_or_mode_and_holds_no_longer_than_one_may() {
    let refused = |change: fn(&mut Certificate)| {
        let mut other = certificate();
        change(&mut other);
        let signed = signed_with(other, &issuer());
        check_at(&signed, NOW_MS).unwrap_err()
    };
    let actual = Subject { key: KEY, gpu: 0 };
    assert_eq!(
        refused(|it| it.subject.gpu = 0),
        CertificateError::Subject { actual }
    );
    let mode = refused(|it| {
        let shape = it.workload.shape();
        it.workload = Workload::new(Mode::I, shape, 550).unwrap();
    });
    assert_eq!(mode, CertificateError::Mode { actual: Mode::I });
    assert_eq!(
        refused(|it| it.expires_at_ms += 1),
        CertificateError::Validity {
            actual_ms: DEFAULT_VALIDITY_MS + 1,
            max_ms: DEFAULT_VALIDITY_MS
        }
    );
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element: with a cofactor, a signature of zeros would verify for every message.
    let mut weak = [0; 32];
    weak[0] = 1;
    let forged = certificate().signed_by(weak, |_| [0; 64]);
    let demand = Demand {
        chain_id: CHAIN,
        subject: Subject { key: KEY, gpu: 1 },
        mode: Mode::F,
        max_validity_ms: DEFAULT_VALIDITY_MS,
        issuers: &[weak],
        now_ms: NOW_MS,
    };
    assert_eq!(forged.check(&demand), Err(CertificateError::Signature));
}

#[test]
fn every_bit_is_signed() {
    let signed = signed_with(certificate(), &issuer());
    let bytes = signed.encode();
    for bit in 0..8 * bytes.len() {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = SignedCertificate::decode(&changed) else {
            continue;
        };
        assert!(check_at(&changed, NOW_MS).is_err(), "bit {bit}");
    }
}

#[test]
fn the_signature_covers_the_namespace() {
    let key = issuer();
    let public = key.verifying_key().to_bytes();
    let bare = certificate().signed_by(public, |bytes| {
        let body = bytes
            .strip_prefix(b"throughput-proof/certificate/1\0")
            .unwrap();
        key.sign(body).to_bytes()
    });
    assert_eq!(check_at(&bare, NOW_MS), Err(CertificateError::Signature));
}

#[test]
fn a_certificate_has_these_bytes() {
    let bytes = signed_with(certificate(), &issuer()).encode();
    assert_eq!(bytes.len(), SignedCertificate::BYTES);
    let expected = [
        [1, 5].as_slice(),
        &CHAIN,
        &KEY,
        &[1, 0, 0, 0],
        &[1],
        &[0, 16, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0],
        &[38, 2, 0, 0],
        &14_900_000_u64.to_le_bytes(),
        &NOW_MS.to_le_bytes(),
        &(NOW_MS + 86_400_000).to_le_bytes(),
        &[0; 9],
    ]
    .concat();
    assert_eq!(bytes[..expected.len()], expected);
}

#[test]
fn an_unknown_figure_has_one_form() {
    let mut known = certificate();
    known.usable_memory_bytes = Some(0);
    for certificate in [certificate(), known] {
        let signed = signed_with(certificate, &issuer());
        assert_eq!(SignedCertificate::decode(&signed.encode()), Ok(signed));
    }
    let mut bytes = signed_with(certificate(), &issuer()).encode();
    let memory = SignedCertificate::BYTES - 64 - 32 - 9;
    for (at, byte) in [(memory, 2), (memory + 1, 7)] {
        let before = std::mem::replace(&mut bytes[at], byte);
        assert!(SignedCertificate::decode(&bytes).is_err());
        bytes[at] = before;
    }
}

proptest! {
    #[test]
    fn any_bytes_are_one_certificate_in_one_form_or_none(
        random in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut changed = signed_with(certificate(), &issuer()).encode();
        let at = at.index(changed.len());
        changed[at] = byte;
        for bytes in [random, changed[..at].to_vec(), changed] {
            if let Ok(signed) = SignedCertificate::decode(&bytes) {
                prop_assert_eq!(signed.encode(), bytes);
            }
        }
    }
}
