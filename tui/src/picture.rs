//! Owns pictures of a market out of characters: the depth of a book, and candles of what was traded.
//!
//! Never rounds a price that it writes, and never needs colour: bids and asks, up and down differ by place and by
//! character. A picture that has no room says the same in words.

mod candles;
mod canvas;
mod depth;

pub(crate) use candles::candles;
pub(crate) use canvas::{Picture, Size, Tone};
pub(crate) use depth::depth;

use market_node::api::{CandlesView, DepthView};

/// Rows of a picture above a table.
const TEXT_ROWS: usize = 16;

/// The widest picture above a table, in cells: more spreads the same further.
const TEXT_WIDTH: usize = 120;

/// Draws depth for a table to stand below: lines of at most `width` cells, with a heading.
pub(crate) fn depth_text(view: &DepthView, width: usize) -> String {
    let heading = format!("{}: GPUs at each price or a better one", view.class);
    below(&heading, depth(view, text_size(width)))
}

/// Draws candles for a table to stand below: lines of at most `width` cells, with a heading.
pub(crate) fn candles_text(view: &CandlesView, width: usize) -> String {
    let heading = format!("{}: what was traded, in cr/h", view.class);
    below(&heading, candles(view, text_size(width)))
}

fn text_size(width: usize) -> Size {
    Size {
        width: width.min(TEXT_WIDTH),
        height: TEXT_ROWS,
    }
}

fn below(heading: &str, picture: Picture) -> String {
    let mut text = format!("{heading}\n");
    for line in picture.lines() {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
