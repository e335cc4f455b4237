//! Owns what the market screen knows: classes, the chosen one, its depth and candles, and which of it is asked for.
//!
//! Never asks by itself, and never shows one class's figures under the name of another.

use market::gpu::GpuClass;
use market_node::api::{CandlesView, ClassRow, ClassesView, DepthView};
use matching::Interval;

/// What the node is asked for while the market screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The class whose depth and candles are asked for; `None` before any class is known.
    pub(crate) class: Option<GpuClass>,
    /// What a candle spans.
    pub(crate) interval: Interval,
}

/// What one round of questions about the market brought: what was told, and why the rest was not.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct MarketNews {
    /// All classes.
    pub(crate) classes: Option<ClassesView>,
    /// The depth of a class.
    pub(crate) depth: Option<DepthView>,
    /// The candles of a class.
    pub(crate) candles: Option<CandlesView>,
    /// Why something is missing.
    pub(crate) lost: Option<String>,
}

/// Which way a choice moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the row above.
    Up,
    /// To the row below.
    Down,
}

/// The market as far as the screen knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MarketModel {
    /// The classes, once they were told.
    pub(crate) classes: Option<ClassesView>,
    depth: Option<DepthView>,
    candles: Option<CandlesView>,
    /// The chosen class.
    pub(crate) chosen: Option<GpuClass>,
    /// What a candle spans.
    pub(crate) interval: Interval,
    /// Why the newest question was not answered.
    pub(crate) lost: Option<String>,
}

impl MarketModel {
    /// Begins without knowing anything.
    pub(crate) fn new() -> Self {
        Self {
            classes: None,
            depth: None,
            candles: None,
            chosen: None,
            interval: Interval::Hour,
            lost: None,
        }
    }

    /// Returns what to ask the node for.
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            class: self.chosen,
            interval: self.interval,
        }
    }

    /// Returns the rows of all classes.
    pub(crate) fn rows(&self) -> &[ClassRow] {
        let classes = self.classes.as_ref();
        classes.map_or(&[], |view| view.classes.as_slice())
    }

    /// Returns where the chosen class stands among the rows.
    pub(crate) fn chosen_row(&self) -> Option<usize> {
        let is_chosen = |row: &ClassRow| Some(row.class) == self.chosen;
        self.rows().iter().position(is_chosen)
    }

    /// Returns the depth of the chosen class, once it was told.
    pub(crate) fn depth(&self) -> Option<&DepthView> {
        let is_chosen = |view: &&DepthView| Some(view.class) == self.chosen;
        self.depth.as_ref().filter(is_chosen)
    }

    /// Returns the candles of the chosen class and interval, once they were told.
    pub(crate) fn candles(&self) -> Option<&CandlesView> {
        let is_chosen =
            |view: &&CandlesView| Some(view.class) == self.chosen && view.interval == self.interval;
        self.candles.as_ref().filter(is_chosen)
    }

    /// Takes news in. Where the chosen class is gone, or none was chosen, one of `own` is, or else the first.
    pub(crate) fn take(&mut self, news: MarketNews, own: &[GpuClass]) {
        self.lost = news.lost;
        self.classes = news.classes.or(self.classes.take());
        self.depth = news.depth.or(self.depth.take());
        self.candles = news.candles.or(self.candles.take());
        if self.chosen_row().is_none() {
            let classes = || self.rows().iter().map(|row| row.class);
            let mine = classes().find(|class| own.contains(class));
            self.chosen = mine.or_else(|| classes().next());
        }
    }

    /// Chooses the row above or below, as far as there is one.
    pub(crate) fn step(&mut self, step: Step) {
        let Some(row) = self.chosen_row() else { return };
        let next = match step {
            Step::Up => row.saturating_sub(1),
            Step::Down => row + 1,
        };
        if let Some(row) = self.rows().get(next) {
            self.chosen = Some(row.class);
        }
    }

    /// Goes on to the next span of candles: minutes, hours, days, and minutes again.
    pub(crate) fn turn_interval(&mut self) {
        self.interval = match self.interval {
            Interval::Minute => Interval::Hour,
            Interval::Hour => Interval::Day,
            Interval::Day => Interval::Minute,
        };
    }
}
