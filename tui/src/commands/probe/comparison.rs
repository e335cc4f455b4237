//! Owns the bars of a measured card beside what makers publish of cards like it.
//!
//! Never compares a processor: nobody publishes what one does as a GPU.

use gpu_probe::{PUBLISHED, PublishedCard};
use market::gpu::{AdapterKind, GpuReport};

use super::figures::Unit;
use crate::plot;
use crate::table::{Side, Table};

/// The most other cards.
const MAX_CARDS: usize = 4;

/// Cells of the longest bar.
const BAR_CELLS: usize = 30;

/// Writes the bars: fp32 peak, then memory bandwidth. `None` where there is nothing to compare.
pub(super) fn text(report: &GpuReport) -> Option<String> {
    let class = report.class(None).ok()?;
    if class.kind() == AdapterKind::Cpu {
        return None;
    }
    let adapter = &report.adapter;
    let same = PublishedCard::find(adapter.vendor_id, adapter.name.as_str());
    let sustained = report.figures.sustained_gemm_fp32_mflops?;
    let cards = alike(sustained, same);
    let figures = &report.figures;
    let peak = Bars {
        title: "fp32 peak",
        unit: Unit::Mflops,
        own: figures.fma_fp32_mflops.map(|spread| spread.p90),
        of: |card| card.peak_fp32_mflops,
    };
    let bandwidth = Bars {
        title: "memory bandwidth",
        unit: Unit::MibPerS,
        own: figures.memory_read_mib_per_s.map(|spread| spread.p50),
        of: |card| card.memory_mib_per_s,
    };
    let bars = [peak, bandwidth].map(|bars| bars.text(same, &cards));
    Some(format!(
        "Beside what makers publish of cards of about this speed\n{}",
        bars.join("\n")
    ))
}

/// Returns the card itself, where it is known, and those whose usual rate is nearest to `sustained`.
fn alike(sustained: u64, same: Option<&'static PublishedCard>) -> Vec<&'static PublishedCard> {
    let others = PUBLISHED.iter().filter(|card| Some(*card) != same);
    let mut others: Vec<&PublishedCard> = others.collect();
    // The ratio, in 1/1,000, always the larger by the smaller.
    let away = |card: &&PublishedCard| {
        let usual = card.usual_gemm_mflops();
        let (large, small) = (usual.max(sustained), usual.min(sustained));
        u128::from(large) * 1_000 / u128::from(small.max(1))
    };
    others.sort_by_key(away);
    others.truncate(MAX_CARDS);
    let mut cards: Vec<&PublishedCard> = same.into_iter().chain(others).collect();
    cards.sort_by_key(|card| card.peak_fp32_mflops);
    cards
}

/// One figure of several cards.
struct Bars {
    title: &'static str,
    unit: Unit,
    /// As measured here.
    own: Option<u64>,
    /// As published.
    of: fn(&PublishedCard) -> u64,
}

impl Bars {
    fn text(&self, same: Option<&PublishedCard>, cards: &[&'static PublishedCard]) -> String {
        let published = cards.iter().map(|card| (self.of)(card));
        let longest = published.chain(self.own).max().unwrap_or(1);
        let bar = |value| plot::bar((value, longest), BAR_CELLS);
        let mut table = Table::new([
            ("", Side::Left),
            (self.title, Side::Right),
            ("", Side::Left),
            ("", Side::Left),
        ]);
        let own = self.own.map_or_else(
            || ["unknown".to_owned(), String::new()],
            |own| [self.unit.write(own), bar(own)],
        );
        let [value, drawn] = own;
        table.row([
            "> measured here".to_owned(),
            value,
            drawn,
            self.reached(same).unwrap_or_default(),
        ]);
        for card in cards {
            let value = (self.of)(card);
            table.row([
                format!("  {}", card.name),
                self.unit.write(value),
                bar(value),
                String::new(),
            ]);
        }
        table.to_string()
    }

    /// Says how much of what its maker publishes the card reached.
    fn reached(&self, same: Option<&PublishedCard>) -> Option<String> {
        let (own, published) = (self.own?, (self.of)(same?));
        let percent = (u128::from(own) * 100).checked_div(u128::from(published))?;
        Some(format!("{percent} % of what its maker publishes"))
    }
}
