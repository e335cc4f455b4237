//! Owns a link that can be bad: a TCP proxy on loopback that delays, stalls, cuts and heals what passes it.
//!
//! Never looks into what it forwards, and never loses or reorders a byte of a connection that lives.
//!
//! ```text
//!   who dials ──► listener ─┐  Forward: delay, stall   ┌─► the node behind it
//!                           └──────── one thread ──────┘
//!   who dials ◄──────────────  Back: delay, stall  ◄───── the node behind it
//! ```

mod pipe;
mod pump;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pump::Pump;

/// A direction, seen by who dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Towards the node behind the proxy.
    Forward,
    /// From the node behind the proxy.
    Back,
}

/// Both directions.
pub(crate) const BOTH: [Way; 2] = [Way::Forward, Way::Back];

/// How long a byte is on its way: `fixed`, and up to `jitter` more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delay {
    /// The least.
    pub(crate) fixed: Duration,
    /// The most that is added; how much is drawn from the proxy's seed.
    pub(crate) jitter: Duration,
}

/// What the pump is told.
enum Order {
    Delay(Way, Delay),
    Stall(Way),
    Cut,
    Heal,
    Stop,
}

/// What passed so far.
#[derive(Debug, Default)]
struct Counts {
    bytes: [AtomicU64; 2],
    connections: AtomicU64,
}

/// A link to one node. It ends with this value.
pub(crate) struct Proxy {
    /// Where it is dialled.
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
    /// Orders, each with where it is acknowledged.
    orders: SyncSender<(Order, SyncSender<()>)>,
    /// One byte here makes the pump read its orders.
    bell: UnixStream,
    pump: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Opens a link to the node that listens, now or later, on `target`. `seed` decides the jitter.
    pub(crate) fn open(target: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let (bell, ring) = UnixStream::pair().expect("sockets can be made");
        let (orders, taken) = sync_channel(1);
        let counts = Arc::new(Counts::default());
        let mut pump = Pump::new(listener, target, Arc::clone(&counts), seed);
        let pump = std::thread::spawn(move || pump.run(&ring, &taken));
        Self {
            address,
            counts,
            orders,
            bell,
            pump: Some(pump),
        }
    }

    /// Delays what passes from now on in one direction.
    pub(crate) fn delay(&self, way: Way, delay: Delay) {
        self.order(Order::Delay(way, delay));
    }

    /// Forwards nothing in one direction and says nothing about it: connections stay, new ones are accepted.
    /// What was sent meanwhile arrives after [`Self::heal`], as TCP repeats what a lost link swallowed.
    pub(crate) fn stall(&self, way: Way) {
        self.order(Order::Stall(way));
    }

    /// Resets every connection, and every new one until [`Self::heal`].
    pub(crate) fn cut(&self) {
        self.order(Order::Cut);
    }

    /// Forwards again; delays stay.
    pub(crate) fn heal(&self) {
        self.order(Order::Heal);
    }

    /// Returns how many bytes were forwarded in one direction.
    pub(crate) fn bytes(&self, way: Way) -> u64 {
        self.counts.bytes[way as usize].load(Ordering::Relaxed)
    }

    /// Returns how many connections were accepted.
    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Gives an order and waits until it is carried out.
    fn order(&self, order: Order) {
        let (done, carried_out) = sync_channel(1);
        let given = self.orders.send((order, done));
        given.expect("the pump runs until it is dropped");
        (&self.bell).write_all(&[0]).expect("the pump listens");
        carried_out.recv().expect("the pump carries out its orders");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let (done, _nobody_waits) = sync_channel(1);
        // A pump that panicked is gone already; its test has failed.
        let _gone = self.orders.send((Order::Stop, done));
        let _gone = (&self.bell).write_all(&[0]);
        if let Some(pump) = self.pump.take() {
            let _panicked = pump.join();
        }
    }
}
