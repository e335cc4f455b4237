//! Owns where each part of the screen stands.
//!
//! Never changes the model.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::model::{Host, Model, Node, Overlay, Page};
use super::{big, market_panels, panels};
use crate::words;

/// The least window that everything fits into, in cells.
const LEAST: (u16, u16) = (70, 20);

/// Rows of the state panel without its border: the word and two rows of why.
const STATE_ROWS: u16 = big::ROWS as u16 + 2;

/// Draws the screen.
pub(crate) fn view(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return too_small(frame, area);
    }
    let [header, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(heading(model, area.width), header);
    match model.page {
        Page::Home => draw_home(model, frame, body),
        Page::Market => market_panels::draw(model, frame, body),
    }
    frame.render_widget(keys(model), footer);
    match model.overlay {
        Overlay::None => {}
        Overlay::Help => draw_overlay(frame, " Keys ", panels::HELP),
        Overlay::ConfirmQuit => draw_overlay(frame, " Quit? ", panels::CONFIRM_QUIT),
    }
}

fn draw_home(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let running = panels::running(model, usize::from(area.width - 4));
    let gpus = panels::gpus(model);
    let most_running = usize::from((area.height + 2) / 4).min(12);
    let [state, work, hardware, prices] = Layout::vertical([
        Constraint::Length(STATE_ROWS + 2),
        Constraint::Length(panel_height(running.len().min(most_running))),
        Constraint::Length(panel_height(gpus.len())),
        Constraint::Min(3),
    ])
    .areas(area);
    draw_state(model, frame, state);
    draw_panel(frame, work, " Running ", running);
    draw_panel(frame, hardware, &panels::machine_title(model), gpus);
    draw_panel(frame, prices, " Best prices ", panels::prices(model));
}

fn panel_height(rows: usize) -> u16 {
    match u16::try_from(rows).unwrap_or(u16::MAX) {
        0 => 0,
        rows => rows.saturating_add(2),
    }
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let text = format!(
        "This window has {}x{} cells; the screen needs {}x{}. q quits.",
        area.width, area.height, LEAST.0, LEAST.1
    );
    let message = Paragraph::new(text)
        .wrap(Wrap { trim: true })
        .alignment(Alignment::Center);
    frame.render_widget(message, area);
}

fn heading(model: &Model, width: u16) -> Line<'static> {
    let Some(status) = model.status() else {
        return Line::from(Span::styled(" nightshift", bold()));
    };
    let version = words::printable(&status.version);
    let market = words::printable(&status.market);
    let account = status.account.short();
    let left = format!(" nightshift {version}  {market}  {account}");
    let height = match status.height {
        Some(height) => format!("block {height}"),
        None => "no block yet".to_owned(),
    };
    let operator = if status.operator_reachable {
        ""
    } else {
        "  OPERATOR AWAY"
    };
    let right = format!(
        "{}  {height}{operator} ",
        words::plural(status.peers, "peer")
    );
    let used = Span::raw(&left).width() + Span::raw(&right).width();
    let gap = " ".repeat(usize::from(width).saturating_sub(used).max(1));
    Line::from(Span::styled(format!("{left}{gap}{right}"), bold()))
}

fn draw_state(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered();
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [top, why] =
        Layout::vertical([Constraint::Length(big::ROWS as u16), Constraint::Min(0)]).areas(inner);
    let [word, money] = Layout::horizontal([Constraint::Length(41), Constraint::Min(0)]).areas(top);
    let letters = big::word(model.state_word());
    let rows = letters.map(|row| Line::from(Span::styled(format!(" {row}"), state_style(model))));
    frame.render_widget(Paragraph::new(rows.to_vec()), word);
    frame.render_widget(Paragraph::new(panels::money(model)), money);
    let why_line = words::printable(&model.why());
    let [_, why] = Layout::horizontal([Constraint::Length(1), Constraint::Min(0)]).areas(why);
    frame.render_widget(Paragraph::new(why_line).wrap(Wrap { trim: true }), why);
}

/// Colours that differ for the colour-blind too; the word itself says everything.
fn state_style(model: &Model) -> Style {
    let colour = match model.state_word() {
        "Earning" | "Buying" => Color::Cyan,
        "Paused" => Color::Yellow,
        "Offline" => Color::Magenta,
        _ => Color::Reset,
    };
    bold().fg(colour)
}

fn draw_panel(frame: &mut Frame<'_>, area: Rect, title: &str, rows: Vec<String>) {
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .map(|row| Line::from(format!(" {row}")))
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(title)),
        area,
    );
}

fn keys(model: &Model) -> Line<'static> {
    let pause = match model.provider().map(|provider| provider.state) {
        Some(market_node::api::ProviderState::Paused) => "p resume   ",
        Some(_) => "p pause   ",
        None => "",
    };
    let usual = match model.page {
        Page::Home => "",
        Page::Market => "↑↓ class",
    };
    let notice = model.notice.as_deref().unwrap_or(usual);
    let notice = words::printable(notice);
    let leaves = match &model.node {
        Node::Live(_) if model.host == Host::Here => "q quit and stop the node",
        _ => "q quit",
    };
    let pages = pages(model.page);
    Line::from(format!("{pages}   {pause}{leaves}   ? help   {notice}"))
}

/// Lists the screens with their keys, the shown one in brackets.
fn pages(shown: Page) -> String {
    let page = |(number, page): (usize, Page)| match page.name() {
        name if page == shown => format!("[{number} {name}]"),
        name => format!(" {number} {name} "),
    };
    (1..).zip(Page::ALL).map(page).collect()
}

fn draw_overlay(frame: &mut Frame<'_>, title: &'static str, text: &'static [&'static str]) {
    let area = frame.area();
    let width = text
        .iter()
        .map(|line| Span::raw(*line).width())
        .max()
        .unwrap_or(0);
    let width = u16::try_from(width + 4).unwrap_or(u16::MAX).min(area.width);
    let height = panel_height(text.len()).min(area.height);
    let place = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    let rows = text.iter().map(|line| (*line).to_owned()).collect();
    frame.render_widget(Clear, place);
    draw_panel(frame, place, title, rows);
}

fn bold() -> Style {
    Style::default().add_modifier(Modifier::BOLD)
}
