//! The ledger of the model: every move is a block that the real ledger executes, verifies and commits.
//!
//! Never forms an opinion of its own about what is allowed. Beside each page it notes which invariants of the ledger
//! the page or the move that led to it broke, so that a broken one can never hide behind an equal state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use super::parties::{Parties, cumulative, number_of};
use super::*;
use crate::ids::{AccountId, Root};

/// Until which height every transaction of the model may land. No history of the model has as many blocks, so no
/// comparison with a height ever turns out differently: what the ledger does next is a function of leaves and clocks.
const VALID_UNTIL: u64 = 1_000;

/// A transaction of the model. Each is signed once, so a repetition is the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Request {
    pub(super) deal: Deal,
    pub(super) act: Act,
}

/// What a transaction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Act {
    Open,
    Claim(u8),
    CoopClose(u8),
    PayerClose(u8),
}

/// What moves the ledger on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Move {
    /// A block with this transaction, at the time of the block before.
    Land(Request),
    /// An empty block a tick of the model later.
    Tick,
}

/// Where a channel stands, in the model's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) deal: Deal,
    pub(super) claimed: u8,
    pub(super) state: ChannelState,
}

/// A state of the ledger.
struct Content {
    number: usize,
    state: State,
    journal: Journal,
    views: Vec<View>,
    faults: BTreeSet<&'static str>,
}

/// A state of the ledger, known by what its future depends on: the root, which commits to every leaf, and the two
/// clocks. How many blocks led to it, and the headers before it, change no later leaf (see [`VALID_UNTIL`]).
#[derive(Clone)]
pub(super) struct Page(Arc<Content>);

type PageKey = (Root, u64, u64, BTreeSet<&'static str>);

impl Content {
    fn key(&self) -> PageKey {
        let tip = self.state.tip();
        let times = (tip.time.as_millis(), tip.uptime_ms);
        (self.state.root(), times.0, times.1, self.faults.clone())
    }
}

impl Page {
    pub(super) fn view(&self, channel: Channel) -> Option<&View> {
        self.0
            .views
            .iter()
            .find(|view| view.deal.channel == channel)
    }

    pub(super) fn is_closed(&self, channel: Channel) -> bool {
        let view = self.view(channel);
        view.is_some_and(|view| view.state == ChannelState::Closed)
    }

    pub(super) fn views(&self) -> &[View] {
        &self.0.views
    }

    pub(super) fn uptime_ms(&self) -> u64 {
        self.0.state.tip().uptime_ms
    }

    pub(super) fn keeps(&self, invariant: &'static str) -> bool {
        !self.0.faults.contains(invariant)
    }
}

/// Equal pages are one page: they are looked up by their key when they are made.
impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.0.number == other.0.number
    }
}

impl Hash for Page {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.number.hash(hasher);
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} {:?}", self.0.number, self.0.views)
    }
}

/// All pages that were seen, and where each move leads: the ledger is deterministic, so each is executed once.
#[derive(Default)]
struct Seen {
    pages: BTreeMap<PageKey, Page>,
    moves: BTreeMap<(usize, Move), Option<Page>>,
    signed: BTreeMap<Request, SignedTransaction>,
}

pub(super) struct Book {
    genesis: Genesis,
    chain: ChainId,
    deals: Vec<Deal>,
    sabotage: Option<Sabotage>,
    seen: Mutex<Seen>,
}

impl Book {
    pub(super) fn new(deals: Vec<Deal>, sabotage: Option<Sabotage>) -> Self {
        let genesis = model_genesis();
        Self {
            chain: genesis.chain_id(),
            genesis,
            deals,
            sabotage,
            seen: Mutex::default(),
        }
    }

    /// Returns how many states of the ledger were seen, and how many blocks executed.
    pub(super) fn sizes(&self) -> (usize, usize) {
        let seen = self.seen.lock().unwrap();
        (seen.pages.len(), seen.moves.len())
    }

    /// Returns the page on which both payers own 10 cr.
    pub(super) fn first(&self, parties: &Parties) -> Page {
        let state = State::genesis(&self.genesis).unwrap();
        let page = Page(Arc::new(Content {
            number: usize::MAX,
            state,
            journal: Journal::default(),
            views: Vec::new(),
            faults: BTreeSet::new(),
        }));
        let payers: BTreeSet<AccountId> = self
            .deals
            .iter()
            .map(|deal| deal.payer().account())
            .collect();
        let issues = payers.into_iter().zip(1..).map(|(to, nonce)| {
            let amount = credits(10);
            let transaction = Transaction {
                nonce,
                valid_until_height: VALID_UNTIL,
                operation: Operation::Issue { to, amount },
            };
            let signed = SignedTransaction::sign(&transaction, &key(201), &self.chain);
            signed.cosign(&key(202), &self.chain).unwrap()
        });
        let issues: Vec<SignedTransaction> = issues.collect();
        let issued = self.block(&page, &issues, START_MS).unwrap();
        self.enter(issued, parties)
    }

    /// Returns the page that a move leads to, or `None` where the ledger refuses it.
    pub(super) fn step(&self, page: &Page, parties: &Parties, wanted: Move) -> Option<Page> {
        let key = (page.0.number, wanted);
        if let Some(known) = self.seen.lock().unwrap().moves.get(&key) {
            return known.clone();
        }
        let time_ms = page.0.state.tip().time.as_millis();
        let made = match wanted {
            Move::Tick => self.block(page, &[], time_ms + TICK_MS).ok(),
            Move::Land(request) => {
                let signed = self.signed(request, parties);
                self.block(page, &[signed], time_ms).ok()
            }
        };
        let next = made.map(|content| self.enter(content, parties));
        self.seen.lock().unwrap().moves.insert(key, next.clone());
        next
    }

    /// Makes a block as an operator does, and notes which invariants it breaks. Gives back what was refused.
    fn block(
        &self,
        page: &Page,
        batch: &[SignedTransaction],
        now_ms: u64,
    ) -> Result<Content, Rejected> {
        let before = &page.0.state;
        let now = Timestamp::from_millis(now_ms);
        let mut executed = execute(before, batch, now, &key(200)).unwrap();
        if let Some((_, why)) = executed.rejected.pop() {
            return Err(why);
        }
        let mut state = before.clone();
        state.commit(executed.delta).unwrap();
        if self.sabotage == Some(Sabotage::PaysTheWholeAgain) {
            state = self.pay_the_whole_again(before, state);
        }
        let mut faults = page.0.faults.clone();
        let replayed = verify_block(before, &executed.block).map(|delta| delta.header().state_root);
        if replayed != Ok(state.root()) {
            faults.insert(REPLAYS);
        }
        let mut journal = page.0.journal.clone();
        let enters = executed
            .block
            .movements()
            .all(|it| journal.enter(it).is_ok());
        let audit = state.audit();
        if !(enters && journal.agrees_with(&state) && audit.supply_conserved) {
            faults.insert(CONSERVED);
        }
        if before.tip().height > 0 && before.supply().issued != state.supply().issued {
            faults.insert(SUPPLY);
        }
        note_broken_records(before, &state, &mut faults);
        assert!(state.tip().height < VALID_UNTIL - 1);
        Ok(Content {
            number: 0,
            views: self.views(&state),
            state,
            journal,
            faults,
        })
    }

    fn views(&self, state: &State) -> Vec<View> {
        let view = |deal: &Deal| {
            let record = state.channel(&deal.terms().channel_id(&self.chain))?;
            Some(View {
                deal: *deal,
                claimed: number_of(record.claimed),
                state: record.state,
            })
        };
        self.deals.iter().filter_map(view).collect()
    }

    /// Looks the page up among those that were seen; a new one is examined. What it breaks by itself follows from its
    /// key, so that pages with one key are one page afterwards too.
    fn enter(&self, mut content: Content, parties: &Parties) -> Page {
        let key = content.key();
        if let Some(known) = self.seen.lock().unwrap().pages.get(&key) {
            return known.clone();
        }
        content.faults.extend(self.examine(&content, parties));
        let mut seen = self.seen.lock().unwrap();
        content.number = seen.pages.len();
        let page = seen
            .pages
            .entry(key)
            .or_insert_with(|| Page(Arc::new(content)));
        page.clone()
    }

    /// Returns the invariants that the page itself breaks: what was applied applies again, a closed channel moves,
    /// a voucher is worth nothing in time, money is made by others than the treasury.
    fn examine(&self, content: &Content, parties: &Parties) -> Vec<&'static str> {
        let state = &content.state;
        let now = state.tip().time;
        let check = |request: Request| state.check(&self.signed(request, parties), now);
        let mut faults = Vec::new();
        for view in &content.views {
            let request = |act| Request {
                deal: view.deal,
                act,
            };
            let all =
                (0..=VOUCHERS).flat_map(|n| [Act::Claim(n), Act::CoopClose(n), Act::PayerClose(n)]);
            let all = all
                .filter(|act| *act != Act::Claim(0))
                .chain([Act::Open])
                .map(request);
            for request in all {
                let id = self.signed(request, parties).id(&self.chain);
                if state.has_applied(&id) && check(request) != Err(Rejected::AlreadyApplied { id })
                {
                    faults.push(ONCE);
                }
            }
            if view.state == ChannelState::Closed {
                let acts = [
                    Act::Claim(VOUCHERS),
                    Act::CoopClose(VOUCHERS),
                    Act::PayerClose(VOUCHERS),
                ];
                if acts.into_iter().any(|act| check(request(act)).is_ok()) {
                    faults.push(TERMINAL);
                }
            } else if (view.claimed + 1..=VOUCHERS).any(|n| check(request(Act::Claim(n))).is_err())
            {
                faults.push(CLAIMABLE);
            }
        }
        faults
    }

    /// Returns a transaction in the one form in which it is ever signed.
    fn signed(&self, request: Request, parties: &Parties) -> SignedTransaction {
        if let Some(known) = self.seen.lock().unwrap().signed.get(&request) {
            return known.clone();
        }
        let (deal, terms) = (request.deal, request.deal.terms());
        let channel = terms.channel_id(&self.chain);
        let (operation, keys) = match request.act {
            Act::Open => (Operation::Open { terms }, vec![deal.payer(), deal.payee()]),
            Act::Claim(number) => {
                let voucher = parties.voucher(deal, number);
                (Operation::Claim { voucher }, vec![deal.payee()])
            }
            Act::CoopClose(number) => {
                let voucher = (number > 0).then(|| parties.voucher(deal, number));
                (
                    Operation::CoopClose { channel, voucher },
                    vec![deal.payee()],
                )
            }
            Act::PayerClose(number) => {
                let operation = Operation::PayerClose {
                    channel,
                    sequence: number.into(),
                    cumulative: cumulative(number),
                };
                (operation, vec![deal.payer()])
            }
        };
        let transaction = Transaction {
            nonce: 7,
            valid_until_height: VALID_UNTIL,
            operation,
        };
        let (first, rest) = keys.split_first().unwrap();
        let signed = SignedTransaction::sign(&transaction, first, &self.chain);
        let signed = rest.iter().fold(signed, |signed, key| {
            signed.cosign(key, &self.chain).unwrap()
        });
        self.seen
            .lock()
            .unwrap()
            .signed
            .insert(request, signed.clone());
        signed
    }

    /// A ledger with a planted bug: a second claim of a channel pays its whole cumulative and not what it adds.
    fn pay_the_whole_again(&self, before: &State, after: State) -> State {
        let mut leaves: Vec<Leaf> = after.leaves().cloned().collect();
        for record in before.channels() {
            let claimed_again = after.channel(&record.id).is_some_and(|now| {
                now.claimed > record.claimed
                    && record.claimed > nano(TICK)
                    && now.state == ChannelState::Open
            });
            if !claimed_again {
                continue;
            }
            for leaf in &mut leaves {
                match leaf {
                    Leaf::Channel(channel) if channel.id == record.id => {
                        channel.balance = channel.balance.saturating_sub(record.claimed);
                    }
                    Leaf::Account(account) if account.id == record.payee.account => {
                        account.available = account.available.checked_add(record.claimed).unwrap();
                    }
                    _ => {}
                }
            }
        }
        restored(&self.genesis, after.tip().clone(), leaves)
    }
}

/// Notes what a block may never do to a channel, and what no channel may ever be.
fn note_broken_records(before: &State, after: &State, faults: &mut BTreeSet<&'static str>) {
    for record in after.channels() {
        if !record.is_sound() {
            faults.insert(SOUND);
        }
        let Some(old) = before.channel(&record.id) else {
            continue;
        };
        if record.claimed < old.claimed
            || record.sequence < old.sequence
            || record.deposit != old.deposit
        {
            faults.insert(SOUND);
        }
        if old.state == ChannelState::Closed && old != record {
            faults.insert(TERMINAL);
        }
    }
    let nonces = after
        .leaves()
        .filter(|leaf| matches!(leaf, Leaf::PayerNonce { .. }));
    if nonces.count() != after.channels().count() {
        faults.insert(NONCES);
    }
}
