//! Rules at their exact edges, and what the other tests only see as a whole: sums, weights, notes, names.

use super::*;
use crate::ids::{Root, TxId};

/// The terms of the world with another nonce and deposit, by nodes under delegations of both sides.
fn delegated(world: &mut World, nonce: u64, deposit: u64) -> Result<TxReceipt, Rejected> {
    let (rig, desk) = (key(11), key(12));
    let mut terms = world.terms();
    (terms.payer.node, terms.payee.node) = (rig.node(), desk.node());
    (terms.payer_nonce, terms.deposit) = (nonce, nano(deposit));
    let chain = *world.state.chain();
    let expires_at = Timestamp::from_millis(START_MS + 90_000);
    let sign = |delegation: Delegation, key| {
        let delegation = Delegation {
            expires_at,
            ..delegation
        };
        Signed::sign(&delegation, key, &chain)
    };
    let buy = world.delegate(&world.payer, rig.node(), Permission::Buy);
    let sell = world.delegate(&world.payee, desk.node(), Permission::Sell);
    let (buy, sell) = (sign(buy, &world.payer), sign(sell, &world.payee));
    let signed = world.signed(Operation::Open { terms }, &[&rig, &desk]);
    world.submit(&signed.with_delegation(buy).with_delegation(sell))
}

#[test]
fn a_transaction_is_valid_in_its_last_block_and_as_far_ahead_as_ids_are_kept() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let next = world.state.tip().height + 1;
    for valid_until_height in [next, next + 1 + MAX_VALIDITY_BLOCKS] {
        let operation = Operation::Transfer {
            from: payer.account(),
            to: key(5).account(),
            amount: credits(1),
            memo: Memo::default(),
        };
        let mut transaction = world.transaction(operation);
        transaction.valid_until_height = valid_until_height;
        let signed = SignedTransaction::sign(&transaction, &payer, world.state.chain());
        world.submit(&signed).unwrap();
    }
}

#[test]
fn terms_that_end_with_the_block_are_over_and_one_millisecond_later_are_not() {
    let mut world = World::new();
    let mut terms = world.terms();
    let now = Timestamp::from_millis(world.now_ms + 1_000);
    terms.expires_at = now;
    assert_eq!(
        world.open(terms.clone()),
        Err(Rejected::TermsExpired {
            expires_at: now,
            now
        })
    );
    terms.expires_at = Timestamp::from_millis(world.now_ms + 1_001);
    world.open(terms).unwrap();
}

#[test]
fn deposits_may_reach_the_cap_of_a_delegation_exactly() {
    let mut world = World::new();
    delegated(&mut world, 1, 1_000_000_000).unwrap();
    let cap = nano(1_500_000_000);
    let (spent, wanted) = (credits(1), nano(500_000_001));
    assert_eq!(
        delegated(&mut world, 2, wanted.nanocredits()),
        Err(Rejected::SpendCap { cap, spent, wanted })
    );
    delegated(&mut world, 3, 500_000_000).unwrap();
    assert_eq!(
        delegated(&mut world, 4, TICK),
        Err(Rejected::SpendCap {
            cap,
            spent: cap,
            wanted: nano(TICK)
        })
    );
}

#[test]
fn as_many_seals_and_delegations_as_allowed_are_verified_and_one_more_is_not() {
    let mut world = World::new();
    let operation = Operation::Issue {
        to: key(5).account(),
        amount: credits(1),
    };
    let others: Vec<SecretKey> = (100..114).map(key).collect();
    let treasury = [key(201), key(202)];
    let keys: Vec<&SecretKey> = treasury.iter().chain(&others).collect();
    assert_eq!(keys.len(), 1 + MAX_COSIGNERS);
    let signed = world.signed(operation, &keys);
    let delegation = world.delegate(&world.payer, key(9).node(), Permission::Buy);
    let delegation = Signed::sign(&delegation, &world.payer, world.state.chain());
    let two = signed
        .with_delegation(delegation.clone())
        .with_delegation(delegation.clone());
    let three = two.clone().with_delegation(delegation);
    assert_eq!(
        world.submit(&three),
        Err(Rejected::TooManySeals {
            cosigners: 15,
            delegations: 3
        })
    );
    world.submit(&two).unwrap();
}

#[test]
fn an_epoch_lasts_a_day_of_uptime() {
    let mut world = World::empty();
    let to = key(5).account();
    world.issue(to, credits(1_000)).unwrap();
    let mut set_uptime = |uptime_ms| {
        let mut tip = world.state.tip().clone();
        tip.uptime_ms = uptime_ms;
        let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
        world.state = State::restore(&genesis(), tip, leaves).unwrap();
        world.issue(to, credits(1))
    };
    let day_ms = 24 * 3_600_000;
    let capped = set_uptime(day_ms - 1_001);
    assert!(matches!(capped, Err(Rejected::EpochCap { .. })));
    set_uptime(day_ms - 1_000).unwrap();
    set_uptime(2 * day_ms).unwrap();
    assert_eq!(world.state.supply().issued_in_epoch, credits(1));
    assert_eq!(world.state.supply().epoch, 2);
}

#[test]
fn the_audit_counts_every_sum_from_the_leaves() {
    let mut world = World::new();
    let closed = world.opened();
    world.coop_close(closed, None).unwrap();
    for (nonce, deposit) in [(2, 500_000_000), (3, 1_500_000_000)] {
        let mut terms = world.terms();
        (terms.payer_nonce, terms.deposit) = (nonce, nano(deposit));
        world.open(terms).unwrap();
    }
    let operation = Operation::Redeem {
        from: world.payer.account(),
        amount: credits(3),
    };
    let payer = world.payer.clone();
    world
        .act(operation, &[&payer, &key(201), &key(202)])
        .unwrap();
    // Three fees and the share of three first ticks; of the closed channel all but its tick came back.
    let fees = 3 * OPEN_FEE + 3 * (TICK / 100);
    let locked = 2_000_000_000 - 2 * TICK;
    let expected = Audit {
        height: 6,
        accounts: 2,
        available: nano(7_000_000_000 - locked - fees),
        live_channels: 2,
        channels: nano(locked),
        fee_pool: nano(fees),
        treasury: Amount::ZERO,
        issued: credits(10),
        redeemed: credits(3),
        burned: Amount::ZERO,
        supply_conserved: true,
    };
    assert_eq!(world.state.audit(), expected);
}

#[test]
fn an_audit_sees_money_that_came_from_nowhere_or_went_there() {
    let mut world = World::new();
    world.opened();
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    let changes: [fn(&mut Leaf); 6] = [
        |leaf| with_supply(leaf, |supply| supply.burned = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.treasury = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.fee_pool = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.redeemed = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.issued = nano(1)),
        |leaf| {
            if let Leaf::Channel(record) = leaf {
                record.balance = nano(1);
            }
        },
    ];
    for change in changes {
        let mut changed = leaves.clone();
        changed.iter_mut().for_each(change);
        world.restore(changed);
        assert!(!world.state.audit().supply_conserved);
    }
    let mut on_its_way = leaves.clone();
    on_its_way.iter_mut().for_each(|leaf| {
        with_supply(leaf, |supply| {
            supply.issued = supply.issued.checked_add(nano(3)).unwrap();
            (supply.treasury, supply.burned) = (nano(1), nano(2));
        });
    });
    for whole in [leaves, on_its_way] {
        world.restore(whole);
        assert!(world.state.audit().supply_conserved);
    }
}

fn with_supply(leaf: &mut Leaf, change: impl FnOnce(&mut Supply)) {
    if let Leaf::Supply(supply) = leaf {
        change(supply);
    }
}

#[test]
fn a_supply_weighs_what_is_outside_less_what_was_issued() {
    let supply = Supply {
        issued: nano(100_000),
        redeemed: nano(20_000),
        burned: nano(3_000),
        fee_pool: nano(400),
        treasury: nano(50),
        epoch: 6,
        issued_in_epoch: nano(7),
    };
    assert_eq!(Leaf::Supply(supply).weight(), 23_450 - 100_000);
    assert_eq!(supply.outstanding(), Some(nano(77_000)));
    let nonce = Leaf::PayerNonce {
        payer: key(1).account(),
        nonce: 5,
        channel: ChannelId::from_bytes([1; 32]),
    };
    assert_eq!(nonce.weight(), 0);
}

/// Posts transfers outside any operation, and makes them part of the block.
fn keep_posted(transfers: &[(Bucket, Bucket)]) {
    let mut world = World::new();
    world.transfer(&key(5), 1_000_000_000).unwrap();
    let mut draft = world.state.draft(world.state.tip().time);
    for (debit, credit) in transfers {
        let transfer = Transfer {
            debit: *debit,
            credit: *credit,
            amount: nano(TRANSFER_FEE),
            code: Code::Transfer,
        };
        draft.post(transfer).unwrap();
    }
    draft.keep(None, None);
}

#[test]
fn money_moves_between_all_buckets_that_hold_it() {
    let here = Bucket::Available(key(5).account());
    keep_posted(&[
        (Bucket::FeePool, here),
        (here, Bucket::Burned),
        (Bucket::Issued, Bucket::Treasury),
        (Bucket::Treasury, Bucket::Redeemed),
    ]);
    let mut world = World::new();
    world.transfer(&key(5), 1_000_000_000).unwrap();
    let mut draft = world.state.draft(world.state.tip().time);
    let mut post = |debit, credit, nanocredits| {
        draft.post(Transfer {
            debit,
            credit,
            amount: nano(nanocredits),
            code: Code::Transfer,
        })
    };
    post(Bucket::FeePool, here, TRANSFER_FEE).unwrap();
    for (debit, credit) in [
        (Bucket::FeePool, here),
        (Bucket::Treasury, here),
        (Bucket::Redeemed, here),
        (Bucket::Burned, here),
        (here, Bucket::Issued),
    ] {
        assert_eq!(
            post(debit, credit, 1),
            Err(Rejected::Arithmetic),
            "{debit:?}"
        );
    }
    assert_eq!(
        post(Bucket::Issued, here, u64::MAX),
        Err(Rejected::Arithmetic)
    );
}

#[test]
#[should_panic(expected = "conservation of money")]
fn a_block_never_keeps_money_on_its_way() {
    keep_posted(&[(Bucket::Issued, Bucket::Treasury)]);
}

#[test]
#[should_panic(expected = "conservation of money")]
fn a_block_never_keeps_money_from_nowhere() {
    let world = World::new();
    let mut draft = world.state.draft(world.state.tip().time);
    draft.put(Leaf::Account(AccountRecord {
        id: key(5).account(),
        available: nano(1),
    }));
    draft.keep(None, None);
}

#[test]
#[should_panic(expected = "conservation of money")]
fn a_block_never_keeps_a_channel_whose_figures_disagree() {
    let mut world = World::new();
    let id = world.opened();
    let mut draft = world.state.draft(world.state.tip().time);
    draft
        .update_channel(id, |record| record.claimed = nano(5 * TICK))
        .unwrap();
    draft.keep(None, None);
}

#[test]
fn a_channel_is_sound_while_its_figures_agree() {
    let mut world = World::new();
    let id = world.opened();
    let open = world.record(id).clone();
    let closing = ChannelRecord {
        state: ChannelState::Closing { deadline_ms: 1 },
        ..open.clone()
    };
    let closed = ChannelRecord {
        state: ChannelState::Closed,
        balance: Amount::ZERO,
        ..open.clone()
    };
    let spent = ChannelRecord {
        claimed: open.deposit,
        ..closed.clone()
    };
    assert!(
        [&open, &closing, &closed, &spent]
            .iter()
            .all(|record| record.is_sound())
    );
    let full = ChannelRecord {
        state: ChannelState::Closed,
        ..open.clone()
    };
    let over = ChannelRecord {
        claimed: nano(1_000_000_001),
        ..closed
    };
    let short = ChannelRecord {
        balance: nano(1),
        ..open.clone()
    };
    assert!(
        ![&full, &over, &short]
            .iter()
            .any(|record| record.is_sound())
    );
    let free = ChannelRecord {
        price_per_hour: PricePerHour(Amount::ZERO),
        ..open
    };
    assert_eq!(free.gpu_seconds(), None);
}

#[test]
fn a_committee_decides_with_more_than_two_thirds() {
    let quorum = |size: u8| {
        let operators = (1..=size).map(|seed| key(seed).node()).collect();
        let chain = genesis().chain_id();
        TrustedSet {
            chain,
            height: 1,
            operators,
        }
        .quorum()
    };
    let expected = [1, 2, 3, 3, 4, 5, 5, 6, 7, 7];
    let sizes: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert_eq!(sizes.map(quorum), expected);
}

#[test]
fn a_channel_that_closed_early_does_not_fall_due_again() {
    let mut world = World::new();
    let mut terms = world.terms();
    terms.expires_at = Timestamp::from_millis(world.now_ms + 30_000);
    let id = world.open(terms).unwrap();
    world.coop_close(id, None).unwrap();
    let before = world.log.len();
    world.pass(2 * CHALLENGE_MS);
    let quiet = |block: &Block| block.receipts.is_empty();
    assert!(world.log[before..].iter().all(quiet));
}

#[test]
fn what_is_locked_counts_for_the_payer_alone() {
    let mut world = World::new();
    world.opened();
    let mut terms = world.terms();
    (terms.payer_nonce, terms.deposit) = (2, credits(2));
    world.open(terms).unwrap();
    let locked = |key: &SecretKey| world.state.locked(&key.account());
    assert_eq!(locked(&world.payer), nano(3_000_000_000 - 2 * TICK));
    assert_eq!(locked(&world.payee), Amount::ZERO);
}

#[test]
fn a_delta_names_every_leaf_that_changes() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: nano(10_000_000_000 - TRANSFER_FEE),
        memo: Memo::default(),
    };
    let signed = world.signed(operation, &[&payer]);
    let id = signed.id(world.state.chain());
    let now = Timestamp::from_millis(world.now_ms);
    let executed = execute(&world.state, &[signed], now, &world.operator).unwrap();
    let changes: Vec<(Key, bool)> = executed
        .delta
        .changes()
        .map(|(key, leaf)| (*key, leaf.is_some()))
        .collect();
    let mut expected = [
        (Key::Supply, true),
        (Key::Account(payer.account()), false),
        (Key::Account(key(5).account()), true),
        (Key::Applied(id), true),
    ];
    expected.sort_unstable();
    assert_eq!(changes, expected);
}

#[test]
fn a_note_stands_beside_its_transfer_alone_also_after_what_fell_due() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS - 1_000);
    let payer = world.payer.clone();
    let note = Memo::try_from("for the night".to_owned()).unwrap();
    let pay = |memo: &Memo| Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: credits(1),
        memo: memo.clone(),
    };
    let batch = [
        world.signed(pay(&Memo::default()), &[&payer]),
        world.signed(pay(&note), &[&payer]),
    ];
    assert!(world.block(&batch).is_empty());
    let movements: Vec<Movement> = world.log.last().unwrap().movements().collect();
    let seen: Vec<(Code, Option<Memo>)> = movements
        .into_iter()
        .map(|movement| (movement.transfer.code, movement.memo))
        .collect();
    let expected = [
        (Code::Refund, None),
        (Code::Transfer, None),
        (Code::TransferFee, None),
        (Code::Transfer, Some(note.clone())),
        (Code::TransferFee, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(note.to_string(), "for the night");
}

#[test]
fn a_journal_agrees_with_no_state_but_its_own() {
    let mut world = World::new();
    world.opened();
    let mut journal = Journal::default();
    assert!(journal.agrees_with(&State::genesis(&genesis()).unwrap()));
    for block in &world.log {
        assert!(!journal.agrees_with(&world.state));
        for movement in block.movements() {
            journal.enter(movement).unwrap();
        }
    }
    assert!(journal.agrees_with(&world.state));
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    let changes: [fn(&mut Leaf); 7] = [
        |leaf| with_supply(leaf, |supply| supply.burned = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.treasury = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.fee_pool = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.redeemed = nano(1)),
        |leaf| with_supply(leaf, |supply| supply.issued = nano(1)),
        |leaf| {
            if let Leaf::Channel(record) = leaf {
                record.balance = nano(1);
            }
        },
        |leaf| {
            if let Leaf::Account(account) = leaf {
                account.available = nano(1);
            }
        },
    ];
    for change in changes {
        let mut changed = leaves.clone();
        changed.iter_mut().for_each(change);
        world.restore(changed);
        assert!(!journal.agrees_with(&world.state));
    }
}

#[test]
fn a_block_commits_to_the_seals_of_its_transactions() {
    let mut world = World::new();
    let (payer, payee) = (world.payer.clone(), world.payee.clone());
    let operation = Operation::Open {
        terms: world.terms(),
    };
    let transaction = world.transaction(operation);
    let chain = *world.state.chain();
    let signed = |first: &SecretKey, second: &SecretKey| {
        let signed = SignedTransaction::sign(&transaction, first, &chain);
        signed.cosign(second, &chain).unwrap()
    };
    let now = Timestamp::from_millis(world.now_ms + 1);
    let batch = [signed(&payer, &payee)];
    let executed = execute(&world.state, &batch, now, &world.operator).unwrap();
    let mut resealed = executed.block.clone();
    resealed.transactions = vec![signed(&payee, &payer)];
    assert_eq!(
        verify_block(&world.state, &resealed).err(),
        Some(BlockError::Differs {
            height: 2,
            field: "transactions root"
        })
    );
}

/// A change of a header, and what a block with it is refused for.
type Forgery<'a> = (&'a dyn Fn(&mut Header), BlockError);

#[test]
fn each_part_of_a_header_that_replay_does_not_give_is_named() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let batch = [world.signed(operation, &[&payer])];
    let now = Timestamp::from_millis(world.now_ms + 1);
    let block = execute(&world.state, &batch, now, &world.operator)
        .unwrap()
        .block;
    let other = Root::from_bytes([9; 32]);
    let differs = |field| BlockError::Differs { height: 2, field };
    let stranger = key(9).node();
    let changes: [Forgery; 5] = [
        (&|h| h.tx_root = other, differs("transactions root")),
        (&|h| h.receipts_root = other, differs("receipts root")),
        (&|h| h.state_root = other, differs("state root")),
        (&|h| h.uptime_ms += 1, differs("header")),
        (
            &|h| h.proposer = stranger,
            BlockError::NotOperator { node: stranger },
        ),
    ];
    for (change, expected) in changes {
        let mut header = block.header.clone();
        change(&mut header);
        let certified = CertifiedHeader::sign(header, &world.operator);
        let forged = Block {
            header: certified.header,
            certificate: certified.certificate,
            ..block.clone()
        };
        assert_eq!(verify_block(&world.state, &forged).err(), Some(expected));
    }
}

#[test]
fn a_state_is_not_restored_under_a_header_of_other_operators() {
    let world = World::new();
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    let mut tip = world.state.tip().clone();
    tip.next_validators_hash = Root::from_bytes([9; 32]);
    assert!(matches!(
        State::restore(&genesis(), tip, leaves),
        Err(RestoreError::OtherChain { height: 1 })
    ));
}

#[test]
fn every_way_that_money_moves_has_its_own_words() {
    let codes = [
        Code::Transfer,
        Code::TransferFee,
        Code::Issue,
        Code::Redeem,
        Code::Deposit,
        Code::OpenFee,
        Code::Payout,
        Code::ChannelFee,
        Code::ClaimFee,
        Code::Refund,
        Code::RevokeFee,
    ];
    let words: BTreeSet<String> = codes.iter().map(Code::to_string).collect();
    assert_eq!(words.len(), codes.len());
    assert!(words.contains("channel refund") && words.iter().all(|word| !word.is_empty()));
}

#[test]
fn people_read_who_has_to_sign_and_by_which_key() {
    let signer = key(1).account();
    let words = |role| Rejected::MissingSeal { role, signer }.to_string();
    for (role, word) in [
        (Role::Holder, "holder"),
        (Role::Payer, "payer"),
        (Role::Payee, "payee"),
    ] {
        let digits = hex::encode(signer.as_bytes());
        let expected =
            format!("the signature of {signer} is missing, for the {word} (key {digits})");
        assert_eq!(words(role), expected);
    }
}

#[test]
fn a_receipt_of_what_fell_due_is_of_no_transaction() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS);
    let receipt = world
        .log
        .iter()
        .rev()
        .find_map(|block| block.receipts.first());
    let receipt = receipt.unwrap();
    assert_eq!(receipt.cause, Cause::Deadline(id));
    assert_eq!(receipt.transaction(), None);
    assert_eq!(receipt.accounts(), [world.payer.account()]);
    let none = TxId::from_bytes([3; 32]);
    assert!(!world.state.has_applied(&none));
}

#[test]
fn leaves_after_a_key_are_those_behind_it_in_order() {
    let mut world = World::new();
    let terms = world.terms();
    world.open(terms).unwrap();
    let all: Vec<Leaf> = world.state.leaves().cloned().collect();
    assert!(all.len() > 4);
    assert_eq!(world.state.leaf_count(), all.len());
    assert!(world.state.leaves_after(None).eq(&all));
    for (index, leaf) in all.iter().enumerate() {
        let later = world.state.leaves_after(Some(leaf.key()));
        assert!(later.eq(&all[index + 1..]), "after leaf {index}");
    }
}
