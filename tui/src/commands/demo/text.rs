//! Owns what the demo trains on and the job files that it writes.
//!
//! Never invents text: it is the project's own handbook, as it was when the program was built.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The handbook, chapter by chapter, then the documents beside it.
const HANDBOOK: &[&str] = &[
    include_str!("../../../../docs/handbook/01-concepts.md"),
    include_str!("../../../../docs/handbook/02-getting-started.md"),
    include_str!("../../../../docs/handbook/03-selling.md"),
    include_str!("../../../../docs/handbook/04-buying.md"),
    include_str!("../../../../docs/handbook/05-operating.md"),
    include_str!("../../../../docs/handbook/06-sandbox.md"),
    include_str!("../../../../docs/handbook/07-money.md"),
    include_str!("../../../../docs/handbook/08-classes.md"),
    include_str!("../../../../docs/handbook/09-protocol.md"),
    include_str!("../../../../docs/handbook/10-troubleshooting.md"),
    include_str!("../../../../docs/handbook/11-questions.md"),
    include_str!("../../../../docs/handbook/README.md"),
    include_str!("../../../../ARCHITECTURE.md"),
    include_str!("../../../../docs/glossary.md"),
];

/// Writes the handbook as one text file and returns its path.
pub(super) fn write_handbook(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("handbook.txt");
    std::fs::write(&path, HANDBOOK.join("\n\n")).context("writing the handbook")?;
    Ok(path)
}

/// Writes the training job's file.
pub(super) fn train_job(folder: &Path, data: &Path, steps: u32) -> anyhow::Result<PathBuf> {
    let data = data.to_str().context("the text's path is not UTF-8")?;
    let train = toml::Table::from_iter([
        ("data".to_owned(), data.into()),
        ("preset".to_owned(), "demo-1m".into()),
        ("steps".to_owned(), i64::from(steps).into()),
        (
            "checkpoint_every".to_owned(),
            i64::from(steps.div_ceil(4)).into(),
        ),
    ]);
    write_job(folder, "train.toml", ("train", train))
}

/// Writes a training job of two steps on the handbook, for measurements: the report of the last step waits for
/// the held-out text, and so must not be the first.
pub(crate) fn tiny_job(folder: &Path) -> anyhow::Result<PathBuf> {
    let data = write_handbook(folder)?;
    let data = data.to_str().context("the text's path is not UTF-8")?;
    let train = toml::Table::from_iter([
        ("data".to_owned(), data.into()),
        ("preset".to_owned(), "demo-1m".into()),
        ("steps".to_owned(), 2.into()),
        ("checkpoint_every".to_owned(), 2.into()),
        ("warm_up_steps".to_owned(), 0.into()),
    ]);
    write_job(folder, "tiny.toml", ("train", train))
}

/// Writes the inference job's file.
pub(super) fn infer_job(folder: &Path, model: &Path, prompt: &str) -> anyhow::Result<PathBuf> {
    let model = model.to_str().context("the model's path is not UTF-8")?;
    let infer = toml::Table::from_iter([
        ("model".to_owned(), model.into()),
        ("prompt".to_owned(), prompt.into()),
        ("max_tokens".to_owned(), 100.into()),
        ("temperature".to_owned(), 0.6.into()),
    ]);
    write_job(folder, "infer.toml", ("infer", infer))
}

fn write_job(
    folder: &Path,
    name: &str,
    (kind, task): (&str, toml::Table),
) -> anyhow::Result<PathBuf> {
    let budget = toml::Table::from_iter([
        ("max_price".to_owned(), "0.50".into()),
        ("total".to_owned(), "0.20".into()),
        // The demo's ticks last a second; checkpoints come less often than thirty of them.
        ("delivery_ticks".to_owned(), 300.into()),
    ]);
    let job = toml::Table::from_iter([
        (kind.to_owned(), task.into()),
        ("budget".to_owned(), budget.into()),
    ]);
    let path = folder.join(name);
    std::fs::write(&path, toml::to_string(&job)?).context("writing the job file")?;
    Ok(path)
}
