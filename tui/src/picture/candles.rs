//! Owns the candle chart: the range and the direction of prices, span by span, and how much was traded.
//!
//! Never draws a span in which nothing was traded; where there are more candles than columns it merges neighbours
//! and says so.

use market_node::api::CandlesView;
use matching::{Candle, Interval, Volume};

use super::canvas::{Picture, Size, Tone, flow};
use crate::plot;
use crate::words;

/// The least cells beside the labels, and the least rows of prices, that a chart makes sense in.
const LEAST: Size = Size {
    width: 12,
    height: 3,
};

/// The line between the candles and their labels, and a space.
const AXIS: usize = 2;

/// Rows below the prices: the volume and the times.
const ROWS_BELOW: usize = 2;

/// Draws candles, the newest at the right, with prices at the right, volume and times below.
pub(crate) fn candles(view: &CandlesView, size: Size) -> Picture {
    let interval = view.interval;
    let Some(range) = merged(&view.candles) else {
        let class = view.class;
        let text = format!("Nothing was traded in {class} that candles of {interval} could show.");
        return Picture::words(&text, size.width);
    };
    // Merged, a column holds at most what all of them do.
    let busiest = gpu_hours(range.volume.gpu_ms);
    let labels = [range.high, range.low, range.close].map(|price| price.0.decimal());
    let lengths = labels.iter().map(String::len);
    let widest = lengths.max().unwrap_or(0).max(busiest.len());
    let columns = size.width.saturating_sub(AXIS + widest);
    let a_column = view.candles.len().div_ceil(columns.max(1)).max(1);
    let legend = flow(&legend(view, a_column), size.width);
    let rows = size.height.saturating_sub(legend.len() + ROWS_BELOW);
    if columns < LEAST.width || rows < LEAST.height {
        let mut pieces = vec![told(&range)];
        pieces.extend(legend);
        return Picture::words(&pieces.join(" "), size.width);
    }
    let drawn: Vec<Candle> = view.candles.chunks(a_column).filter_map(merged).collect();
    let mut chart = Chart {
        picture: Picture::blank(size),
        low: range.low.0.nanocredits(),
        span: range.high.0.nanocredits() - range.low.0.nanocredits(),
        top: legend.len(),
        rows,
        columns,
        labels: widest,
    };
    chart.picture.write_lines(0, &legend);
    chart.draw_candles(&drawn);
    chart.draw_prices(&range);
    chart.draw_volume(&drawn);
    chart.draw_times(view.interval, &drawn);
    chart.picture
}

/// Puts candles that follow each other into one; `None` where there is none.
fn merged(candles: &[Candle]) -> Option<Candle> {
    let (first, last) = (candles.first()?, candles.last()?);
    let mut volume = Volume::default();
    for candle in candles {
        volume.gpu_ms = volume.gpu_ms.saturating_add(candle.volume.gpu_ms);
    }
    Some(Candle {
        start: first.start,
        open: first.open,
        high: candles.iter().map(|candle| candle.high).max()?,
        low: candles.iter().map(|candle| candle.low).min()?,
        close: last.close,
        volume,
    })
}

fn gpu_hours(gpu_ms: u64) -> String {
    format!("{} GPU-h", words::hours(gpu_ms))
}

fn told(range: &Candle) -> String {
    let [last, low, high] = [range.close, range.low, range.high].map(|price| price.0.decimal());
    format!("Last {last}, lowest {low}, highest {high} cr/h.")
}

fn legend(view: &CandlesView, a_column: usize) -> Vec<String> {
    let interval = view.interval;
    let count = words::plural(view.candles.len(), "candle");
    let merged = match a_column {
        1 => String::new(),
        several => format!(", {several} a column"),
    };
    vec![
        format!("{count} of {interval}{merged}"),
        "░ up █ down ━ same │ range".to_owned(),
    ]
}

/// A chart being drawn.
struct Chart {
    picture: Picture,
    /// The lowest price, in nanocredits.
    low: u64,
    /// From the lowest to the highest price, in nanocredits.
    span: u64,
    /// The first row of prices.
    top: usize,
    rows: usize,
    columns: usize,
    /// Cells of the labels.
    labels: usize,
}

impl Chart {
    /// Returns the row of a price; where all are equal, the middle one.
    fn row(&self, nanocredits: u64) -> usize {
        let last = self.rows.saturating_sub(1);
        let above = u128::from(nanocredits.saturating_sub(self.low));
        let span = u128::from(self.span);
        // Half a span more rounds to the nearest row.
        let scaled = (above * last as u128 + span / 2).checked_div(span);
        let up = scaled.map_or(last / 2, |up| usize::try_from(up).unwrap_or(last));
        self.top + last.saturating_sub(up)
    }

    /// Returns the column of the candle at `index` of `count`: the newest stands at the right, and there is a gap
    /// between two where there is room.
    fn column(&self, index: usize, count: usize) -> usize {
        let step = if count * 2 <= self.columns { 2 } else { 1 };
        self.columns.saturating_sub((count - index) * step)
    }

    fn draw_candles(&mut self, candles: &[Candle]) {
        for (index, candle) in candles.iter().enumerate() {
            let column = self.column(index, candles.len());
            let [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close]
                .map(|price| self.row(price.0.nanocredits()));
            for row in high..=low {
                self.picture.put((column, row), ('│', Tone::Plain));
            }
            let body = match candle.close.cmp(&candle.open) {
                std::cmp::Ordering::Greater => ('░', Tone::Rise),
                std::cmp::Ordering::Less => ('█', Tone::Fall),
                std::cmp::Ordering::Equal if high == low => ('━', Tone::Plain),
                std::cmp::Ordering::Equal => ('┿', Tone::Plain),
            };
            for row in open.min(close)..=open.max(close) {
                self.picture.put((column, row), body);
            }
        }
    }

    fn draw_prices(&mut self, range: &Candle) {
        for row in self.top..self.top + self.rows {
            self.picture.write((self.columns, row), "│");
        }
        // The last price is written last: it wins where it is the highest or the lowest too.
        for price in [range.high, range.low, range.close] {
            let row = self.row(price.0.nanocredits());
            let label = format!("├ {:<width$}", price.0.decimal(), width = self.labels);
            self.picture.write((self.columns, row), &label);
        }
    }

    fn draw_volume(&mut self, candles: &[Candle]) {
        let row = self.top + self.rows;
        let volumes = candles.iter().map(|candle| candle.volume.gpu_ms);
        let most = volumes.max().unwrap_or(0);
        let all = u128::from(most).max(1);
        for (index, candle) in candles.iter().enumerate() {
            let eighths = u128::from(candle.volume.gpu_ms) * plot::EIGHTHS.len() as u128;
            let height = usize::try_from(eighths.div_ceil(all)).unwrap_or(usize::MAX);
            let column = self.column(index, candles.len());
            self.picture
                .put((column, row), (plot::cell(height, 0), Tone::Plain));
        }
        let label = format!("├ {}", gpu_hours(most));
        self.picture.write((self.columns, row), &label);
    }

    fn draw_times(&mut self, interval: Interval, candles: &[Candle]) {
        let row = self.top + self.rows + 1;
        let time = |candle: &Candle| {
            let utc = words::utc(candle.start);
            let part = match interval {
                Interval::Minute | Interval::Hour => utc.get(5..16),
                Interval::Day => utc.get(..10),
            };
            part.unwrap_or_default().to_owned()
        };
        let last = candles.last().map(time).unwrap_or_default();
        let right = self.columns.saturating_sub(last.len());
        self.picture.write((right, row), &last);
        let first = candles.first().map(time).unwrap_or_default();
        let left = self.column(0, candles.len());
        if left + first.len() < right {
            self.picture.write((left, row), &first);
        }
        self.picture.write((self.columns, row), "  UTC");
    }
}
