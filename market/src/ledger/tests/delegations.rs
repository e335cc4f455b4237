//! Nodes that act for accounts: within what was delegated, and never with a balance.

use super::*;

/// A market in which a rig buys for the payer and a desk sells for the payee.
struct Delegated {
    world: World,
    rig: SecretKey,
    desk: SecretKey,
    buy: Signed<Delegation>,
    sell: Signed<Delegation>,
}

impl Delegated {
    fn new() -> Self {
        let world = World::new();
        let (rig, desk) = (key(11), key(12));
        let chain = world.state.chain();
        let buy = world.delegate(&world.payer, rig.node(), Permission::Buy);
        let sell = world.delegate(&world.payee, desk.node(), Permission::Sell);
        let buy = Signed::sign(&buy, &world.payer, chain);
        let sell = Signed::sign(&sell, &world.payee, chain);
        Self {
            world,
            rig,
            desk,
            buy,
            sell,
        }
    }

    /// Opens a channel of 1 cr by the nodes' keys, with these delegations.
    fn open(
        &mut self,
        nonce: u64,
        delegations: &[&Signed<Delegation>],
    ) -> Result<TxReceipt, Rejected> {
        let mut terms = self.world.terms();
        (terms.payer.node, terms.payee.node) = (self.rig.node(), self.desk.node());
        terms.payer_nonce = nonce;
        let keys = [&self.rig, &self.desk];
        let signed = self.world.signed(Operation::Open { terms }, &keys);
        let signed = delegations
            .iter()
            .fold(signed, |signed, d| signed.with_delegation((*d).clone()));
        self.world.submit(&signed)
    }
}

#[test]
fn a_node_needs_the_delegation_of_its_own_account_and_act() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    let refused = |result, wanted| match result {
        Err(Rejected::Delegation { role, .. }) => assert_eq!(role, wanted),
        other => panic!("{other:?}"),
    };
    refused(market.open(1, &[]), Role::Payer);
    refused(market.open(1, &[&sell]), Role::Payer);
    refused(market.open(1, &[&buy]), Role::Payee);
    let world = &market.world;
    let wrong = world.delegate(&world.payer, market.rig.node(), Permission::Sell);
    let wrong = Signed::sign(&wrong, &world.payer, world.state.chain());
    refused(market.open(1, &[&wrong, &sell]), Role::Payer);
    assert!(market.open(1, &[&sell, &buy]).is_ok(), "in any order");
}

#[test]
fn deposits_under_a_delegation_add_up_to_its_cap_at_most() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    market.open(1, &[&buy, &sell]).unwrap();
    let refused = market.open(2, &[&buy, &sell]);
    let cap = Rejected::SpendCap {
        cap: nano(1_500_000_000),
        spent: credits(1),
        wanted: credits(1),
    };
    assert_eq!(refused, Err(cap));
}

#[test]
fn a_delegation_ends_and_is_then_forgotten() {
    let mut market = Delegated::new();
    let (buy, sell) = (market.buy.clone(), market.sell.clone());
    market.open(1, &[&buy, &sell]).unwrap();
    let spent = Key::Delegation(buy.id(market.world.state.chain()));
    assert!(market.world.state.leaf(&spent).is_some());
    market.world.pass(100_000);
    assert!(market.world.state.leaf(&spent).is_none());
    let refused = market.open(2, &[&buy, &sell]);
    assert!(matches!(refused, Err(Rejected::Delegation { .. })));
}

#[test]
fn only_the_payers_node_signs_vouchers_and_both_nodes_may_close() {
    let mut world = World::new();
    let (rig, desk) = (key(11), key(12));
    let mut terms = world.terms();
    (terms.payer.node, terms.payee.node) = (rig.node(), desk.node());
    let id = world.open(terms.clone()).unwrap();
    assert_eq!(
        world.claim(id, 2 * TICK),
        Err(Rejected::VoucherMismatch { channel: id }),
        "the account's key is not the voucher key here"
    );
    let by_rig = World {
        payer: rig.clone(),
        ..World::empty()
    };
    let voucher = by_rig.voucher(id, 1, 2 * TICK);
    let close = Operation::CoopClose {
        channel: id,
        voucher: Some(voucher),
    };
    world.act(close, &[&desk]).unwrap();
    terms.payer_nonce = 2;
    let id = world.open(terms).unwrap();
    let close = Operation::PayerClose {
        channel: id,
        sequence: 0,
        cumulative: nano(TICK),
    };
    world.act(close, &[&rig]).unwrap();
}

#[test]
fn a_leaked_node_key_moves_no_balance() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let rig = key(11);
    let chain = *world.state.chain();
    let delegation = world.delegate(&payer, rig.node(), Permission::SellAndBuy);
    let operation = Operation::Transfer {
        from: payer.account(),
        to: rig.account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let signed = world
        .signed(operation, &[&rig])
        .with_delegation(Signed::sign(&delegation, &payer, &chain));
    assert_eq!(
        world.submit(&signed),
        Err(Rejected::MissingSeal {
            role: Role::Holder,
            signer: payer.account(),
        })
    );
}
