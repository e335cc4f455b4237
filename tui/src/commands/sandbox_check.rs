//! Owns `nightshift sandbox check`: hostile workers try every attack of the table on this machine, and what stopped each
//! is shown.
//!
//! Never claims a layer from its configuration; every row is something that was tried.

use std::time::Duration;

use provider::Workplace;
use provider::check::{EngineFinding, engine_attacks};
use sandbox::{Finding, LayerName, Limits, Sandbox, Verdict};
use serde::Serialize;

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// How long one attack may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `sandbox check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip)]
    number: u8,
    attack: String,
    layer: String,
    result: &'static str,
    evidence: String,
}

/// Tries every attack on this machine. Fails where one gets through.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let (place, rows) = tokio::task::spawn_blocking(|| {
        let (workplace, place) = workplace();
        anyhow::Ok((place, try_all(&workplace.sandbox(Limits::default()))?))
    })
    .await??;
    context.print(&rows, |rows| text(&place, rows))?;
    let open = rows
        .iter()
        .filter(|row| row.result == Verdict::NotStopped.as_str());
    anyhow::ensure!(
        open.count() == 0,
        "an attack got through, so this machine offers nothing; the rows above say which"
    );
    Ok(())
}

/// Finds where jobs are computed when this machine sells, and says it in words: the best card, if its driver's profile is
/// proven, else the processor.
fn workplace() -> (Workplace, String) {
    let processor = Workplace::processor();
    let Ok(adapter) = gpu_probe::best_adapter() else {
        let place = processor.device.describe();
        return (processor, place);
    };
    match Workplace::of(adapter.info()) {
        Ok(workplace) => {
            let place = workplace.device.describe();
            (workplace, place)
        }
        Err(error) => {
            let name = words::printable(adapter.info().name.as_str());
            let place = format!("{}; on {name}: {error}", processor.device.describe());
            (processor, place)
        }
    }
}

fn try_all(sandbox: &Sandbox) -> anyhow::Result<Vec<Row>> {
    let report = sandbox.check(TIMEOUT)?;
    let mut in_force: Vec<LayerName> = report
        .locked
        .layers
        .iter()
        .map(|layer| layer.name)
        .collect();
    in_force.extend(LayerName::OF_THE_AGENT);
    let mut rows: Vec<Row> = report
        .findings
        .iter()
        .map(|finding| of_sandbox(finding, &in_force))
        .collect();
    rows.extend(engine_attacks(sandbox, 23..=27).into_iter().map(of_engine));
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

/// The layers named are those against the attack that were seen in force.
fn of_sandbox(finding: &Finding, in_force: &[LayerName]) -> Row {
    let layers = finding.attack.layers().iter();
    let names = layers
        .filter(|layer| in_force.contains(layer))
        .map(ToString::to_string);
    Row {
        number: finding.attack.number(),
        attack: finding.attack.to_string(),
        layer: names.collect::<Vec<_>>().join(", "),
        result: finding.verdict.as_str(),
        evidence: finding.evidence.clone(),
    }
}

fn of_engine(finding: EngineFinding) -> Row {
    Row {
        number: finding.row,
        attack: finding.tried,
        layer: finding.layer.to_string(),
        result: finding.verdict.as_str(),
        evidence: finding.evidence,
    }
}

fn text(place: &str, rows: &[Row]) -> String {
    let mut table = Table::new([
        ("#", Side::Right),
        ("ATTACK", Side::Left),
        ("RESULT", Side::Left),
        ("LAYER", Side::Left),
        ("EVIDENCE", Side::Left),
    ]);
    for row in rows {
        table.row([
            row.number.to_string(),
            row.attack.clone(),
            row.result.to_owned(),
            row.layer.clone(),
            row.evidence.clone(),
        ]);
    }
    let count = |result: Verdict| {
        let same = rows.iter().filter(|row| row.result == result.as_str());
        same.count()
    };
    let [stopped, open, absent] = [
        Verdict::Stopped,
        Verdict::NotStopped,
        Verdict::NotApplicable,
    ]
    .map(count);
    let meaning = match open {
        0 => {
            "A job can use what it is given of the card, the processor and the memory; it reads no file of yours, reaches \
             no network, starts no program and ends with its lease."
        }
        _ => {
            "A job could do what is not stopped, or it is not known that it could not; the evidence says which. Nothing is \
             offered meanwhile."
        }
    };
    format!(
        "Workers computed on: {place}.\n\n{table}\n{} attacks tried: {stopped} stopped, {open} not stopped. {absent} more \
         do not apply here.\n{meaning}\n",
        stopped + open,
    )
}
