//! Owns the device's part of a proof of throughput: products of operands that a seed gives, hashed tile by tile on the
//! device, and the words of tiles that are asked for afterwards.
//!
//! Never keeps a product for later: the next one overwrites it, and what is opened is computed once more. Never speaks
//! to a verifier, and never decides whether a device may prove.

use throughput_proof::{Operands, Seed, Shape};

use crate::adapters::Adapter;
use crate::device::{Session, Span};
use crate::error::ProbeError;
use crate::gemm::workload::Workload;
use crate::kernels::{self, Multiply, TILES_PER_GROUP};
use crate::tuning::Tuning;
use crate::tuning::candidates::{candidates, integer_candidates, named};

/// Rows and columns of a tile.
const TILE_SIDE: u32 = 32;

/// The bytes of a row of a tile.
const TILE_ROW_BYTES: u64 = 4 * TILE_SIDE as u64;

/// The depth of mode I is a multiple of this.
const DEPTH_STEP: u32 = kernels::EXACT_TERMS;

/// The largest depth; up to it an i32 holds every sum of mode I.
const MAX_DEPTH: u32 = 1 << 15;

/// BLAKE3 of a tile's 4,096 bytes.
pub type Leaf = [u8; 32];

/// The 1,024 words of a tile, row by row.
pub type TileWords = Vec<u32>;

/// Which elements the operands have, and how an entry is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// fp32, in order of `k`; entries are the bits of an f32.
    F,
    /// Integers in [-255, 255], exact on any unit; entries are the bits of an i32.
    I,
}

/// A product to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Where both operands come from.
    pub operands: Operands,
    /// What they are made of.
    pub mode: Mode,
    /// Rows and columns are multiples of 32, the depth is a multiple of 256 up to 2^15.
    pub shape: Shape,
}

/// Why a round is not computed.
#[derive(Debug, thiserror::Error)]
pub enum ProverError {
    /// The product has no whole tiles, or its depth is not one of the format's.
    #[error(
        "{rows} x {columns} x {depth}: rows and columns must be multiples of {TILE_SIDE}, the depth a multiple of {DEPTH_STEP} up to {MAX_DEPTH}"
    )]
    Shape {
        /// The rows.
        rows: u32,
        /// The columns.
        columns: u32,
        /// The depth.
        depth: u32,
    },
    /// An operand or the product is larger than a buffer of the device may be.
    #[error("{bytes} bytes do not fit into one buffer of the device, which takes {most}")]
    TooLarge {
        /// Bytes of the largest matrix.
        bytes: u64,
        /// Bytes of the largest buffer.
        most: u64,
    },
    /// A tile that the product does not have.
    #[error("tile {tile} was asked for, the product has {tiles}")]
    NoSuchTile {
        /// The tile's number.
        tile: u32,
        /// How many there are.
        tiles: u32,
    },
    /// The device failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// A device that computes rounds. Calls block; give them a thread.
pub struct Prover {
    session: Session,
    ordered: Multiply,
    // Pipelines and buffers of the last mode and lengths: the rounds of a proof share them.
    prepared: Option<Prepared>,
}

/// Pipelines and buffers for products of one mode and one shape.
struct Prepared {
    mode: Mode,
    workload: Workload,
    hash: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    leaves: wgpu::Buffer,
}

impl Prover {
    /// Opens a device; in mode F it uses the kernel that `tuning` remembers, or one that runs everywhere.
    ///
    /// # Errors
    /// The device could not be opened.
    pub fn open(adapter: &Adapter, tuning: &Tuning) -> Result<Self, ProverError> {
        let session = Session::open(adapter.handle())?;
        let offered = session.offered();
        let remembered = tuning.kernel(adapter.info());
        let ordered = remembered
            .and_then(|name| named(&offered, name))
            .or_else(|| candidates(&offered).first().copied());
        Ok(Self {
            session,
            ordered: ordered.expect("there is a kernel for every adapter"),
            prepared: None,
        })
    }

    /// Compiles and allocates what rounds like this one need, and in mode I finds the fastest kernel for them, so that
    /// the first round takes no longer than the others. Rounds of another mode or shape are prepared anew.
    ///
    /// # Errors
    /// The lengths are not those of a proof or too large for the device, or the device failed.
    pub fn prepare(&mut self, mode: Mode, shape: Shape) -> Result<(), ProverError> {
        let fits =
            |prepared: &Prepared| prepared.mode == mode && prepared.workload.shape() == shape;
        if self.prepared.as_ref().is_some_and(fits) {
            return Ok(());
        }
        // The buffers of before go first: both together may not fit.
        self.prepared = None;
        let round = Round {
            operands: Operands::new(&Seed::derive(b"prepare")),
            mode,
            shape,
        };
        self.prepared = Some(match mode {
            Mode::F => Prepared::new(&self.session, round, self.ordered)?,
            Mode::I => fastest_integer(&self.session, round)?,
        });
        Ok(())
    }

    /// Computes a round and returns the leaf of every tile, row of tiles by row of tiles.
    ///
    /// # Errors
    /// As [`Prover::prepare`].
    pub fn compute(&mut self, round: Round) -> Result<Vec<Leaf>, ProverError> {
        let prepared = self.prepared(round)?;
        prepared
            .compute(round.operands, &[])
            .map(|(leaves, _)| leaves)
    }

    /// Computes a round once more and returns all leaves, and the words of the tiles asked for, in the order asked.
    ///
    /// # Errors
    /// As [`Prover::prepare`], and where a tile is not one of the product's.
    pub fn open_tiles(
        &mut self,
        round: Round,
        tiles: &[u32],
    ) -> Result<(Vec<Leaf>, Vec<TileWords>), ProverError> {
        self.prepared(round)?.compute(round.operands, tiles)
    }

    /// Computes a product of mode F, 64 x 64 with a depth of 2,048, and returns its words row by row: by these a driver
    /// shows that it adds in order and rounds every sum. Any kernel's answer is the same where the driver is right.
    ///
    /// # Errors
    /// The device failed.
    pub fn conformance(&mut self, operands: Operands) -> Result<Vec<u32>, ProverError> {
        const SIDE: u32 = 64;
        let shape = Shape::new(SIDE, SIDE, 2_048).expect("these lengths are a shape");
        let round = Round {
            operands,
            mode: Mode::F,
            shape,
        };
        let (_, tiles) = self.open_tiles(round, &[0, 1, 2, 3])?;
        let at = |row: u32, column: u32| {
            let tile = row / TILE_SIDE * (SIDE / TILE_SIDE) + column / TILE_SIDE;
            let word = row % TILE_SIDE * TILE_SIDE + column % TILE_SIDE;
            tiles[tile as usize][word as usize]
        };
        let words = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
        Ok(words.map(|(row, column)| at(row, column)).collect())
    }

    fn prepared(&mut self, round: Round) -> Result<&mut Prepared, ProverError> {
        self.prepare(round.mode, round.shape)?;
        Ok(self.prepared.as_mut().expect("it was prepared just now"))
    }
}

/// Prepares every kernel of mode I and keeps the fastest whose leaves are those of the first, which uses neither f16
/// nor matrix units. A kernel that the driver refuses is passed over.
fn fastest_integer(session: &Session, round: Round) -> Result<Prepared, ProverError> {
    let kernels = integer_candidates(&session.offered());
    let (first, others) = kernels
        .split_first()
        .expect("there is a kernel for every adapter");
    let mut best = Prepared::new(session, round, *first)?;
    let (expected, _) = best.compute(round.operands, &[])?;
    let mut best_time = best.workload.shortest_of_two()?;
    for kernel in others {
        let mut rival = match Prepared::new(session, round, *kernel) {
            Err(ProverError::Probe(
                ProbeError::Refused { .. } | ProbeError::OutOfMemory { .. },
            )) => {
                continue;
            }
            other => other?,
        };
        let (leaves, _) = rival.compute(round.operands, &[])?;
        if leaves != expected {
            tracing::warn!(%kernel, "a kernel of mode I computes something else than the plain one");
            continue;
        }
        let time = rival.workload.shortest_of_two()?;
        if time < best_time {
            (best, best_time) = (rival, time);
        }
    }
    Ok(best)
}

impl Prepared {
    fn new(session: &Session, round: Round, kernel: Multiply) -> Result<Self, ProverError> {
        let Round {
            operands,
            mode,
            shape,
        } = round;
        check(shape, session, &kernel)?;
        let tiles = tiles(shape);
        let workload = Workload::prepare(session, operands, shape, kernel)?;
        let leaves = session.storage(u64::from(tiles) * size_of::<Leaf>() as u64)?;
        let across = shape.columns() / TILE_SIDE;
        let words = [workload.stride() / 4, across, tiles, 0, 0, 0, 0, 0];
        let parameters = session.parameters(words)?;
        let hash = session.pipeline(&kernels::hash())?;
        let bindings = session.bind(&hash, &[&parameters, workload.product(), &leaves]);
        Ok(Self {
            mode,
            workload,
            hash,
            bindings,
            leaves,
        })
    }

    /// Makes the operands, multiplies and hashes in one submission; returns the leaves, and the words of some tiles.
    fn compute(
        &mut self,
        operands: Operands,
        tiles: &[u32],
    ) -> Result<(Vec<Leaf>, Vec<TileWords>), ProverError> {
        self.workload.set_operands(operands);
        let spans = self.spans(tiles)?;
        let record = |encoder: &mut wgpu::CommandEncoder| self.record(encoder);
        let words = self.workload.session().run_and_read(record, &spans)?;
        let count = self.leaves.size() as usize / 4;
        let (leaves, rest) = words.split_at(count);
        let leaves = leaves.chunks_exact(8).map(leaf).collect();
        let entries = (TILE_SIDE * TILE_SIDE) as usize;
        Ok((
            leaves,
            rest.chunks_exact(entries).map(<[u32]>::to_vec).collect(),
        ))
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        self.workload.record_operands(encoder);
        self.workload.record_product(encoder, 1);
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.hash);
        pass.set_bind_group(0, &self.bindings, &[]);
        let groups = tiles(self.workload.shape()).div_ceil(TILES_PER_GROUP);
        pass.dispatch_workgroups(groups, 1, 1);
    }

    /// What is read after a round: all leaves, then the rows of each tile.
    fn spans(&self, tiles: &[u32]) -> Result<Vec<Span<'_>>, ProverError> {
        let shape = self.workload.shape();
        let mut spans = vec![Span {
            buffer: &self.leaves,
            offset: 0,
            bytes: self.leaves.size(),
        }];
        let across = shape.columns() / TILE_SIDE;
        let stride = u64::from(self.workload.stride());
        for tile in tiles {
            let count = self::tiles(shape);
            if *tile >= count {
                return Err(ProverError::NoSuchTile {
                    tile: *tile,
                    tiles: count,
                });
            }
            let column = u64::from(tile % across * TILE_SIDE);
            let first_row = tile / across * TILE_SIDE;
            spans.extend((first_row..first_row + TILE_SIDE).map(|row| Span {
                buffer: self.workload.product(),
                offset: 4 * (u64::from(row) * stride + column),
                bytes: TILE_ROW_BYTES,
            }));
        }
        Ok(spans)
    }
}

/// Checks that a shape is one of the format's, and that its matrices fit into buffers of the device.
fn check(shape: Shape, session: &Session, kernel: &Multiply) -> Result<(), ProverError> {
    let (rows, columns, depth) = (shape.rows(), shape.columns(), shape.depth());
    let is_tiled = |side: u32| side.is_multiple_of(TILE_SIDE);
    let is_deep = depth.is_multiple_of(DEPTH_STEP) && depth <= MAX_DEPTH;
    if !is_tiled(rows) || !is_tiled(columns) || !is_deep {
        return Err(ProverError::Shape {
            rows,
            columns,
            depth,
        });
    }
    let (rows, columns) = kernel.padded(shape);
    let product = 4 * u64::from(rows) * u64::from(columns);
    let operand = kernel.element.bytes() * u64::from(rows.max(columns)) * u64::from(depth);
    let bytes = product.max(operand);
    let most = session.largest_storage(bytes);
    if most < bytes {
        return Err(ProverError::TooLarge { bytes, most });
    }
    Ok(())
}

/// Returns how many tiles a product has.
fn tiles(shape: Shape) -> u32 {
    (shape.rows() / TILE_SIDE) * (shape.columns() / TILE_SIDE)
}

/// Returns the bytes of eight words; BLAKE3's are little-endian.
fn leaf(words: &[u32]) -> Leaf {
    let mut leaf = [0; size_of::<Leaf>()];
    for (bytes, word) in leaf.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    leaf
}

#[cfg(test)]
mod tests;
