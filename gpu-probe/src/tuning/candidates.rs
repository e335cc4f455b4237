//! Owns the list of matrix kernels that are worth trying on an adapter.
//!
//! Never asks the adapter anything, and never lists a kernel that it cannot run.

use market::gpu::AdapterForm;

use crate::device::MatrixUnits;
use crate::kernels::{Element, Multiply, Reading, Sum};

/// What an adapter offers to a matrix kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    /// What kind of device it is.
    pub(crate) form: AdapterForm,
    /// Whether the lanes of a subgroup can broadcast, and are at least as many as the lines that they hold.
    pub(crate) has_subgroups: bool,
    /// Workgroup memory in bytes.
    pub(crate) workgroup_bytes: u32,
    /// Whether shaders may use f16.
    pub(crate) has_f16: bool,
    /// What its matrix units take, where shaders may use them.
    pub(crate) matrix_units: Option<MatrixUnits>,
}

/// Returns the kernels to try, the likeliest first; at least one.
///
/// On a GPU the first is the shape that most libraries end at, then what suits other register files: small tiles for
/// Intel, no workgroup memory for GPUs whose caches do as well (Apple, Mali), broadcasts for AMD, where one costs a
/// scalar register. A CPU that runs shaders has neither workgroup memory nor barriers of its own, and reads a vector
/// lane by lane: broadcasts between lanes, and large tiles, save reads there.
pub(crate) fn candidates(offered: &Offered) -> Vec<Multiply> {
    let all = match offered.form {
        AdapterForm::Cpu => vec![
            shape((16, 8), (1, 8), Reading::Subgroup),
            shape((8, 8), (1, 8), Reading::Subgroup),
            shape((16, 16), (1, 8), Reading::Direct),
            shape((8, 8), (1, 8), Reading::Direct),
        ],
        _ => vec![
            shape((8, 8), (16, 16), Reading::Workgroup { lines: 8 }),
            shape((8, 8), (16, 16), Reading::DoubleBuffered { lines: 8 }),
            shape((8, 8), (8, 8), Reading::Workgroup { lines: 16 }),
            shape((16, 4), (1, 64), Reading::Subgroup),
            shape((8, 8), (16, 16), Reading::Workgroup { lines: 16 }),
            shape((8, 4), (16, 16), Reading::Workgroup { lines: 16 }),
            shape((4, 4), (16, 16), Reading::Workgroup { lines: 16 }),
            shape((8, 8), (8, 8), Reading::Direct),
            shape((4, 8), (16, 8), Reading::DoubleBuffered { lines: 16 }),
            shape((32, 4), (1, 64), Reading::Subgroup),
            shape((16, 8), (8, 16), Reading::Workgroup { lines: 8 }),
        ],
    };
    all.into_iter()
        .filter(|kernel| kernel.workgroup_bytes() <= offered.workgroup_bytes)
        .filter(|kernel| offered.has_subgroups || kernel.reading != Reading::Subgroup)
        .collect()
}

/// Returns the kernels of mode I to try; the first needs nothing that an adapter may lack.
///
/// An entry has two accumulators there, so the tiles of an invocation are smaller. On the shader cores operands of 16
/// bits save traffic and nothing else; matrix units multiply them several times as fast.
pub(crate) fn integer_candidates(offered: &Offered) -> Vec<Multiply> {
    let mut all = match offered.form {
        AdapterForm::Cpu => vec![
            shape((8, 8), (1, 8), Reading::Direct),
            shape((8, 8), (1, 8), Reading::Subgroup),
        ],
        _ => vec![
            shape((8, 4), (16, 16), Reading::Workgroup { lines: 16 }),
            shape((8, 8), (16, 16), Reading::Workgroup { lines: 8 }),
        ],
    };
    if offered.has_f16 {
        let narrow: Vec<Multiply> = all.iter().map(|kernel| kernel.of(Element::F16)).collect();
        all.extend(narrow);
    }
    if let Some(MatrixUnits { side, lanes }) = offered.matrix_units {
        let reading = Reading::MatrixUnits { side, lanes };
        all.push(shape((64, 32), (1, 1), reading).of(Element::F16));
    }
    all.into_iter()
        .filter(|kernel| kernel.workgroup_bytes() <= offered.workgroup_bytes)
        .filter(|kernel| offered.has_subgroups || kernel.reading != Reading::Subgroup)
        .map(|kernel| kernel.adding(Sum::Integer))
        .collect()
}

/// Returns the kernel with that name, where it is one of those to try, adding up in either way.
pub(crate) fn named(offered: &Offered, name: &str) -> Option<Multiply> {
    candidates(offered)
        .into_iter()
        .flat_map(|kernel| [kernel, kernel.adding(Sum::Separate)])
        .find(|kernel| kernel.to_string() == name)
}

/// Makes a kernel of the rows and columns of an invocation, and of how many there are down and across.
const fn shape(
    (rows, columns): (u32, u32),
    (down, across): (u32, u32),
    reading: Reading,
) -> Multiply {
    Multiply {
        row_quads: rows / 4,
        column_quads: columns / 4,
        across,
        down,
        reading,
        sum: Sum::Fused,
        element: Element::F32,
    }
}

#[cfg(test)]
pub(crate) mod tests;
