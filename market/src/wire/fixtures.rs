//! The bytes of what is signed, sent or kept: they must not change unnoticed.
//!
//! A change here breaks every peer and every store: it needs a new version in the namespace and a migration.

use crate::agreement::{Meter, Party, Rates, Terms};
use crate::delegation::{Delegation, Permission};
use crate::genesis::{Fees, Genesis};
use crate::gpu::{AdapterKind, Band, GpuClass, Tier};
use crate::ids::{AgreementId, BlobHash, ChainId, ChannelId, JobId, OrderId};
use crate::keys::SecretKey;
use crate::lease::Message;
use crate::ledger::{Leaf, Operation, SignedTransaction, Transaction};
use crate::receipt::{Outcome, Receipt};
use crate::voucher::Voucher;
use crate::wire::encode;
use crate::{Amount, PricePerHour, Signed, Timestamp};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn chain() -> ChainId {
    ChainId::from_bytes([9; 32])
}

fn terms() -> Terms {
    let party = |seed| Party {
        account: key(seed).account(),
        node: key(seed + 1).node(),
    };
    Terms {
        payer: party(1),
        payee: party(3),
        ask: OrderId::from_bytes([5; 32]),
        job: JobId::from_bytes([6; 32]),
        class: GpuClass::new(
            AdapterKind::Gpu,
            Band::holding(16_000_000).unwrap(),
            Tier::named(12).unwrap(),
        ),
        rates: Rates {
            price_per_hour: PricePerHour(Amount::from_nanocredits(250_000_000)),
            gpus: 1,
            hold_bps: 2_500,
            tick_ms: 10_000,
            prepaid_ticks: 1,
            delivery_ticks: 30,
        },
        deposit: Amount::from_nanocredits(1_000_000_000),
        payer_nonce: 7,
        expires_at: Timestamp::from_millis(8),
    }
}

fn voucher() -> Signed<Voucher> {
    let voucher = Voucher {
        channel: ChannelId::from_bytes([10; 32]),
        sequence: 11,
        cumulative: Amount::from_nanocredits(12),
        meter_hash: Meter::default().hash(),
    };
    Signed::sign(&voucher, &key(2), &chain())
}

fn genesis() -> Genesis {
    Genesis {
        version: 1,
        name: "fixture".to_owned(),
        time: Timestamp::from_millis(13),
        operators: vec![key(14).node()],
        treasury: vec![key(15).account()],
        treasury_threshold: 1,
        issue_cap_per_epoch: Amount::from_nanocredits(16),
        minimum_balance: Amount::from_nanocredits(17),
        fees: Fees {
            transfer: Amount::from_nanocredits(18),
            open: Amount::from_nanocredits(19),
            channel_bps: 20,
        },
        challenge_ms: 21,
        open_posting: true,
    }
}

fn pin(bytes: &[u8]) -> String {
    let hash = blake3::hash(bytes).to_hex();
    format!("{} {}", bytes.len(), &hash[..16])
}

fn signed_open() -> SignedTransaction {
    let transaction = Transaction {
        nonce: 22,
        valid_until_height: 23,
        operation: Operation::Open { terms: terms() },
    };
    SignedTransaction::sign(&transaction, &key(2), &chain())
}

fn signed_revoke() -> SignedTransaction {
    let transaction = Transaction {
        nonce: 33,
        valid_until_height: 34,
        operation: Operation::Revoke {
            account: key(1).account(),
            node: key(2).node(),
            until: Timestamp::from_millis(35),
        },
    };
    SignedTransaction::sign(&transaction, &key(1), &chain())
}

/// What lies in the index and in proofs of a revocation.
fn revocation() -> Leaf {
    Leaf::Revocation {
        account: key(1).account(),
        node: key(2).node(),
        until: Timestamp::from_millis(36),
    }
}

fn receipt() -> Receipt {
    Receipt {
        agreement: AgreementId::from_bytes([24; 32]),
        outcome: Outcome::Completed,
        meter: Meter {
            running_ms: 25,
            hold_ms: 26,
        },
        paid: Amount::from_nanocredits(27),
        outputs: vec![BlobHash::from_bytes([28; 32])],
        ended_at: Timestamp::from_millis(29),
    }
}

#[test]
fn what_is_signed_and_sent_keeps_its_bytes() {
    let delegation = Delegation {
        account: key(1).account(),
        node: key(2).node(),
        permission: Permission::Buy,
        spend_cap: Amount::from_nanocredits(30),
        expires_at: Timestamp::from_millis(31),
    };
    let due = Message::Due {
        meter: Meter::default(),
        cumulative: Amount::from_nanocredits(32),
    };
    let pinned = [
        ("terms", pin(&encode(&terms()))),
        ("agreement id", terms().id(&chain()).short()),
        ("channel id", terms().channel_id(&chain()).short()),
        ("voucher", pin(&encode(&voucher()))),
        (
            "delegation",
            pin(&encode(&Signed::sign(&delegation, &key(1), &chain()))),
        ),
        ("open", pin(&encode(&signed_open()))),
        ("revoke", pin(&encode(&signed_revoke()))),
        ("revocation", pin(&encode(&revocation()))),
        ("revocation key", pin(&encode(&revocation().key()))),
        ("receipt", pin(&encode(&receipt()))),
        ("due", pin(&encode(&due))),
        ("genesis", genesis().chain_id().short()),
    ];
    let expected = [
        ("terms", "239 60b992fc944b706b"),
        ("agreement id", "9503d0b4"),
        ("channel id", "73f6a861"),
        ("voucher", "184 48f3d48c720252d8"),
        ("delegation", "188 570a050525998817"),
        ("open", "379 a38525f6beee26b7"),
        ("revoke", "212 d371212db6bd44bd"),
        ("revocation", "76 21626e26932a3802"),
        ("revocation key", "36 05561789deef0e30"),
        ("receipt", "108 e7dc3a7f2c32bc20"),
        ("due", "28 7578628c32fa158e"),
        ("genesis", "b167c65d"),
    ];
    let shown: Vec<(&str, &str)> = pinned
        .iter()
        .map(|(name, pin)| (*name, pin.as_str()))
        .collect();
    assert_eq!(shown, expected);
}
