//! Owns the figures of quotes and market data in docs/measurements, in an optimised build:
//! `cargo bench -p matching --bench market`. Behind `--`, the names of parts (`quote`, `data`) choose those.
//!
//! Never asserts a figure; it prints them.

#![expect(
    clippy::disallowed_methods,
    reason = "what takes time is measured with a clock; the crate itself has none"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use market::gpu::GpuClass;
use market::keys::SecretKey;
use market::order::{
    Ask, AskFigures, Attributes, BookMessage, Evidence, Order, OrderBody, SLOTS, Sequence, Slot,
};
use market::{
    AccountId, Amount, BlobHash, ChainId, ChannelId, HeaderId, PricePerHour, Signed, Timestamp,
};
use matching::limit_book::Direction;
use matching::{
    Book, Capacity, Instrument, Interval, Message, Need, Posting, Precision, Tape, TapeCapacity,
    Trade, TradePlace, Work, check, quote,
};

/// What can be measured by itself.
const PARTS: [&str; 2] = ["quote", "data"];

/// When everything is posted, in milliseconds.
const START_MS: u64 = 1_800_000_000_000;

const CLASSES: [&str; 12] = [
    "2T-8G", "2.8T-8G", "4T-8G", "5.6T-8G", "8T-12G", "11T-12G", "16T-12G", "16T-16G", "23T-24G",
    "32T-24G", "45T-24G", "64T-48G",
];

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|part| !part.starts_with("--"))
        .collect();
    if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!(
            "there is no part {unknown}; the parts are {}",
            PARTS.join(", ")
        );
        return ExitCode::from(2);
    }
    let wants = |part: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part);
    if wants("quote") {
        quotes();
    }
    if wants("data") {
        data();
    }
    ExitCode::SUCCESS
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }
}

fn class(number: usize) -> GpuClass {
    let text = CLASSES[number % CLASSES.len()];
    text.parse()
        .expect("the classes are written as the market writes them")
}

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

/// A card of one of the classes, at a price that goes with its speed and scatters by a factor of three.
fn ask(draws: &mut Draws) -> Ask {
    let number = draws.between(0, CLASSES.len() as u64 - 1);
    let class = class(number as usize);
    let tflops = 2 << (number / 2);
    let tier = u64::from(class.tier().gib());
    Ask {
        account: AccountId::from_bytes([draws.between(0, 250) as u8; 32]),
        class,
        price: price(tflops * draws.between(10_000_000, 30_000_000)),
        gpus: [1, 1, 1, 2, 4][draws.between(0, 4) as usize],
        max_duration_s: draws.between(1, 24) as u32 * 3_600,
        figures: AskFigures {
            gemm_mflops: (tflops * draws.between(900_000, 1_300_000)) as u32,
            usable_mib: (tier * draws.between(900, 1_000)) as u32,
            f16_mflops: Some((tflops * draws.between(1_000_000, 4_000_000)) as u32),
            gb_per_s: Some(draws.between(100, 1_000) as u16),
        },
        upload_mb_per_s: None,
        network_mbit_per_s: None,
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    }
}

/// Signed and checked asks, as many a node as it has slots.
fn messages(count: u32, draws: &mut Draws) -> Vec<Message> {
    let chain = ChainId::from_bytes([1; 32]);
    let slots = u32::from(SLOTS);
    (0..count)
        .map(|number| {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&(number / slots).to_le_bytes());
            let order = Order {
                slot: Slot::new((number % slots) as u8).expect("below the slots of a node"),
                sequence: Sequence::from_u64(START_MS),
                expires_at: Timestamp::from_millis(START_MS + 3_600_000),
                body: OrderBody::Ask(ask(draws)),
            };
            let signed = Signed::sign(&order, &SecretKey::from_seed(seed), &chain);
            check(BookMessage::Order(signed), &chain).expect("signed just now")
        })
        .collect()
}

fn needs() -> [(&'static str, Need); 3] {
    let mut usual = Need::new(AccountId::from_bytes([251; 32]), 3_600);
    usual.usable_bytes = 10 << 30;
    usual.max_price = Some(price(400_000_000));
    usual.budget = Some(Amount::from_nanocredits(500_000_000));
    usual.work = Some(Work {
        flops: 20_000_000_000_000_000,
        bytes: 500_000_000_000_000,
        precision: Precision::F32,
    });
    let mut undemanding = Need::new(usual.buyer, 60);
    undemanding.work = usual.work.map(|work| Work {
        flops: work.flops / 10_000,
        bytes: work.bytes / 10_000,
        ..work
    });
    let mut demanding = usual.clone();
    demanding.classes = vec![class(11)];
    demanding.gpus = 4;
    demanding.duration_s = 20 * 3_600;
    [
        ("usual", usual),
        ("nearly all fit", undemanding),
        ("nearly none fit", demanding),
    ]
}

fn quotes() {
    println!("quotes, {} rows looked at at most", matching::SCAN_LIMIT);
    println!(
        "{:>9} {:<16} {:>9} {:>9} {:>9} {:>9}  what was found",
        "asks", "need", "p50 us", "p99 us", "most us", "ns/ask"
    );
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        let mut draws = Draws(u64::from(count));
        let capacity = Capacity {
            makers: count as usize,
            orders: count as usize,
        };
        let mut book = Book::new(Posting::Open, capacity);
        let now = Timestamp::from_millis(START_MS);
        for message in messages(count, &mut draws) {
            book.apply(message, now).expect("there is room");
        }
        for (name, need) in needs() {
            quotes_of(&book, (count, name), &need, now);
        }
    }
}

fn quotes_of(book: &Book, (count, name): (u32, &str), need: &Need, now: Timestamp) {
    let header = HeaderId::from_bytes([5; 32]);
    let rounds = (20_000_000 / count).clamp(200, 2_000);
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            black_box(quote(book, black_box(need), &header, now));
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_nanos() as f64 / 1_000.0;
    let found = quote(book, need, &header, now);
    println!(
        "{count:>9} {name:<16} {:>9.1} {:>9.1} {:>9.1} {:>9.2}  {}",
        at(50),
        at(99),
        at(100),
        at(50) * 1_000.0 / f64::from(count),
        found.rejections,
    );
}

/// Orders and trades as they come in, and every thousand of them what a screen asks for.
fn data() {
    const EVENTS: u32 = 200_000;
    const QUESTIONS_EACH: u32 = 1_000;
    let mut draws = Draws(7);
    let mut posts = messages(EVENTS / 2, &mut draws).into_iter();
    let mut book = Book::new(
        Posting::Open,
        Capacity {
            makers: EVENTS as usize,
            orders: EVENTS as usize,
        },
    );
    let mut tape = Tape::new(TapeCapacity::default());
    let (mut asking, mut asked) = (Duration::ZERO, 0_u32);
    let all = Instant::now();
    for event in 0..EVENTS {
        let now = Timestamp::from_millis(START_MS + u64::from(event) * 20);
        match event % 2 {
            0 => {
                let message = posts.next().expect("there are half as many");
                book.apply(message, Timestamp::from_millis(START_MS))
                    .expect("there is room");
            }
            _ => tape.record(trade(event, now, &mut draws)),
        }
        if event % QUESTIONS_EACH == 0 {
            let begun = Instant::now();
            let class = class((event / QUESTIONS_EACH) as usize);
            let header = HeaderId::from_bytes([5; 32]);
            let met = Instrument::of(&book, class, &header, Timestamp::from_millis(START_MS));
            black_box(met.levels(Direction::Sell).count());
            for interval in [Interval::Minute, Interval::Hour, Interval::Day] {
                black_box(tape.newest_candles(class, interval, 60));
            }
            black_box(tape.volume_24h(class, now));
            black_box(tape.index(class, now)).ok();
            asking += begun.elapsed();
            asked += 1;
        }
    }
    let took = all.elapsed();
    let alone = took.saturating_sub(asking);
    println!("\nmarket data: {EVENTS} events, half of them orders, half trades");
    println!(
        "  taken in alone {:>12.0} events/s",
        f64::from(EVENTS) / alone.as_secs_f64()
    );
    println!(
        "  with depth, candles of three spans, volume and index of a class asked for every {QUESTIONS_EACH} events \
         {:>9.0} events/s",
        f64::from(EVENTS) / took.as_secs_f64()
    );
    println!(
        "  one round of questions {:>10.1} us",
        asking.as_secs_f64() * 1e6 / f64::from(asked)
    );
}

fn trade(event: u32, settled_at: Timestamp, draws: &mut Draws) -> Trade {
    let mut channel = [0; 32];
    channel[..4].copy_from_slice(&event.to_le_bytes());
    Trade {
        settled_at,
        place: TradePlace {
            height: u64::from(event / 50),
            index: event % 50,
        },
        channel: ChannelId::from_bytes(channel),
        class: class(draws.between(0, 11) as usize),
        price: price(draws.between(100_000_000, 300_000_000)),
        gpus: 1,
        paid: Amount::from_nanocredits(draws.between(1_000_000, 200_000_000)),
        payer: AccountId::from_bytes([draws.between(0, 60) as u8; 32]),
        payee: AccountId::from_bytes([draws.between(100, 250) as u8; 32]),
    }
}
