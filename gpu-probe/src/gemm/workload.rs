//! Owns one product on the device: its operands, its kernel, and how it is run and checked.
//!
//! Never measures anything beyond one submission, and never decides which kernel is better.

use std::time::Duration;

use throughput_proof::{Challenge, Entry, Matrix, Operands, Seed, Shape};

use crate::device::Session;
use crate::error::ProbeError;
use crate::kernels::{self, Element, Multiply};

/// The device's buffers of one product.
#[derive(Clone)]
struct Buffers {
    parameters: wgpu::Buffer,
    left: wgpu::Buffer,
    right: wgpu::Buffer,
    product: wgpu::Buffer,
}

/// A product of known operands, ready to run on the device.
pub(crate) struct Workload {
    session: Session,
    operands: Operands,
    shape: Shape,
    kernel: Multiply,
    buffers: Buffers,
    generator: Generator,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
}

/// What makes the operands on the device.
#[derive(Clone)]
struct Generator {
    pipeline: wgpu::ComputePipeline,
    left: Making,
    right: Making,
}

/// The making of one operand.
#[derive(Clone)]
struct Making {
    parameters: wgpu::Buffer,
    bindings: wgpu::BindGroup,
}

impl Workload {
    /// Compiles the kernel, allocates the buffers and makes the operands on the device.
    ///
    /// Sides that the kernel's tile does not divide are rounded up on the device alone.
    pub(crate) fn prepare(
        session: &Session,
        operands: Operands,
        shape: Shape,
        kernel: Multiply,
    ) -> Result<Self, ProbeError> {
        let pipeline = session.pipeline(&kernel.kernel())?;
        Self::compiled(session, (operands, shape), kernel, pipeline)
    }

    /// Returns a product of other lengths under the same kernel, which is not compiled again.
    pub(crate) fn resized(&self, shape: Shape) -> Result<Self, ProbeError> {
        let problem = (self.operands, shape);
        Self::compiled(&self.session, problem, self.kernel, self.pipeline.clone())
    }

    fn compiled(
        session: &Session,
        (operands, shape): (Operands, Shape),
        kernel: Multiply,
        pipeline: wgpu::ComputePipeline,
    ) -> Result<Self, ProbeError> {
        let (rows, columns) = kernel.padded(shape);
        let depth = shape.depth();
        let of_operand = |side| kernel.element.bytes() * u64::from(side) * u64::from(depth);
        let parameters = [rows / 4, columns / 4, depth, 0, 0, 0, 0, 0];
        let buffers = Buffers {
            parameters: session.parameters(parameters)?,
            left: session.storage(of_operand(rows))?,
            right: session.storage(of_operand(columns))?,
            product: session.storage(4 * u64::from(rows) * u64::from(columns))?,
        };
        let generator = Generator::new(session, kernel.element, &buffers)?;
        let workload = Self {
            operands,
            shape,
            kernel,
            session: session.clone(),
            bindings: bind(session, &pipeline, &buffers),
            buffers,
            generator,
            pipeline,
        };
        workload.set_generator();
        session.run(|encoder| workload.record_operands(encoder))?;
        Ok(workload)
    }

    /// Takes other operands; they are made when [`Workload::record_operands`] runs the next time.
    pub(crate) fn set_operands(&mut self, operands: Operands) {
        self.operands = operands;
        self.set_generator();
    }

    fn set_generator(&self) {
        let (rows, columns) = self.kernel.padded(self.shape);
        let [key_0, key_1, word] = self.operands.words();
        let values = self.kernel.sum.values();
        for (matrix, side, making) in [
            (Matrix::Left, rows, &self.generator.left),
            (Matrix::Right, columns, &self.generator.right),
        ] {
            let words = [side, matrix.tag(), key_0, key_1, word, values, 0, 0];
            self.session.set_parameters(&making.parameters, words);
        }
    }

    /// Records the making of both operands.
    pub(crate) fn record_operands(&self, encoder: &mut wgpu::CommandEncoder) {
        let (rows, columns) = self.kernel.padded(self.shape);
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.generator.pipeline);
        for (side, making) in [
            (rows, &self.generator.left),
            (columns, &self.generator.right),
        ] {
            pass.set_bind_group(0, &making.bindings, &[]);
            pass.dispatch_workgroups(side.div_ceil(64), self.shape.depth() / 4, 1);
        }
    }

    /// Returns the same product under another kernel; operands and product stay where they are if the kernel stores
    /// them alike, and are made anew if not.
    pub(crate) fn with_kernel(&self, kernel: Multiply) -> Result<Self, ProbeError> {
        let is_alike = kernel.element == self.kernel.element
            && kernel.sum.values() == self.kernel.sum.values()
            && kernel.padded(self.shape) == self.kernel.padded(self.shape);
        if !is_alike {
            return Self::prepare(&self.session, self.operands, self.shape, kernel);
        }
        let pipeline = self.session.pipeline(&kernel.kernel())?;
        let bindings = bind(&self.session, &pipeline, &self.buffers);
        Ok(Self {
            kernel,
            pipeline,
            bindings,
            buffers: self.buffers.clone(),
            generator: self.generator.clone(),
            session: self.session.clone(),
            ..*self
        })
    }

    /// Returns the device.
    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the lengths of the product.
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the kernel.
    pub(crate) const fn kernel(&self) -> Multiply {
        self.kernel
    }

    /// Returns the product's buffer; an entry is 4 bytes at `row * stride + column` words.
    pub(crate) const fn product(&self) -> &wgpu::Buffer {
        &self.buffers.product
    }

    /// Returns the words from one row of the product to the next.
    pub(crate) fn stride(&self) -> u32 {
        self.kernel.padded(self.shape).1
    }

    /// Computes the product `repeats` times in one submission and returns the time that it took.
    pub(crate) fn run(&self, repeats: u32) -> Result<Duration, ProbeError> {
        self.session
            .run(|encoder| self.record_product(encoder, repeats))
    }

    /// Records the product, `repeats` times.
    pub(crate) fn record_product(&self, encoder: &mut wgpu::CommandEncoder, repeats: u32) {
        let (rows, columns) = self.kernel.padded(self.shape);
        let across = columns / self.kernel.tile_columns();
        let down = rows / self.kernel.tile_rows();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        for _ in 0..repeats {
            pass.dispatch_workgroups(across, down, 1);
        }
    }

    /// Returns the shorter time of two single runs.
    pub(crate) fn shortest_of_two(&self) -> Result<Duration, ProbeError> {
        Ok(self.run(1)?.min(self.run(1)?))
    }

    /// Clears the product, so that what is checked later was computed after this.
    pub(crate) fn forget(&self) -> Result<(), ProbeError> {
        let clear = |encoder: &mut wgpu::CommandEncoder| {
            encoder.clear_buffer(&self.buffers.product, 0, None);
        };
        self.session.run(clear).map(|_| ())
    }

    /// Reads `count` entries of the mode F product as the device left it and recomputes them here.
    pub(crate) fn check(&self, seed: &Seed, count: u32) -> Result<(), ProbeError> {
        let challenge = Challenge::draw(self.operands, self.shape, seed, count);
        let stride = u64::from(self.stride());
        let places: Vec<(&wgpu::Buffer, u64)> = challenge
            .positions()
            .iter()
            .map(|at| {
                let entry = u64::from(at.row) * stride + u64::from(at.column);
                (&self.buffers.product, 4 * entry)
            })
            .collect();
        let words = self.session.read_words(&places)?;
        let entries: Vec<Entry> = challenge
            .positions()
            .iter()
            .zip(words)
            .map(|(at, bits)| Entry { at: *at, bits })
            .collect();
        Ok(challenge.check(&entries)?)
    }
}

impl Generator {
    fn new(session: &Session, element: Element, buffers: &Buffers) -> Result<Self, ProbeError> {
        let pipeline = session.pipeline(&kernels::operands(element))?;
        let making = |buffer| {
            let parameters = session.parameters([0; 8])?;
            let bindings = session.bind(&pipeline, &[&parameters, buffer]);
            Ok::<_, ProbeError>(Making {
                parameters,
                bindings,
            })
        };
        let (left, right) = (making(&buffers.left)?, making(&buffers.right)?);
        Ok(Self {
            pipeline,
            left,
            right,
        })
    }
}

fn bind(session: &Session, pipeline: &wgpu::ComputePipeline, buffers: &Buffers) -> wgpu::BindGroup {
    let Buffers {
        parameters,
        left,
        right,
        product,
    } = buffers;
    session.bind(pipeline, &[parameters, left, right, product])
}

#[cfg(test)]
pub(crate) mod tests;
