//! Owns the bounded run of a decoder: over its corpus, and over seeded mutations of each entry, with what it
//! allocates counted.
//!
//! Never decides what bytes mean: the crates whose bytes these are include this file and bring their checks. A
//! failure prints the seed and the input in hex, which is all that is needed to see it again.
//! `NIGHTSHIFT_FUZZ_SECONDS` makes it go on with other mutations for so long.

#![expect(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What all mutations of a run follow from.
const SEED: u64 = 0x6e69_6768_7473_6866;

/// Mutations of a decoder's corpus in all, and the most and the least of one entry.
const MUTATIONS: usize = 30_000;
const MUTATIONS_OF_ENTRY: std::ops::RangeInclusive<usize> = 300..=3_000;

/// The most edits that one mutation makes.
const MAX_EDITS: u64 = 4;

/// What a decoder may allocate beyond its input: the sequences that it was told of and that did not come.
const ALLOCATION_BYTES: usize = 4 << 20;

/// What a decoder may allocate for each byte of its input: decoded, copied for comparison and for ids.
const ALLOCATION_FACTOR: usize = 64;

/// Numbers at which lengths and amounts go wrong.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    1 << 20,
    1 << 24,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    i64::MAX.cast_unsigned(),
    u64::MAX,
];

/// Counts what each thread holds of the system's memory.
struct Counting;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(taken: usize, given_back: usize) {
    let _thread_is_ending = HELD.try_with(|held| {
        held.set(held.get().wrapping_add(taken).wrapping_sub(given_back));
        PEAK.with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// Returns the most bytes that this thread held above what it held before, while `work` ran.
pub(super) fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    // Memory that another thread allocated and this one gave back can take the count below zero.
    PEAK.set(before);
    let result = work();
    (result, PEAK.get().wrapping_sub(before))
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose edits.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.roll() % bound).unwrap()
    }
}

/// Shows the input of a check that panics.
struct Shown<'a> {
    seed: u64,
    bytes: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, bytes) = (self.seed, hex::encode(self.bytes));
            eprintln!("seed {seed:#x} broke the check with these bytes:\n{bytes}");
        }
    }
}

/// Returns the folder of the corpus of a decoder.
pub(super) fn folder(decoder: &str) -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists());
    let root = root.expect("the crate lies in the workspace");
    root.join("tests/fuzz/corpus").join(decoder)
}

/// Returns the entries of a decoder's corpus, in the order of their names.
fn corpus(decoder: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder(decoder)).expect("every decoder has a corpus");
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Runs a check over the corpus and its mutations. At least one entry must mean something, or the run is hollow.
pub(super) fn sweep((decoder, check): (&str, fn(&[u8]) -> bool)) {
    let entries = corpus(decoder);
    let (least, most) = MUTATIONS_OF_ENTRY.into_inner();
    let rounds = (MUTATIONS / entries.len().max(1)).clamp(least, most);
    let mut meant = 0;
    for (index, entry) in entries.iter().enumerate() {
        meant += u32::from(try_bytes(check, 0, entry));
        for round in 0..rounds {
            let seed = SEED ^ u64::try_from(index << 32 | round).unwrap();
            let mut dice = Dice(seed);
            let other = &entries[dice.below(entries.len())];
            let mutated = mutate(entry, other, &mut dice);
            try_bytes(check, seed, &mutated);
        }
    }
    assert!(meant > 0, "nothing in the corpus of {decoder} decodes");
    go_on(decoder, check, &entries);
}

/// Goes on with mutations of the corpus for as long as the environment asks, by default not at all.
fn go_on(decoder: &str, check: fn(&[u8]) -> bool, entries: &[Vec<u8>]) {
    let asked = std::env::var("NIGHTSHIFT_FUZZ_SECONDS").unwrap_or_default();
    let Ok(seconds) = asked.parse() else { return };
    let (began, length) = (Instant::now(), Duration::from_secs(seconds));
    let mut rounds = 0_u64;
    while began.elapsed() < length {
        let seed = SEED.wrapping_mul(3).wrapping_add(rounds);
        let mut dice = Dice(seed);
        let (entry, other) = (dice.below(entries.len()), dice.below(entries.len()));
        let mutated = mutate(&entries[entry], &entries[other], &mut dice);
        try_bytes(check, seed, &mutated);
        rounds += 1;
    }
    eprintln!("{decoder}: {rounds} more mutations in {seconds} s");
}

fn try_bytes(check: fn(&[u8]) -> bool, seed: u64, bytes: &[u8]) -> bool {
    let _shown = Shown { seed, bytes };
    let (meant, peak) = allocated(|| check(bytes));
    let allowed = ALLOCATION_BYTES + ALLOCATION_FACTOR * bytes.len();
    assert!(peak <= allowed, "{peak} bytes allocated, {allowed} allowed");
    meant
}

fn mutate(entry: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = entry.to_vec();
    for _ in 0..=dice.roll() % MAX_EDITS {
        edit(&mut bytes, other, dice);
    }
    bytes
}

/// Makes one edit: a bit, a byte, a length or another number, a cut, a piece twice or missing, or another entry's end.
fn edit(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    match dice.roll() % 9 {
        0 | 1 => {
            let bit = 1 << dice.below(8);
            bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= bit);
        }
        2 => {
            let value = dice.roll().to_le_bytes()[0];
            bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = value);
        }
        3 => edit_length(bytes, dice),
        4 => {
            let number = NUMBERS[dice.below(NUMBERS.len())].to_le_bytes();
            let width = [4, 8][dice.below(2)];
            let place = bytes.iter_mut().skip(at).take(width);
            place.zip(number).for_each(|(byte, new)| *byte = new);
        }
        5 => bytes.truncate(at),
        6 => {
            let piece: Vec<u8> = bytes
                .iter()
                .skip(at)
                .take(dice.below(64))
                .copied()
                .collect();
            bytes.splice(at..at, piece);
        }
        7 => {
            let end = (at + dice.below(64)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            bytes.truncate(at);
            bytes.extend(other.iter().skip(dice.below(other.len())));
        }
    }
}

/// Changes something that looks like a length: eight bytes that are a small number.
fn edit_length(bytes: &mut [u8], dice: &mut Dice) {
    let small = |start: &usize| {
        let number = bytes[*start..]
            .first_chunk::<8>()
            .map(|eight| u64::from_le_bytes(*eight));
        number.is_some_and(|number| number <= 4_096)
    };
    let places: Vec<usize> = (0..bytes.len()).filter(small).collect();
    let Some(at) = places.get(dice.below(places.len())) else {
        return;
    };
    let Some(field) = bytes[*at..].first_chunk_mut::<8>() else {
        return;
    };
    let length = u64::from_le_bytes(*field);
    let near = [length.wrapping_add(1), length.wrapping_sub(1), length * 2];
    let chosen = dice.below(near.len() + NUMBERS.len());
    let new = near.iter().chain(&NUMBERS).nth(chosen);
    *field = new.expect("the choice is among both").to_le_bytes();
}

/// Compares what a corpus holds of `entries` with what they are now; `NIGHTSHIFT_BLESS=1` writes them instead.
pub(super) fn compare_corpus(entries: &[(&str, &str, Vec<u8>)]) {
    let bless = std::env::var_os("NIGHTSHIFT_BLESS").is_some();
    for (decoder, name, bytes) in entries {
        let file = folder(decoder).join(name);
        if bless {
            std::fs::create_dir_all(folder(decoder)).unwrap();
            std::fs::write(&file, bytes).unwrap();
        }
        let kept = std::fs::read(&file).unwrap_or_default();
        assert!(
            kept == *bytes,
            "{} is no longer what this crate encodes to",
            file.display()
        );
    }
}
