//! The operator of the simulator: it batches what is submitted, makes blocks with the ledger's own `execute`, and has
//! nothing after a crash but its log, from which it replays.
//!
//! Never answers before the block is in the log, unless it is sabotaged.

use super::network::{ClientId, Packet};
use super::*;

/// A block's place in the log, where a crash can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// The block is lost. Nobody was told.
    BeforeDurable,
    /// The block is in the log. Nobody was told.
    BeforeAnswers,
}

/// What a crash leaves nothing of.
struct Running {
    state: State,
    head: Option<CertifiedHeader>,
    queue: Vec<(ClientId, SignedTransaction)>,
    /// Which transaction is in which block, and the blocks: an index of the log.
    index: BTreeMap<TxId, usize>,
    blocks: Vec<Block>,
}

impl Running {
    fn begin(genesis: &Genesis) -> Self {
        Self {
            state: State::genesis(genesis).unwrap(),
            head: None,
            queue: Vec::new(),
            index: BTreeMap::new(),
            blocks: Vec::new(),
        }
    }

    /// Takes a block over that is in the log.
    fn commit(&mut self, block: Block, delta: Delta) {
        self.state.commit(delta).unwrap();
        self.head = Some(block.certified());
        let chain = self.state.chain();
        let ids = block.transactions.iter().map(|signed| signed.id(chain));
        let place = self.blocks.len();
        self.index.extend(ids.map(|id| (id, place)));
        self.blocks.push(block);
    }
}

pub(super) struct Operator {
    key: SecretKey,
    genesis: Genesis,
    /// The disk: the bytes of each block.
    log: Vec<Vec<u8>>,
    running: Option<Running>,
    /// How far its clock is ahead of the simulation's.
    ahead_ms: u64,
}

/// What an operator says to whom.
pub(super) type Answers = Vec<(ClientId, Packet)>;

/// A block that was made, and what follows.
pub(super) struct Made {
    /// The block, where it is in the log.
    pub(super) durable: Option<Block>,
    pub(super) answers: Answers,
}

impl Operator {
    pub(super) fn new(genesis: Genesis) -> Self {
        let mut operator = Self {
            key: key(200),
            genesis,
            log: Vec::new(),
            running: None,
            ahead_ms: 0,
        };
        operator.start();
        operator
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(super) fn crash(&mut self) {
        self.running = None;
    }

    pub(super) fn jump(&mut self, ms: u64) {
        self.ahead_ms += ms;
    }

    /// Replays the log: every certificate, transaction, receipt and root is verified on the way.
    pub(super) fn start(&mut self) {
        let mut running = Running::begin(&self.genesis);
        for bytes in &self.log {
            let block = Block::decode(bytes).unwrap();
            let delta = verify_block(&running.state, &block).unwrap();
            running.commit(block, delta);
        }
        self.running = Some(running);
    }

    pub(super) fn state(&self) -> Option<&State> {
        self.running.as_ref().map(|running| &running.state)
    }

    /// Tells whether a transaction is in the log, as the index has it that was made from the log.
    pub(super) fn has(&self, id: &TxId) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| running.index.contains_key(id))
    }

    /// Takes a request. A submission waits for the next block.
    pub(super) fn take(&mut self, packet: Packet) -> Option<(ClientId, Packet)> {
        match packet {
            Packet::Submit(from, signed) => {
                self.running.as_mut()?.queue.push((from, signed));
                None
            }
            Packet::Find(from, id) => Some((from, self.find(id)?)),
            Packet::Look(from, channel) => {
                let running = self.running.as_ref()?;
                let certificate = &running.head.as_ref()?.certificate;
                let proof = running.state.prove(&Key::Channel(channel), certificate)?;
                Some((from, Packet::Channel(Box::new(proof))))
            }
            _ => None,
        }
    }

    fn find(&self, id: TxId) -> Option<Packet> {
        let running = self.running.as_ref()?;
        let place = running.index.get(&id);
        let proof = place.and_then(|place| running.blocks[*place].prove(id));
        Some(match proof {
            Some(proof) => Packet::Final(Box::new(proof)),
            None => Packet::NotFound(id, running.state.tip().height),
        })
    }

    /// Makes the next block of what waits. A crash can come on the way.
    pub(super) fn make_block(
        &mut self,
        now_ms: u64,
        crash: Option<Crash>,
        sabotage: Option<Sabotage>,
    ) -> Made {
        let Some(running) = &mut self.running else {
            return Made {
                durable: None,
                answers: Answers::new(),
            };
        };
        let queue = std::mem::take(&mut running.queue);
        let batch: Vec<SignedTransaction> =
            queue.iter().map(|(_, signed)| signed.clone()).collect();
        // Header time rises with every block.
        let after_tip = running.state.tip().time.as_millis() + 1;
        let now = Timestamp::from_millis(after_tip.max(now_ms + self.ahead_ms));
        let executed = execute(&running.state, &batch, now, &self.key).unwrap();
        let answers = self.answers(&queue, &executed);
        let hasty = sabotage == Some(Sabotage::AnswersBeforeDurable);
        if crash == Some(Crash::BeforeDurable) {
            self.crash();
            let answers = if hasty { answers } else { Answers::new() };
            return Made {
                durable: None,
                answers,
            };
        }
        self.log.push(wire::encode(&executed.block));
        let block = executed.block;
        if crash == Some(Crash::BeforeAnswers) {
            self.crash();
        } else if let Some(running) = &mut self.running {
            running.commit(block.clone(), executed.delta);
        }
        Made {
            durable: Some(block),
            answers: if self.is_running() || hasty {
                answers
            } else {
                Answers::new()
            },
        }
    }

    /// A transaction that is in this block or an older one is final; another one was refused.
    fn answers(&self, queue: &[(ClientId, SignedTransaction)], executed: &Executed) -> Answers {
        let chain = self.genesis.chain_id();
        let proofs = executed.block.prove_all();
        let mut answers = Answers::new();
        for (from, signed) in queue {
            let id = signed.id(&chain);
            let proof = proofs
                .iter()
                .find(|proof| proof.receipt.transaction() == Some(id));
            let refusal = executed.rejected.iter().find(|(refused, _)| *refused == id);
            let answer = match (proof, refusal) {
                (Some(proof), _) => Some(Packet::Final(Box::new(proof.clone()))),
                (None, Some((_, Rejected::AlreadyApplied { .. }))) => self.find(id),
                (None, Some((_, why))) => Some(Packet::Refused(id, why.clone())),
                (None, None) => None,
            };
            answers.extend(answer.map(|answer| (*from, answer)));
        }
        answers
    }
}
