//! Owns the stage for a cheat who sells: an honest market, a cheaper offer of a stranger, and a person who buys.
//!
//! Never looks into the cheat: it gives the stranger its lease and reads what the person saw.

use std::path::PathBuf;
use std::time::Duration;

use market::{NodeId, PricePerHour};
use market_node::network::Versions;
use serde_json::Value;

use super::seller::Sold;
use super::stranger::{Inbox, Peer, Stranger};
use crate::credits;
use crate::market::{Market, Plan};
use crate::program::{self, Done};

/// How long buying may take, with everything that goes wrong on the way.
const LIMIT: Duration = Duration::from_secs(120);

/// How long the nodes of these tests wait for a side that is silent, in seconds.
pub(crate) const PATIENCE_S: u32 = 5;

/// What the strangers ask for an hour: less than anyone.
const CHEAP: &str = "0.01";

/// A market in which nobody waits for long, with one honest provider.
pub(crate) struct Stage {
    pub(crate) market: Market,
    /// The honest provider.
    pub(crate) honest: NodeId,
}

/// What a person saw of one purchase.
pub(crate) struct Purchase {
    pub(crate) done: Done,
    pub(crate) events: Vec<Value>,
    pub(crate) output: PathBuf,
}

impl Stage {
    /// Founds the market; its consumer waits 5 s for a provider that is silent.
    pub(crate) fn build() -> Self {
        let market = Market::found(&Plan {
            patience_s: Some(PATIENCE_S),
            ..Plan::default()
        });
        let book = market.consumer.json(&["market", "book"]);
        let honest = book["asks"][0]["node"].as_str().map(str::parse);
        let honest = honest.expect("one offer").expect("a node id");
        Self { market, honest }
    }

    /// Lets a stranger make the cheapest offer.
    pub(crate) fn cheat(&self, name: &str) -> (Peer, Inbox) {
        let (peer, inbox) = self.offer_from(name, Versions::default(), CHEAP);
        self.market.wait_for_offers(&self.market.consumer, 2);
        (peer, inbox)
    }

    /// Lets a stranger that speaks `versions` make an offer.
    pub(crate) fn offer_from(&self, name: &str, versions: Versions, price: &str) -> (Peer, Inbox) {
        let (peer, inbox) = Peer::join_speaking(&self.market, name, versions);
        let price: PricePerHour = price.parse().expect("a price");
        peer.act(peer.stranger.offer(self.honest, price));
        (peer, inbox)
    }

    /// Takes the stranger's offer away.
    pub(crate) fn leave(&self, peer: Peer) {
        peer.act(peer.stranger.withdraw());
        self.market.wait_for_offers(&self.market.consumer, 1);
        peer.vanish();
    }

    /// Lets a stranger sell by `script` to a person who buys `job`.
    pub(crate) fn play<T, Script, Played>(
        &self,
        name: &str,
        job: &str,
        script: Script,
    ) -> (Purchase, T)
    where
        T: Send + 'static,
        Script: FnOnce(Sold) -> Played + Send + 'static,
        Played: Future<Output = T> + Send,
    {
        let (peer, inbox) = self.cheat(name);
        let stranger: Stranger = peer.stranger.clone();
        let played = peer.begin(async move { script(stranger.sell(inbox).await).await });
        let purchase = self.buy(name, job);
        let played = peer.act(played).expect("the stranger plays its part");
        self.leave(peer);
        (purchase, played)
    }

    /// Buys a job with this budget as a person does, to the end.
    pub(crate) fn buy(&self, name: &str, budget: &str) -> Purchase {
        let market = &self.market;
        let file = market.train_job(&format!("{name}.toml"), "steps = 2", budget);
        let output = market.folder.path().join(format!("{name}-out"));
        let out = output.to_str().expect("temporary paths are UTF-8");
        let arguments = ["run", &file, "--yes", "--json", "-o", out];
        let command = program::command(&market.consumer.home, &arguments);
        let done = program::start(command).finish((LIMIT, &format!("the purchase {name}")));
        let lines = done.stdout.lines();
        let events = lines.map(|line| serde_json::from_str(line).expect("a line of JSON"));
        Purchase {
            events: events.collect(),
            done,
            output,
        }
    }
}

impl Purchase {
    /// Returns the first event of a kind, which must have come.
    pub(crate) fn event(&self, kind: &str) -> &Value {
        let mut events = self.events.iter();
        let event = events.find(|event| event["event"] == kind);
        event.unwrap_or_else(|| panic!("no {kind:?} among the events:\n{}", self.done.stdout))
    }

    /// Fails unless the job was given up with one of `words`, went on with the honest provider, and was completed
    /// there.
    pub(crate) fn moved_on(&self, stage: &Stage, cheat: NodeId, words: &[&str]) {
        let lost = self.event("lost")["reason"].as_str().unwrap_or_default();
        let is_said = words.iter().any(|word| lost.contains(word));
        assert!(is_said, "the reason says none of {words:?}: {lost}");
        self.event("moved");
        let chosen = self
            .events
            .iter()
            .filter(|event| event["event"] == "chosen");
        let nodes: Vec<_> = chosen.map(|event| &event["offer"]["row"]["node"]).collect();
        let expected = [cheat, stage.honest].map(|node| Value::from(node.to_string()));
        assert_eq!(nodes, expected.each_ref(), "who was chosen, in order");
        let last = self.events.last().cloned().unwrap_or_default();
        let ended = (self.done.code, &last["event"], &last["outcome"]);
        assert_eq!(
            ended,
            (Some(0), &"finished".into(), &"completed".into()),
            "{}",
            self.done.stderr
        );
        assert!(self.output.is_dir(), "the outputs are there");
    }

    /// Returns the most that was promised under the first agreement, in nanocredits.
    pub(crate) fn promised_first(&self) -> i128 {
        let first = self
            .events
            .iter()
            .take_while(|event| event["event"] != "lost");
        let paid = first.filter(|event| event["event"] == "paid");
        let promises = paid.map(|event| credits::of(&event["promised"]));
        promises.max().unwrap_or(0)
    }
}
