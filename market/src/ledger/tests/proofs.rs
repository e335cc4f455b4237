//! Proofs: true ones convince, and no byte of them can be changed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::ids::Root;
use crate::wire::{self, Seal};

/// Checks that `verify` refuses `proof` with any one byte changed.
fn refuses_every_flip<P: Serialize + DeserializeOwned + std::fmt::Debug>(
    proof: &P,
    verify: impl Fn(&P) -> bool,
) {
    assert!(verify(proof), "{proof:?}");
    let bytes = wire::encode(proof);
    for place in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        if let Ok(proof) = wire::decode::<P>(&bytes, bytes.len()) {
            assert!(!verify(&proof), "byte {place} of {}", bytes.len());
        }
    }
}

fn state_proof(world: &World, key: &Key) -> StateProof {
    let certificate = &world.log.last().unwrap().certificate;
    world.state.prove(key, certificate).unwrap()
}

#[test]
fn a_finality_proof_shows_the_open_and_no_byte_of_it_can_change() {
    let mut world = World::new();
    let first = world.opened();
    world.payer_close(first, TICK).unwrap();
    world.pass(CHALLENGE_MS - 1_000);
    let mut terms = world.terms();
    terms.payer_nonce = 2;
    let id = world.open(terms).unwrap();
    let block = world.log.last().unwrap();
    assert_eq!(block.receipts.len(), 2, "a deadline comes before the open");
    let receipt = block.receipts.last().unwrap();
    let proof = block.prove(receipt.transaction().unwrap()).unwrap();
    assert_eq!(block.prove_all(), std::slice::from_ref(&proof));
    let trusted = TrustedSet::genesis(&genesis());
    assert_eq!(proof.verify(&trusted), Ok(receipt));
    assert_eq!(receipt.channel.as_ref().unwrap().id, id);
    assert!(wire::encode(&proof).len() <= 2_560);
    refuses_every_flip(&proof, |proof| proof.verify(&trusted).is_ok());
    assert_eq!(block.prove(crate::ids::TxId::from_bytes([0; 32])), None);
}

#[test]
fn a_receipt_proves_only_its_own_transaction() {
    let mut world = World::new();
    world.transfer(&key(5), 1_000_000_000).unwrap();
    let mut block = world.log.pop().unwrap();
    let trusted = TrustedSet::genesis(&genesis());
    let other = crate::ids::TxId::from_bytes([7; 32]);
    block.receipts[0].cause = Cause::Transaction(other);
    let hashes: Vec<_> = block.transactions.iter().map(draft::tx_hash).collect();
    let tree = draft::receipts_tree(&hashes, &block.receipts);
    block.header.receipts_root = Root::from_bytes(tree.root());
    block.certificate = CertifiedHeader::sign(block.header.clone(), &world.operator).certificate;
    let proof = block.prove(other).unwrap();
    assert_eq!(proof.verify(&trusted), Err(ProofError::OtherTransaction));
}

#[test]
fn a_state_proof_shows_the_channel_as_it_is_and_no_byte_of_it_can_change() {
    let mut world = World::new();
    let id = world.opened();
    let proof = state_proof(&world, &Key::Channel(id));
    let trusted = TrustedSet::genesis(&genesis());
    let record = world.record(id).clone();
    assert_eq!(proof.verify(&trusted), Ok(&Leaf::Channel(Box::new(record))));
    refuses_every_flip(&proof, |proof| proof.verify(&trusted).is_ok());
    world.block(&[]);
    let newer = state_proof(&world, &Key::Channel(id));
    assert!(newer.certified.header.time > proof.certified.header.time);
    let mixed = StateProof {
        certified: newer.certified,
        path: Path::default(),
        ..proof
    };
    assert_eq!(mixed.verify(&trusted), Err(ProofError::Path));
}

#[test]
fn a_proof_from_a_market_with_thousands_of_leaves_fits_two_kilobytes() {
    let mut world = World::new();
    let id = world.opened();
    let mut leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    leaves.extend((0u64..5_000).map(|n| Leaf::PayerNonce {
        payer: key(5).account(),
        nonce: n,
        channel: id,
    }));
    world.restore(leaves);
    let proof = state_proof(&world, &Key::Channel(id));
    assert!(wire::encode(&proof).len() <= 2_048);
}

#[test]
fn another_market_or_operator_convinces_nobody() {
    let mut world = World::new();
    let supply = state_proof(&world, &Key::Supply);
    let mut trusted = TrustedSet::genesis(&genesis());
    trusted.chain = crate::ids::ChainId::from_bytes([0; 32]);
    assert!(matches!(
        supply.verify(&trusted),
        Err(ProofError::OtherChain { .. })
    ));
    let mut trusted = TrustedSet::genesis(&genesis());
    trusted.operators = vec![key(9).node()];
    assert!(matches!(
        supply.verify(&trusted),
        Err(ProofError::OtherOperators { .. })
    ));
    let mut trusted = TrustedSet::genesis(&genesis());
    trusted.height = 2;
    let later = TrustedSet {
        operators: vec![key(9).node()],
        ..trusted.clone()
    };
    assert!(matches!(
        supply.verify(&later),
        Err(ProofError::BeforeTrusted {
            trusted: 2,
            found: 1
        })
    ));
    assert!(
        supply.verify(&trusted).is_ok(),
        "those who are trusted stand for what was before"
    );
    world.block(&[]);
    assert!(state_proof(&world, &Key::Supply).verify(&trusted).is_ok());
}

/// A header handed over to by `operators`, with votes by `voters`.
fn voted(operators: &[NodeId], voters: &[&SecretKey]) -> CertifiedHeader {
    let state = State::genesis(&genesis()).unwrap();
    let hash = validators_hash(operators);
    let header = Header {
        height: 5,
        validators_hash: hash,
        next_validators_hash: hash,
        ..state.tip().clone()
    };
    let precommit = Precommit {
        height: 5,
        round: 3,
        header: header.id(),
    };
    let vote = |key: &&SecretKey| Seal::new(&precommit, key, state.chain());
    CertifiedHeader {
        header,
        certificate: Certificate {
            round: 3,
            precommits: voters.iter().map(vote).collect(),
        },
    }
}

#[test]
fn a_committee_of_four_needs_three_votes_each_counted_once() {
    let keys = [key(1), key(2), key(3), key(4)];
    let [a, b, c, d] = &keys;
    let operators: Vec<NodeId> = keys.iter().map(SecretKey::node).collect();
    let trusted = TrustedSet {
        chain: genesis().chain_id(),
        height: 1,
        operators: operators.clone(),
    };
    assert_eq!(trusted.quorum(), 3);
    assert_eq!(trusted.check(&voted(&operators, &[a, c, d])), Ok(()));
    assert_eq!(
        trusted.check(&voted(&operators, &[a, c])),
        Err(ProofError::Quorum { have: 2, need: 3 })
    );
    for voters in [[a, c, a], [a, c, &key(9)]] {
        assert!(matches!(
            trusted.check(&voted(&operators, &voters)),
            Err(ProofError::BadPrecommit { .. })
        ));
    }
    let mut other_round = voted(&operators, &[a, b, c]);
    other_round.certificate.round = 4;
    assert!(trusted.check(&other_round).is_err());
}

#[test]
fn trust_moves_only_to_operators_that_the_old_ones_named_and_never_back() {
    let mut trusted = TrustedSet::genesis(&genesis());
    let (old, new) = (trusted.operators.clone(), vec![key(9).node()]);
    let mut header = voted(&old, &[&key(200)]).header;
    header.next_validators_hash = validators_hash(&new);
    let mut epoch = EpochProof {
        certified: CertifiedHeader::sign(header, &key(200)),
        operators: vec![key(8).node()],
    };
    assert_eq!(trusted.advance(&epoch), Err(ProofError::NotHandedOver));
    epoch.operators.clone_from(&new);
    trusted.advance(&epoch).unwrap();
    assert_eq!((trusted.height, &trusted.operators), (6, &new));
    assert!(matches!(
        trusted.advance(&epoch),
        Err(ProofError::BeforeTrusted { .. })
    ));
}

#[test]
fn two_headers_of_one_height_convict_their_signer() {
    let mut world = World::new();
    world.block(&[]);
    let first = world.log.last().unwrap().certified();
    let mut header = first.header.clone();
    header.state_root = Root::from_bytes([9; 32]);
    let trusted = TrustedSet::genesis(&genesis());
    let second = CertifiedHeader::sign(header.clone(), &world.operator);
    let proof = EquivocationProof {
        first: first.clone(),
        second,
    };
    assert_eq!(proof.verify(&trusted), Ok(()));
    let same = EquivocationProof {
        first: first.clone(),
        second: first.clone(),
    };
    assert_eq!(same.verify(&trusted), Err(ProofError::NoConflict));
    let framed = EquivocationProof {
        first: first.clone(),
        second: CertifiedHeader::sign(header.clone(), &key(9)),
    };
    assert!(framed.verify(&trusted).is_err());
    header.height += 1;
    let later = EquivocationProof {
        first,
        second: CertifiedHeader::sign(header, &world.operator),
    };
    assert_eq!(later.verify(&trusted), Err(ProofError::NoConflict));
}
