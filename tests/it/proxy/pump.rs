//! Owns the one thread of a proxy: its connections, what they are allowed to do, and when it wakes.
//!
//! Never blocks on a connection: it waits for all of them, for orders and for the next arrival at once.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;

use super::pipe::Pipe;
use super::{BOTH, Counts, Delay, Order, Way};

/// How long the node behind the proxy may take to accept.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection through the proxy.
struct Link {
    /// Who dialled, and the node behind the proxy.
    ends: [TcpStream; 2],
    /// By [`Way`]: from `ends[0]` to `ends[1]`, and back.
    pipes: [Pipe; 2],
}

/// What may pass in one direction.
#[derive(Default)]
struct Shape {
    delay: Delay,
    is_stalled: bool,
}

/// The state of a proxy.
pub(super) struct Pump {
    listener: TcpListener,
    target: SocketAddr,
    counts: Arc<Counts>,
    random: u64,
    shapes: [Shape; 2],
    is_cut: bool,
    /// Accepted while nothing may pass, so not connected yet.
    waiting: Vec<TcpStream>,
    links: Vec<Link>,
}

/// What is waited for: the bell, the listener, or an end of a connection.
#[derive(Clone, Copy)]
enum Watched {
    Bell,
    Listener,
    End,
}

impl Pump {
    pub(super) fn new(
        listener: TcpListener,
        target: SocketAddr,
        counts: Arc<Counts>,
        seed: u64,
    ) -> Self {
        let is_set = listener.set_nonblocking(true);
        is_set.expect("a listener can be set not to block");
        Self {
            listener,
            target,
            counts,
            random: seed,
            shapes: [Shape::default(), Shape::default()],
            is_cut: false,
            waiting: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(&mut self, bell: &UnixStream, orders: &Receiver<(Order, SyncSender<()>)>) {
        loop {
            let (is_rung, has_callers) = self.wait(bell);
            if is_rung {
                let mut byte = [0];
                let ring = (&*bell).read_exact(&mut byte).map_err(|_| ());
                let order = ring.and_then(|()| orders.recv().map_err(|_| ()));
                let Ok((order, done)) = order else { return };
                if matches!(order, Order::Stop) {
                    return;
                }
                self.obey(&order);
                let _nobody_waits = done.send(());
            }
            if has_callers {
                self.accept();
            }
            self.forward();
        }
    }

    /// Waits until there is something to do; tells whether that is an order, and whether somebody dials.
    fn wait(&self, bell: &UnixStream) -> (bool, bool) {
        let now = Instant::now();
        let mut watched = vec![
            (Watched::Bell, PollFd::new(bell, PollFlags::IN)),
            (
                Watched::Listener,
                PollFd::new(&self.listener, PollFlags::IN),
            ),
        ];
        for link in &self.links {
            for (index, end) in link.ends.iter().enumerate() {
                let flags = self.interest(link, index, now);
                if !flags.is_empty() {
                    watched.push((Watched::End, PollFd::new(end, flags)));
                }
            }
        }
        let (kinds, mut fds): (Vec<Watched>, Vec<PollFd<'_>>) = watched.into_iter().unzip();
        let limit = self.next_due(now).map(|due| Timespec {
            tv_sec: i64::try_from(due.as_secs()).expect("delays are short"),
            tv_nsec: i64::from(due.subsec_nanos()),
        });
        // A signal interrupts the wait, which then starts again.
        let _interrupted = poll(&mut fds, limit.as_ref());
        let is_ready = |kind: fn(&Watched) -> bool| {
            let mut both = kinds.iter().zip(&fds);
            both.any(|(watched, fd)| kind(watched) && !fd.revents().is_empty())
        };
        (
            is_ready(|watched| matches!(watched, Watched::Bell)),
            is_ready(|watched| matches!(watched, Watched::Listener)),
        )
    }

    /// What an end is asked for. One that is asked for nothing is not watched at all: a broken one would be
    /// reported for ever.
    fn interest(&self, link: &Link, index: usize, now: Instant) -> PollFlags {
        let mut flags = PollFlags::empty();
        let is_open = |pipe: usize| !self.shapes[pipe].is_stalled;
        if is_open(index) && link.pipes[index].wants_to_read() {
            flags |= PollFlags::IN;
        }
        if is_open(1 - index) && link.pipes[1 - index].is_due(now) {
            flags |= PollFlags::OUT;
        }
        flags
    }

    /// How long nothing arrives at an end by itself; what is due already waits for its receiver.
    fn next_due(&self, now: Instant) -> Option<Duration> {
        let pipes = self
            .links
            .iter()
            .flat_map(|link| link.pipes.iter().zip(&self.shapes));
        let open = pipes.filter(|(_, shape)| !shape.is_stalled);
        let due = open.filter_map(|(pipe, _)| pipe.due_at());
        let left = due.filter_map(|due| due.checked_duration_since(now));
        left.filter(|left| !left.is_zero()).min()
    }

    fn obey(&mut self, order: &Order) {
        match order {
            Order::Delay(way, delay) => self.shapes[*way as usize].delay = *delay,
            Order::Stall(way) => self.shapes[*way as usize].is_stalled = true,
            Order::Cut => {
                self.is_cut = true;
                self.waiting.drain(..).for_each(reset);
                let links = self.links.drain(..);
                links.flat_map(|link| link.ends).for_each(reset);
            }
            Order::Heal => {
                self.is_cut = false;
                for shape in &mut self.shapes {
                    shape.is_stalled = false;
                }
                let waiting = std::mem::take(&mut self.waiting);
                waiting.into_iter().for_each(|end| self.connect(end));
            }
            Order::Stop => {}
        }
    }

    fn accept(&mut self) {
        let Ok((end, _)) = self.listener.accept() else {
            return;
        };
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let is_stalled = self.shapes.iter().any(|shape| shape.is_stalled);
        match (self.is_cut, is_stalled) {
            (true, _) => reset(end),
            (false, true) => self.waiting.push(end),
            (false, false) => self.connect(end),
        }
    }

    /// Connects to the node behind the proxy. Where it does not listen, who dialled is reset.
    fn connect(&mut self, end: TcpStream) {
        let Ok(node) = TcpStream::connect_timeout(&self.target, CONNECT) else {
            return reset(end);
        };
        let ends = [end, node];
        for end in &ends {
            let is_set = end
                .set_nonblocking(true)
                .and_then(|()| end.set_nodelay(true));
            if is_set.is_err() {
                return ends.into_iter().for_each(reset);
            }
        }
        let pipes = [Pipe::default(), Pipe::default()];
        self.links.push(Link { ends, pipes });
    }

    /// Moves what can be moved, and drops what is over or broken.
    fn forward(&mut self) {
        let mut links = std::mem::take(&mut self.links);
        links = links
            .into_iter()
            .filter_map(|mut link| match self.forward_link(&mut link) {
                Ok(()) if link.pipes.iter().all(Pipe::is_closed) => None,
                Ok(()) => Some(link),
                Err(_broken) => {
                    link.ends.into_iter().for_each(reset);
                    None
                }
            })
            .collect();
        self.links = links;
    }

    fn forward_link(&mut self, link: &mut Link) -> std::io::Result<()> {
        for way in BOTH {
            let from = way as usize;
            if self.shapes[from].is_stalled {
                continue;
            }
            let now = Instant::now();
            let pipe = &mut link.pipes[from];
            if pipe.wants_to_read() {
                pipe.read(&link.ends[from], now + self.draw(way))?;
            }
            let count = pipe.write(&link.ends[1 - from], Instant::now())?;
            let count = u64::try_from(count).expect("a count of bytes in memory");
            self.counts.bytes[from].fetch_add(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Draws how long the next chunk is on its way.
    fn draw(&mut self, way: Way) -> Duration {
        let delay = self.shapes[way as usize].delay;
        // Steele, Lea and Flood's SplitMix64: one state, and good enough for jitter.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((mixed ^ (mixed >> 31)) >> 32).expect("32 bits");
        delay.fixed + delay.jitter.mul_f64(f64::from(part) / f64::from(u32::MAX))
    }
}

/// Ends a connection as a broken link does, with a reset instead of a farewell.
fn reset(end: TcpStream) {
    // Where the option is refused, the other side sees an end instead, which is a broken link as well.
    let _unset = set_socket_linger(&end, Some(Duration::ZERO));
    drop(end);
}
