//! Owns the depth chart: how many GPUs are wanted and offered at each price or a better one.
//!
//! Never draws an order that the view does not have, and says how many it leaves out.

use market::{Amount, PricePerHour};
use market_node::api::{DepthView, LevelRow};

use super::canvas::{Picture, Size, Tone, flow};
use crate::plot;
use crate::words;

/// Asks above so many times the best one, and bids below that part of the best one, are not drawn: a single dear
/// offer would press all others into one column.
const REACH: u128 = 3;

/// The least cells beside the labels, and the least rows of bars, that a chart makes sense in.
const LEAST: Size = Size {
    width: 12,
    height: 2,
};

/// What stands between the numbers of GPUs and the bars.
const AXIS: usize = 2;

/// Draws the depth of a class: bids at the left, asks at the right.
pub(crate) fn depth(view: &DepthView, size: Size) -> Picture {
    if view.bids.is_empty() && view.asks.is_empty() {
        let class = view.class;
        let text = format!("No order stands in {class}: there is no depth to draw.");
        return Picture::words(&text, size.width);
    }
    let sides = Sides::of(view);
    let legend = flow(&legend(view, &sides), size.width);
    let most = sides.most();
    let labels = most.to_string().len();
    let room = Size {
        width: size.width.saturating_sub(labels + AXIS),
        height: size.height.saturating_sub(legend.len() + 2),
    };
    if room.width < LEAST.width || room.height < LEAST.height {
        return Picture::words(&legend.join(" "), size.width);
    }
    let scale = Scale::of(&sides, room.width);
    let mut picture = Picture::blank(size);
    for (column, heights) in sides.heights(&scale).into_iter().enumerate() {
        let heights = heights.map(|gpus| eighths(gpus, most, room.height));
        for row in 0..room.height {
            let base = (room.height - 1 - row) * plot::EIGHTHS.len();
            let cell = cell(heights, base, sides.is_crossed());
            picture.put((labels + AXIS + column, row), cell);
        }
    }
    for row in 0..room.height {
        let axis = if row == 0 { "┤" } else { "│" };
        picture.write((labels + 1, row), axis);
    }
    picture.write((0, 0), &most.to_string());
    draw_prices(&mut picture, (labels + 1, room.height), &scale, &sides);
    picture.write_lines(room.height + 2, &legend);
    picture
}

/// The levels that are drawn, and how many GPUs of the others there are.
struct Sides {
    bids: Vec<LevelRow>,
    asks: Vec<LevelRow>,
    hidden_bids: u32,
    hidden_asks: u32,
}

impl Sides {
    fn of(view: &DepthView) -> Self {
        let best_bid = view.bids.iter().map(nanocredits).max().unwrap_or(0);
        let best_ask = view.asks.iter().map(nanocredits).min().unwrap_or(0);
        let near_bid = |level: &&LevelRow| nanocredits(level).saturating_mul(REACH) >= best_bid;
        let near_ask = |level: &&LevelRow| nanocredits(level) <= best_ask.saturating_mul(REACH);
        let bids: Vec<LevelRow> = view.bids.iter().filter(near_bid).copied().collect();
        let asks: Vec<LevelRow> = view.asks.iter().filter(near_ask).copied().collect();
        Self {
            hidden_bids: reached(&view.bids).saturating_sub(reached(&bids)),
            hidden_asks: reached(&view.asks).saturating_sub(reached(&asks)),
            bids,
            asks,
        }
    }

    fn best_bid(&self) -> Option<PricePerHour> {
        self.bids.iter().map(|level| level.price).max()
    }

    fn best_ask(&self) -> Option<PricePerHour> {
        self.asks.iter().map(|level| level.price).min()
    }

    /// Returns the price half-way between the best ones, rounded down to a nanocredit.
    fn mid(&self) -> Option<PricePerHour> {
        let (bid, ask) = (self.best_bid()?.0, self.best_ask()?.0);
        let sum = u128::from(bid.nanocredits()) + u128::from(ask.nanocredits());
        let half = u64::try_from(sum / 2).ok()?;
        Some(PricePerHour(Amount::from_nanocredits(half)))
    }

    fn is_crossed(&self) -> bool {
        let best = self.best_bid().zip(self.best_ask());
        best.is_some_and(|(bid, ask)| bid >= ask)
    }

    /// Returns the most GPUs that either side reaches; at least 1.
    fn most(&self) -> u32 {
        reached(&self.bids).max(reached(&self.asks)).max(1)
    }

    /// Returns for each column the GPUs wanted at its price or above, and those offered at its price or below.
    fn heights(&self, scale: &Scale) -> Vec<[u32; 2]> {
        let mut heights = vec![[0, 0]; scale.columns];
        for (side, levels) in [&self.bids, &self.asks].into_iter().enumerate() {
            for level in levels {
                let column = heights.get_mut(scale.column(nanocredits(level)));
                if let Some(height) = column.and_then(|column| column.get_mut(side)) {
                    *height = level.cumulative_gpus.max(*height);
                }
            }
        }
        let mut reached = 0;
        for [wanted, _] in heights.iter_mut().rev() {
            reached = reached.max(*wanted);
            *wanted = reached;
        }
        let mut reached = 0;
        for [_, offered] in &mut heights {
            reached = reached.max(*offered);
            *offered = reached;
        }
        heights
    }
}

fn nanocredits(level: &LevelRow) -> u128 {
    level.price.0.nanocredits().into()
}

/// Returns the GPUs of all levels of a side.
fn reached(levels: &[LevelRow]) -> u32 {
    let reached = levels.iter().map(|level| level.cumulative_gpus).max();
    reached.unwrap_or(0)
}

/// Which price stands in which column.
struct Scale {
    /// The price at the left edge, in nanocredits.
    low: u128,
    /// The price at the right edge, above `low`.
    high: u128,
    columns: usize,
}

impl Scale {
    /// Covers all drawn prices with a margin, up to ends of few digits.
    fn of(sides: &Sides, columns: usize) -> Self {
        let prices = || sides.bids.iter().chain(&sides.asks).map(nanocredits);
        let (least, most) = (prices().min().unwrap_or(0), prices().max().unwrap_or(0));
        let margin = ((most - least) / 10).max(most / 20).max(1);
        let unit = 10_u128.pow(margin.ilog10());
        Self {
            low: least.saturating_sub(margin) / unit * unit,
            high: (most + margin).div_ceil(unit) * unit,
            columns,
        }
    }

    fn column(&self, price: u128) -> usize {
        let above = price.saturating_sub(self.low) * self.columns as u128;
        let column = above / (self.high - self.low).max(1);
        let last = self.columns.saturating_sub(1);
        usize::try_from(column).map_or(last, |column| column.min(last))
    }
}

/// Scales a number of GPUs to eighths of rows; what is not zero is seen.
fn eighths(gpus: u32, most: u32, rows: usize) -> usize {
    let all = (rows * plot::EIGHTHS.len()) as u128;
    let eighths = (u128::from(gpus) * all).div_ceil(u128::from(most));
    usize::try_from(eighths).unwrap_or(usize::MAX)
}

/// Returns what is seen of both sides in a cell that begins at `base` eighths. Where a crossed book has both, they are
/// seen as one shade.
fn cell([bids, asks]: [usize; 2], base: usize, is_crossed: bool) -> (char, Tone) {
    let shared = bids.min(asks) > base;
    match (bids >= asks, shared && is_crossed) {
        (_, true) => ('▒', Tone::Plain),
        (true, false) => (plot::cell(bids, base), Tone::Rise),
        (false, false) => (plot::cell(asks, base), Tone::Fall),
    }
}

/// Draws the line below the bars with the best prices marked, and below that the prices at its ends.
fn draw_prices(picture: &mut Picture, (left, row): (usize, usize), scale: &Scale, sides: &Sides) {
    let line = format!("┴{}", "─".repeat(scale.columns));
    picture.write((left, row), &line);
    let marks = [
        ('m', Tone::Plain, sides.mid()),
        ('b', Tone::Rise, sides.best_bid()),
        ('a', Tone::Fall, sides.best_ask()),
    ];
    for (letter, tone, price) in marks {
        if let Some(price) = price {
            let column = scale.column(price.0.nanocredits().into());
            picture.put((left + 1 + column, row), (letter, tone));
        }
    }
    let high = format!("{} cr/h", decimal(scale.high));
    let right = (left + 1 + scale.columns).saturating_sub(high.len());
    let low = decimal(scale.low);
    if left + 1 + low.len() < right {
        picture.write((left + 1, row + 1), &low);
    }
    picture.write((right, row + 1), &high);
}

fn decimal(nanocredits: u128) -> String {
    let nanocredits = u64::try_from(nanocredits).unwrap_or(u64::MAX);
    Amount::from_nanocredits(nanocredits).decimal()
}

/// Says in words what the chart cannot: exact prices, an empty side, orders that are not drawn.
fn legend(view: &DepthView, sides: &Sides) -> Vec<String> {
    let gpus = |levels: &[LevelRow]| words::plural(reached(levels) as usize, "GPU");
    let mut pieces = Vec::new();
    if let Some(bid) = sides.best_bid() {
        pieces.push(format!(
            "b best bid {} ({})",
            bid.0.decimal(),
            gpus(&view.bids)
        ));
    }
    if let Some(mid) = sides.mid() {
        pieces.push(format!("m mid {}", mid.0.decimal()));
    }
    if let Some(ask) = sides.best_ask() {
        pieces.push(format!(
            "a best ask {} ({})",
            ask.0.decimal(),
            gpus(&view.asks)
        ));
    }
    if sides.bids.is_empty() {
        pieces.push("no bids stand, so there is no mid".to_owned());
    }
    if sides.asks.is_empty() {
        pieces.push("no asks stand, so there is no mid".to_owned());
    }
    if sides.is_crossed() {
        pieces.push("bids reach asks (▒): both stand until one is reserved".to_owned());
    }
    let hidden = [
        (sides.hidden_bids, "wanted far below the best bid"),
        (sides.hidden_asks, "offered far above the best ask"),
    ];
    for (gpus, what) in hidden.into_iter().filter(|(gpus, _)| *gpus > 0) {
        let gpus = words::plural(gpus as usize, "GPU");
        pieces.push(format!("not drawn: {gpus} {what}"));
    }
    pieces
}
