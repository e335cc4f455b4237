//! Runs the same streams of orders through Nightshift's limit order book and public engines, in one process on one
//! thread, and prints what each did: operations a second, how long one takes, memory, and a hash of all fills.
//!
//! Never asserts a time; that the fills are the same it does assert.

mod allocations;
mod engines;
mod stream;

use std::hint::black_box;
use std::time::{Duration, Instant};

use engines::{Engine, Filled, Lobster, Nanobook, Nightshift, OrderbookRs, Room};
use stream::{Operation, Stream};

#[global_allocator]
static ALLOCATOR: allocations::Counted = allocations::Counted;

/// Orders that stand when a stream begins.
const ORDERS: usize = 100_000;

/// How often each engine runs a stream for its rate; the engines take turns.
const ROUNDS: usize = 5;

/// After so long a slow engine is stopped; its figures are of the operations until then.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many operations the hash of fills is over.
const CHECKED: usize = 100_000;

fn main() {
    let only = std::env::args().nth(1);
    let streams = [
        stream::mixed(ORDERS, 2_000_000),
        stream::adds(ORDERS),
        stream::sweeps(ORDERS),
    ];
    println!(
        "a book of {ORDERS} orders; one thread; the clock itself costs {} ns",
        clock_ns()
    );
    let which = std::env::args().nth(2).unwrap_or_default();
    for stream in streams.iter().filter(|it| it.name.starts_with(&which)) {
        println!("\n{}: {} operations", stream.name, stream.operations.len());
        println!(
            "{:<20} {:>12} {:>17} {:>8} {:>8} {:>8} {:>9} {:>9}  {}",
            "engine",
            "median op/s",
            "least..most M/s",
            "p50 ns",
            "p99 ns",
            "p99.9 ns",
            "B/order",
            "alloc/op",
            "fills"
        );
        compare(stream, only.as_deref());
    }
}

/// Returns what asking for the time twice costs, in nanoseconds.
fn clock_ns() -> u128 {
    let mut costs: Vec<u128> = (0..10_000)
        .map(|_| {
            let begun = Instant::now();
            begun.elapsed().as_nanos()
        })
        .collect();
    costs.sort_unstable();
    costs[costs.len() / 2]
}

fn compare(stream: &Stream, only: Option<&str>) {
    let mut runs = [
        Run::of::<Nightshift>(),
        Run::of::<Lobster>(),
        Run::of::<Nanobook>(),
        Run::of::<OrderbookRs>(),
    ];
    let cancels = |operation: &Operation| matches!(operation, Operation::Cancel(_));
    let has_cancels = stream.operations.iter().any(cancels);
    let is_wanted = |run: &&mut Run| only.is_none_or(|only| run.name.starts_with(only));
    let (mut able, unable): (Vec<&mut Run>, Vec<&mut Run>) = runs
        .iter_mut()
        .filter(is_wanted)
        .partition(|run| !has_cancels || run.cancels.is_ok());
    for _ in 0..ROUNDS {
        for run in &mut able {
            run.rates.push((run.rate)(stream));
        }
    }
    let mut hashes = able.iter().map(|run| (run.report)(stream, &run.rates));
    if let Some(first) = hashes.next() {
        assert!(
            hashes.all(|hash| hash == first),
            "the engines do not fill alike"
        );
    }
    for run in unable {
        println!("{:<20} {}", run.name, run.cancels.err().unwrap_or_default());
    }
}

/// One engine's part in a comparison.
struct Run {
    name: &'static str,
    cancels: Result<(), &'static str>,
    rates: Vec<f64>,
    rate: fn(&Stream) -> f64,
    report: fn(&Stream, &[f64]) -> blake3::Hash,
}

impl Run {
    fn of<E: Engine>() -> Self {
        Self {
            name: E::NAME,
            cancels: E::CANCELS,
            rates: Vec::new(),
            rate: rate::<E>,
            report: report::<E>,
        }
    }
}

fn filled<E: Engine>(stream: &Stream) -> E {
    let mut engine = E::new(stream.room());
    stream.standing.iter().for_each(|order| engine.add(order));
    engine
}

fn apply<E: Engine>(engine: &mut E, operation: &Operation, on_fill: &mut impl FnMut(Filled)) {
    match operation {
        Operation::Add(order) => engine.add(order),
        Operation::Cancel(number) => engine.cancel(*number),
        Operation::Take(direction, quantity) => engine.take(*direction, *quantity, on_fill),
    }
}

/// Returns operations a second, without looking at the clock between them.
fn rate<E: Engine>(stream: &Stream) -> f64 {
    let mut engine = filled::<E>(stream);
    let mut traded = 0_u64;
    let begun = Instant::now();
    let mut done = 0;
    for some in stream.operations.chunks(10) {
        for operation in some {
            apply(&mut engine, operation, &mut |fill| {
                traded += u64::from(fill.quantity)
            });
        }
        done += some.len();
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    let took = begun.elapsed();
    black_box(traded);
    done as f64 / took.as_secs_f64()
}

/// Prints an engine's row, and returns the hash of its fills.
fn report<E: Engine>(stream: &Stream, rates: &[f64]) -> blake3::Hash {
    let mut rates = rates.to_vec();
    rates.sort_by(f64::total_cmp);
    let (least, median, most) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
    let latency = latency::<E>(stream);
    let per_order = bytes_per_order::<E>(stream);
    let hash = fills::<E>(stream);
    println!(
        "{:<20} {:>12.0} {:>17} {:>8} {:>8} {:>8} {:>9} {:>9.3}  {}",
        E::NAME,
        median,
        format!("{:.2}..{:.2}", least / 1e6, most / 1e6),
        latency.p50_ns,
        latency.p99_ns,
        latency.p999_ns,
        per_order,
        latency.allocations,
        &hash.to_hex()[..16],
    );
    hash
}

struct Latency {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    /// An operation.
    allocations: f64,
}

/// Looks at the clock before and after each operation.
fn latency<E: Engine>(stream: &Stream) -> Latency {
    let mut engine = filled::<E>(stream);
    let mut times: Vec<u32> = Vec::with_capacity(stream.operations.len());
    let mut traded = 0_u64;
    let all = Instant::now();
    let calls = allocations::calls();
    for operation in &stream.operations {
        let begun = Instant::now();
        apply(&mut engine, operation, &mut |fill| {
            traded += u64::from(fill.quantity)
        });
        times.push(begun.elapsed().as_nanos() as u32);
        if times.len() % 10 == 0 && all.elapsed() > PATIENCE {
            break;
        }
    }
    let calls = allocations::calls() - calls;
    black_box(traded);
    times.sort_unstable();
    let at = |share: f64| u64::from(times[((times.len() - 1) as f64 * share) as usize]);
    Latency {
        p50_ns: at(0.5),
        p99_ns: at(0.99),
        p999_ns: at(0.999),
        allocations: calls as f64 / times.len() as f64,
    }
}

/// Returns what a book that holds what stands at the beginning, and was made for no more, has allocated.
fn bytes_per_order<E: Engine>(stream: &Stream) -> u64 {
    let before = allocations::held();
    let mut engine = E::new(Room {
        standing: stream.standing.len(),
        ever: stream.standing.len(),
    });
    stream.standing.iter().for_each(|order| engine.add(order));
    let held = allocations::held() - before;
    drop(black_box(engine));
    held / stream.standing.len() as u64
}

/// Returns BLAKE3 over the fills of the first operations: the order that stood, the price and the quantity of each.
fn fills<E: Engine>(stream: &Stream) -> blake3::Hash {
    let mut engine = filled::<E>(stream);
    let mut hasher = blake3::Hasher::new();
    for operation in stream.operations.iter().take(CHECKED) {
        apply(&mut engine, operation, &mut |fill| {
            hasher.update(&fill.number.to_le_bytes());
            hasher.update(&fill.price.to_le_bytes());
            hasher.update(&fill.quantity.to_le_bytes());
        });
    }
    hasher.finalize()
}
