//! Owns a running market for tests: an operator, providers and consumers as processes on loopback.
//!
//! Never leaves one behind: its nodes stop when it goes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::node::{Node, free_address, multiaddr};
use crate::program;
use crate::proxy::Proxy;

/// The loopback address, any free port.
pub(crate) const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// How nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// Directly: a node that is gone refuses.
    Direct,
    /// Each node through a proxy of its own, and only through that.
    Proxied,
}

/// What a market is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// What each provider asks for a GPU-hour, in credits.
    pub(crate) prices: &'a [&'a str],
    /// How many consumers there are; 10 credits are issued to each.
    pub(crate) consumers: usize,
    /// Length of a payment tick in milliseconds.
    pub(crate) tick_ms: u32,
    /// How long a lease waits for a silent other side, in seconds.
    pub(crate) patience_s: Option<u32>,
    /// How long a channel that its payer closes alone can still be claimed, in seconds.
    pub(crate) challenge_s: u32,
    /// How nodes reach each other.
    pub(crate) links: Links,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            prices: &["0.25"],
            consumers: 1,
            tick_ms: 1_000,
            patience_s: None,
            challenge_s: 5,
            links: Links::Direct,
        }
    }
}

/// A running market. Its nodes stop in the order of the fields.
pub(crate) struct Market {
    /// The one who buys; 10 credits were issued to it.
    pub(crate) consumer: Node,
    /// Further ones, to whom as much was issued.
    pub(crate) more_consumers: Vec<Node>,
    /// The one who sells, by default for 0.25 credits an hour in ticks of a second.
    pub(crate) provider: Node,
    /// Further ones.
    pub(crate) more_providers: Vec<Node>,
    /// The bootstrap peer and ledger.
    pub(crate) operator: Node,
    /// What newcomers join with.
    pub(crate) join: String,
    /// Where everything lies.
    pub(crate) folder: TempDir,
}

impl Market {
    /// Founds a market of one provider and one consumer and returns when the consumer sees the offer.
    pub(crate) fn start() -> Self {
        Self::found(&Plan::default())
    }

    /// Founds a market and returns when every consumer sees every offer.
    pub(crate) fn found(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let operator = start_operator(&folder.path().join("operator"), plan);
        let join = join_string(&operator);
        let mut providers = plan.prices.iter().enumerate().map(|(number, price)| {
            let up = ["up", "--provide", "--price", price];
            let home = numbered(folder.path(), "provider", number);
            let provider = spawn_member(&home, (&join, plan), &up, "It sells");
            if plan.prices.len() > 2 {
                // So many at once would measure each other.
                provider.wait_until_ready();
            }
            provider
        });
        let provider = providers.next().expect("a market has a provider");
        let more_providers: Vec<Node> = providers.collect();
        let mut consumers = (0..plan.consumers).map(|number| {
            let home = numbered(folder.path(), "consumer", number);
            spawn_member(&home, (&join, plan), &["up"], "It buys and watches")
        });
        let consumer = consumers.next().expect("a market has a consumer");
        let more_consumers: Vec<Node> = consumers.collect();
        let market = Self {
            consumer,
            more_consumers,
            provider,
            more_providers,
            operator,
            join,
            folder,
        };
        market.providers().for_each(Node::wait_until_ready);
        market.consumers().for_each(Node::wait_until_ready);
        for consumer in market.consumers() {
            let issue = ["operator", "issue", &consumer.account(), "10"];
            market.operator.run(&issue).succeeded();
            market.wait_for_offers(consumer, plan.prices.len());
        }
        market
    }

    /// Lists all providers.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.provider).chain(&self.more_providers)
    }

    /// Finds the provider with this id, as offers name it.
    pub(crate) fn provider_of(&mut self, id: &Value) -> &mut Node {
        let others = self.more_providers.iter_mut();
        let mut all = std::iter::once(&mut self.provider).chain(others);
        let found = all.find(|provider| provider.id() == *id);
        found.unwrap_or_else(|| panic!("no provider is {id}"))
    }

    /// Lists all consumers.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.consumer).chain(&self.more_consumers)
    }

    /// Waits until `reader` sees exactly `count` offers; one that was just started has no book before it knows the time.
    pub(crate) fn wait_for_offers(&self, reader: &Node, count: usize) {
        reader.retry(&format!("{count} offers in the book"), || {
            let told = reader.run(&["market", "book", "--json"]);
            let Ok(book) = serde_json::from_str::<Value>(&told.stdout) else {
                return Err(told.stderr);
            };
            match book["asks"].as_array().map(Vec::len) {
                Some(found) if found == count => Ok(()),
                _ => Err(book.to_string()),
            }
        });
    }

    /// Writes a job file that trains on the handbook, with `train` and `budget` as further keys.
    pub(crate) fn train_job(&self, name: &str, train: &str, budget: &str) -> String {
        fs::write(self.folder.path().join("text.txt"), handbook_chapter()).expect("can be written");
        let text = format!(
            "[train]\ndata = \"text.txt\"\nwarm_up_steps = 0\n{train}\n[budget]\n{budget}\n"
        );
        self.write(name, &text)
    }

    /// Writes a file below the market's folder and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a temporary file can be written");
        path.to_str().expect("temporary paths are UTF-8").to_owned()
    }
}

/// Returns a chapter of the handbook: real text, long enough to train on.
pub(crate) fn handbook_chapter() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/handbook/07-money.md");
    fs::read_to_string(path).expect("the handbook has a chapter about money")
}

/// The first of a kind has no number.
fn numbered(folder: &Path, kind: &str, number: usize) -> PathBuf {
    match number {
        0 => folder.join(kind),
        _ => folder.join(format!("{kind}-{}", number + 1)),
    }
}

/// Opens the link to a node that will listen at a port of its own, and writes the settings of both.
fn network(plan: &Plan) -> (Option<Proxy>, String) {
    let address = free_address();
    let listen = format!("[network]\nlisten = [\"{}\"]\n", multiaddr(address));
    match plan.links {
        Links::Direct => (None, listen),
        Links::Proxied => {
            let proxy = Proxy::open(address, address.port().into());
            let advertise = format!("advertise = [\"{}\"]\n", multiaddr(proxy.address));
            (Some(proxy), listen + &advertise)
        }
    }
}

fn start_operator(home: &Path, plan: &Plan) -> Node {
    let challenge = plan.challenge_s.to_string();
    let found = ["operator", "init", "--name", "test"];
    let found = [&found[..], &["--challenge-seconds", &challenge]].concat();
    program::run(home, &found).succeeded();
    let (proxy, network) = network(plan);
    let settings = format!("{network}[operator]\nblock_interval_ms = 1000\n");
    fs::write(home.join("config.toml"), settings).expect("a setting can be written");
    let mut operator = Node::start(home, &["operator", "run"], "The operator runs");
    operator.proxy = proxy;
    operator
}

/// Returns what newcomers join with, by the address at which they reach the operator.
fn join_string(operator: &Node) -> String {
    let status = operator.json(&["operator", "status"]);
    let join = status["join"].as_str().expect("a join string");
    let Some(proxy) = &operator.proxy else {
        return join.to_owned();
    };
    let (chain, address) = join.split_once('@').expect("a join string has an @");
    let (_, peer) = address.split_once("/p2p/").expect("it names the peer");
    format!("{chain}@{}/p2p/{peer}", multiaddr(proxy.address))
}

/// Starts a node that joins; it is not waited for.
fn spawn_member(
    home: &Path,
    (join, plan): (&str, &Plan),
    up: &[&str],
    ready: &'static str,
) -> Node {
    program::run(home, &["init", "--join", join]).succeeded();
    let (proxy, mut settings) = network(plan);
    settings.push_str(&format!("[sell]\ntick_ms = {}\n", plan.tick_ms));
    if let Some(patience) = plan.patience_s {
        settings.push_str(&format!("[lease]\npatience_s = {patience}\n"));
    }
    fs::write(home.join("config.toml"), settings).expect("a setting can be written");
    let mut node = Node::spawn(home, up, ready);
    node.proxy = proxy;
    node
}
