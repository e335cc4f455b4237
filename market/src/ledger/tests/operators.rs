//! The operators hand over: who must agree, from when on it holds, and what convinces whom before and after.

use super::*;
use crate::ids::Root;
use crate::wire::{self, Seal};

fn nodes(keys: &[&SecretKey]) -> Vec<NodeId> {
    keys.iter().map(|key| key.node()).collect()
}

fn hand_over(to: &[&SecretKey]) -> Operation {
    let operators = nodes(to);
    Operation::SetOperators { operators }
}

impl World {
    /// Hands over to one operator, as that one and the present one agree.
    fn rotate(&mut self, to: &SecretKey) -> EpochProof {
        let present = self.operator.clone();
        self.act(hand_over(&[to]), &[&present, to]).unwrap();
        let certified = self.log.last().unwrap().certified();
        EpochProof::of(&self.state, &certified).unwrap()
    }

    /// Makes the next block with the votes of `voters`, checks it by replay and commits it.
    fn voted_block(
        &mut self,
        batch: &[SignedTransaction],
        voters: &[&SecretKey],
    ) -> Result<(), BlockError> {
        self.now_ms += 1_000;
        let mut draft = self.state.draft(Timestamp::from_millis(self.now_ms));
        for signed in batch {
            draft.apply(signed).unwrap();
        }
        let finished = draft.finish(voters[0].node());
        let header = finished.delta.header().clone();
        let precommit = Precommit {
            height: header.height,
            round: 0,
            header: header.id(),
        };
        let chain = *self.state.chain();
        let vote = |key: &&SecretKey| Seal::new(&precommit, key, &chain);
        let block = Block {
            header,
            transactions: finished.transactions,
            receipts: finished.receipts,
            certificate: Certificate {
                round: 0,
                precommits: voters.iter().map(vote).collect(),
            },
        };
        let delta = verify_block(&self.state, &block)?;
        self.state.commit(delta)?;
        self.log.push(block);
        Ok(())
    }
}

#[test]
fn a_change_holds_from_the_next_block_on_and_moves_no_money() {
    let mut world = World::new();
    let (old, new) = (operator_key(0), operator_key(1));
    assert_eq!(world.state.operators_since(), 1);
    let supply = world.state.supply();
    let receipt = world.act(hand_over(&[&new]), &[&new, &old]).unwrap();
    assert_eq!((receipt.transfers.len(), receipt.fee), (0, Amount::ZERO));
    assert_eq!(world.state.supply(), supply);
    let block = world.log.last().unwrap();
    let (before, after) = (
        validators_hash(&nodes(&[&old])),
        validators_hash(&nodes(&[&new])),
    );
    assert_eq!(block.header.validators_hash, before, "the old one signs it");
    assert_eq!(block.header.next_validators_hash, after);
    assert_eq!(block.header.proposer, old.node());
    let height = block.header.height;
    assert_eq!(world.state.operators(), nodes(&[&new]));
    assert_eq!(world.state.operators_since(), height + 1);
    let now = Timestamp::from_millis(world.now_ms + 1);
    assert_eq!(
        execute(&world.state, &[], now, &old).err(),
        Some(BlockError::NotOperator { node: old.node() })
    );
    world.transfer(&key(5), 1_000_000_000).unwrap();
    let header = &world.log.last().unwrap().header;
    assert_eq!(
        (header.validators_hash, header.next_validators_hash),
        (after, after)
    );
}

#[test]
fn every_wrong_change_is_refused_by_its_name() {
    let mut world = World::new();
    let (old, new, other) = (operator_key(0), operator_key(1), operator_key(2));
    let many: Vec<SecretKey> = (20..28).map(key).collect();
    let many: Vec<&SecretKey> = many.iter().collect();
    let max = MAX_OPERATORS;
    let alone = Rejected::OperatorThreshold { have: 0, need: 1 };
    let cases: Vec<(Operation, Vec<&SecretKey>, Rejected)> = vec![
        (
            hand_over(&[]),
            vec![&old],
            Rejected::OperatorCount { found: 0, max },
        ),
        (
            hand_over(&many),
            vec![&old],
            Rejected::OperatorCount { found: 8, max },
        ),
        (
            hand_over(&[&new, &new]),
            vec![&old, &new],
            Rejected::OperatorTwice {
                operator: new.node(),
            },
        ),
        (hand_over(&[&old]), vec![&old], Rejected::OperatorsSame),
        (hand_over(&[&new]), vec![&new], alone.clone()),
        // Treasury keys and people have no say in it.
        (hand_over(&[&new]), vec![&new, many[0], many[1]], alone),
        (
            hand_over(&[&new]),
            vec![&old],
            Rejected::OperatorUnproved {
                operator: new.node(),
            },
        ),
        (
            hand_over(&[&new, &old, &other]),
            vec![&old, &new],
            Rejected::OperatorUnproved {
                operator: other.node(),
            },
        ),
    ];
    for (operation, keys, refusal) in cases {
        assert_eq!(world.act(operation, &keys), Err(refusal.clone()));
        assert_eq!(world.state.operators(), nodes(&[&old]), "{refusal}");
        assert_eq!(world.state.leaf(&Key::Operators), None);
        let json = serde_json::to_value(&refusal).unwrap();
        let name = json.as_str().map(str::to_owned);
        let name = name.or_else(|| json.as_object()?.keys().next().cloned());
        assert_eq!(name.as_deref(), Some(refusal.rule()));
    }
}

#[test]
fn a_block_changes_the_operators_once() {
    let mut world = World::new();
    let (old, new, other) = (operator_key(0), operator_key(1), operator_key(2));
    let batch = [
        world.signed(hand_over(&[&new]), &[&old, &new]),
        world.signed(hand_over(&[&other]), &[&old, &other, &new]),
    ];
    assert_eq!(world.block(&batch), [Rejected::OperatorsChanging]);
    assert_eq!(world.state.operators(), nodes(&[&new]));
    // The one that was refused is no change by those who operate now.
    let refused = world.submit(&batch[1]);
    assert!(refused.is_ok(), "the new one had signed it: {refused:?}");
    assert_eq!(world.state.operators(), nodes(&[&other]));
}

#[test]
fn a_set_change_is_not_replayed() {
    let mut world = World::new();
    let (old, new) = (operator_key(0), operator_key(1));
    let mut change = world.transaction(hand_over(&[&new]));
    change.valid_until_height = world.state.tip().height + 3;
    let chain = *world.state.chain();
    let change = SignedTransaction::sign(&change, &old, &chain);
    let change = change.cosign(&new, &chain).unwrap();
    world.submit(&change).unwrap();
    world.rotate(&old);
    let id = change.id(&chain);
    assert_eq!(world.submit(&change), Err(Rejected::AlreadyApplied { id }));
    world.block(&[]);
    assert!(matches!(
        world.submit(&change),
        Err(Rejected::TooLate { .. })
    ));
    assert_eq!(world.state.operators(), nodes(&[&old]));
}

#[test]
fn the_old_key_signs_no_block_after_it_has_handed_over() {
    let mut world = World::new();
    let (old, new) = (operator_key(0), operator_key(1));
    world.rotate(&new);
    // As the old operator would go on, had it not handed over.
    let mut header = world.state.tip().clone();
    header.height += 1;
    header.prev_id = world.state.tip().id();
    for validators in [nodes(&[&old]), nodes(&[&new])] {
        header.validators_hash = validators_hash(&validators);
        let certified = CertifiedHeader::sign(header.clone(), &old);
        let block = Block {
            header: certified.header,
            transactions: Vec::new(),
            receipts: Vec::new(),
            certificate: certified.certificate,
        };
        assert!(matches!(
            verify_block(&world.state, &block),
            Err(BlockError::Certificate(_))
        ));
    }
}

#[test]
fn a_signed_header_cannot_hand_over_to_others_than_its_block() {
    let mut world = World::new();
    let (old, new, other) = (operator_key(0), operator_key(1), operator_key(2));
    let change = world.signed(hand_over(&[&new]), &[&old, &new]);
    let now = Timestamp::from_millis(world.now_ms + 1);
    let block = execute(&world.state, &[change], now, &old).unwrap().block;
    let forged = |next: &SecretKey| {
        let mut header = block.header.clone();
        header.next_validators_hash = validators_hash(&nodes(&[next]));
        let certified = CertifiedHeader::sign(header, &old);
        Block {
            header: certified.header,
            certificate: certified.certificate,
            ..block.clone()
        }
    };
    for next in [&old, &other] {
        assert_eq!(
            verify_block(&world.state, &forged(next)).err(),
            Some(BlockError::Differs {
                height: 2,
                field: "header"
            })
        );
    }
    assert!(verify_block(&world.state, &forged(&new)).is_ok());
}

#[test]
fn a_log_replays_over_changes_and_leaves_restore_the_set() {
    let mut world = World::new();
    world.rotate(&operator_key(1));
    world.transfer(&key(5), 1_000_000_000).unwrap();
    world.rotate(&operator_key(2));
    world.block(&[]);
    let mut replayed = State::genesis(&genesis()).unwrap();
    for block in &world.log {
        let block = Block::decode(&wire::encode(block)).unwrap();
        let delta = verify_block(&replayed, &block).unwrap();
        replayed.commit(delta).unwrap();
    }
    assert_eq!(replayed.root(), world.state.root());
    let tip = world.state.tip().clone();
    let leaves: Vec<Leaf> = replayed.leaves().cloned().collect();
    let restored = State::restore(&genesis(), tip.clone(), leaves.clone()).unwrap();
    assert_eq!(restored.operators(), nodes(&[&operator_key(2)]));
    assert_eq!(restored.operators_since(), world.state.operators_since());
    assert_eq!(restored.trusted_set(), world.state.trusted_set());
    let change = |change: fn(&mut Leaf)| {
        let mut leaves = leaves.clone();
        leaves.iter_mut().for_each(change);
        State::restore(&genesis(), tip.clone(), leaves)
    };
    assert!(change(|_| {}).is_ok());
    let other_set = change(|leaf| {
        if let Leaf::Operators { operators, .. } = leaf {
            *operators = nodes(&[&operator_key(0)]);
        }
    });
    assert!(matches!(other_set, Err(RestoreError::Root { .. })));
    let other_height = change(|leaf| {
        if let Leaf::Operators { since, .. } = leaf {
            *since += 1;
        }
    });
    assert!(matches!(other_height, Err(RestoreError::Root { .. })));
    // A header of the right root that hands over to others.
    let mut forged = tip;
    forged.next_validators_hash = Root::from_bytes([0; 32]);
    assert!(matches!(
        State::restore(&genesis(), forged, leaves),
        Err(RestoreError::OtherChain { .. })
    ));
}

#[test]
fn the_newest_state_proves_who_operates_and_since_when() {
    let mut world = World::new();
    let certificate = |world: &World| world.log.last().unwrap().certificate.clone();
    assert_eq!(
        world.state.prove(&Key::Operators, &certificate(&world)),
        None
    );
    let epoch = world.rotate(&operator_key(1));
    world.block(&[]);
    let mut trusted = TrustedSet::genesis(&genesis());
    let proof = world
        .state
        .prove(&Key::Operators, &certificate(&world))
        .unwrap();
    assert!(proof.verify(&trusted).is_err());
    trusted.advance(&epoch).unwrap();
    let expected = Leaf::Operators {
        since: trusted.height,
        operators: trusted.operators.clone(),
    };
    assert_eq!(proof.verify(&trusted), Ok(&expected));
}

#[test]
fn trust_follows_over_several_changes_one_proof_after_the_other_and_never_back() {
    let mut world = World::new();
    let first = world.rotate(&operator_key(1));
    world.pass(30_000);
    let second = world.rotate(&operator_key(2));
    let third = world.rotate(&operator_key(0));
    let mut trusted = TrustedSet::genesis(&genesis());
    assert!(matches!(
        trusted.advance(&second),
        Err(ProofError::OtherOperators { .. })
    ));
    // The third is by the operators of the genesis no more than by the first ones.
    assert!(trusted.advance(&third).is_err());
    for epoch in [&first, &second, &third] {
        trusted.advance(epoch).unwrap();
        assert_eq!(
            trusted.height,
            epoch.certified.header.height + 1,
            "from the next block on"
        );
    }
    assert_eq!(trusted, world.state.trusted_set());
    let before = trusted.clone();
    for epoch in [&first, &second, &third] {
        assert!(matches!(
            trusted.advance(epoch),
            Err(ProofError::BeforeTrusted { .. })
        ));
    }
    assert_eq!(trusted, before);
}

#[test]
fn what_hands_nothing_over_or_is_of_another_chain_moves_no_trust() {
    let mut world = World::new();
    let epoch = world.rotate(&operator_key(1));
    world.block(&[]);
    let mut trusted = TrustedSet::genesis(&genesis());
    trusted.advance(&epoch).unwrap();
    let certified = world.log.last().unwrap().certified();
    assert_eq!(EpochProof::of(&world.state, &certified), None);
    let nothing = EpochProof {
        certified,
        operators: nodes(&[&operator_key(1)]),
    };
    assert_eq!(trusted.advance(&nothing), Err(ProofError::NotHandedOver));
    let mut elsewhere = TrustedSet::genesis(&genesis());
    elsewhere.chain = crate::ids::ChainId::from_bytes([9; 32]);
    assert!(matches!(
        elsewhere.advance(&epoch),
        Err(ProofError::OtherChain { .. })
    ));
    let unsigned = EpochProof {
        certified: CertifiedHeader::sign(epoch.certified.header.clone(), &operator_key(1)),
        ..epoch
    };
    let mut trusted = TrustedSet::genesis(&genesis());
    assert!(matches!(
        trusted.advance(&unsigned),
        Err(ProofError::BadPrecommit { .. })
    ));
    assert_eq!(trusted, TrustedSet::genesis(&genesis()));
}

#[test]
fn a_proof_from_before_a_change_convinces_again_only_by_the_operators_after_it() {
    let mut world = World::new();
    let receipt = world.transfer(&key(5), 1_000_000_000).unwrap();
    let id = receipt.transaction().unwrap();
    let mut proof = world.log.last().unwrap().prove(id).unwrap();
    let mut trusted = TrustedSet::genesis(&genesis());
    assert_eq!(proof.verify(&trusted), Ok(&receipt));
    let epoch = world.rotate(&operator_key(1));
    trusted.advance(&epoch).unwrap();
    let found = proof.certified.header.height;
    let before = ProofError::BeforeTrusted {
        trusted: trusted.height,
        found,
    };
    assert_eq!(proof.verify(&trusted), Err(before));
    proof.certified = CertifiedHeader::sign(proof.certified.header, &operator_key(1));
    assert_eq!(proof.verify(&trusted), Ok(&receipt));
    // Which moves no trust back, even with a header that handed over.
    let again = EpochProof {
        certified: CertifiedHeader::sign(epoch.certified.header, &operator_key(1)),
        ..epoch
    };
    assert!(matches!(
        trusted.advance(&again),
        Err(ProofError::BeforeTrusted { .. })
    ));
}

#[test]
fn one_operator_hands_over_to_four_of_which_three_must_vote_and_agree_to_a_change() {
    let mut world = World::new();
    let keys: Vec<SecretKey> = (0..6).map(operator_key).collect();
    let [a, b, c, d, e, f] = [&keys[0], &keys[1], &keys[2], &keys[3], &keys[4], &keys[5]];
    world.act(hand_over(&[a, b, c, d]), &[a, b, c, d]).unwrap();
    let two_of_four = world.voted_block(&[], &[a, b]);
    assert!(matches!(
        two_of_four,
        Err(BlockError::Certificate(ProofError::Quorum {
            have: 2,
            need: 3
        }))
    ));
    world.voted_block(&[], &[b, c, d]).unwrap();
    let now = Timestamp::from_millis(world.now_ms + 1);
    let change = hand_over(&[a, b, c, e]);
    let by_two = world.signed(change.clone(), &[a, b, e]);
    assert_eq!(
        world.state.check(&by_two, now),
        Err(Rejected::OperatorThreshold { have: 2, need: 3 })
    );
    // Who stays need not sign, who leaves may.
    let by_three = world.signed(change, &[a, b, d, e]);
    world.voted_block(&[by_three], &[a, b, c]).unwrap();
    assert_eq!(world.state.operators(), nodes(&[a, b, c, e]));
    assert!(world.voted_block(&[], &[a, b, d]).is_err(), "it has left");
    world.voted_block(&[], &[a, b, e]).unwrap();
    let unproved = world.signed(hand_over(&[a, b, c, f]), &[a, b, c]);
    assert_eq!(
        world.state.check(&unproved, now),
        Err(Rejected::OperatorUnproved { operator: f.node() })
    );
}

#[test]
fn the_largest_change_fits_a_transaction() {
    let mut world = World::new();
    let present: Vec<SecretKey> = (0..quorum_of(MAX_OPERATORS))
        .map(|n| key(100 + n))
        .collect();
    let incoming: Vec<SecretKey> = (0..MAX_OPERATORS as u8).map(|n| key(120 + n)).collect();
    let set: Vec<&SecretKey> = incoming.iter().collect();
    let keys: Vec<&SecretKey> = present.iter().chain(&incoming).collect();
    let signed = world.signed(hand_over(&set), &keys);
    let bytes = wire::encode(&signed);
    assert!(bytes.len() <= SignedTransaction::MAX_BYTES);
    let decoded = SignedTransaction::decode(&bytes).unwrap();
    assert!(decoded.verify(world.state.chain()).is_ok());
    // By the one operator of the genesis, it is allowed as well.
    let operator = world.operator.clone();
    let keys: Vec<&SecretKey> = [&operator].into_iter().chain(set.iter().copied()).collect();
    let by_one = world.signed(hand_over(&set), &keys);
    let now = Timestamp::from_millis(world.now_ms + 1);
    world.state.check(&by_one, now).unwrap();
}

fn quorum_of(operators: usize) -> u8 {
    u8::try_from(proof::quorum(operators)).unwrap()
}

#[test]
fn the_bytes_of_a_change_and_of_its_leaf_stay_what_they_are() {
    let operators = nodes(&[&key(1), &key(2)]);
    let list = format!("0200000000000000{}{}", operators[0], operators[1]);
    let change = Operation::SetOperators {
        operators: operators.clone(),
    };
    assert_eq!(
        hex::encode(wire::encode(&change)),
        format!("07000000{list}")
    );
    let leaf = Leaf::Operators {
        since: 5,
        operators,
    };
    assert_eq!(
        hex::encode(wire::encode(&leaf)),
        format!("060000000500000000000000{list}")
    );
    assert_eq!(hex::encode(wire::encode(&leaf.key())), "06000000");
}
