//! Blocks: execution and replay agree, nothing else replays, and clocks only run forwards.

use super::*;
use crate::ids::Root;
use crate::wire;
use proptest::prelude::*;

/// A block with a transfer on top of `world`, not committed.
fn next_block(world: &mut World) -> Block {
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let signed = world.signed(operation, &[&payer]);
    let now = Timestamp::from_millis(world.now_ms + 1_000);
    execute(&world.state, &[signed], now, &world.operator)
        .unwrap()
        .block
}

/// The block with its header changed and signed anew by the operator.
fn forged(world: &World, block: &Block, change: impl FnOnce(&mut Header)) -> Block {
    let mut header = block.header.clone();
    change(&mut header);
    let certified = CertifiedHeader::sign(header, &world.operator);
    Block {
        header: certified.header,
        certificate: certified.certificate,
        ..block.clone()
    }
}

#[test]
fn an_operator_cannot_sign_a_result_that_replay_does_not_give() {
    let mut world = World::new();
    let block = next_block(&mut world);
    let zero = Root::from_bytes([0; 32]);
    let changes: [fn(&mut Header); 9] = [
        |h| h.version = 2,
        |h| h.chain_id = crate::ids::ChainId::from_bytes([0; 32]),
        |h| h.height += 1,
        |h| h.time = Timestamp::from_millis(h.time.as_millis() - 5_000),
        |h| h.uptime_ms += 1,
        |h| h.prev_id = crate::ids::HeaderId::from_bytes([0; 32]),
        |h| h.state_root = Root::from_bytes([0; 32]),
        |h| h.next_validators_hash = Root::from_bytes([0; 32]),
        |h| h.proposer = key(9).node(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let block = forged(&world, &block, change);
        assert!(
            verify_block(&world.state, &block).is_err(),
            "change {index}"
        );
    }
    for change in [
        |h: &mut Header, r| h.tx_root = r,
        |h: &mut Header, r| {
            h.receipts_root = r;
        },
    ] {
        let block = forged(&world, &block, |header| change(header, zero));
        assert!(matches!(
            verify_block(&world.state, &block),
            Err(BlockError::Differs { height: 2, .. })
        ));
    }
    assert!(verify_block(&world.state, &block).is_ok());
}

#[test]
fn a_block_with_other_content_or_votes_is_refused() {
    let mut world = World::new();
    let block = next_block(&mut world);
    let mut without = block.clone();
    without.transactions.clear();
    assert!(verify_block(&world.state, &without).is_err());
    let mut twice = block.clone();
    twice.transactions.push(block.transactions[0].clone());
    assert!(matches!(
        verify_block(&world.state, &twice),
        Err(BlockError::Transaction { .. })
    ));
    let mut richer = block.clone();
    richer.receipts[0].fee = Amount::ZERO;
    assert_eq!(
        verify_block(&world.state, &richer).err(),
        Some(BlockError::Differs {
            height: 2,
            field: "receipts"
        })
    );
    let mut foreign = block.clone();
    foreign.certificate = CertifiedHeader::sign(block.header.clone(), &key(9)).certificate;
    assert!(matches!(
        verify_block(&world.state, &foreign),
        Err(BlockError::Certificate(ProofError::BadPrecommit { .. }))
    ));
    let mut unsigned = block;
    unsigned.certificate.precommits.clear();
    assert_eq!(
        verify_block(&world.state, &unsigned).err(),
        Some(BlockError::Certificate(ProofError::Quorum {
            have: 0,
            need: 1
        }))
    );
}

#[test]
fn only_an_operator_makes_blocks_and_only_the_next_one_is_committed() {
    let mut world = World::new();
    let now = Timestamp::from_millis(world.now_ms);
    assert_eq!(
        execute(&world.state, &[], now, &key(9)).err(),
        Some(BlockError::NotOperator {
            node: key(9).node()
        })
    );
    let stale = execute(&world.state, &[], now, &world.operator).unwrap();
    world.block(&[]);
    assert_eq!(
        world.state.commit(stale.delta),
        Err(BlockError::NotNext { height: 2, tip: 2 })
    );
    assert_eq!(
        verify_block(&world.state, &stale.block).err(),
        Some(BlockError::NotNext { height: 2, tip: 2 })
    );
}

#[test]
fn time_never_falls_and_uptime_counts_at_most_ten_seconds_a_block() {
    let mut world = World::empty();
    world.block_after(4_000, &[]);
    assert_eq!(world.state.tip().uptime_ms, 4_000);
    world.block_after(3_600_000, &[]);
    assert_eq!(world.state.tip().uptime_ms, 14_000);
    let time = world.state.tip().time;
    let earlier = Timestamp::from_millis(START_MS);
    let executed = execute(&world.state, &[], earlier, &world.operator).unwrap();
    assert_eq!(executed.block.header.time, time);
    assert_eq!(executed.block.header.uptime_ms, 14_000);
    verify_block(&world.state, &executed.block).unwrap();
}

#[test]
fn a_refused_transaction_changes_nothing_in_a_block_with_others() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let transfer = |amount| Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount,
        memo: Memo::default(),
    };
    let batch = [
        world.signed(transfer(credits(1)), &[&payer]),
        world.signed(transfer(credits(100)), &[&payer]),
        world.signed(transfer(credits(2)), &[&payer]),
    ];
    assert_eq!(world.block(&batch).len(), 1);
    assert_eq!(world.available(&key(5)), 3_000_000_000);
    assert_eq!(world.log.last().unwrap().transactions.len(), 2);
}

#[test]
fn what_a_refused_transaction_moved_before_its_refusal_is_undone_for_the_next_one() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let transfer = |nanocredits| Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: nano(nanocredits),
        memo: Memo::default(),
    };
    // The first is refused only after it was posted: what it leaves to the payer is below the minimum.
    let batch = [
        world.signed(transfer(10_000_000_000 - TRANSFER_FEE - 1), &[&payer]),
        world.signed(transfer(1_000_000_000), &[&payer]),
    ];
    assert!(matches!(
        world.block(&batch)[..],
        [Rejected::BelowMinimum { .. }]
    ));
    assert_eq!(world.available(&key(5)), 1_000_000_000);
    assert_eq!(world.available(&payer), 9_000_000_000 - TRANSFER_FEE);
    let receipts = &world.log.last().unwrap().receipts;
    assert_eq!((receipts.len(), receipts[0].transfers.len()), (1, 2));
}

#[test]
fn a_full_block_leaves_the_rest_for_the_next_and_fits_a_message() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: nano(MINIMUM),
        memo: Memo::default(),
    };
    let batch: Vec<SignedTransaction> = (0..=MAX_TRANSACTIONS_PER_BLOCK)
        .map(|_| world.signed(operation.clone(), &[&payer]))
        .collect();
    let now = Timestamp::from_millis(world.now_ms + 1);
    let executed = execute(&world.state, &batch, now, &world.operator).unwrap();
    let last = batch.last().unwrap().id(world.state.chain());
    assert_eq!(executed.rejected, [(last, Rejected::BlockFull)]);
    let receipt = wire::encode(&executed.block.receipts[0]).len();
    let channel = 512;
    let largest = MAX_TRANSACTIONS_PER_BLOCK
        * (SignedTransaction::MAX_BYTES + 2 * receipt + channel)
        + 2 * MAX_DUE_PER_BLOCK * (receipt + channel);
    assert!(largest < Block::MAX_BYTES, "{largest}");
}

#[test]
fn ids_to_forget_do_not_keep_a_channel_waiting() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS - 1_000);
    let mut leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    leaves.extend((0..=MAX_DUE_PER_BLOCK as u64).map(|n| Leaf::Applied {
        id: crate::ids::TxId::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes()),
        valid_until_height: 1,
    }));
    world.restore(leaves);
    world.block(&[]);
    assert_eq!(world.record(id).state, ChannelState::Closed);
    let is_old = |leaf: &&Leaf| {
        matches!(
            leaf,
            Leaf::Applied {
                valid_until_height: 1,
                ..
            }
        )
    };
    assert_eq!(world.state.leaves().filter(is_old).count(), 1);
    world.block(&[]);
    assert_eq!(world.state.leaves().filter(is_old).count(), 0);
}

#[test]
fn a_log_replays_to_the_same_root_and_leaves_restore_it() {
    let mut world = World::new();
    let id = world.opened();
    world.claim(id, 30 * TICK).unwrap();
    world.transfer(&key(5), 1_000_000_000).unwrap();
    world.payer_close(id, 40 * TICK).unwrap();
    world.pass(CHALLENGE_MS);
    let mut replayed = State::genesis(&genesis()).unwrap();
    for block in &world.log {
        let block = Block::decode(&wire::encode(block)).unwrap();
        let delta = verify_block(&replayed, &block).unwrap();
        replayed.commit(delta).unwrap();
    }
    assert_eq!(replayed.tip(), world.state.tip());
    let leaves: Vec<Leaf> = replayed.leaves().cloned().collect();
    let tip = world.state.tip().clone();
    let mut restored = State::restore(&genesis(), tip.clone(), leaves.clone()).unwrap();
    let block = next_block(&mut world);
    let delta = verify_block(&restored, &block).unwrap();
    restored.commit(delta).unwrap();
    let fewer = leaves.iter().skip(2).cloned();
    assert!(matches!(
        State::restore(&genesis(), tip.clone(), fewer),
        Err(RestoreError::Root { .. })
    ));
    let mut elsewhere = genesis();
    elsewhere.name.push('2');
    assert!(matches!(
        State::restore(&elsewhere, tip, leaves),
        Err(RestoreError::OtherChain { .. })
    ));
}

#[test]
fn a_restored_state_still_knows_what_falls_due() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    world.state = State::restore(&genesis(), world.state.tip().clone(), leaves).unwrap();
    world.pass(CHALLENGE_MS);
    assert_eq!(world.record(id).state, ChannelState::Closed);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_a_decoder_or_a_check(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        place in 0usize..2_000, flip in 1u8..,
    ) {
        let mut world = World::empty();
        prop_assert!(Block::decode(&bytes).is_err());
        let _ = SignedTransaction::decode(&bytes);
        let terms = world.terms();
        let (payer, payee) = (world.payer.clone(), world.payee.clone());
        let signed = world.signed(Operation::Open { terms }, &[&payer, &payee]);
        let mut encoded = wire::encode(&signed);
        let place = place % encoded.len();
        encoded[place] ^= flip;
        if let Ok(signed) = SignedTransaction::decode(&encoded) {
            let now = Timestamp::from_millis(world.now_ms);
            prop_assert!(world.state.check(&signed, now).is_err());
        }
    }
}
