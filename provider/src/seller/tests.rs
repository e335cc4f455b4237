//! What a seller offers, refuses and takes back, in a real node that orders its own market.

use gpu_probe::activity::{Activity, EngineClass, PolicySettings};
use gpu_probe::telemetry::{Sample, Silence, Telemetry};
use market::genesis::{Fees, Genesis};
use market_node::api::{AskChange, ProviderView};
use market_node::clock::wall_now;
use market_node::config::Config;
use market_node::home::Home;
use market_node::identity::{Identity, load_or_create};
use market_node::membership::Membership;
use market_node::node::{NodeConfig, NodeTasks};
use sandbox::{LockedReport, SandboxLevel, SelfTestReport};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::Workplace;
use crate::reservation::tests::{Deal, offered};
use crate::yielding;
use market_node::api::ProviderState;

/// Founds a market in a home; its one node orders it.
fn found(home: &Home) {
    let node = load_or_create(home, "node").unwrap();
    let genesis = Genesis {
        version: 1,
        name: "seller".to_owned(),
        time: wall_now(),
        operators: vec![node.node()],
        treasury: vec![node.account()],
        treasury_threshold: 1,
        issue_cap_per_epoch: market::amount::SUPPLY_CAP,
        minimum_balance: Amount::from_nanocredits(1),
        fees: Fees {
            transfer: Amount::from_nanocredits(500),
            open: Amount::from_nanocredits(2_000),
            channel_bps: 100,
        },
        challenge_ms: 60_000,
        open_posting: true,
    };
    let membership = Membership::create(home, genesis, Vec::new()).unwrap();
    Identity::create(home, &membership.chain, wall_now()).unwrap();
}

pub(super) struct Shop {
    _folder: TempDir,
    _tasks: NodeTasks,
    handle: SellerHandle,
    pub(super) seller: Seller,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let home = Home::at(folder.path().join("home")).unwrap();
        found(&home);
        let mut settings = Config::default();
        settings.network.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        settings.disk.reserve_mib = 1;
        let config = NodeConfig {
            home,
            settings,
            operator_interval_ms: Some(100),
            takers: market_node::lease::Takers::default(),
        };
        let (node, tasks) = Node::start(config).await.unwrap();
        node.ledger.status().await.unwrap(); // From here on the clock is set.
        let report = offered(&node.identity).report;
        let gauge = Gauge {
            class: report.class(None).unwrap(),
            report,
            workplace: Workplace::processor(),
            self_test: SelfTestReport {
                level: SandboxLevel::BuiltInEngine,
                rows: Vec::new(),
                locked: LockedReport {
                    layers: Vec::new(),
                    landlock_abi: 0,
                    profile: "cpu".to_owned(),
                },
            },
        };
        let config = SellerConfig {
            pricing: Pricing {
                price: PricePerHour(Amount::from_nanocredits(3_600_000)),
                ..Pricing::from(&node.settings.sell)
            },
            hold_bps: 2_500,
            tick_ms: 10_000,
            max_duration_s: 7_200,
        };
        let (_nobody_asks, reservations) = channel();
        let (handle, seller) = Seller::new(node, gauge, config, reservations);
        Self {
            _folder: folder,
            _tasks: tasks,
            handle,
            seller,
        }
    }

    fn refusal(&self) -> Refusal {
        let from = self.seller.node.identity.node();
        let decided = self.seller.decide(from, Deal::new().reservation());
        decided.expect_err("it is not taken")
    }

    pub(super) async fn wish(
        &mut self,
        wish: impl FnOnce(oneshot::Sender<ProviderView>) -> Wish,
    ) -> ProviderView {
        let (done, answer) = oneshot::channel();
        self.seller.grant(wish(done)).await;
        answer.await.unwrap()
    }

    /// Puts a lease in the seller's hands that has just been taken.
    pub(super) fn take(&mut self, agreement: AgreementId) {
        let (_, stage) = watch::channel(JobStage::default());
        self.seller.current = Some(Current {
            agreement,
            payer: AccountId::from_bytes([1; 32]),
            price: self.seller.config.pricing.price,
            lease: None,
            stage,
        });
        self.seller.occupied.send_replace(true);
    }
}

fn order_of(shop: &Shop) -> Option<OrderId> {
    let posted = shop.seller.offered.as_ref()?;
    Some(posted.offered.order)
}

#[tokio::test]
async fn a_seller_offers_and_its_owner_takes_the_offer_back_and_gives_it_again() {
    let mut shop = Shop::open().await;
    assert!(matches!(shop.refusal(), Refusal::OfferChanged(_)));
    shop.seller.keep_offering().await;
    let view = shop.wish(Wish::View).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
    let view = shop.wish(|done| Wish::Pause(None, done)).await;
    assert_eq!(view.state, ProviderState::Paused);
    assert!(
        shop.seller.offered.is_none(),
        "the offer is withdrawn at once"
    );
    assert_eq!(shop.refusal(), Refusal::Paused);
    shop.seller.keep_offering().await;
    assert!(
        shop.seller.offered.is_none(),
        "a paused seller posts nothing"
    );
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
}

#[tokio::test]
async fn a_machine_that_is_needed_and_an_owner_who_pauses_end_in_their_own_ways() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let game = "a game uses the card (42 %)".to_owned();
    let view = shop.wish(|done| Wish::Yield(game, None, done)).await;
    assert_eq!(view.state, ProviderState::Paused);
    assert_eq!(view.why, "a game uses the card (42 %)");
    assert!(
        shop.seller.offered.is_none(),
        "nothing is offered meanwhile"
    );
    assert_eq!(shop.refusal(), Refusal::Paused);
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(
        view.state,
        ProviderState::Paused,
        "the game wins over a key"
    );
    shop.wish(|done| Wish::Pause(None, done)).await;
    let view = shop.wish(Wish::Regain).await;
    assert_eq!(view.why, "paused by its owner");
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
}

/// Watches a card that others use as `permille` says of each moment, and returns what the seller is asked for until it
/// may sell.
async fn asked_while(permille: fn(u64) -> u16, silence: Option<Silence>) -> Vec<String> {
    let (wish, mut wishes) = mpsc::channel(4);
    let handle = SellerHandle {
        wishes: wish,
        occupied: watch::channel(false).1,
        switch: watch::channel(KillSwitch::default()).1,
    };
    // Time is what the looks say.
    let look = async |now_ms: u64, wait: Duration| {
        let at_ms = now_ms + u64::try_from(wait.as_millis()).unwrap();
        let sample = Sample {
            at_ms,
            telemetry: Telemetry {
                silence: silence.clone(),
                ..Telemetry::default()
            },
            activity: Activity {
                others_permille: Some([(EngineClass::Render, permille(at_ms))].into()),
                ..Activity::default()
            },
        };
        Some((at_ms, sample))
    };
    let watching = yielding::watch_with((0, look), PolicySettings::default(), &handle);
    let asked = async {
        let mut asked = Vec::new();
        while let Some(wish) = wishes.recv().await {
            match wish {
                Wish::Yield(reason, ..) | Wish::Explain(reason, _) => asked.push(reason),
                Wish::Regain(_) => break,
                other => unreachable!("{other:?}"),
            }
        }
        asked
    };
    tokio::select! {
        () = watching => unreachable!("the seller has not stopped"),
        asked = asked => asked,
    }
}

#[tokio::test]
async fn a_game_that_runs_already_is_seen_before_anything_is_sold() {
    let asked = asked_while(|at_ms| if at_ms <= 4_000 { 420 } else { 0 }, None).await;
    assert_eq!(asked[0], "looking whether other programs use the card");
    assert_eq!(asked[1], "a game or another program uses the card (42 %)");
    assert!(
        asked[2].ends_with("; sold again after 115 s more without that"),
        "{asked:?}"
    );
    let last = asked.last().unwrap();
    assert!(last.ends_with("after 5 s more without that"), "{last}");
}

#[tokio::test]
async fn a_quiet_card_is_sold_after_a_look_and_a_processor_at_once() {
    let asked = asked_while(|_| 0, None).await;
    assert_eq!(asked, ["looking whether other programs use the card"]);
    let asked = asked_while(|_| 0, Some(Silence::NoCard)).await;
    assert_eq!(asked, [""; 0]);
}

#[tokio::test]
async fn a_pause_that_ends_while_a_lease_opens_still_ends_that_lease() {
    let mut shop = Shop::open().await;
    let agreement = AgreementId::from_bytes([9; 32]);
    shop.take(agreement);
    let opening = shop.seller.switch.borrow().clone();
    shop.wish(|done| Wish::Pause(None, done)).await;
    shop.wish(Wish::Resume).await;
    assert!(!shop.seller.rest.wants_the_machine());
    assert!(opening.is_pulled(), "no worker will start behind it");
}

#[tokio::test]
async fn another_price_is_another_offer() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let first = order_of(&shop);
    let price = PricePerHour(Amount::from_nanocredits(7_200_000));
    let change = AskChange {
        price: Some(price),
        ..AskChange::default()
    };
    let view = shop.wish(|done| Wish::Pricing(change, done)).await;
    assert_eq!((view.price, view.ask.price), (price, price));
    assert_eq!(view.ask.why, "your fixed price");
    let second = &shop.seller.offered.as_ref().unwrap().offered;
    assert_eq!(second.ask.price, price);
    assert_ne!(first, Some(second.order));
    assert_eq!(view.ask.order, Some(second.order));
}

#[tokio::test]
async fn one_lease_at_a_time_and_the_next_as_soon_as_the_channel_has_paid() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let agreement = AgreementId::from_bytes([9; 32]);
    shop.take(agreement);
    shop.seller.withdraw().await;
    assert_eq!(shop.refusal(), Refusal::Busy);
    let paid = Amount::from_nanocredits(1_234);
    shop.seller.note(Note::Paid(agreement, paid)).await;
    assert!(shop.seller.offered.is_some(), "it is offered again");
    assert_ne!(shop.refusal(), Refusal::Busy);
    let occupied = shop.handle.occupancy();
    assert!(*occupied.borrow(), "the receipt is still waited for");
    assert_eq!(shop.wish(Wish::View).await.earned, paid);
    // A second lease began meanwhile: the end of the first one does not end it.
    shop.take(AgreementId::from_bytes([8; 32]));
    shop.seller.note(Note::Over(agreement, Some(paid))).await;
    assert_eq!(shop.refusal(), Refusal::Busy);
    assert!(*occupied.borrow());
    let second = AgreementId::from_bytes([8; 32]);
    shop.seller.note(Note::Over(second, None)).await;
    assert!(!*occupied.borrow());
    assert_eq!(shop.wish(Wish::View).await.earned, paid, "counted once");
}

#[tokio::test]
async fn without_room_on_the_disk_nothing_is_offered_and_the_owner_reads_why() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let mut settings = (*shop.seller.node.settings).clone();
    settings.disk.reserve_mib = u64::MAX >> 20;
    shop.seller.node.settings = Arc::new(settings);
    shop.seller.keep_offering().await;
    let view = shop.wish(Wish::View).await;
    assert_eq!(view.state, ProviderState::Offline);
    assert!(view.why.contains("below the reserve"), "{}", view.why);
}

#[tokio::test]
async fn figures_that_do_not_change_the_price_do_not_post_the_ask_again() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let first = order_of(&shop);
    let change = AskChange {
        margin: Some(PricePerHour(Amount::from_nanocredits(5))),
        ..AskChange::default()
    };
    let view = shop.wish(|done| Wish::Pricing(change, done)).await;
    assert_eq!(view.ask.margin.0.nanocredits(), 5);
    assert_eq!(order_of(&shop), first);
    let change = AskChange {
        floor: Some(PricePerHour(Amount::from_nanocredits(9_000_000))),
        ..AskChange::default()
    };
    let view = shop.wish(|done| Wish::Pricing(change, done)).await;
    assert_ne!(order_of(&shop), first);
    assert_eq!(view.price.0.nanocredits(), 9_000_000);
    assert!(view.ask.why.starts_with("your floor"), "{}", view.ask.why);
}

#[tokio::test]
async fn a_cancelled_ask_is_not_posted_again_until_its_owner_says_so() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let view = shop.wish(Wish::Withhold).await;
    assert_eq!(view.state, ProviderState::Paused);
    assert!(
        view.why.contains("only this run of the node"),
        "{}",
        view.why
    );
    assert_eq!((view.ask.order, order_of(&shop)), (None, None));
    assert_eq!(shop.refusal(), Refusal::Paused);
    shop.seller.keep_offering().await;
    assert_eq!(order_of(&shop), None);
    let nothing = AskChange::default();
    let view = shop.wish(|done| Wish::Pricing(nothing, done)).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
    shop.wish(Wish::Withhold).await;
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
}

#[tokio::test]
async fn a_market_without_others_is_told_as_being_next() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    shop.seller.price_at_once();
    shop.seller.keep_offering().await;
    let view = shop.wish(Wish::View).await;
    assert!(view.why.starts_with("next in line"), "{}", view.why);
    assert_eq!(view.position.map(|position| position.rank()), Some(1));
}

#[tokio::test]
async fn a_card_lost_twice_is_not_sold_until_its_owner_says_so() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let lost = || Note::Trouble(Trouble::CardLost("VK_ERROR_DEVICE_LOST".to_owned()));
    shop.seller.note(lost()).await;
    assert!(order_of(&shop).is_some(), "one loss ends its job alone");
    shop.seller.note(lost()).await;
    assert_eq!(order_of(&shop), None, "the ask is withdrawn");
    shop.seller.keep_offering().await;
    assert_eq!(order_of(&shop), None, "and not posted again");
    assert_eq!(shop.refusal(), Refusal::Paused);
    let view = shop.wish(Wish::View).await;
    assert_eq!(view.state, ProviderState::Paused);
    assert!(view.why.contains("lost twice"), "{}", view.why);
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
}

#[tokio::test]
async fn where_jobs_cannot_be_confined_any_more_nothing_is_sold_and_its_owner_reads_why() {
    let mut shop = Shop::open().await;
    shop.seller.keep_offering().await;
    let doubted = order_of(&shop);
    shop.seller
        .doubt_the_sandbox("unshare: Operation not permitted")
        .await;
    assert_eq!(
        order_of(&shop),
        None,
        "nothing is offered while it is tested"
    );
    assert_eq!(shop.refusal(), Refusal::Paused);
    shop.seller.note(Note::Tested(Ok(()))).await;
    assert!(order_of(&shop).is_some(), "it holds");
    assert_ne!(order_of(&shop), doubted);

    shop.seller
        .doubt_the_sandbox("unshare: Operation not permitted")
        .await;
    let open = "jobs cannot be confined on this machine: a job could send a datagram";
    shop.seller.note(Note::Tested(Err(open.to_owned()))).await;
    shop.seller.keep_offering().await;
    assert_eq!(order_of(&shop), None);
    let view = shop.wish(Wish::View).await;
    assert_eq!(view.state, ProviderState::Paused);
    assert!(
        view.why.starts_with(open) && view.why.contains("press p"),
        "{}",
        view.why
    );
    let view = shop.wish(Wish::Resume).await;
    assert_eq!(view.state, ProviderState::Waiting, "{}", view.why);
}
