//! Owns the certificate: what a verifier signs after it saw a proof, and the check of one.
//!
//! Never holds a secret key: the caller signs. Never takes the word of an issuer who is not on the caller's list.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::chain::Subject;
use crate::codec::{DecodeError, Reader, Writer};
use crate::message::{read_subject, read_workload, write_subject, write_workload};
use crate::mode::Mode;
use crate::verifier::Proved;
use crate::workload::Workload;

/// How long a certificate holds unless its issuer says otherwise, in milliseconds: 24 hours.
pub const DEFAULT_VALIDITY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How far the checker's clock may be behind the issuer's, in milliseconds.
pub const CLOCK_TOLERANCE_MS: u64 = 60_000;

const NAMESPACE: &[u8] = b"throughput-proof/certificate/1";

/// The byte after the version, which no message has.
const KIND: u8 = 5;

/// What is certified about one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// The network on which it holds.
    pub chain_id: [u8; 32],
    /// Whose GPU.
    pub subject: Subject,
    /// What was computed for it.
    pub workload: Workload,
    /// The rate proved, in MFLOP/s.
    pub proved_mflops: u64,
    /// When it was issued, in milliseconds of the network's time.
    pub issued_at_ms: u64,
    /// When it ends, in milliseconds of the network's time.
    pub expires_at_ms: u64,
    /// The memory proved to be usable, where it was.
    pub usable_memory_bytes: Option<u64>,
}

/// A certificate and its issuer's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    certificate: Certificate,
    issuer: [u8; 32],
    signature: [u8; 64],
}

/// What a checker demands of a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The network.
    pub chain_id: [u8; 32],
    /// The key, and the one of its GPUs, that it must be about.
    pub subject: Subject,
    /// The mode that it must be of: a rate of one says nothing of the other.
    pub mode: Mode,
    /// The longest time from issue to end that counts, in milliseconds; see [`DEFAULT_VALIDITY_MS`].
    pub max_validity_ms: u64,
    /// The issuers whose word counts.
    pub issuers: &'a [[u8; 32]],
    /// The network's time in milliseconds.
    pub now_ms: u64,
}

/// Why a certificate does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Its issuer's word does not count here.
    #[error("the certificate's issuer is not one of those whose word counts here")]
    Issuer {
        /// Who issued it.
        actual: [u8; 32],
    },
    /// The issuer did not sign it.
    #[error("the certificate's signature does not verify")]
    Signature,
    /// It holds on another network.
    #[error("the certificate holds on another network")]
    Chain {
        /// Where it holds.
        actual: [u8; 32],
    },
    /// It is about another key or another GPU.
    #[error("the certificate is about another key or another GPU")]
    Subject {
        /// Whom it is about.
        actual: Subject,
    },
    /// It is of the other mode.
    #[error("the certificate is of the other mode")]
    Mode {
        /// Its mode.
        actual: Mode,
    },
    /// It claims to hold longer than a certificate may.
    #[error("the certificate claims to hold for {actual_ms} ms, and {max_ms} ms are the most")]
    Validity {
        /// From issue to end.
        actual_ms: u64,
        /// The most that counts.
        max_ms: u64,
    },
    /// It was issued later than now.
    #[error("the certificate was issued at {issued_at_ms} ms, after {now_ms} ms")]
    NotYetIssued {
        /// When it says that it was issued.
        issued_at_ms: u64,
        /// The checker's time.
        now_ms: u64,
    },
    /// It ended.
    #[error("the certificate ended at {expires_at_ms} ms; it is {now_ms} ms now")]
    Expired {
        /// When it ended.
        expires_at_ms: u64,
        /// The checker's time.
        now_ms: u64,
    },
}

impl Certificate {
    /// Certifies what was proved on a network for [`DEFAULT_VALIDITY_MS`], without a word on memory.
    pub fn new(proved: &Proved, chain_id: [u8; 32], issued_at_ms: u64) -> Self {
        Self {
            chain_id,
            subject: proved.subject,
            workload: proved.workload,
            proved_mflops: proved.mflops,
            issued_at_ms,
            expires_at_ms: issued_at_ms.saturating_add(DEFAULT_VALIDITY_MS),
            usable_memory_bytes: None,
        }
    }

    /// Signs the certificate: `sign` is given `namespace || 0x00 || certificate` and returns the ed25519 signature of
    /// the key whose public half is `issuer`.
    pub fn signed_by(
        self,
        issuer: [u8; 32],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> SignedCertificate {
        let signature = sign(&self.signed_bytes());
        SignedCertificate {
            certificate: self,
            issuer,
            signature,
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new(KIND);
        self.write(&mut writer);
        [NAMESPACE, &[0], &writer.finish()].concat()
    }

    fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.chain_id);
        write_subject(writer, &self.subject);
        write_workload(writer, self.workload);
        writer.u64(self.proved_mflops);
        writer.u64(self.issued_at_ms);
        writer.u64(self.expires_at_ms);
        writer.u8(self.usable_memory_bytes.is_some().into());
        writer.u64(self.usable_memory_bytes.unwrap_or_default());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: reader.array()?,
            subject: read_subject(reader)?,
            workload: read_workload(reader)?,
            proved_mflops: reader.u64()?,
            issued_at_ms: reader.u64()?,
            expires_at_ms: reader.u64()?,
            usable_memory_bytes: read_optional(reader)?,
        })
    }

    fn check(&self, demand: &Demand<'_>) -> Result<(), CertificateError> {
        let now_ms = demand.now_ms;
        let actual = self.chain_id;
        if actual != demand.chain_id {
            return Err(CertificateError::Chain { actual });
        }
        let actual = self.subject;
        if actual != demand.subject {
            return Err(CertificateError::Subject { actual });
        }
        let actual = self.workload.mode();
        if actual != demand.mode {
            return Err(CertificateError::Mode { actual });
        }
        let (actual_ms, max_ms) = (
            self.expires_at_ms.saturating_sub(self.issued_at_ms),
            demand.max_validity_ms,
        );
        if actual_ms > max_ms {
            return Err(CertificateError::Validity { actual_ms, max_ms });
        }
        let issued_at_ms = self.issued_at_ms;
        if issued_at_ms > now_ms.saturating_add(CLOCK_TOLERANCE_MS) {
            return Err(CertificateError::NotYetIssued {
                issued_at_ms,
                now_ms,
            });
        }
        let expires_at_ms = self.expires_at_ms;
        if expires_at_ms <= now_ms {
            return Err(CertificateError::Expired {
                expires_at_ms,
                now_ms,
            });
        }
        Ok(())
    }
}

/// Reads a figure that may be unknown, which has one form only: no flag and zero.
fn read_optional(reader: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    let field = "optional figure";
    match (reader.u8()?, reader.u64()?) {
        (0, 0) => Ok(None),
        (1, value) => Ok(Some(value)),
        (_, value) => Err(DecodeError::Field { field, value }),
    }
}

impl SignedCertificate {
    /// The length of every signed certificate in bytes.
    pub const BYTES: usize = 2 + 32 + 36 + 17 + 3 * 8 + 9 + 32 + 64;

    /// Encodes the certificate.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(KIND);
        self.certificate.write(&mut writer);
        writer.bytes(&self.issuer);
        writer.bytes(&self.signature);
        writer.finish()
    }

    /// Decodes a certificate that must fill the whole input; only [`Self::check`] makes it worth anything.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, Self::BYTES)?;
        let kind = reader.header()?;
        if kind != KIND {
            return Err(DecodeError::Field {
                field: "kind of message",
                value: kind.into(),
            });
        }
        let signed = Self {
            certificate: Certificate::read(&mut reader)?,
            issuer: reader.array()?,
            signature: reader.array()?,
        };
        reader.end()?;
        Ok(signed)
    }

    /// Returns the certificate if it counts: issued by one of the issuers, on this network, about this key, and now.
    ///
    /// The signature is verified strictly (RFC 8032 without cofactor, small-order keys refused), and before anything
    /// that it covers is looked at.
    pub fn check(&self, demand: &Demand<'_>) -> Result<&Certificate, CertificateError> {
        if !demand.issuers.contains(&self.issuer) {
            let actual = self.issuer;
            return Err(CertificateError::Issuer { actual });
        }
        self.check_signature()?;
        self.certificate.check(demand)?;
        Ok(&self.certificate)
    }

    fn check_signature(&self) -> Result<(), CertificateError> {
        let signature = Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.issuer)
            .and_then(|key| key.verify_strict(&self.certificate.signed_bytes(), &signature))
            .map_err(|_| CertificateError::Signature)
    }
}

#[cfg(test)]
mod tests;
