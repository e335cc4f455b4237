//! Owns the book's task: one owner of the replica, one mailbox.
//!
//! Never blocks: pages of other books are fetched and checked by tasks of their own, a few at a time.

use std::time::{Duration, Instant};

use market::keys::SecretKey;
use market::order::{Beacon, BookMessage};
use market::{ChainId, NodeId, OrderId, Signed, Timestamp};
use matching::{Book, Capacity, Message, Posting};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::gossip::Overtaken;
use super::handle::{BookError, BookHandle, Ingress, Post, PostError, PostedOrder};
use super::own::OwnOrders;
use super::protocol::{BookPage, BookRequest, BookResponse};
use super::pull::{self, Asked, MAX_PULLS, Pulled};
use super::rate::Allowances;
use super::{farewell, gossip};
use crate::clock::ProtocolClock;
use crate::network::{Client, Judgement, Offence, PublishError, Topic};

/// Things that wait for the book's task.
const MAILBOX: usize = 1024;

/// How often the task looks for what has become due.
const TICK: Duration = Duration::from_millis(500);

/// How often what no longer matters is forgotten.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// News from one page of another book that is passed on by gossip at the most.
const MAX_PASSED_ON: usize = 256;

/// Nodes that wait for being asked for their book.
const MAX_FOLLOWERS: usize = 64;

/// What the book is made from.
#[derive(Debug, Clone)]
pub struct BookConfig {
    /// The market.
    pub chain: ChainId,
    /// The node's key, which signs its own orders.
    pub key: SecretKey,
    /// Who may post, as the genesis says.
    pub posting: Posting,
    /// The most that the book holds.
    pub capacity: Capacity,
    /// Seconds between beacons of this node; 1 to 300.
    pub beacon_interval_s: u16,
}

/// Runs the book. Made by [`start`]; spawn [`BookActor::run`] as a task of its own.
pub struct BookActor {
    // What it is made of.
    chain: ChainId,
    clock: ProtocolClock,
    client: Client,
    // Messages to and from the other parts of the node.
    mailbox: mpsc::Receiver<Ingress>,
    // Weak, so that the book ends when its last handle is dropped.
    learnt: mpsc::WeakSender<Ingress>,
    version: watch::Sender<u64>,
    // State.
    book: Book,
    own: OwnOrders,
    allowances: Allowances,
    overtaken: Overtaken,
    asked: Asked,
    followers: Vec<NodeId>,
    pulls: JoinSet<(NodeId, Pulled)>,
    last_expiry: Instant,
}

/// Makes the book; spawn [`BookActor::run`] to let it work.
pub fn start(config: BookConfig, clock: ProtocolClock, client: Client) -> (BookHandle, BookActor) {
    let (sender, mailbox) = mpsc::channel(MAILBOX);
    let (version, version_seen) = watch::channel(0);
    let actor = BookActor {
        chain: config.chain,
        clock,
        client,
        mailbox,
        learnt: sender.downgrade(),
        version,
        book: Book::new(config.posting, config.capacity),
        own: OwnOrders::new(config.key, config.chain, config.beacon_interval_s),
        allowances: Allowances::default(),
        overtaken: Overtaken::default(),
        asked: Asked::default(),
        followers: Vec::new(),
        pulls: JoinSet::new(),
        last_expiry: Instant::now(),
    };
    let handle = BookHandle {
        mailbox: sender,
        version: version_seen,
    };
    (handle, actor)
}

impl BookActor {
    /// Runs until the last [`BookHandle`] is dropped.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ingress = self.mailbox.recv() => match ingress {
                    Some(ingress) => self.on_ingress(ingress).await,
                    None => return,
                },
                Some(pulled) = self.pulls.join_next() => {
                    if let Ok((node, pulled)) = pulled {
                        self.on_pulled(node, pulled);
                    }
                }
                _ = ticks.tick() => self.on_tick().await,
            }
        }
    }

    async fn on_ingress(&mut self, ingress: Ingress) {
        match ingress {
            Ingress::Gossip(data, verdict) => verdict.give(self.judge(&data)),
            Ingress::Request(from, request, reply) => match request {
                BookRequest::Snapshot { digest, after } => reply.send(self.page(digest, after)),
                BookRequest::Farewell(beacon) => {
                    if let Some(answer) = self.on_farewell(from, beacon).await {
                        reply.send(answer);
                    }
                }
            },
            Ingress::Follower(node) => self.on_follower(node),
            Ingress::Learnt(messages) => self.learn(messages).await,
            Ingress::Read(read) => match self.clock.now() {
                Some(now) => read(Ok((&self.book, now))),
                None => read(Err(BookError::NoTime)),
            },
            Ingress::Post(post) => self.on_post(post).await,
            Ingress::Take(message, done) => {
                let taken = self.take(*message).await;
                let _nobody_waits = done.send(taken);
            }
            Ingress::Rate(opinions) => {
                for (node, reputation) in opinions {
                    self.book.rate(node, reputation);
                }
            }
            Ingress::Leave(done) => self.on_leave(done).await,
        }
    }

    /// Judges a bulletin. Before protocol time is known nothing can be judged; the books of other
    /// nodes are read once it is.
    fn judge(&mut self, data: &[u8]) -> Judgement {
        let Some(messages) = gossip::read(data, &self.chain) else {
            return Judgement::Reject;
        };
        let Some(now) = self.clock.now() else {
            return Judgement::Ignore;
        };
        let outcome = gossip::apply(&mut self.book, &mut self.allowances, messages, now);
        self.changed(outcome.changes);
        match self.overtaken.take(data) {
            true => Judgement::Accept,
            false => outcome.judgement,
        }
    }

    /// Takes one checked message of another node, under the rules of gossip.
    async fn take(&mut self, message: Message) -> Result<(), PostError> {
        let now = self.clock.now().ok_or(BookError::NoTime)?;
        let signed = signed_form(&message);
        let is_within_rate = gossip::take(&mut self.book, &mut self.allowances, message, now)?;
        self.changed(1);
        if is_within_rate {
            self.pass_on(vec![signed]).await;
        }
        Ok(())
    }

    fn page(&self, digest: [u8; 32], after: Option<NodeId>) -> BookResponse {
        let Some(now) = self.clock.now() else {
            return BookResponse::NotReady;
        };
        if after.is_none() && digest == self.book.digest(now) {
            return BookResponse::Same;
        }
        BookResponse::Page(BookPage::cut(self.book.messages(now), after))
    }

    /// Takes the last beacon of a node that leaves, and passes it on like gossip. Returns the answer; what is none
    /// gets none.
    async fn on_farewell(&mut self, from: NodeId, beacon: Signed<Beacon>) -> Option<BookResponse> {
        let Some(message) = farewell::check(beacon.clone(), from, &self.chain) else {
            self.client.note_offence(from, Offence::CorruptBook).await;
            return None;
        };
        let Some(now) = self.clock.now() else {
            return Some(BookResponse::NotReady);
        };
        let outcome = gossip::apply(&mut self.book, &mut self.allowances, vec![message], now);
        self.changed(outcome.changes);
        if outcome.judgement == Judgement::Accept {
            self.pass_on(vec![BookMessage::Beacon(beacon)]).await;
        }
        Some(BookResponse::Noted)
    }

    fn on_follower(&mut self, node: NodeId) {
        if self.followers.len() < MAX_FOLLOWERS && !self.followers.contains(&node) {
            self.followers.push(node);
        }
        self.pull_next();
    }

    /// Asks the nodes that wait for it, a few at a time, once protocol time is known.
    fn pull_next(&mut self) {
        let (Some(now), Some(learnt)) = (self.clock.now(), self.learnt.upgrade()) else {
            return;
        };
        while self.pulls.len() < MAX_PULLS {
            let Some(node) = self.followers.pop() else {
                return;
            };
            if !self.asked.may_ask(node, Instant::now()) {
                continue;
            }
            let digest = self.book.digest(now);
            let pull = pull::pull(
                self.client.clone(),
                self.chain,
                node,
                digest,
                learnt.clone(),
            );
            self.pulls.spawn(async move { (node, pull.await) });
        }
    }

    fn on_pulled(&mut self, node: NodeId, pulled: Pulled) {
        if pulled == Pulled::NotReady {
            // Asked again at the next tick.
            self.asked.forget(node);
            if self.followers.len() < MAX_FOLLOWERS {
                self.followers.push(node);
            }
        }
    }

    /// Takes a checked page of another book, and passes on what was news, as far as it is little.
    async fn learn(&mut self, messages: Vec<Message>) {
        let Some(now) = self.clock.now() else {
            return;
        };
        let mut news = Vec::new();
        for message in messages {
            let signed = signed_form(&message);
            if self.book.apply(message, now).is_ok() {
                news.push(signed);
            }
        }
        self.changed(news.len());
        if news.len() <= MAX_PASSED_ON {
            self.pass_on(news).await;
        }
    }

    async fn pass_on(&mut self, news: Vec<BookMessage>) {
        for messages in news.chunks(market::order::MAX_BULLETIN_MESSAGES) {
            let Ok(bulletin) = market::order::Bulletin::new(messages.to_vec()) else {
                continue;
            };
            let data = bulletin.encode();
            let digest = blake3::hash(&data);
            // Whoever misses what is not published reads it from another book, as this node did.
            if self.client.publish(Topic::Orders, data).await == Err(PublishError::Known) {
                self.overtaken.add(digest);
            }
        }
    }

    async fn on_post(&mut self, post: Post) {
        let Post {
            slot,
            body,
            lifetime,
            done,
        } = post;
        let result = match self.clock.now() {
            Some(now) => {
                self.own.catch_up(&self.book);
                let order = self.own.draft(slot, body, lifetime, now);
                self.place(order, now)
            }
            None => Err(BookError::NoTime.into()),
        };
        let is_placed = result.is_ok();
        let _poster_gone = done.send(result);
        if is_placed {
            self.publish_own().await;
        }
    }

    fn place(
        &mut self,
        order: market::order::Order,
        now: Timestamp,
    ) -> Result<PostedOrder, PostError> {
        let signed = self.own.seal(&order);
        let id = OrderId::from_bytes(signed.id(&self.chain));
        self.apply_own(BookMessage::Order(signed.clone()), now)?;
        self.own.placed(order, signed.clone(), now);
        Ok(PostedOrder { id, signed })
    }

    fn apply_own(&mut self, message: BookMessage, now: Timestamp) -> Result<(), PostError> {
        let message = matching::check(message, &self.chain)
            .expect("this node's own signature on an order within its size verifies");
        self.book.apply(message, now)?;
        self.changed(1);
        Ok(())
    }

    /// Publishes what this node has signed. What finds no neighbour waits for the next tick.
    async fn publish_own(&mut self) {
        while let Some((data, places)) = self.own.next_bulletin() {
            match self.client.publish(Topic::Orders, data).await {
                Ok(()) | Err(PublishError::Known) => self.own.published(&places),
                Err(PublishError::NoPeers | PublishError::Busy) => return,
                Err(error) => {
                    tracing::warn!(%error, "own orders were not published");
                    return;
                }
            }
        }
    }

    /// Lets no order of this node stand, here and, before `done` hears of it, in the books of its neighbours.
    async fn on_leave(&mut self, done: oneshot::Sender<()>) {
        let now = self.clock.now();
        let Some(beacon) = now.and_then(|now| self.own.farewell(now)) else {
            let _nobody_waits = done.send(());
            return;
        };
        if let Some(now) = now
            && let Err(reason) = self.apply_own(BookMessage::Beacon(beacon.clone()), now)
        {
            tracing::warn!(%reason, "the own book refused the own farewell");
        }
        self.publish_own().await;
        let farewell = farewell::say(self.client.clone(), beacon);
        tokio::spawn(async move {
            farewell.await;
            let _nobody_waits = done.send(());
        });
    }

    async fn on_tick(&mut self) {
        let Some(now) = self.clock.now() else {
            return;
        };
        self.own.catch_up(&self.book);
        if let Some(beacon) = self.own.beacon_if_due(now)
            && let Err(reason) = self.apply_own(BookMessage::Beacon(beacon), now)
        {
            tracing::warn!(%reason, "the own book refused the own beacon");
        }
        self.publish_own().await;
        self.pull_next();
        if self.last_expiry.elapsed() >= EXPIRE_EVERY {
            self.last_expiry = Instant::now();
            let freed = self.book.expire(now);
            self.allowances.forget_full(now);
            self.changed(freed);
        }
    }

    fn changed(&self, changes: usize) {
        if changes > 0 {
            self.version.send_modify(|version| *version += 1);
        }
    }
}

fn signed_form(message: &Message) -> BookMessage {
    match message {
        Message::Order(order) => BookMessage::Order(order.signed().clone()),
        Message::Beacon(beacon) => BookMessage::Beacon(beacon.signed().clone()),
    }
}
