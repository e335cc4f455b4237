//! Owns the ask: whether one stands, at which price, and when it is posted again.
//!
//! Never asks another price for the market's sake before the time between two prices has passed.

use std::time::Duration;

use market::order::{Ask, AskFigures, Attributes, Evidence, Order, OrderBody, Register, Slot};
use market::{PricePerHour, Signed, Timestamp};
use market_node::api::AskChange;
use market_node::disk::check_room;
use matching::{Crossable, OwnAsk, Position, Touch, crossable, position, touch};

use super::Seller;
use crate::pricing::Priced;
use crate::reservation::Offered;

/// How long an ask stands before it is posted again.
const ASK_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// The least time between two looks at the book, however often it changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so long the seller looks again though nothing came: orders lapse by themselves.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The level of a sandbox that stops every attack of its quick test.
const SANDBOX_LEVEL: u8 = 1;

/// The ask that stands.
pub(super) struct Posted {
    pub(super) offered: Offered,
    /// As it was signed, to be shown to bidders.
    pub(super) signed: Signed<Order>,
    pub(super) at: Timestamp,
}

/// What the book showed at the last look.
pub(super) struct Look {
    version: u64,
    at: Timestamp,
    pub(super) touch: Touch,
    pub(super) position: Position,
    /// Bids that pay enough, the first one to be tried first.
    pub(super) bids: Vec<Crossable>,
}

impl Seller {
    /// Posts the ask where none stands and one should, where its price has changed, and again before it lapses.
    pub(super) async fn keep_offering(&mut self) {
        if self.rest.rests() || self.current.is_some() {
            return;
        }
        if let Some(obstacle) = self.obstacle() {
            self.problem = Some(obstacle);
            return self.withdraw().await;
        }
        let Some(now) = self.node.clock.now() else {
            self.problem = Some("no operator has answered yet".to_owned());
            return;
        };
        self.look_around(now).await;
        let price = self.priced().price;
        if self.is_due(price, now) {
            self.post(price, now).await;
        }
    }

    /// Says what forbids to offer anything.
    fn obstacle(&self) -> Option<String> {
        if let Some(revoked) = self.node.standing.known() {
            return Some(revoked.to_string());
        }
        let reserve = self.node.settings.disk.reserve_bytes();
        let low = check_room(self.node.home.path(), reserve, 0).err()?;
        Some(low.to_string())
    }

    /// Tells whether an ask at `price` is to be posted now.
    fn is_due(&self, price: PricePerHour, now: Timestamp) -> bool {
        let Some(posted) = &self.offered else {
            return true;
        };
        let is_old = now.saturating_since(posted.at) >= ASK_LIFETIME / 2;
        let is_other = posted.offered.ask.price != price && now >= self.reprice_at;
        // While a bidder looks at the ask that it was shown, that one stands.
        !self.bidding.is_waiting() && (is_old || is_other)
    }

    /// Makes the price that the strategy asks by what the book last showed.
    pub(super) fn priced(&self) -> Priced {
        let others = self.look.as_ref().map(|look| look.touch);
        self.config.pricing.price(others.unwrap_or_default())
    }

    /// Reads the book where it has changed, or not for long.
    async fn look_around(&mut self, now: Timestamp) {
        let version = *self.book_version.borrow_and_update();
        let is_enough = self.look.as_ref().is_some_and(|look| {
            let age = now.saturating_since(look.at);
            let is_same = look.version == version;
            age < if is_same { LOOK_AGAIN } else { LOOK_EVERY }
        });
        if is_enough {
            return;
        }
        let standing = self
            .offered
            .as_ref()
            .map(|posted| posted.offered.ask.clone());
        let Some(ask) = standing.or_else(|| self.draft(self.priced().price)) else {
            return;
        };
        let register = self.register();
        let (least, header) = (self.config.pricing.least_bid(), self.bidding.header());
        let look = self.node.book.read(move |book, now| {
            let own = OwnAsk {
                register,
                ask: &ask,
            };
            Look {
                version,
                at: now,
                touch: touch(book, own, now),
                position: position(book, own, now),
                bids: crossable(book, own, least, &header, now),
            }
        });
        // A book that cannot be read now is read at the next tick.
        if let Ok(look) = look.await {
            self.look = Some(look);
        }
    }

    /// Posts an ask at `price`; tells whether it stands.
    pub(super) async fn post(&mut self, price: PricePerHour, now: Timestamp) -> bool {
        let Some(ask) = self.draft(price) else {
            self.problem = Some("the measured figures do not fit an ask".to_owned());
            return false;
        };
        let body = OrderBody::Ask(ask.clone());
        match self.node.book.post_signed(slot(), body, ASK_LIFETIME).await {
            Ok(order) => {
                let offered = Offered {
                    order: order.id,
                    ask,
                    report: self.gauge.report.clone(),
                };
                self.offered = Some(Posted {
                    offered,
                    signed: order.signed,
                    at: now,
                });
                self.reprice_at = now.saturating_add(self.config.pricing.interval);
                self.problem = None;
                self.look_at_once();
                true
            }
            Err(error) => {
                self.problem = Some(format!("the offer is not posted: {error}"));
                false
            }
        }
    }

    fn draft(&self, price: PricePerHour) -> Option<Ask> {
        Some(Ask {
            account: self.node.identity.account,
            class: self.gauge.class,
            price,
            gpus: 1,
            max_duration_s: self.config.max_duration_s,
            figures: AskFigures::of(&self.gauge.report.figures)?,
            upload_mb_per_s: None,
            network_mbit_per_s: None,
            attributes: Attributes::TRAIN | Attributes::INFER,
            sandbox_level: SANDBOX_LEVEL,
            evidence: Evidence::Report(self.report_hash),
            hold_bps: self.config.hold_bps,
            tick_ms: self.config.tick_ms,
        })
    }

    fn register(&self) -> Register {
        Register {
            node: self.node.identity.node(),
            slot: slot(),
        }
    }

    pub(super) async fn withdraw(&mut self) {
        self.bidding.end();
        if self.offered.take().is_some()
            && let Err(error) = self.node.book.cancel(slot()).await
        {
            tracing::warn!(%error, "the offer could not be withdrawn; it lapses by itself");
        }
    }

    /// Takes the owner's new figures, and asks the new price at once.
    pub(super) async fn change_pricing(&mut self, change: &AskChange) {
        let pricing = &mut self.config.pricing;
        pricing.price = change.price.unwrap_or(pricing.price);
        pricing.floor = change.floor.unwrap_or(pricing.floor);
        pricing.strategy = change.strategy.unwrap_or(pricing.strategy);
        pricing.undercut_step = change.undercut_step.unwrap_or(pricing.undercut_step);
        pricing.power.watts = change.watts.unwrap_or(pricing.power.watts);
        pricing.power.tariff = change.tariff.unwrap_or(pricing.power.tariff);
        pricing.margin = change.margin.unwrap_or(pricing.margin);
        self.rest.offer_again();
        self.bidding.end();
        self.price_at_once();
        self.keep_offering().await;
    }

    /// Lets the strategy's price be posted without waiting for its time, after a fresh look at the book.
    pub(super) fn price_at_once(&mut self) {
        self.reprice_at = Timestamp::from_millis(0);
        self.look_at_once();
    }

    /// Lets the book be read at the next tick, however young the last look is.
    fn look_at_once(&mut self) {
        if let Some(look) = &mut self.look {
            look.at = Timestamp::from_millis(0);
        }
    }
}

fn slot() -> Slot {
    Slot::new(0).expect("0 is below 64")
}
