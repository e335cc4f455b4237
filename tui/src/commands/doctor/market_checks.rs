//! Owns the checks of the market as this node sees it: operator, clock, peers, offers, ports, versions.
//!
//! Never changes anything there: without a running node it asks the operator one question and leaves.

use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use market::Timestamp;
use market_node::clock::{ProtocolClock, wall_now};
use market_node::identity::load_key;
use market_node::ledger::LedgerClient;
use market_node::ledger::client::Transport;
use market_node::membership::Membership;
use market_node::network::{self, Multiaddr, NetworkConfig, Protocol};
use market_node::store::NodeStore;

use super::check::{Check, Verdict};
use super::{NodeState, Patient, Running};
use crate::words;

/// How long the operator may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How far the machine's clock may be off before something is said, and before it is called wrong.
const NOTABLE: Duration = Duration::from_secs(10);
const WRONG: Duration = Duration::from_secs(600);

/// Advice for a machine that nobody hears.
const RECONNECT: &str = "check this machine's network and the addresses in bootstrap.txt; the operator's \
                         people know whether it runs";

/// Why nothing was heard of the operator.
struct Unheard {
    why: String,
    verdict: Verdict,
    advice: &'static str,
}

impl Unheard {
    fn failed(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
            verdict: Verdict::Failed,
            advice: RECONNECT,
        }
    }

    fn check(&self) -> Check {
        match self.verdict {
            Verdict::Skipped => Check::skipped("operator", &self.why),
            _ => Check::failed("operator", &self.why, self.advice),
        }
    }
}

/// All checks of the market.
pub(super) async fn all(patient: &Patient) -> Vec<Check> {
    match &patient.node {
        NodeState::Answers(running) => of_running(patient, running),
        NodeState::Silent(_) | NodeState::Absent(None) => {
            let names = ["operator", "clock", "peers", "offers", "ports", "versions"];
            let skipped = |name| Check::skipped(name, "another process uses this home");
            names.into_iter().map(skipped).collect()
        }
        NodeState::Absent(Some(_)) => {
            let heard = ask_operator(patient).await;
            let operator = match &heard {
                Ok(_) => Check::ok("operator", "answers"),
                Err(unheard) => unheard.check(),
            };
            let unknown = "no node runs; start one with `nightshift up`";
            vec![
                operator,
                clock(patient, heard.map_err(|unheard| unheard.why)),
                Check::skipped("peers", unknown),
                Check::skipped("offers", unknown),
                ports_free(&patient.settings.network.listen),
                Check::ok(
                    "versions",
                    format!("this program is {}", env!("CARGO_PKG_VERSION")),
                ),
            ]
        }
    }
}

fn of_running(patient: &Patient, running: &Running) -> Vec<Check> {
    let status = &running.status;
    let height = status.height.map(|height| format!("block {height}"));
    let operator = match status.operator_reachable {
        true => Check::ok(
            "operator",
            format!("answers, at {}", height.unwrap_or_default()),
        ),
        false => Check::failed("operator", "does not answer the running node", RECONNECT),
    };
    let time = status
        .protocol_time
        .ok_or_else(|| "no block was verified yet".to_owned());
    let mut checks = vec![
        operator,
        clock(patient, time),
        peers(status.peers),
        offers(status.offers),
        ports(running),
        versions(running),
    ];
    let revoked = |_| {
        Check::failed(
            "delegation",
            "the account has revoked this node on the ledger: it can neither sell nor buy",
            "run `nightshift wallet delegate` in this home, with the account's key, and start the node again",
        )
    };
    checks.extend(status.revoked.as_ref().map(revoked));
    checks
}

/// Asks the operator for the newest header, as a node of this home, and returns its time.
async fn ask_operator(patient: &Patient) -> Result<Timestamp, Unheard> {
    let home = &patient.home;
    let Ok(membership) = Membership::load(home) else {
        return Err(Unheard {
            verdict: Verdict::Skipped,
            ..Unheard::failed("this home is in no market yet")
        });
    };
    if membership.bootstrap.is_empty() {
        return Err(Unheard {
            advice: "start it with `nightshift operator run`",
            ..Unheard::failed("this home is the operator's, and it does not run")
        });
    }
    let key = load_key(home, "node").map_err(Unheard::failed)?;
    let config = NetworkConfig {
        bootstrap: membership.bootstrap.clone(),
        ..NetworkConfig::new(key, membership.chain)
    };
    let folder = tempfile::tempdir().map_err(Unheard::failed)?;
    let (store, _) = NodeStore::open(&folder.path().join("store"), &membership.chain)
        .map_err(Unheard::failed)?;
    let (client, _inbound, event_loop) = network::start(config).await.map_err(Unheard::failed)?;
    let running = tokio::spawn(event_loop.run());
    let clock = ProtocolClock::new();
    let question = async {
        let transport = Transport::Remote(client);
        let genesis = &membership.genesis;
        let ledger = LedgerClient::open(transport, genesis, store, clock.clone()).await?;
        ledger.status().await
    };
    let answer = tokio::time::timeout(TIMEOUT, question).await;
    running.abort();
    match answer {
        Err(_) => Err(Unheard::failed(format!("no answer within {TIMEOUT:?}"))),
        Ok(Err(error)) => Err(Unheard::failed(error)),
        Ok(Ok(_)) => clock
            .now()
            .ok_or_else(|| Unheard::failed("no block was verified")),
    }
}

/// Compares the machine's clock with protocol time, or else with the market's founding.
fn clock(patient: &Patient, time: Result<Timestamp, String>) -> Check {
    let wall = wall_now();
    match time {
        Ok(time) => compared(wall, time),
        Err(why) => match Membership::load(&patient.home) {
            Ok(membership) if wall < membership.genesis.time => Check::failed(
                "clock",
                format!(
                    "this machine says {}, which is before the market was founded",
                    words::utc(wall)
                ),
                SET_CLOCK,
            ),
            _ => Check::skipped("clock", format!("protocol time is not known: {why}")),
        },
    }
}

/// Advice for a machine with a wrong clock.
const SET_CLOCK: &str = "set it, for example with `timedatectl set-ntp true`. Money and leases use protocol time \
                         and are right all the same; delegations and what is displayed are not";

/// Judges a wall clock against protocol time.
pub(super) fn compared(wall: Timestamp, time: Timestamp) -> Check {
    let name = "clock";
    let (wall_ms, time_ms) = (wall.as_millis(), time.as_millis());
    let offset = Duration::from_millis(wall_ms.abs_diff(time_ms));
    let side = match wall_ms >= time_ms {
        true => "ahead of",
        false => "behind",
    };
    let evidence = format!(
        "this machine's clock is {} {side} protocol time",
        words::duration(offset)
    );
    match offset {
        offset if offset > WRONG => Check::failed(name, evidence, SET_CLOCK),
        offset if offset > NOTABLE => Check::warning(name, evidence, SET_CLOCK),
        _ => Check::ok(name, evidence),
    }
}

fn peers(count: usize) -> Check {
    match count {
        0 => Check::failed("peers", "no other node is connected", RECONNECT),
        count => Check::ok(
            "peers",
            format!("{} connected", words::plural(count, "node")),
        ),
    }
}

fn offers(count: usize) -> Check {
    match count {
        0 => Check::warning(
            "offers",
            "no offer stands in this node's copy of the book",
            "nobody sells now, or the book is still coming in; `nightshift market book` shows it when it is there",
        ),
        count => Check::ok("offers", words::plural(count, "standing offer")),
    }
}

/// Judges on which addresses a running node can be reached.
fn ports(running: &Running) -> Check {
    let name = "ports";
    let Some(facts) = &running.network else {
        return Check::skipped(name, "the running node does not tell its addresses");
    };
    let advertised = !facts.advertised.is_empty();
    let told = match advertised {
        true => &facts.advertised,
        false => &facts.listening,
    };
    if facts.listening.is_empty() {
        return Check::failed(
            name,
            "the node listens on no address",
            "set network.listen, for example to /ip4/0.0.0.0/tcp/4646, and start it again",
        );
    }
    let is_local = |address: &String| address.parse().is_ok_and(|address| is_loopback(&address));
    match told.iter().all(is_local) {
        true => Check::warning(
            name,
            format!("others are told only {}", told.join(", ")),
            "nobody outside this machine can connect; listen on another address with `nightshift config set \
             network.listen /ip4/0.0.0.0/tcp/4646`, and name a forwarded port with network.advertise",
        ),
        false => Check::ok(name, format!("others are told {}", told.join(", "))),
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    ip_and_port(address).is_some_and(|(ip, _)| ip.is_loopback())
}

fn ip_and_port(address: &Multiaddr) -> Option<(IpAddr, u16)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((ip, port)),
        _ => None,
    }
}

/// Looks whether a node that is started now could listen where the settings say.
fn ports_free(listen: &[Multiaddr]) -> Check {
    let name = "ports";
    for (ip, port) in listen.iter().filter_map(ip_and_port) {
        if let Err(error) = TcpListener::bind((ip, port)) {
            return Check::failed(
                name,
                format!("cannot listen on {ip} port {port}: {error}"),
                "stop what uses that port, or choose another with `nightshift config set network.listen \
                 /ip4/0.0.0.0/tcp/PORT`; port 0 takes any free one",
            );
        }
    }
    match listen.len() {
        0 => Check::warning(
            name,
            "network.listen is empty",
            "nobody can connect to this node; set it, for example to /ip4/0.0.0.0/tcp/4646",
        ),
        count => Check::ok(
            name,
            format!("{} to listen on, free now", words::plural(count, "address")),
        ),
    }
}

/// Compares this program with the running node, and that with its peers.
fn versions(running: &Running) -> Check {
    let name = "versions";
    let (own, node) = (env!("CARGO_PKG_VERSION"), &running.status.version);
    if own != node {
        return Check::warning(
            name,
            format!("this program is {own}, and the running node is {node}"),
            "stop the node and start it again with this program",
        );
    }
    let peers = running.network.iter().flat_map(|facts| &facts.peers);
    let gaps: Vec<&String> = peers.flat_map(|peer| &peer.version_gaps).collect();
    match gaps.first() {
        None => Check::ok(name, format!("this program and the running node are {own}")),
        Some(first) => Check::warning(
            name,
            format!(
                "{} of protocols with peers: {first}",
                words::plural(gaps.len(), "mismatch")
            ),
            "whichever side is older should be updated",
        ),
    }
}
