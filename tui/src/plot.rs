//! Owns how a series of figures becomes a curve of characters, within bounded memory.
//!
//! Never fails on what a peer sends: a figure that is not finite is left out.

/// The most points kept; twice as many pushed halve the resolution.
const MAX_POINTS: usize = 1024;

/// Bars of one to eight eighths of a row.
pub(crate) const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Figures in the order in which they came, averaged where there are many.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    means: Vec<f32>,
    /// How many figures one mean stands for.
    stride: u32,
    open: Vec<f32>,
    ends: Option<Ends>,
}

/// The first and the last figure of a series, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ends {
    /// The first.
    pub(crate) first: f32,
    /// The last.
    pub(crate) last: f32,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            means: Vec::new(),
            stride: 1,
            open: Vec::new(),
            ends: None,
        }
    }
}

impl Series {
    /// Adds a figure.
    pub(crate) fn push(&mut self, value: f32) {
        if !value.is_finite() {
            return;
        }
        let first = self.ends.map_or(value, |ends| ends.first);
        self.ends = Some(Ends { first, last: value });
        self.open.push(value);
        if self.open.len() >= self.stride as usize {
            self.means.push(mean(&self.open));
            self.open.clear();
        }
        if self.means.len() >= MAX_POINTS {
            self.means = self.means.chunks(2).map(mean).collect();
            self.stride = self.stride.saturating_mul(2).min(1 << 16);
        }
    }

    /// Returns the first and the last figure, or `None` before any came.
    pub(crate) fn ends(&self) -> Option<Ends> {
        self.ends
    }

    /// Averages the series into at most `width` columns.
    fn columns(&self, width: usize) -> Vec<f32> {
        let open = (!self.open.is_empty()).then(|| mean(&self.open));
        let values: Vec<f32> = self.means.iter().copied().chain(open).collect();
        let columns = values.len().min(width);
        let start = |column: usize| column * values.len() / columns.max(1);
        (0..columns)
            .map(|column| {
                mean(
                    values
                        .get(start(column)..start(column + 1))
                        .unwrap_or_default(),
                )
            })
            .collect()
    }

    /// Draws one row of at most `width` bars.
    pub(crate) fn sparkline(&self, width: usize) -> String {
        let columns = self.columns(width);
        let heights = heights(&columns, EIGHTHS.len());
        heights.into_iter().map(|height| cell(height, 0)).collect()
    }

    /// Draws `height` rows of bars with the highest and the lowest value at the left, in at most `width`
    /// cells; nothing before the first figure.
    pub(crate) fn plot(&self, width: usize, height: usize) -> Vec<String> {
        const LABEL: usize = 10;
        let columns = self.columns(width.saturating_sub(LABEL));
        let Some((low, high)) = range(&columns) else {
            return Vec::new();
        };
        let heights = heights(&columns, height * EIGHTHS.len());
        let row = |row: usize| {
            let base = (height - 1 - row) * EIGHTHS.len();
            let bars: String = heights.iter().map(|height| cell(*height, base)).collect();
            match row {
                0 => format!("{high:>8.3} ┤{bars}"),
                _ if row + 1 == height => format!("{low:>8.3} ┤{bars}"),
                _ => format!("{:>8} │{bars}", ""),
            }
        };
        (0..height)
            .map(row)
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    (sum / values.len().max(1) as f64) as f32
}

fn range(values: &[f32]) -> Option<(f32, f32)> {
    let low = values.iter().copied().reduce(f32::min)?;
    let high = values.iter().copied().reduce(f32::max)?;
    Some((low, high))
}

/// Scales each value to 1 for the lowest up to `most` for the highest; a flat series lies in the middle.
fn heights(values: &[f32], most: usize) -> Vec<usize> {
    let Some((low, high)) = range(values) else {
        return Vec::new();
    };
    let span = f64::from(high) - f64::from(low);
    let scale = |value: &f32| {
        if span < f64::EPSILON {
            return most.div_ceil(2);
        }
        let share = (f64::from(*value) - f64::from(low)) / span;
        1 + (share * (most.saturating_sub(1)) as f64).round() as usize
    };
    values.iter().map(scale).collect()
}

/// Returns the part of a bar of `height` eighths that lies in the row which begins at `base` eighths.
pub(crate) fn cell(height: usize, base: usize) -> char {
    match height.saturating_sub(base) {
        0 => ' ',
        eighths => EIGHTHS.get(eighths - 1).copied().unwrap_or('█'),
    }
}

/// Draws a bar of `width` cells of which `done` of `all` are full.
pub(crate) fn bar((done, all): (u64, u64), width: usize) -> String {
    let full = u128::from(done.min(all)) * width as u128 / u128::from(all.max(1));
    let full = usize::try_from(full).unwrap_or(width).min(width);
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

#[cfg(test)]
mod tests;
