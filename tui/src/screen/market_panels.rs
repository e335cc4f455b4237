//! Owns where each part of the market screen stands, and its rows as text.
//!
//! Never changes the model, and never asks a clock: how old data is follows from the times that it carries.

use market::PricePerHour;
use market_node::api::{ClassRow, ClassesView};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Padding, Paragraph, Wrap};

use super::market::MarketModel;
use super::model::{Model, Node};
use crate::picture::{self, Picture, Size, Tone};
use crate::table::{Side, Table};
use crate::words;

/// The age in seconds from which on data is called old: a few polls.
const OLD_S: u64 = 10;

/// The blocks by which trades may lag behind before that is said.
const BEHIND_BLOCKS: u64 = 3;

/// Rows of the classes panel beside the classes: its border, the headings, the note.
const FRAME_ROWS: u16 = 4;

/// What stands where an answer has not come yet.
const ASKING: &str = "Asking the node.";

/// What stands where only operators could tell.
const NOT_KNOWN: &str = "No operator has answered yet: what was traded is not known.";

/// Draws the market screen.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let market = &model.market;
    let Some(view) = market
        .classes
        .as_ref()
        .filter(|view| !view.classes.is_empty())
    else {
        let block = Block::bordered()
            .title(" Market ")
            .padding(Padding::horizontal(1));
        let words = Paragraph::new(nothing(model)).wrap(Wrap { trim: true });
        return frame.render_widget(words.block(block), area);
    };
    let rows = u16::try_from(view.classes.len()).unwrap_or(u16::MAX);
    let most = (area.height * 2 / 5).max(FRAME_ROWS + 1);
    let height = rows.saturating_add(FRAME_ROWS).min(most);
    let [classes, charts] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    draw_classes(model, view, frame, classes);
    let [depth, candles] =
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(charts);
    let size = |area: Rect| Size {
        width: usize::from(area.width.saturating_sub(4)),
        height: usize::from(area.height.saturating_sub(2)),
    };
    let chart = market.depth().ok_or(ASKING);
    let chart = chart.map(|view| picture::depth(view, size(depth)));
    draw_chart(frame, depth, &depth_title(market), chart);
    let chart = match (market.candles(), view.height) {
        (None, _) => Err(ASKING),
        (Some(told), None) if told.candles.is_empty() => Err(NOT_KNOWN),
        (Some(told), _) => Ok(picture::candles(told, size(candles))),
    };
    draw_chart(frame, candles, &candles_title(market), chart);
}

/// Says why there is no class to show.
fn nothing(model: &Model) -> String {
    let text = match (&model.node, &model.market.lost, &model.market.classes) {
        (Node::Starting | Node::Lost(_) | Node::Failed(_), _, _) => {
            format!("{}: {}", model.state_word(), model.why())
        }
        (Node::Live(_), Some(why), _) => format!("The node does not tell about the market: {why}"),
        (Node::Live(_), None, None) => ASKING.to_owned(),
        (Node::Live(_), None, Some(view)) if view.height.is_none() => {
            "No order stands in this node's copy of the book, and no operator has answered yet, so what was \
             traded is not known. `nightshift doctor` says what is missing."
                .to_owned()
        }
        (Node::Live(_), None, Some(_)) => {
            "No order stands in this node's copy of the book, and nothing was traded yet. `nightshift up \
             --provide` offers this machine; `nightshift run` buys."
                .to_owned()
        }
    };
    words::printable(&text)
}

fn draw_classes(model: &Model, view: &ClassesView, frame: &mut Frame<'_>, area: Rect) {
    let market = &model.market;
    let table = class_table(view, market, usize::from(area.width.saturating_sub(3)));
    let visible = usize::from(area.height.saturating_sub(FRAME_ROWS));
    let chosen = market.chosen_row().unwrap_or(0);
    let first = (chosen + 1).saturating_sub(visible);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (index, row) in table.into_iter().enumerate() {
        let style = match index {
            _ if index == chosen + 1 => Style::default().add_modifier(Modifier::BOLD),
            _ => Style::default(),
        };
        if index == 0 || (first + 1..=first + visible).contains(&index) {
            lines.push(Line::styled(format!(" {row}"), style));
        }
    }
    lines.push(Line::from(format!(" {}", note(model, view))));
    let title = classes_title(model, view);
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(title)),
        area,
    );
}

/// Says from when the rows are.
fn classes_title(model: &Model, view: &ClassesView) -> String {
    let Some(time) = view.time else {
        return " Classes, prices in cr/h ".to_owned();
    };
    let now = model.status().and_then(|status| status.protocol_time);
    let age_s = now.map(|now| now.saturating_since(time).as_secs());
    let age = words::age(age_s.filter(|age_s| *age_s >= OLD_S));
    let age = age.map_or_else(String::new, |age| format!(", {age} ago"));
    let utc = words::utc(time);
    format!(" Classes, prices in cr/h, as of {utc} UTC{age} ")
}

/// Says what is missing, and otherwise what the figures are.
fn note(model: &Model, view: &ClassesView) -> String {
    let rows = view.classes.len();
    let place = model.market.chosen_row().map_or(0, |row| row + 1);
    let problem = match (&model.node, &model.market.lost) {
        (Node::Lost(why) | Node::Failed(why), _) => Some(why),
        (_, lost) => lost.as_ref(),
    };
    let text = match (problem, view.height) {
        (Some(why), _) => format!("no answer now: {why}"),
        (None, None) => NOT_KNOWN.to_owned(),
        (None, Some(height)) => {
            let newest = model.status().and_then(|status| status.height);
            let behind = newest.unwrap_or(height).saturating_sub(height);
            let behind = match behind {
                0..BEHIND_BLOCKS => String::new(),
                _ => format!(", {} behind", words::plural(behind as usize, "block")),
            };
            format!("class {place} of {rows}; trades up to block {height}{behind}")
        }
    };
    words::printable(&text)
}

/// Lists the classes under headings: all columns, or the most important ones where `width` cells are too few.
fn class_table(view: &ClassesView, market: &MarketModel, width: usize) -> Vec<String> {
    let wide = wide_table(view, market);
    let fits = |lines: &Vec<String>| lines.iter().all(|line| Span::raw(line).width() <= width);
    match fits(&wide) {
        true => wide,
        false => narrow_table(view, market),
    }
}

fn wide_table(view: &ClassesView, market: &MarketModel) -> Vec<String> {
    let right = |heading| (heading, Side::Right);
    let mut table = Table::new([
        ("", Side::Left),
        ("class", Side::Left),
        right("bid"),
        right("ask"),
        right("mid"),
        right("spread"),
        right("last"),
        right("24 h"),
        right("GPU-h"),
        right("index"),
    ]);
    for row in &view.classes {
        table.row([
            mark(row, market),
            row.class.to_string(),
            price(row.best_bid),
            price(row.best_ask),
            price(row.mid),
            price(row.spread),
            price(row.last),
            change(row.change_24h_bps),
            words::hours(row.volume_24h.gpu_ms),
            index(row),
        ]);
    }
    table.to_string().lines().map(str::to_owned).collect()
}

fn narrow_table(view: &ClassesView, market: &MarketModel) -> Vec<String> {
    let right = |heading| (heading, Side::Right);
    let mut table = Table::new([
        ("", Side::Left),
        ("class", Side::Left),
        right("bid"),
        right("ask"),
        right("last"),
        right("24 h"),
        right("index"),
    ]);
    for row in &view.classes {
        table.row([
            mark(row, market),
            row.class.to_string(),
            price(row.best_bid),
            price(row.best_ask),
            price(row.last),
            change(row.change_24h_bps),
            index(row),
        ]);
    }
    table.to_string().lines().map(str::to_owned).collect()
}

fn mark(row: &ClassRow, market: &MarketModel) -> String {
    let is_chosen = market.chosen == Some(row.class);
    if is_chosen { ">" } else { "" }.to_owned()
}

fn price(price: Option<PricePerHour>) -> String {
    price.map_or_else(|| "-".to_owned(), |price| price.0.decimal())
}

fn index(row: &ClassRow) -> String {
    let price = row.index.price.map(|price| price.0.decimal());
    price.unwrap_or_else(|| "no price".to_owned())
}

/// Writes a change in 1/10^4 as percent with its sign.
fn change(bps: Option<i64>) -> String {
    let Some(bps) = bps else {
        return "-".to_owned();
    };
    let sign = match bps {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    let size = bps.unsigned_abs();
    format!("{sign}{}.{:02} %", size / 100, size % 100)
}

fn depth_title(market: &MarketModel) -> String {
    match market.chosen {
        Some(class) => format!(" Depth of {class}: GPUs by price "),
        None => " Depth ".to_owned(),
    }
}

fn candles_title(market: &MarketModel) -> String {
    let interval = market.interval;
    format!(" Candles of {interval} (i: 1m, 1h, 1d) ")
}

fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    chart: Result<Picture, &'static str>,
) {
    let block = Block::bordered()
        .title(title.to_owned())
        .padding(Padding::horizontal(1));
    let text = match chart {
        Ok(picture) => {
            let lines = picture.stretches().into_iter().map(coloured);
            Paragraph::new(lines.collect::<Vec<Line<'_>>>())
        }
        Err(words) => Paragraph::new(words).wrap(Wrap { trim: true }),
    };
    frame.render_widget(text.block(block), area);
}

/// Colours that differ for the colour-blind too; the characters say the same without any.
fn coloured(stretches: Vec<(Tone, String)>) -> Line<'static> {
    let span = |(tone, text)| {
        let colour = match tone {
            Tone::Plain => Color::Reset,
            Tone::Rise => Color::Cyan,
            Tone::Fall => Color::Yellow,
        };
        Span::styled(text, Style::default().fg(colour))
    };
    Line::from_iter(stretches.into_iter().map(span))
}
