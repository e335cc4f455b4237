//! The market as stateright sees it: what can happen next, and what must always hold.
//!
//! Never holds money or a rule: the ledger is a page of `book`, the parties answer in `parties`.

use stateright::{Model, Property};

use super::book::{Act, Book, Move, Page, Request, View};
use super::parties::{Parties, PayeeEvent, PayeeStand, PayerDisk, PayerEvent, Step};
use super::*;

/// How much of the market is searched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) channels: &'static [Channel],
    /// Vouchers that are signed at most, in all channels together.
    pub(super) vouchers: u8,
}

pub(super) struct Market {
    bounds: Bounds,
    sabotage: Option<Sabotage>,
    /// The one property that is looked at, where a bug is planted: the first breach that is met is then the nearest.
    sought: Option<&'static str>,
    parties: Parties,
    book: Book,
}

/// A payer's side of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct PayerSide {
    /// On disk.
    signed: u8,
    closing: bool,
    /// Out: the highest voucher, and what a close states.
    sent: u8,
    stated: Option<u8>,
}

/// What a payee has of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Work {
    /// The machine runs, or will once the channel is open.
    #[default]
    Lease,
    /// It has asked for the close, or was lost in a crash: only what is on disk is claimed.
    Over,
}

/// A payee's side of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct PayeeSide {
    /// On disk.
    kept: u8,
    /// In memory: whether a proof of this tick says that the channel is open.
    has_proof: bool,
    work: Work,
    /// Out: the close, with this voucher.
    filed: Option<u8>,
    /// What the world has seen: work done for vouchers, and a deadline that passed while the payee was down.
    served: u8,
    chose_to_lose: bool,
}

/// A channel, or an attempt at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Side {
    channel: Channel,
    payer: PayerSide,
    payee: PayeeSide,
}

/// Everything that can matter later.
#[derive(Debug, Clone, PartialEq, Hash)]
pub(super) struct Moment {
    tick: u8,
    page: Page,
    sides: Vec<Side>,
    payee_runs: [bool; 2],
    /// The nonce of each payer's search.
    nonces: [u8; 2],
}

/// What a machine is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    Payer(PayerEvent),
    Payee(PayeeEvent),
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Tick,
    Land(Request),
    /// A machine is told something. Its process crashes after that many outputs, or not at all.
    Tell(Channel, Event, Option<usize>),
    RestartPayer(usize),
    CrashPayee(usize),
    StartPayee(usize),
    /// A payee without a lease closes with what is on its disk.
    CloseFromDisk(Channel),
}

impl Market {
    pub(super) fn honest(bounds: Bounds) -> Self {
        Self::new(bounds, None)
    }

    pub(super) fn sabotaged(bounds: Bounds, sabotage: Sabotage, sought: &'static str) -> Self {
        let sought = Some(sought);
        Self {
            sought,
            ..Self::new(bounds, Some(sabotage))
        }
    }

    fn new(bounds: Bounds, sabotage: Option<Sabotage>) -> Self {
        let deals = |channel: &Channel| {
            [1, 2].map(|nonce| Deal {
                channel: *channel,
                nonce,
            })
        };
        let deals = bounds.channels.iter().flat_map(deals).collect();
        Self {
            bounds,
            sabotage,
            sought: None,
            parties: Parties::new(model_genesis().chain_id()),
            book: Book::new(deals, sabotage),
        }
    }

    pub(super) fn book_sizes(&self) -> (usize, usize) {
        self.book.sizes()
    }

    /// Returns the agreement that a channel was opened by.
    fn deal(&self, moment: &Moment, channel: Channel) -> Option<Deal> {
        moment.page.view(channel).map(|view| view.deal)
    }

    /// Returns what a payer's machine puts out.
    fn payer_steps(&self, moment: &Moment, side: &Side, event: PayerEvent) -> Vec<Step> {
        let Some(deal) = self.deal(moment, side.channel) else {
            return Vec::new();
        };
        let disk = PayerDisk {
            signed: side.payer.signed,
            closing: side.payer.closing,
        };
        let mut steps = self.parties.payer(deal, moment.tick, disk, event);
        if self.sabotage == Some(Sabotage::SendsBeforeKeeping) {
            steps.reverse();
        }
        steps
    }

    /// Returns what a payee's machine puts out; nothing where there is none.
    fn payee_steps(&self, moment: &Moment, side: &Side, event: PayeeEvent) -> Vec<Step> {
        let runs = moment.payee_runs[side.channel.payee()] && side.payee.work == Work::Lease;
        let (true, Some(deal)) = (runs, self.deal(moment, side.channel)) else {
            return Vec::new();
        };
        let stand = PayeeStand {
            kept: side.payee.kept,
            served: side.payee.served,
            has_proof: side.payee.has_proof,
        };
        let mut steps = self.parties.payee(deal, moment.tick, stand, event);
        if self.sabotage == Some(Sabotage::ServesBeforeKeeping) {
            steps.sort_by_key(|step| !matches!(step, Step::Serve(_)));
        }
        steps
    }

    fn payer_actions(&self, moment: &Moment, side: &Side, actions: &mut Vec<Action>) {
        let signed: u8 = moment.sides.iter().map(|side| side.payer.signed).sum();
        // The payee asks for the next voucher when it has the one before; a lost one it asks for again.
        let next = side.payer.signed + 1;
        let may_sign = signed < self.bounds.vouchers
            && next <= VOUCHERS
            && side.payer.signed == side.payee.kept;
        let again = (side.payer.sent < side.payer.signed).then_some(side.payer.signed);
        let asked = again
            .into_iter()
            .chain(may_sign.then_some(next))
            .map(PayerEvent::Asked);
        let gone = side.payer.stated.is_none().then_some(PayerEvent::PayeeGone);
        for event in asked.chain(gone) {
            let steps = self.payer_steps(moment, side, event);
            each_stop(&steps, |stop| {
                actions.push(Action::Tell(side.channel, Event::Payer(event), stop))
            });
        }
    }

    fn payee_actions(&self, moment: &Moment, side: &Side, actions: &mut Vec<Action>) {
        let channel = side.channel;
        let is_closed = moment.page.is_closed(channel);
        let runs = moment.payee_runs[channel.payee()];
        let is_open = moment
            .page
            .view(channel)
            .is_some_and(|view| view.state == ChannelState::Open);
        let vouchers = (1..=side.payer.sent).map(PayeeEvent::Voucher);
        let leaves = !is_closed && side.payee.filed.is_none();
        for event in vouchers.chain(leaves.then_some(PayeeEvent::Yield)) {
            let steps = self.payee_steps(moment, side, event);
            each_stop(&steps, |stop| {
                actions.push(Action::Tell(channel, Event::Payee(event), stop))
            });
        }
        if is_open && runs && side.payee.work == Work::Lease && !side.payee.has_proof {
            actions.push(Action::Tell(
                channel,
                Event::Payee(PayeeEvent::ProvedOpen),
                None,
            ));
        }
        if leaves && runs && side.payee.work == Work::Over {
            actions.push(Action::CloseFromDisk(channel));
        }
    }

    /// Whatever left can land: openings that were offered, closes that were filed, vouchers that were kept.
    fn landings(moment: &Moment, side: &Side, actions: &mut Vec<Action>) {
        let (channel, page) = (side.channel, &moment.page);
        let Some(view) = page.view(channel) else {
            // The payer can have offered it at any time, under every nonce that it has drawn since.
            actions.extend((1..=moment.nonces[channel.payer()]).map(|nonce| {
                let deal = Deal { channel, nonce };
                let act = Act::Open;
                Action::Land(Request { deal, act })
            }));
            return;
        };
        if page.is_closed(channel) {
            return;
        }
        let deal = view.deal;
        let claims = (1..=side.payee.kept).map(Act::Claim);
        let closes = side.payee.filed.map(Act::CoopClose);
        let stated = side.payer.stated.map(Act::PayerClose);
        let acts = claims.chain(closes).chain(stated);
        actions.extend(acts.map(|act| Action::Land(Request { deal, act })));
    }

    /// A running payee claims what it holds before the tick that ends a window.
    fn may_time_pass(&self, moment: &Moment) -> bool {
        let next_ms = moment.page.uptime_ms() + UPTIME_STEP_MS;
        let has_to_claim = |side: &Side| {
            let view = moment.page.view(side.channel);
            let ends = view.is_some_and(|view| match view.state {
                ChannelState::Closing { deadline_ms } => {
                    deadline_ms <= next_ms && view.claimed < side.payee.kept
                }
                _ => false,
            });
            ends && moment.payee_runs[side.channel.payee()]
        };
        let careless = self.sabotage == Some(Sabotage::ClaimsAtTheDeadline);
        moment.tick < END && (careless || !moment.sides.iter().any(has_to_claim))
    }

    /// Takes the next tick. A proof is good for a quarter of a window, so none is left.
    fn tick(&self, moment: &mut Moment) {
        let next_ms = moment.page.uptime_ms() + UPTIME_STEP_MS;
        for side in &mut moment.sides {
            side.payee.has_proof = false;
            let view = moment.page.view(side.channel);
            let ends = view.is_some_and(|view| match view.state {
                ChannelState::Closing { deadline_ms } => deadline_ms <= next_ms,
                _ => false,
            });
            side.payee.chose_to_lose |= ends && !moment.payee_runs[side.channel.payee()];
        }
        moment.tick += 1;
        let ticked = self.book.step(&moment.page, &self.parties, Move::Tick);
        moment.page = ticked.expect("an empty block is never refused");
    }

    /// Puts a transaction into a block. The lease of a payee that is down when its channel opens never begins.
    fn land(&self, moment: &mut Moment, request: Request) -> Option<()> {
        moment.page = self
            .book
            .step(&moment.page, &self.parties, Move::Land(request))?;
        if request.act == Act::Open && !moment.payee_runs[request.deal.channel.payee()] {
            moment.side(request.deal.channel).payee.work = Work::Over;
        }
        Some(())
    }

    fn restart_payer(&self, moment: &mut Moment, payer: usize) {
        if self.sabotage == Some(Sabotage::DrawsANewNonce) {
            moment.nonces[payer] = 2;
        }
        for index in 0..moment.sides.len() {
            let side = moment.sides[index];
            if side.channel.payer() == payer && side.payer.closing {
                let steps = self.payer_steps(moment, &side, PayerEvent::Restart);
                moment.sides[index].payer_does(&steps);
            }
        }
    }

    /// Carries out what a party's machine puts out, until it is done or its process crashes.
    fn act(
        &self,
        moment: &mut Moment,
        channel: Channel,
        (event, stops_after): (Event, Option<usize>),
    ) {
        let side = *moment.side(channel);
        match event {
            Event::Payer(event) => {
                let steps = self.payer_steps(moment, &side, event);
                let done = &steps[..stops_after.unwrap_or(steps.len())];
                moment.side(channel).payer_does(done);
                if stops_after.is_some() {
                    self.restart_payer(moment, channel.payer());
                }
            }
            Event::Payee(event) => {
                let steps = self.payee_steps(moment, &side, event);
                let done = &steps[..stops_after.unwrap_or(steps.len())];
                moment.side(channel).payee_does(done);
                match (event, stops_after) {
                    (_, Some(_)) => moment.crash_payee(channel.payee()),
                    (PayeeEvent::ProvedOpen, None) => moment.side(channel).payee.has_proof = true,
                    (PayeeEvent::Yield, None) => moment.side(channel).payee.work = Work::Over,
                    (PayeeEvent::Voucher(_), None) => {}
                }
            }
        }
    }
}

/// Calls `act` for an event that happens whole, and once for every output but the last after which a crash can come.
/// A crash before the first output is the crash of an idle process.
fn each_stop(steps: &[Step], mut act: impl FnMut(Option<usize>)) {
    if !steps.is_empty() {
        (1..steps.len()).for_each(|stop| act(Some(stop)));
        act(None);
    }
}

impl Side {
    fn payer_does(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Keep(number) => self.payer.signed = number,
                Step::KeepClosing => self.payer.closing = true,
                Step::Send(number) => self.payer.sent = number,
                Step::File(number) => self.payer.stated = Some(number),
                Step::Serve(_) => unreachable!("a payer serves nobody"),
            }
        }
    }

    fn payee_does(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Keep(number) => self.payee.kept = number,
                Step::Serve(number) => self.payee.served = number,
                Step::File(number) => self.payee.filed = Some(number),
                Step::KeepClosing | Step::Send(_) => unreachable!("a payee pays nobody"),
            }
        }
    }

    /// Forgets what can change nothing any more: a closed channel refuses all that is out (see `TERMINAL`).
    fn forget_what_is_over(&mut self, page: &Page) {
        if page.is_closed(self.channel) {
            (self.payer.stated, self.payee.filed) = (None, None);
        }
    }
}

impl Moment {
    fn side(&mut self, channel: Channel) -> &mut Side {
        let side = self.sides.iter_mut().find(|side| side.channel == channel);
        side.expect("an action is about a channel of the market")
    }

    /// Returns the sides whose channel has opened, with the channel.
    fn opened(&self) -> impl Iterator<Item = (&Side, &View)> {
        let sides = self.sides.iter();
        sides.filter_map(|side| Some((side, self.page.view(side.channel)?)))
    }

    /// All leases of the process are lost with its memory.
    fn crash_payee(&mut self, payee: usize) {
        self.payee_runs[payee] = false;
        for side in &mut self.sides {
            if side.channel.payee() == payee {
                side.payee.has_proof = false;
                if self.page.view(side.channel).is_some() {
                    side.payee.work = Work::Over;
                }
            }
        }
    }
}

impl Model for Market {
    type State = Moment;
    type Action = Action;

    fn init_states(&self) -> Vec<Moment> {
        let side = |channel: &Channel| Side {
            channel: *channel,
            payer: PayerSide::default(),
            payee: PayeeSide::default(),
        };
        vec![Moment {
            tick: 0,
            page: self.book.first(&self.parties),
            sides: self.bounds.channels.iter().map(side).collect(),
            payee_runs: [true; 2],
            nonces: [1; 2],
        }]
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Action>) {
        let before = actions.len();
        if self.may_time_pass(moment) {
            actions.push(Action::Tick);
        }
        for side in &moment.sides {
            Self::landings(moment, side, actions);
            let is_open = moment.page.view(side.channel).is_some();
            if is_open && !moment.page.is_closed(side.channel) {
                self.payer_actions(moment, side, actions);
            }
            if is_open {
                self.payee_actions(moment, side, actions);
            }
        }
        for party in 0..2 {
            let has_payee = moment
                .sides
                .iter()
                .any(|side| side.channel.payee() == party);
            let has_payer = moment
                .sides
                .iter()
                .any(|side| side.channel.payer() == party);
            if has_payee && moment.payee_runs[party] {
                actions.push(Action::CrashPayee(party));
            } else if has_payee {
                actions.push(Action::StartPayee(party));
            }
            if has_payer {
                actions.push(Action::RestartPayer(party));
            }
        }
        assert!(
            moment.tick == END || actions.len() > before,
            "the market stands still: {moment:?}"
        );
    }

    fn next_state(&self, last: &Moment, action: Action) -> Option<Moment> {
        let mut moment = last.clone();
        match action {
            Action::Tick => self.tick(&mut moment),
            Action::Land(request) => self.land(&mut moment, request)?,
            Action::RestartPayer(payer) => self.restart_payer(&mut moment, payer),
            Action::CrashPayee(payee) => moment.crash_payee(payee),
            Action::StartPayee(payee) => moment.payee_runs[payee] = true,
            Action::CloseFromDisk(channel) => {
                let side = moment.side(channel);
                side.payee.filed = Some(side.payee.kept);
            }
            Action::Tell(channel, event, stop) => self.act(&mut moment, channel, (event, stop)),
        }
        let page = moment.page.clone();
        moment
            .sides
            .iter_mut()
            .for_each(|side| side.forget_what_is_over(&page));
        (moment != *last).then_some(moment)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = ledger_properties();
        properties.extend(party_properties());
        properties.extend(examples(self.bounds));
        properties.retain(|property| self.sought.is_none_or(|sought| sought == property.name));
        properties
    }
}

/// The ledger's own invariants, which `book` has examined page by page.
fn ledger_properties() -> Vec<Property<Market>> {
    vec![
        Property::always(CONSERVED, |_, moment: &Moment| moment.page.keeps(CONSERVED)),
        Property::always(SOUND, |_, moment: &Moment| moment.page.keeps(SOUND)),
        Property::always(NONCES, |_, moment: &Moment| moment.page.keeps(NONCES)),
        Property::always(ONCE, |_, moment: &Moment| moment.page.keeps(ONCE)),
        Property::always(TERMINAL, |_, moment: &Moment| moment.page.keeps(TERMINAL)),
        Property::always(REPLAYS, |_, moment: &Moment| moment.page.keeps(REPLAYS)),
        Property::always(SUPPLY, |_, moment: &Moment| moment.page.keeps(SUPPLY)),
        Property::always(CLAIMABLE, |_, moment: &Moment| moment.page.keeps(CLAIMABLE)),
    ]
}

/// What the parties rely on.
fn party_properties() -> Vec<Property<Market>> {
    vec![
        Property::always(PAYER_KNOWS, |_, moment: &Moment| {
            moment
                .opened()
                .all(|(side, view)| view.claimed <= side.payer.signed)
        }),
        Property::always(CLOSE_KEPT, |_, moment: &Moment| {
            let sides = moment.sides.iter();
            sides
                .map(|side| side.payer)
                .all(|payer| payer.stated.is_none() || payer.closing)
        }),
        Property::always(KEPT_FIRST, |_, moment: &Moment| {
            moment
                .sides
                .iter()
                .all(|side| side.payee.served <= side.payee.kept)
        }),
        Property::always(PAID, |_, moment: &Moment| {
            moment.opened().all(|(side, view)| {
                let is_paid = view.claimed >= side.payee.served || side.payee.chose_to_lose;
                view.state != ChannelState::Closed || is_paid
            })
        }),
        Property::always(ONE_ATTEMPT, |_, moment: &Moment| {
            let attempts = moment
                .page
                .views()
                .iter()
                .filter(|view| view.deal.channel.payer() == 0);
            attempts.count() <= 1
        }),
        Property::always(ENDS, |_, moment: &Moment| {
            moment.tick < END
                || moment
                    .opened()
                    .all(|(side, _)| moment.page.is_closed(side.channel))
        }),
    ]
}

/// What must be possible, so that nothing above holds for want of a case.
fn examples(bounds: Bounds) -> Vec<Property<Market>> {
    let mut examples = vec![
        Property::sometimes(
            "a payee that is down through a window loses",
            |_, moment: &Moment| {
                moment.opened().any(|(side, view)| {
                    view.claimed < side.payee.served && view.state == ChannelState::Closed
                })
            },
        ),
        Property::sometimes(
            "a payer keeps a voucher that never left",
            |_, moment: &Moment| {
                moment
                    .sides
                    .iter()
                    .any(|side| side.payer.sent < side.payer.signed)
            },
        ),
        Property::sometimes(
            "a payee keeps a voucher that it may not serve",
            |_, moment: &Moment| {
                moment.opened().any(|(side, view)| {
                    side.payee.served < side.payee.kept
                        && view.state != ChannelState::Open
                        && side.payee.work == Work::Lease
                })
            },
        ),
    ];
    if bounds.vouchers >= VOUCHERS {
        examples.push(Property::sometimes(
            "every voucher of a channel is served and paid",
            |_, moment: &Moment| {
                moment
                    .opened()
                    .any(|(side, view)| side.payee.served == VOUCHERS && view.claimed == VOUCHERS)
            },
        ));
    }
    if bounds.channels.len() == 3 {
        examples.push(Property::sometimes(
            "both payers have channels with one payee",
            |_, moment: &Moment| {
                moment.page.view(Channel::Beta).is_some()
                    && moment.page.view(Channel::Gamma).is_some()
            },
        ));
    }
    examples
}
