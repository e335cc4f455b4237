//! Proposals: they collect seals, say who is missing, and are refused when anything about them is odd.

use market::Amount;
use tempfile::TempDir;

use super::*;
use crate::ledger::testing::{genesis, key, nano};

/// A market whose treasury has keys 201, 202 and 203, two of which must sign.
fn rules() -> Genesis {
    Genesis {
        treasury: [201, 202, 203].map(|seed| key(seed).account()).to_vec(),
        treasury_threshold: 2,
        ..genesis()
    }
}

fn transaction(operation: Operation) -> Transaction {
    Transaction {
        nonce: 7,
        valid_until_height: 90,
        operation,
    }
}

fn issue() -> Transaction {
    transaction(Operation::Issue {
        to: key(1).account(),
        amount: nano(5),
    })
}

#[test]
fn an_issue_goes_from_signer_to_signer_until_the_threshold_is_met() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("issue.json");
    let (rules, chain) = (rules(), rules().chain_id());
    let proposal = Proposal::begin(&issue(), &key(202), chain);
    let outlook = proposal.outlook(&rules).unwrap();
    assert_eq!(outlook.treasury_signed, [key(202).account()]);
    assert_eq!((outlook.missing(), outlook.is_complete()), (1, false));
    proposal.write_new(&file).unwrap();
    assert!(matches!(
        proposal.write_new(&file),
        Err(ProposalError::Exists(_))
    ));
    let mut second = Proposal::read(&file, chain).unwrap();
    assert_eq!(second, proposal);
    assert!(!second.sign(&key(202)).unwrap(), "it is there already");
    assert!(
        second.sign(&key(9)).unwrap(),
        "a key of nobody counts for nothing"
    );
    assert!(!second.outlook(&rules).unwrap().is_complete());
    assert!(second.sign(&key(201)).unwrap());
    second.write(&file).unwrap();
    let read = Proposal::read(&file, chain).unwrap();
    let outlook = read.outlook(&rules).unwrap();
    assert!(outlook.is_complete());
    assert_eq!(outlook.treasury_open, [key(203).account()]);
    assert_eq!(outlook.operation, issue().operation);
}

#[test]
fn a_redemption_needs_its_holder_as_well() {
    let rules = rules();
    let redeem = transaction(Operation::Redeem {
        from: key(1).account(),
        amount: nano(5),
    });
    let mut proposal = Proposal::begin(&redeem, &key(201), rules.chain_id());
    proposal.sign(&key(202)).unwrap();
    let outlook = proposal.outlook(&rules).unwrap();
    assert_eq!(
        (outlook.missing(), outlook.holder_open),
        (0, Some(key(1).account()))
    );
    assert!(!outlook.is_complete());
    proposal.sign(&key(1)).unwrap();
    assert!(proposal.outlook(&rules).unwrap().is_complete());
}

#[test]
fn what_is_no_proposal_of_this_market_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("issue.json");
    let (rules, chain) = (rules(), rules().chain_id());
    let read = |text: &str| {
        fs::write(&file, text).unwrap();
        Proposal::read(&file, chain).unwrap_err()
    };
    assert!(matches!(read("{}"), ProposalError::Malformed { .. }));
    assert!(matches!(
        Proposal::read(&folder.path().join("absent"), chain),
        Err(ProposalError::Read { .. })
    ));
    Proposal::begin(&issue(), &key(201), chain)
        .write(&file)
        .unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let newer = text.replace("\"nightshift_proposal\": 1", "\"nightshift_proposal\": 2");
    assert!(matches!(
        read(&newer),
        ProposalError::Newer { found: 2, .. }
    ));
    let elsewhere = text.replace(
        &chain.to_string(),
        &ChainId::from_bytes([8; 32]).to_string(),
    );
    assert!(matches!(read(&elsewhere), ProposalError::OtherChain { .. }));
    // The amount of 5 nanocredits, made 6.
    let amount = hex::encode(nano(5).nanocredits().to_le_bytes());
    let dearer = text.replacen(&amount, &hex::encode(6u64.to_le_bytes()), 1);
    assert_ne!(dearer, text);
    assert!(matches!(read(&dearer), ProposalError::Seal(_)));
    let transfer = transaction(Operation::Transfer {
        from: key(1).account(),
        to: key(2).account(),
        amount: Amount::ZERO,
        memo: market::ledger::Memo::default(),
    });
    let other = Proposal::begin(&transfer, &key(1), chain);
    assert!(matches!(
        other.outlook(&rules),
        Err(ProposalError::OtherOperation)
    ));
}
