//! Bad input: each kind is refused under the name of the rule that it breaks, and the ledger stays as it was.

use super::*;
use crate::AccountId;
use crate::ids::{ChainId, Root};
use crate::wire::{self, WireError};

/// Submits a transaction that must be refused by `rule`, and checks that only the block's height and time moved on.
fn refused(world: &mut World, signed: &SignedTransaction, rule: &str) -> Rejected {
    let root = world.state.root();
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    let why = world.submit(signed).unwrap_err();
    assert_eq!(why.rule(), rule, "{why}");
    assert_eq!(world.state.root(), root);
    assert!(world.state.leaves().eq(&leaves));
    let last = world.log.last().unwrap();
    assert!(last.transactions.is_empty() && last.receipts.is_empty());
    why
}

fn refused_operation(
    world: &mut World,
    operation: Operation,
    by: &SecretKey,
    rule: &str,
) -> Rejected {
    let signed = world.signed(operation, &[by]);
    refused(world, &signed, rule)
}

fn pay(from: &SecretKey, to: AccountId, nanocredits: u64) -> Operation {
    Operation::Transfer {
        from: from.account(),
        to,
        amount: nano(nanocredits),
        memo: Memo::default(),
    }
}

#[test]
fn a_wrong_signature_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let signed = world.signed(pay(&payer, key(5).account(), MINIMUM), &[&payer]);
    let mut bytes = wire::encode(&signed);
    // The last byte of the first seal stands before the two empty lists.
    let last = bytes.len() - 17;
    bytes[last] ^= 1;
    let forged = SignedTransaction::decode(&bytes).unwrap();
    let why = refused(&mut world, &forged, "wire");
    assert!(why.to_string().contains("signature"), "{why}");
}

#[test]
fn a_signature_by_another_key_than_the_holders_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = pay(&payer, key(5).account(), MINIMUM);
    refused_operation(&mut world, operation, &key(5), "missing_seal");
}

#[test]
fn a_transaction_of_another_chain_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let transaction = world.transaction(pay(&payer, key(5).account(), MINIMUM));
    let elsewhere = ChainId::from_bytes([9; 32]);
    let signed = SignedTransaction::sign(&transaction, &payer, &elsewhere);
    refused(&mut world, &signed, "wire");
    // That its seals were checked there is worth nothing here.
    let checked = signed.check(&elsewhere).unwrap();
    let now = Timestamp::from_millis(world.now_ms + 1_000);
    let reason = world.state.draft(now).apply_checked(&checked).unwrap_err();
    assert_eq!(reason.rule(), "wire");
}

#[test]
fn a_replayed_transaction_is_refused_also_with_other_seals() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let signed = world.signed(pay(&payer, key(5).account(), MINIMUM), &[&payer]);
    world.submit(&signed).unwrap();
    refused(&mut world, &signed, "already_applied");
    let resealed = signed.cosign(&key(77), world.state.chain()).unwrap();
    refused(&mut world, &resealed, "already_applied");
}

#[test]
fn a_transaction_that_has_expired_or_is_valid_for_too_long_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let mut transaction = world.transaction(pay(&payer, key(5).account(), MINIMUM));
    transaction.valid_until_height = world.state.tip().height;
    let chain = *world.state.chain();
    let late = SignedTransaction::sign(&transaction, &payer, &chain);
    refused(&mut world, &late, "too_late");
    transaction.valid_until_height = u64::MAX;
    let endless = SignedTransaction::sign(&transaction, &payer, &chain);
    refused(&mut world, &endless, "valid_too_long");
}

#[test]
fn sums_that_overflow_are_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let most = pay(&payer, key(5).account(), u64::MAX);
    refused_operation(&mut world, most, &payer, "arithmetic");
    let issue = Operation::Issue {
        to: payer.account(),
        amount: nano(u64::MAX),
    };
    let signed = world.signed(issue, &[&key(201), &key(202)]);
    refused(&mut world, &signed, "supply_cap");
    let mut terms = world.terms();
    terms.deposit = nano(u64::MAX);
    let payee = world.payee.clone();
    let signed = world.signed(Operation::Open { terms }, &[&payer, &payee]);
    refused(&mut world, &signed, "arithmetic");
    let mut terms = world.terms();
    terms.rates.price_per_hour = PricePerHour(nano(u64::MAX));
    terms.rates.gpus = 1_024;
    let signed = world.signed(Operation::Open { terms }, &[&payer, &payee]);
    refused(&mut world, &signed, "terms");
}

#[test]
fn an_amount_of_zero_is_refused_wherever_money_would_move() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let zero = pay(&payer, key(5).account(), 0);
    refused_operation(&mut world, zero, &payer, "zero_amount");
    let issue = Operation::Issue {
        to: payer.account(),
        amount: Amount::ZERO,
    };
    let signed = world.signed(issue, &[&key(201), &key(202)]);
    refused(&mut world, &signed, "zero_amount");
    let redeem = Operation::Redeem {
        from: payer.account(),
        amount: Amount::ZERO,
    };
    let signed = world.signed(redeem, &[&payer, &key(201), &key(202)]);
    refused(&mut world, &signed, "zero_amount");
    let mut terms = world.terms();
    terms.deposit = Amount::ZERO;
    let payee = world.payee.clone();
    let signed = world.signed(Operation::Open { terms }, &[&payer, &payee]);
    refused(&mut world, &signed, "terms");
}

/// An amount has no sign: a negative one can be neither written nor encoded, and its bytes mean a huge one.
#[test]
fn a_negative_amount_cannot_be_said() {
    assert!("-1".parse::<Amount>().is_err());
    let minus_one = wire::encode(&(-1_i64));
    let huge: Amount = wire::decode(&minus_one, 8).unwrap();
    assert_eq!(huge, nano(u64::MAX));
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = pay(&payer, key(5).account(), huge.nanocredits());
    refused_operation(&mut world, operation, &payer, "arithmetic");
}

#[test]
fn an_unknown_account_has_nothing_to_spend() {
    let mut world = World::new();
    let stranger = key(66);
    let operation = pay(&stranger, key(5).account(), MINIMUM);
    let why = refused_operation(&mut world, operation, &stranger, "insufficient");
    assert_eq!(
        why,
        Rejected::Insufficient {
            account: stranger.account(),
            available: Amount::ZERO,
            needed: nano(MINIMUM + TRANSFER_FEE),
        }
    );
    let redeem = Operation::Redeem {
        from: stranger.account(),
        amount: nano(MINIMUM),
    };
    let signed = world.signed(redeem, &[&stranger, &key(201), &key(202)]);
    refused(&mut world, &signed, "insufficient");
    let mut terms = world.terms();
    (terms.payer.account, terms.payer.node) = (stranger.account(), stranger.node());
    let payee = world.payee.clone();
    let signed = world.signed(Operation::Open { terms }, &[&stranger, &payee]);
    refused(&mut world, &signed, "insufficient");
}

#[test]
fn nobody_is_left_below_the_minimum_balance() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let dust = pay(&payer, key(5).account(), MINIMUM - 1);
    refused_operation(&mut world, dust, &payer, "below_minimum");
    let rest = pay(&payer, key(5).account(), 10_000_000_000 - TRANSFER_FEE - 1);
    refused_operation(&mut world, rest, &payer, "below_minimum");
    let issue = Operation::Issue {
        to: key(6).account(),
        amount: nano(1),
    };
    let signed = world.signed(issue, &[&key(201), &key(202)]);
    refused(&mut world, &signed, "below_minimum");
    let redeem = Operation::Redeem {
        from: payer.account(),
        amount: nano(10_000_000_000 - 1),
    };
    let signed = world.signed(redeem, &[&payer, &key(201), &key(202)]);
    refused(&mut world, &signed, "below_minimum");
}

#[test]
fn a_memo_that_is_too_long_does_not_decode_and_so_never_reaches_the_rules() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let long = "m".repeat(65);
    assert_eq!(Memo::try_from(long.clone()), Err(MemoError::TooLong(65)));
    let transaction = world.transaction(pay(&payer, key(5).account(), MINIMUM));
    let mut payload = wire::encode(&transaction);
    let memo_at = payload.len() - 8;
    payload.truncate(memo_at);
    payload.extend(wire::encode(&long));
    let refused = wire::decode::<Transaction>(&payload, 1_024);
    let why = refused.unwrap_err();
    assert!(matches!(&why, WireError::Malformed { detail, .. } if detail.contains("64 bytes")));
}

/// A claim by a stranger, of a voucher by `by`.
fn claim_by(world: &World, by: &SecretKey, channel: ChannelId, cumulative: u64) -> Operation {
    let voucher = Voucher {
        channel,
        sequence: 9,
        cumulative: nano(cumulative),
        meter_hash: [0; 32],
    };
    let voucher = Signed::sign(&voucher, by, world.state.chain());
    Operation::Claim { voucher }
}

#[test]
fn a_voucher_above_the_deposit_is_refused_whoever_brings_it() {
    let mut world = World::new();
    let id = world.opened();
    let (payer, payee) = (world.payer.clone(), world.payee.clone());
    let over = 1_000 * TICK + 1;
    let claim = claim_by(&world, &payer, id, over);
    let why = refused_operation(&mut world, claim, &key(99), "above_deposit");
    assert_eq!(
        why,
        Rejected::AboveDeposit {
            cumulative: nano(over),
            deposit: credits(1)
        }
    );
    let close = Operation::CoopClose {
        channel: id,
        voucher: Some(world.voucher(id, 9, over)),
    };
    refused_operation(&mut world, close, &payee, "above_deposit");
    let leave = Operation::PayerClose {
        channel: id,
        sequence: 9,
        cumulative: nano(over),
    };
    refused_operation(&mut world, leave, &payer, "above_deposit");
}

#[test]
fn a_closed_channel_takes_nothing_more() {
    let mut world = World::new();
    let id = world.opened();
    world.coop_close(id, None).unwrap();
    let (payer, payee) = (world.payer.clone(), world.payee.clone());
    let claim = claim_by(&world, &payer, id, 5 * TICK);
    refused_operation(&mut world, claim, &payee, "channel_state");
    let close = Operation::CoopClose {
        channel: id,
        voucher: Some(world.voucher(id, 9, 5 * TICK)),
    };
    refused_operation(&mut world, close, &payee, "channel_state");
    let leave = Operation::PayerClose {
        channel: id,
        sequence: 9,
        cumulative: nano(5 * TICK),
    };
    refused_operation(&mut world, leave, &payer, "channel_state");
    assert_eq!(world.record(id).state, ChannelState::Closed);
}

#[test]
fn a_voucher_by_any_key_but_the_payers_is_refused() {
    let mut world = World::new();
    let id = world.opened();
    for by in [world.payee.clone(), key(200), key(201), key(66)] {
        let claim = claim_by(&world, &by, id, 5 * TICK);
        let why = refused_operation(&mut world, claim, &key(99), "voucher_mismatch");
        assert_eq!(why, Rejected::VoucherMismatch { channel: id });
    }
}

#[test]
fn a_close_by_neither_party_is_refused() {
    let mut world = World::new();
    let id = world.opened();
    let close = Operation::CoopClose {
        channel: id,
        voucher: None,
    };
    let leave = Operation::PayerClose {
        channel: id,
        sequence: 9,
        cumulative: nano(5 * TICK),
    };
    for by in [key(66), key(200)] {
        refused_operation(&mut world, close.clone(), &by, "missing_seal");
        refused_operation(&mut world, leave.clone(), &by, "missing_seal");
    }
}

#[test]
fn a_proof_from_before_a_change_of_operators_is_refused_after_it() {
    let mut world = World::new();
    let id = world.opened();
    let prove = |world: &World| {
        let certificate = &world.log.last().unwrap().certificate;
        world.state.prove(&Key::Channel(id), certificate).unwrap()
    };
    let old = prove(&world);
    let mut trusted = TrustedSet::genesis(&genesis());
    old.verify(&trusted).unwrap();
    let successors = vec![key(210).node()];
    let mut header = world.log.last().unwrap().header.clone();
    header.height += 1;
    header.next_validators_hash = validators_hash(&successors);
    let handover = EpochProof {
        certified: CertifiedHeader::sign(header.clone(), &world.operator),
        operators: successors.clone(),
    };
    trusted.advance(&handover).unwrap();
    let refused = old.verify(&trusted);
    let found = old.certified.header.height;
    assert_eq!(
        refused,
        Err(ProofError::BeforeTrusted {
            trusted: found + 2,
            found
        })
    );
    // The outgoing operators sign on, at a height that is no longer theirs.
    header.height += 1;
    let usurped = StateProof {
        certified: CertifiedHeader::sign(header.clone(), &world.operator),
        ..old.clone()
    };
    assert!(matches!(
        usurped.verify(&trusted),
        Err(ProofError::OtherOperators { .. })
    ));
    header.validators_hash = validators_hash(&successors);
    let posing = StateProof {
        certified: CertifiedHeader::sign(header.clone(), &world.operator),
        ..old.clone()
    };
    let signer = world.operator.node();
    assert_eq!(
        posing.verify(&trusted),
        Err(ProofError::BadPrecommit { signer })
    );
    let renewed = StateProof {
        certified: CertifiedHeader::sign(header, &key(210)),
        ..old
    };
    renewed.verify(&trusted).unwrap();
}

#[test]
fn headers_of_other_versions_and_chains_are_refused_by_their_rule() {
    let world = World::new();
    let trusted = TrustedSet::genesis(&genesis());
    let certified = |change: fn(&mut Header)| {
        let mut header = world.log.last().unwrap().header.clone();
        change(&mut header);
        CertifiedHeader::sign(header, &world.operator)
    };
    let judged = |change| trusted.check(&certified(change));
    assert_eq!(judged(|_| ()), Ok(()));
    assert_eq!(judged(|h| h.version = 2), Err(ProofError::Version(2)));
    let other = ChainId::from_bytes([9; 32]);
    assert_eq!(
        judged(|h| h.chain_id = ChainId::from_bytes([9; 32])),
        Err(ProofError::OtherChain {
            expected: trusted.chain,
            found: other
        })
    );
    assert!(matches!(
        judged(|h| h.validators_hash = Root::from_bytes([9; 32])),
        Err(ProofError::OtherOperators { .. })
    ));
}

/// A revocation of what the payer delegated to node 11, up to some time after the present.
fn revoke(world: &World, after_ms: u64) -> Operation {
    Operation::Revoke {
        account: world.payer.account(),
        node: key(11).node(),
        until: Timestamp::from_millis(world.now_ms + after_ms),
    }
}

#[test]
fn a_revocation_by_any_key_but_the_accounts_is_refused() {
    let mut world = World::new();
    let operation = revoke(&world, 100_000);
    let chain = *world.state.chain();
    for by in [key(11), key(5), key(200), key(201)] {
        // Whatever it was allowed, a delegation is no right to revoke.
        let delegation = world.delegate(&world.payer, by.node(), Permission::SellAndBuy);
        let signed = world.signed(operation.clone(), &[&by]);
        let signed = signed.with_delegation(Signed::sign(&delegation, &world.payer, &chain));
        let why = refused(&mut world, &signed, "missing_seal");
        let (role, signer) = (Role::Holder, world.payer.account());
        assert_eq!(why, Rejected::MissingSeal { role, signer });
    }
}

#[test]
fn a_revocation_of_what_has_ended_or_is_revoked_already_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    // The block that it goes into is 1 s later: what ends with that has ended.
    let ended = revoke(&world, 1_000);
    refused_operation(&mut world, ended, &payer, "revokes_nothing");
    let long_ago = Operation::Revoke {
        account: payer.account(),
        node: key(11).node(),
        until: Timestamp::from_millis(0),
    };
    refused_operation(&mut world, long_ago, &payer, "revokes_nothing");
    // Nobody can know whether such a delegation was ever signed: an unknown node is revoked all the same.
    let far = revoke(&world, 100_000);
    world.act(far.clone(), &[&payer]).unwrap();
    refused_operation(&mut world, far, &payer, "revoked_already");
    let shorter = revoke(&world, 50_000);
    let why = refused_operation(&mut world, shorter, &payer, "revoked_already");
    let until = Timestamp::from_millis(world.now_ms + 50_000);
    assert!(matches!(why, Rejected::RevokedAlready { until: kept, .. } if kept > until));
}

#[test]
fn a_replayed_revocation_and_one_that_cannot_be_paid_are_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = revoke(&world, 100_000);
    let signed = world.signed(operation, &[&payer]);
    world.submit(&signed).unwrap();
    refused(&mut world, &signed, "already_applied");
    let stranger = key(66);
    let operation = Operation::Revoke {
        account: stranger.account(),
        node: key(11).node(),
        until: Timestamp::from_millis(u64::MAX),
    };
    refused_operation(&mut world, operation.clone(), &stranger, "insufficient");
    world.transfer(&stranger, MINIMUM).unwrap();
    refused_operation(&mut world, operation.clone(), &stranger, "below_minimum");
    world.transfer(&stranger, MINIMUM).unwrap();
    world.act(operation, &[&stranger]).unwrap();
}
