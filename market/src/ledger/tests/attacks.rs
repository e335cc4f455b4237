//! The attack table of payment channels: each attack, and the test of the rule that stops it.
//!
//! | attack | stopped by, tested in |
//! | --- | --- |
//! | payer opens, closes, waits, then starts with the old proof | `an_old_proof_still_says_open_and_its_time_gives_it_away`; the age is judged by `lease::tests::no_work_begins_on_an_old_proof` |
//! | a deposit spent twice | `a_deposit_cannot_be_spent_twice`, `of_several_attempts_with_one_nonce_a_single_one_opens` |
//! | one account reserves every card | `nothing_is_held_before_a_funded_open_and_each_one_costs_a_tick_and_a_fee`, `opening_pays_the_fee_and_the_first_tick_at_once` |
//! | a deposit frozen by a provider that never starts | `a_channel_opens_only_when_both_have_signed`, `a_payee_that_never_starts_keeps_the_first_tick_alone` |
//! | a voucher replayed on another channel, chain or reopened id | `a_voucher_pays_only_on_its_own_channel_and_chain_and_by_the_payers_key`, `the_id_of_a_closed_channel_is_never_used_again` |
//! | payer withdraws early, payee offline overnight | `a_payer_that_withdraws_early_leaves_the_payee_a_window`, `an_outage_of_the_operators_ends_no_window`, `expiry_opens_the_same_window`; anyone claims: `a_claim_pays_the_difference_once_and_only_to_the_payee` |
//! | payee overcharges, or withholds outputs | `bad_input::a_voucher_above_the_deposit_is_refused_whoever_brings_it`, `bad_input::a_voucher_by_any_key_but_the_payers_is_refused`; off the ledger `lease::tests::the_payer_stops_paying_d_ticks_after_the_last_delivery`, `lease::tests::a_meter_that_outruns_time_is_not_paid` |
//! | payer stops paying | off the ledger: `lease::tests::without_vouchers_the_worker_pauses_when_the_prepaid_tick_ends_and_stops_after_the_limit` |
//! | payee loses a voucher in a crash | off the ledger, in `market-node`: `store::tests::the_newest_voucher_of_each_channel_survives_a_reopening_alone`; an old one only hurts the payee: `a_payee_closes_with_its_last_voucher_and_an_old_one_only_hurts_it` |
//! | claim and close race | `a_claim_in_the_block_of_the_deadline_is_too_late`, `a_claim_and_a_close_in_one_block_pay_the_same_in_either_order` |
//! | a retry pays twice | `a_retry_pays_once_and_an_old_transaction_never`, `bad_input::a_replayed_transaction_is_refused_also_with_other_seals` |
//! | fee dodged, dust, spam | `the_share_is_taken_of_the_total_so_that_small_claims_dodge_nothing`, `an_early_claim_is_the_payees_own_choice_and_costs_it_a_fee`, `bad_input::nobody_is_left_below_the_minimum_balance` |
//! | clock manipulation | `chain::time_never_falls_and_uptime_counts_at_most_ten_seconds_a_block`, `chain::an_operator_cannot_sign_a_result_that_replay_does_not_give` |
//! | a stolen node key opens on | `delegations::a_revoked_node_opens_nothing_in_whatever_order_its_delegations_stand`, `delegations::deposits_under_a_delegation_add_up_to_its_cap_at_most`, `delegations::a_leaked_node_key_moves_no_balance` |
//! | a thief revokes, or undoes a revocation | `bad_input::a_revocation_by_any_key_but_the_accounts_is_refused`, `bad_input::a_revocation_of_what_has_ended_or_is_revoked_already_is_refused` |
//! | an account revokes to keep what it owes | `delegations::what_is_open_still_closes_and_pays_after_the_nodes_are_revoked` |
//! | operator censors | one operator can, and only a committee stops it; clients notice and name it: `an_operator_that_makes_blocks_and_keeps_a_transaction_out_is_noticed_and_named` in market-node. Waiting costs nothing: `an_outage_of_the_operators_ends_no_window` |
//!
//! Input that no honest party sends is in `bad_input`, exact edges are in `edges`, proofs in `proofs`.

use super::*;

#[test]
fn opening_pays_the_fee_and_the_first_tick_at_once() {
    let mut world = World::new();
    let id = world.opened();
    let share = TICK / 100;
    assert_eq!(world.available(&world.payer), 9_000_000_000 - OPEN_FEE);
    assert_eq!(world.available(&world.payee), TICK - share);
    assert_eq!(world.state.supply().fee_pool, nano(OPEN_FEE + share));
    let record = world.record(id);
    assert_eq!(record.claimed, nano(TICK));
    assert_eq!(record.balance, nano(1_000_000_000 - TICK));
    assert_eq!(world.state.locked(&world.payer.account()), record.balance);
    let receipt = world.log.last().unwrap().receipts.last().unwrap();
    assert_eq!(receipt.fee, nano(OPEN_FEE + share));
    assert_eq!(receipt.channel.as_ref(), Some(record));
    assert_eq!(receipt.settled(), None);
}

#[test]
fn a_channel_opens_only_when_both_have_signed() {
    let mut world = World::new();
    let operation = Operation::Open {
        terms: world.terms(),
    };
    let (payer, payee) = (world.payer.clone(), world.payee.clone());
    let by_payer = world.act(operation.clone(), &[&payer]);
    let by_payee = world.act(operation.clone(), &[&payee]);
    let missing = |role, key: &SecretKey| {
        Err(Rejected::MissingSeal {
            role,
            signer: key.account(),
        })
    };
    assert_eq!(by_payer, missing(Role::Payee, &payee));
    assert_eq!(by_payee, missing(Role::Payer, &payer));
    assert!(
        world.act(operation, &[&payee, &payer]).is_ok(),
        "in any order"
    );
}

#[test]
fn a_deposit_cannot_be_spent_twice() {
    let mut world = World::new();
    let mut terms = world.terms();
    terms.deposit = credits(6);
    world.open(terms.clone()).unwrap();
    terms.payer_nonce = 2;
    let rejected = world.open(terms);
    assert_eq!(
        rejected,
        Err(Rejected::Insufficient {
            account: world.payer.account(),
            available: nano(4_000_000_000 - OPEN_FEE),
            needed: nano(6_000_000_000 + OPEN_FEE),
        })
    );
}

#[test]
fn opening_leaves_the_payer_nothing_or_the_minimum() {
    let mut world = World::new();
    let mut terms = world.terms();
    terms.deposit = nano(10_000_000_000 - OPEN_FEE - 1);
    let refused = world.open(terms.clone());
    let dust = Rejected::BelowMinimum {
        account: world.payer.account(),
        balance: nano(1),
        minimum: nano(MINIMUM),
    };
    assert_eq!(refused, Err(dust));
    terms.deposit = nano(10_000_000_000 - OPEN_FEE);
    world.open(terms).unwrap();
}

#[test]
fn of_several_attempts_with_one_nonce_a_single_one_opens() {
    let mut world = World::new();
    let first = world.terms();
    let mut second = world.terms();
    second.payee = Party {
        account: key(7).account(),
        node: key(7).node(),
    };
    let payer = world.payer.clone();
    let payee = world.payee.clone();
    let opened = first.channel_id(world.state.chain());
    let batch = [
        world.signed(
            Operation::Open {
                terms: first.clone(),
            },
            &[&payer, &payee],
        ),
        world.signed(Operation::Open { terms: second }, &[&payer, &key(7)]),
        world.signed(Operation::Open { terms: first }, &[&payer, &payee]),
    ];
    let rejected = world.block(&batch);
    assert_eq!(
        rejected,
        [
            Rejected::NonceUsed {
                nonce: 1,
                channel: opened
            },
            Rejected::ChannelExists { channel: opened },
        ]
    );
    assert_eq!(world.state.channels().count(), 1);
}

#[test]
fn the_id_of_a_closed_channel_is_never_used_again() {
    let mut world = World::new();
    let terms = world.terms();
    let id = world.open(terms.clone()).unwrap();
    world.coop_close(id, None).unwrap();
    assert_eq!(
        world.open(terms),
        Err(Rejected::ChannelExists { channel: id })
    );
}

#[test]
fn terms_out_of_range_or_over_are_refused() {
    let mut world = World::new();
    let mut terms = world.terms();
    terms.rates.gpus = 0;
    assert!(matches!(world.open(terms), Err(Rejected::Terms { .. })));
    let mut terms = world.terms();
    terms.expires_at = Timestamp::from_millis(world.now_ms + 1_000);
    assert!(matches!(
        world.open(terms),
        Err(Rejected::TermsExpired { .. })
    ));
}

#[test]
fn a_voucher_pays_only_on_its_own_channel_and_chain_and_by_the_payers_key() {
    let mut world = World::new();
    let id = world.opened();
    let mut terms = world.terms();
    terms.payer_nonce = 2;
    let other = world.open(terms).unwrap();
    let voucher = world.voucher(other, 1, 5 * TICK);
    assert_eq!(
        world.coop_close(id, Some(voucher)),
        Err(Rejected::VoucherMismatch { channel: id })
    );
    let value = Voucher {
        channel: id,
        sequence: 1,
        cumulative: nano(5 * TICK),
        meter_hash: [0; 32],
    };
    let elsewhere = crate::ids::ChainId::from_bytes([9; 32]);
    let voucher = Signed::sign(&value, &world.payer, &elsewhere);
    let payee = world.payee.clone();
    let refused = world.act(Operation::Claim { voucher }, &[&payee]);
    assert!(matches!(refused, Err(Rejected::Wire { .. })), "{refused:?}");
    let voucher = Signed::sign(&value, &payee, world.state.chain());
    let refused = world.act(Operation::Claim { voucher }, &[&payee]);
    assert_eq!(refused, Err(Rejected::VoucherMismatch { channel: id }));
}

#[test]
fn a_claim_pays_the_difference_once_and_only_to_the_payee() {
    let mut world = World::new();
    let id = world.opened();
    let receipt = world.claim(id, 100 * TICK).unwrap();
    assert_eq!(receipt.accounts(), [world.payee.account()]);
    assert_eq!(world.available(&world.payee), 99 * TICK);
    assert_eq!(
        world.claim(id, 100 * TICK),
        Err(Rejected::NothingDue {
            cumulative: nano(100 * TICK),
            claimed: nano(100 * TICK),
        })
    );
    assert_eq!(
        world.claim(id, 1_001 * TICK),
        Err(Rejected::ClaimTooSoon {
            free_at_ms: world.state.tip().uptime_ms - 2_000 + 600_000,
            fee: nano(TRANSFER_FEE),
        })
    );
    world.pass(600_000);
    assert_eq!(
        world.claim(id, 1_001 * TICK),
        Err(Rejected::AboveDeposit {
            cumulative: nano(1_001 * TICK),
            deposit: credits(1),
        })
    );
    world.claim(id, 1_000 * TICK).unwrap();
    assert_eq!(world.available(&world.payee), 990 * TICK);
    assert_eq!(world.record(id).balance, Amount::ZERO);
}

#[test]
fn an_early_claim_is_the_payees_own_choice_and_costs_it_a_fee() {
    let mut world = World::new();
    let id = world.opened();
    world.claim(id, 10 * TICK).unwrap();
    let payee = world.payee.clone();
    let voucher = world.voucher(id, 20, 20 * TICK);
    let before = world.available(&payee);
    let receipt = world.act(Operation::Claim { voucher }, &[&payee]).unwrap();
    let share = 10 * TICK / 100;
    assert_eq!(receipt.fee, nano(share + TRANSFER_FEE));
    assert_eq!(
        world.available(&payee),
        before + 10 * TICK - share - TRANSFER_FEE
    );
    let voucher = world.voucher(id, 21, 20 * TICK + 100);
    let refused = world.act(Operation::Claim { voucher }, &[&payee]);
    assert!(
        matches!(refused, Err(Rejected::ClaimTooSoon { .. })),
        "a payout smaller than its fee: {refused:?}"
    );
}

#[test]
fn the_share_is_taken_of_the_total_so_that_small_claims_dodge_nothing() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    let before = world.state.supply().fee_pool.nanocredits();
    for part in 1..=20 {
        world.claim(id, TICK + part * 99).unwrap();
    }
    let taken = world.state.supply().fee_pool.nanocredits() - before;
    assert_eq!(taken, (TICK + 20 * 99) / 100 - TICK / 100);
    assert!(taken > 0);
}

#[test]
fn a_payer_that_withdraws_early_leaves_the_payee_a_window() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, 50 * TICK).unwrap();
    assert_eq!(world.record(id).claimed, nano(50 * TICK), "paid at once");
    let deadline_ms = world.state.tip().uptime_ms + CHALLENGE_MS;
    assert_eq!(
        world.record(id).state,
        ChannelState::Closing { deadline_ms }
    );
    world.claim(id, 60 * TICK).unwrap();
    world.claim(id, 70 * TICK).unwrap();
    world.pass(CHALLENGE_MS - 4_000);
    world.claim(id, 80 * TICK).unwrap();
    let receipt = world.block(&[]);
    assert!(receipt.is_empty());
    let record = world.record(id);
    assert_eq!(world.state.tip().uptime_ms, deadline_ms);
    assert_eq!(record.state, ChannelState::Closed);
    assert_eq!(record.claimed, nano(80 * TICK));
    let receipt = &world.log.last().unwrap().receipts[0];
    assert_eq!(receipt.cause, Cause::Deadline(id));
    assert_eq!(receipt.settled().unwrap().gpu_seconds(), Some(80));
    assert_eq!(
        world.available(&world.payer),
        10_000_000_000 - OPEN_FEE - 80 * TICK
    );
}

#[test]
fn a_claim_in_the_block_of_the_deadline_is_too_late() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS - 1_000);
    assert_eq!(
        world.claim(id, 80 * TICK),
        Err(Rejected::ChannelState {
            channel: id,
            state: ChannelState::Closed,
        })
    );
    let mut record = world.record(id).clone();
    record.state = ChannelState::Closing { deadline_ms: 500 };
    assert!(record.pays_at(499));
    assert!(
        !record.pays_at(500),
        "also while the close itself is waiting"
    );
}

#[test]
fn an_outage_of_the_operators_ends_no_window() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.block_after(3 * 24 * 3_600_000, &[]);
    assert!(matches!(
        world.record(id).state,
        ChannelState::Closing { .. }
    ));
    world.claim(id, 80 * TICK).unwrap();
}

#[test]
fn expiry_opens_the_same_window() {
    let mut world = World::new();
    let mut terms = world.terms();
    terms.expires_at = Timestamp::from_millis(world.now_ms + 30_000);
    let id = world.open(terms).unwrap();
    world.pass(28_000);
    assert_eq!(world.record(id).state, ChannelState::Open);
    world.block(&[]);
    let deadline_ms = world.state.tip().uptime_ms + CHALLENGE_MS;
    assert_eq!(
        world.record(id).state,
        ChannelState::Closing { deadline_ms }
    );
    assert_eq!(
        world.log.last().unwrap().receipts[0].cause,
        Cause::Expiry(id)
    );
    world.claim(id, 10 * TICK).unwrap();
    world.pass(CHALLENGE_MS - 1_000);
    assert_eq!(world.record(id).state, ChannelState::Closed);
}

#[test]
fn a_payee_closes_with_its_last_voucher_and_an_old_one_only_hurts_it() {
    let mut world = World::new();
    let id = world.opened();
    world.claim(id, 50 * TICK).unwrap();
    let voucher = world.voucher(id, 3, 40 * TICK);
    let payer = world.payer.clone();
    let close = Operation::CoopClose {
        channel: id,
        voucher: Some(voucher.clone()),
    };
    assert_eq!(
        world.act(close, &[&payer]),
        Err(Rejected::MissingSeal {
            role: Role::Payee,
            signer: world.payee.account(),
        })
    );
    let receipt = world.coop_close(id, Some(voucher)).unwrap();
    let record = receipt.settled().unwrap();
    assert_eq!(
        (record.claimed, record.balance),
        (nano(50 * TICK), Amount::ZERO)
    );
    let refused = world.claim(id, 60 * TICK);
    assert!(matches!(refused, Err(Rejected::ChannelState { .. })));
    assert!(world.coop_close(id, None).is_err());
    assert!(world.payer_close(id, 60 * TICK).is_err());
}

#[test]
fn a_payer_cannot_take_back_what_was_claimed_nor_close_twice() {
    let mut world = World::new();
    let id = world.opened();
    world.claim(id, 50 * TICK).unwrap();
    assert_eq!(
        world.payer_close(id, 49 * TICK),
        Err(Rejected::NothingDue {
            cumulative: nano(49 * TICK),
            claimed: nano(50 * TICK),
        })
    );
    assert!(matches!(
        world.payer_close(id, 2_000 * TICK),
        Err(Rejected::AboveDeposit { .. })
    ));
    let stranger = Operation::PayerClose {
        channel: id,
        sequence: 0,
        cumulative: nano(50 * TICK),
    };
    assert!(world.act(stranger, &[&key(99)]).is_err());
    world.payer_close(id, 50 * TICK).unwrap();
    assert!(matches!(
        world.payer_close(id, 60 * TICK),
        Err(Rejected::ChannelState { .. })
    ));
}

#[test]
fn a_retry_pays_once_and_an_old_transaction_never() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let mut transaction = world.transaction(operation);
    transaction.valid_until_height = world.state.tip().height + 2;
    let chain = *world.state.chain();
    let signed = SignedTransaction::sign(&transaction, &payer, &chain);
    let id = signed.id(&chain);
    world.submit(&signed).unwrap();
    assert_eq!(world.submit(&signed), Err(Rejected::AlreadyApplied { id }));
    assert!(world.state.has_applied(&id));
    let height = world.state.tip().height + 1;
    assert_eq!(
        world.block(std::slice::from_ref(&signed)),
        [Rejected::TooLate {
            valid_until: height - 1,
            height
        }]
    );
    assert!(!world.state.has_applied(&id), "ids are forgotten in time");
    assert_eq!(world.available(&key(5)), 1_000_000_000);
    transaction.valid_until_height = world.state.tip().height + 2 + MAX_VALIDITY_BLOCKS;
    let signed = SignedTransaction::sign(&transaction, &payer, &chain);
    assert!(matches!(
        world.submit(&signed),
        Err(Rejected::ValidTooLong { .. })
    ));
}

#[test]
fn an_overstated_sequence_does_not_stop_a_voucher() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.claim(id, 9 * TICK).unwrap();
    assert_eq!(world.record(id).sequence, 9 * TICK);
}

#[test]
fn an_unknown_channel_is_named() {
    let mut world = World::new();
    let channel = ChannelId::from_bytes([8; 32]);
    let no_channel = Err(Rejected::NoChannel { channel });
    assert_eq!(world.claim(channel, 5), no_channel);
    assert_eq!(world.coop_close(channel, None), no_channel);
    assert_eq!(world.payer_close(channel, 5), no_channel);
}

#[test]
fn nothing_is_held_before_a_funded_open_and_each_one_costs_a_tick_and_a_fee() {
    let mut world = World::empty();
    let (payer, each) = (world.payer.account(), TICK + OPEN_FEE);
    world.issue(payer, nano(5 * each)).unwrap();
    let mut terms = world.terms();
    terms.deposit = nano(TICK);
    for nonce in 1..=5 {
        terms.payer_nonce = nonce;
        world.open(terms.clone()).unwrap();
    }
    terms.payer_nonce = 6;
    assert_eq!(
        world.open(terms),
        Err(Rejected::Insufficient {
            account: payer,
            available: Amount::ZERO,
            needed: nano(each)
        })
    );
    assert_eq!(world.available(&world.payee), 5 * (TICK - TICK / 100));
}

#[test]
fn a_payee_that_never_starts_keeps_the_first_tick_alone() {
    let mut world = World::new();
    let id = world.opened();
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS);
    assert_eq!(world.record(id).state, ChannelState::Closed);
    assert_eq!(
        world.available(&world.payer),
        10_000_000_000 - TICK - OPEN_FEE
    );
}

#[test]
fn an_old_proof_still_says_open_and_its_time_gives_it_away() {
    let mut world = World::new();
    let id = world.opened();
    let prove = |world: &World| {
        let certificate = &world.log.last().unwrap().certificate;
        world.state.prove(&Key::Channel(id), certificate).unwrap()
    };
    let old = prove(&world);
    world.payer_close(id, TICK).unwrap();
    world.pass(CHALLENGE_MS);
    let new = prove(&world);
    let trusted = TrustedSet::genesis(&genesis());
    let state = |proof: &StateProof| match proof.verify(&trusted) {
        Ok(Leaf::Channel(record)) => record.state,
        other => panic!("{other:?}"),
    };
    assert_eq!(state(&old), ChannelState::Open);
    assert_eq!(state(&new), ChannelState::Closed);
    let age_ms = new.certified.header.time.as_millis() - old.certified.header.time.as_millis();
    assert!(age_ms > 30_000, "older than any that work may begin on");
}

#[test]
fn a_claim_and_a_close_in_one_block_pay_the_same_in_either_order() {
    let outcome = |claim_first: bool| {
        let mut world = World::new();
        let id = world.opened();
        let (payer, payee) = (world.payer.clone(), world.payee.clone());
        let claim = Operation::Claim {
            voucher: world.voucher(id, 9, 9 * TICK),
        };
        let close = Operation::PayerClose {
            channel: id,
            sequence: 5,
            cumulative: nano(5 * TICK),
        };
        let mut batch = [
            world.signed(claim, &[&payee]),
            world.signed(close, &[&payer]),
        ];
        if !claim_first {
            batch.reverse();
        }
        let refused = world.block(&batch);
        if claim_first {
            let due = Rejected::NothingDue {
                cumulative: nano(5 * TICK),
                claimed: nano(9 * TICK),
            };
            assert_eq!(refused, [due], "what was claimed stays claimed");
            world.payer_close(id, 9 * TICK).unwrap();
        } else {
            assert!(refused.is_empty());
        }
        world.pass(CHALLENGE_MS);
        (world.available(&payer), world.available(&payee))
    };
    assert_eq!(outcome(true), outcome(false));
}
