//! The bounded run of every decoder of this crate, on bytes of a small real ledger and thousands of mutations of each.

use super::*;
use crate::ids::{ChannelId, Root};
use crate::ledger::{Key, Operation};
use sweep::{allocated, compare_corpus, sweep};

#[path = "../../../tests/fuzz/sweep.rs"]
#[expect(
    clippy::disallowed_methods,
    reason = "the corpus lies in files, and only tests read them"
)]
mod sweep;

/// Every kind of bytes of the small ledger: the decoder, a name, the bytes.
fn entries() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let ledger = SmallLedger::get();
    let state = &ledger.state;
    let last = ledger.blocks.last().unwrap();
    let mut entries = Vec::new();
    let named = [
        (0, "issue"),
        (1, "pay"),
        (4, "open"),
        (6, "delegated"),
        (7, "claim"),
        (8, "due"),
        (9, "leave"),
    ];
    for (index, name) in named {
        let block = &ledger.blocks[index];
        entries.push(("block", name, wire::encode(block)));
        if let Some(proof) = block.prove_all().pop() {
            let transaction = wire::encode(&proof.transaction);
            entries.push(("signed_transaction", name, transaction));
            entries.push(("finality_proof", name, wire::encode(&proof)));
        }
    }
    let prove = |key: Key| wire::encode(&state.prove(&key, &last.certificate).unwrap());
    entries.extend([
        ("state_proof", "supply", prove(Key::Supply)),
        ("state_proof", "channel", prove(Key::Channel(ledger.open))),
        (
            "state_proof",
            "account",
            prove(Key::Account(small::payer().account())),
        ),
        ("certified_header", "last", wire::encode(&last.certified())),
    ]);
    entries.extend(leaves(state));
    entries.extend(handovers(last));
    entries.extend(nouns(ledger));
    entries.extend(operations(ledger));
    entries.extend([
        ("amount", "whole", b"12".to_vec()),
        ("amount", "fine", b"0.000000001 cr".to_vec()),
        ("amount", "cap", b"10000000000".to_vec()),
    ]);
    entries
}

fn leaves(state: &State) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let name = |leaf: &Leaf| match leaf {
        Leaf::Supply(_) => "supply",
        Leaf::Account(_) => "account",
        Leaf::Channel(_) => "channel",
        Leaf::PayerNonce { .. } => "payer-nonce",
        Leaf::Applied { .. } => "applied",
        Leaf::Delegation { .. } => "delegation",
        Leaf::Operators { .. } => "operators",
        Leaf::Revocation { .. } => "revocation",
    };
    let mut named = std::collections::BTreeMap::new();
    // Nobody has handed over in the small ledger.
    let handed_over = Leaf::Operators {
        since: 9,
        operators: vec![small::desk().node()],
    };
    // Nor has anybody revoked.
    let revoked = Leaf::Revocation {
        account: small::payer().account(),
        node: small::rig().node(),
        until: Timestamp::from_millis(u64::MAX - 1),
    };
    for leaf in state.leaves().chain([&handed_over, &revoked]) {
        named
            .entry(name(leaf))
            .or_insert_with(|| wire::encode(leaf));
    }
    assert_eq!(named.len(), 8, "every kind of leaf is there");
    named
        .into_iter()
        .map(|(name, bytes)| ("leaf", name, bytes))
        .collect()
}

/// Proofs about operators: that they handed over, and that they lied.
fn handovers(last: &Block) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let operators = vec![small::desk().node()];
    let mut header = last.header.clone();
    header.next_validators_hash = crate::ledger::validators_hash(&operators);
    let certified = CertifiedHeader::sign(header.clone(), &small::operator());
    header.state_root = Root::from_bytes([9; 32]);
    let lie = EquivocationProof {
        first: last.certified(),
        second: CertifiedHeader::sign(header, &small::operator()),
    };
    let handover = EpochProof {
        certified,
        operators,
    };
    vec![
        ("epoch_proof", "handover", wire::encode(&handover)),
        ("equivocation_proof", "lie", wire::encode(&lie)),
    ]
}

fn nouns(ledger: &SmallLedger) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let state = &ledger.state;
    let signed = small::voucher(state, ledger.open, Amount::from_nanocredits(9_000_000));
    let voucher = signed.verify(state.chain()).unwrap().value;
    let [buy, both] = small::delegations(state);
    let delegation = buy.verify(state.chain()).unwrap().value;
    vec![
        ("voucher", "signed", wire::encode(&signed)),
        ("voucher", "bare", wire::encode(&voucher)),
        ("delegation", "buy", wire::encode(&buy)),
        ("delegation", "both", wire::encode(&both)),
        ("delegation", "bare", wire::encode(&delegation)),
        ("terms", "brief", wire::encode(&small::terms(1, 7))),
        ("genesis", "small", wire::encode(&small::genesis())),
    ]
}

/// Operations that the small ledger takes, behind the bytes that choose who signs.
fn operations(ledger: &SmallLedger) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let payer = small::payer().account();
    let amount = Amount::from_nanocredits(8_000_000);
    let close = |channel: ChannelId| Operation::PayerClose {
        channel,
        sequence: 1,
        cumulative: amount,
    };
    let revoke = |until: u64| Operation::Revoke {
        account: payer,
        node: small::rig().node(),
        until: Timestamp::from_millis(until),
    };
    let mut delegated = small::terms(90, u64::MAX);
    delegated.payer.node = small::rig().node();
    let terms = small::terms(91, u64::MAX);
    let operations = [
        ("pay", [1, 0], small::pay(" thanks ")),
        ("issue", [0x30, 0], Operation::Issue { to: payer, amount }),
        (
            "redeem",
            [0x31, 0],
            Operation::Redeem {
                from: payer,
                amount,
            },
        ),
        ("open", [3, 0], Operation::Open { terms }),
        ("delegated", [6, 4], Operation::Open { terms: delegated }),
        ("leave", [1, 0], close(ledger.open)),
        ("claim", [0x40, 1], close(ledger.open)),
        ("claim-closing", [0x40, 1], close(ledger.closing)),
        ("close", [2, 2], close(ledger.closing)),
        ("close-bare", [2, 3], close(ledger.open)),
        (
            "operators",
            [1, 0],
            Operation::SetOperators {
                operators: vec![small::desk().node()],
            },
        ),
        ("revoke", [1, 0], revoke(u64::MAX)),
        ("revoke-by-node", [4, 4], revoke(u64::MAX)),
        ("revoke-late", [1, 0], revoke(7)),
    ];
    let bytes = |choices: [u8; 2], operation: Operation| {
        let transaction = Transaction {
            nonce: 1_000,
            valid_until_height: 500,
            operation,
        };
        [&choices[..], &wire::encode(&transaction)].concat()
    };
    operations
        .into_iter()
        .map(|(name, choices, operation)| ("operation", name, bytes(choices, operation)))
        .collect()
}

#[test]
fn the_corpus_has_every_kind_of_bytes_of_a_small_ledger() {
    let entries = entries();
    compare_corpus(&entries);
    for (decoder, check) in DECODERS {
        let of = |entry: &&(&str, &str, Vec<u8>)| entry.0 == decoder;
        let mut entries = entries.iter().filter(of).peekable();
        assert!(entries.peek().is_some(), "{decoder} has no entry");
        assert!(entries.all(|(_, _, bytes)| check(bytes)), "{decoder}");
    }
}

macro_rules! sweeps {
    ($($decoder:ident)*) => {
        mod hold_on_their_corpus_and_its_mutations {
            $(
                #[test]
                fn $decoder() {
                    super::sweep((stringify!($decoder), super::super::$decoder));
                }
            )*
        }

        #[test]
        fn no_decoder_is_left_out() {
            let swept = [$(stringify!($decoder)),*];
            assert_eq!(DECODERS.map(|(name, _)| name), swept);
        }
    };
}

sweeps! {
    amount block certified_header delegation epoch_proof equivocation_proof finality_proof genesis
    leaf operation signed_transaction state_proof terms voucher
}

#[test]
fn what_a_length_promises_is_not_allocated_before_it_comes() {
    let block = SmallLedger::get().blocks.first().unwrap();
    let mut bytes = wire::encode(block);
    let header = wire::encode(&block.header).len();
    for promised in [1_u64 << 20, 1 << 32, u64::MAX] {
        bytes[header..header + 8].copy_from_slice(&promised.to_le_bytes());
        let (decoded, peak) = allocated(|| Block::decode(&bytes));
        assert!(decoded.is_err());
        assert!(peak <= 3 << 20, "{promised} promised, {peak} allocated");
    }
    let mut text = wire::encode(&"short".to_owned());
    text[..8].copy_from_slice(&(8_u64 << 20).to_le_bytes());
    let (decoded, peak) = allocated(|| wire::decode::<String>(&text, MAX_MESSAGE_BYTES));
    assert!(decoded.is_err());
    assert!(peak <= 1 << 10, "{peak} allocated");
}
