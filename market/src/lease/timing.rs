//! Owns the waits of a lease.
//!
//! Never waits: the machine compares times that it is told.

use std::time::Duration;

/// The waits of the protocol. Defaults are the market's; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How old a StateProof may be before the first work.
    pub proof_age: Duration,
    /// How long either side waits for one that is silent, cannot be reached or does not pay.
    pub patience: Duration,
    /// After what silence of the payee its payer asks whether it is there, and how often.
    pub doubt_after: Duration,
    /// Pause between two such questions.
    pub ask_every: Duration,
    /// After what silence of the payee its payer says so.
    pub alert_after: Duration,
    /// How often the payee claims.
    pub claim_every: Duration,
    /// How often the payee has the channel proved open again while it works.
    pub prove_every: Duration,
    /// How long the payee works on without such a proof.
    pub proof_valid: Duration,
    /// How often the payee says where it stands when there is nothing else to say.
    pub heartbeat: Duration,
    /// How long each side waits for the other's part in closing.
    pub closing_patience: Duration,
    /// How long the payee waits for the payer's seal on the receipt, once it is paid.
    pub receipt_patience: Duration,
    /// What the payer allows the payee's meter to be ahead of its own.
    pub meter_slack: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            proof_age: Duration::from_secs(30),
            patience: Duration::from_secs(300),
            doubt_after: Duration::from_secs(6),
            ask_every: Duration::from_secs(2),
            alert_after: Duration::from_secs(15),
            claim_every: Duration::from_secs(600),
            prove_every: Duration::from_secs(3 * 3600),
            proof_valid: Duration::from_secs(6 * 3600),
            heartbeat: Duration::from_secs(5),
            closing_patience: Duration::from_secs(30),
            receipt_patience: Duration::from_secs(10),
            meter_slack: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// Returns the waits for a market whose challenge window lasts `challenge`: a proof is good for a quarter
    /// of the window and renewed twice in that time, so that a payer who closes alone is noticed early. Where
    /// the window is shorter than two minutes, a proof that is good for the first work is good for more.
    pub fn for_challenge(challenge: Duration) -> Self {
        let usual = Self::default();
        Self {
            prove_every: (challenge / 8).clamp(Duration::from_secs(1), usual.prove_every),
            proof_valid: (challenge / 4).clamp(usual.proof_age, usual.proof_valid),
            ..usual
        }
    }

    /// Replaces how long either side waits for a silent other one; no other wait for it is longer.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self {
            patience,
            closing_patience: self.closing_patience.min(patience),
            receipt_patience: self.receipt_patience.min(patience),
            ..self
        }
    }
}
