//! Owns the measurement of what a proof costs its verifier at the default size, and the prover's host in each round.
//!
//! Never benchmarks a device: only the tiles that will be opened are computed, because this program knows sigma before
//! the roots. The other leaves are filler, which a verifier that drew other tiles would reject.

use std::time::{Duration, Instant};

use throughput_proof::{
    Expectation, Leaf, Message, Mode, Place, Prover, ProverInput, ProverOutput, ProverPolicy, Root,
    Round, Subject, Tile, Verifier, VerifierInput, VerifierOutput, Workload, places,
};

const SIGMA: [u8; 32] = [0x51; 32];
const SUBJECT: Subject = Subject {
    key: [7; 32],
    gpu: 0,
};

/// What an RTX 5060 reaches in fp32 matrix multiplication, in MFLOP/s.
const REPORTED_MFLOPS: u64 = 14_900_000;

/// Repetitions of what is timed; the shortest counts.
const REPEATS: u32 = 5;

fn main() {
    for mode in [Mode::F, Mode::I] {
        let exchange = Exchange::of(Workload::for_rate(mode, REPORTED_MFLOPS, 30));
        exchange.report();
    }
}

/// The messages of one exchange that the verifier accepts.
struct Exchange {
    workload: Workload,
    roots: Message,
    openings: Message,
    root: Duration,
}

impl Exchange {
    fn of(workload: Workload) -> Self {
        let drawn = places(&SIGMA, workload);
        let mut verifier = verifier(workload);
        let challenge = match next_message(&mut verifier) {
            Message::Challenge(challenge) => challenge,
            other => unreachable!("the challenge comes first, not {other:?}"),
        };
        let policy = ProverPolicy {
            subject: SUBJECT,
            max_rounds: u32::MAX,
            max_limit_ms: u32::MAX,
            max_operations: u64::MAX,
            max_matrix_bytes: u64::MAX,
        };
        let mut prover = Prover::new(challenge, &policy, 0).expect("the policy allows all");
        let roots = run(&mut prover, &drawn, workload);
        let Message::Roots(committed) = roots.clone() else {
            unreachable!("the roots come first");
        };
        take_roots(&mut verifier, committed);
        let Message::Draw(draw) = next_message(&mut verifier) else {
            unreachable!("the draw answers the roots");
        };
        let taken = prover.handle_input(ProverInput::Draw(draw), 5_000);
        taken.expect("the prover waits for the draw");
        let openings = run(&mut prover, &drawn, workload);
        let leaves = vec![[0; 32]; workload.tiles() as usize];
        let (root, _) = shortest(|| Root::of(workload, 0, &leaves));
        Self {
            workload,
            roots,
            openings,
            root,
        }
    }

    fn report(&self) {
        let [roots, openings] = [&self.roots, &self.openings].map(Message::encode);
        let (decoding, decoded) = shortest(|| Message::decode(&openings));
        let Ok(Message::Openings(openings_again)) = decoded else {
            unreachable!("what was encoded is decoded");
        };
        let (judging, verdict) = shortest(|| {
            let mut verifier = verifier(self.workload);
            drop(next_message(&mut verifier));
            let Message::Roots(roots) = self.roots.clone() else {
                unreachable!("the roots come first");
            };
            take_roots(&mut verifier, roots);
            drop(next_message(&mut verifier));
            let input = VerifierInput::Openings(openings_again.clone());
            let taken = verifier.handle_input(input, 5_200);
            taken.expect("the verifier waits for the openings");
            verifier.poll_output()
        });
        assert!(matches!(verdict, Some(VerifierOutput::Verdict(Ok(_)))));
        let shape = self.workload.shape();
        println!(
            "mode {:?}, {} rounds of {} x {} x {}",
            self.workload.mode(),
            self.workload.rounds(),
            shape.rows(),
            shape.columns(),
            shape.depth()
        );
        println!("  verifier, from roots to verdict  {judging:>10.2?}");
        println!("  verifier, decoding the openings  {decoding:>10.2?}");
        println!("  prover's host, root of a round   {:>10.2?}", self.root);
        println!(
            "  roots                            {:>10} bytes",
            roots.len()
        );
        println!(
            "  openings                         {:>10} bytes",
            openings.len()
        );
    }
}

/// Starts a verifier of a device that takes five seconds.
fn verifier(workload: Workload) -> Verifier {
    let expectation = Expectation {
        subject: SUBJECT,
        workload,
        reported_mflops: workload.rate_mflops(5_000),
        transfer_ms: 1_000,
    };
    Verifier::new(expectation, [3; 32], 0)
}

fn next_message(verifier: &mut Verifier) -> Message {
    match verifier.poll_output() {
        Some(VerifierOutput::Send(message)) => message,
        other => unreachable!("a message was due, not {other:?}"),
    }
}

fn take_roots(verifier: &mut Verifier, roots: throughput_proof::Roots) {
    let sigma = SIGMA;
    let taken = verifier.handle_input(VerifierInput::Roots { roots, sigma }, 5_000);
    taken.expect("the verifier waits for the roots");
}

/// Runs the prover until it sends; tiles that are not drawn are left out.
fn run(prover: &mut Prover, drawn: &[Place], workload: Workload) -> Message {
    loop {
        let input = match prover.poll_output() {
            Some(ProverOutput::Compute(round)) => ProverInput::Computed {
                round: round.round,
                leaves: leaves(round, drawn, workload),
            },
            Some(ProverOutput::Recompute { round, tiles }) => {
                let tiles = tiles.into_iter();
                let tiles =
                    tiles.filter_map(|tile| Tile::compute(&round.operands, round.shape, tile));
                ProverInput::Recomputed {
                    round: round.round,
                    leaves: leaves(round, drawn, workload),
                    tiles: tiles.collect(),
                }
            }
            Some(ProverOutput::Send(message)) => return message,
            other => unreachable!("the prover ended with {other:?}"),
        };
        prover
            .handle_input(input, 4_999)
            .expect("the answer is what was asked for");
    }
}

/// Returns the leaves of the drawn tiles of a round, and filler for the others.
fn leaves(round: Round, drawn: &[Place], workload: Workload) -> Vec<Leaf> {
    let mut leaves = vec![[0; 32]; workload.tiles() as usize];
    for place in drawn.iter().filter(|place| place.round == round.round) {
        let tile = Tile::compute(&round.operands, round.shape, place.tile)
            .expect("the place is of the product");
        leaves[place.tile as usize] = tile.leaf();
    }
    leaves
}

/// Runs `work` several times; returns the shortest time and the last result.
#[expect(
    clippy::disallowed_methods,
    reason = "an example is no part of the pure crate"
)]
fn shortest<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut timed = || {
        let start = Instant::now();
        let result = work();
        (start.elapsed(), result)
    };
    let (mut least, mut result) = timed();
    for _ in 1..REPEATS {
        let (took, again) = timed();
        (least, result) = (least.min(took), again);
    }
    (least, result)
}
