//! Owns the job file: the TOML that a person writes, with paths, addresses and a budget.
//!
//! Never opens what it names; `inputs` turns the names into content hashes.

mod check;
mod keys;

use std::path::{Path, PathBuf};

pub use check::Mistake;
pub use keys::{JobKey, KEYS as JOB_KEYS, Kind as JobKeyKind, reference as job_reference};

use check::Checked;
use market::job::{InferSpec, Limits, TrainSpec};
use market::{Amount, BlobHash, PricePerHour};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

/// The most bytes of a job file.
const MAX_BYTES: u64 = 256 << 10;

/// The name of the training text inside a job.
pub(crate) const DATA_NAME: &str = "data.txt";

/// A job as a person wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobFile {
    /// What to do, and with what.
    pub task: Task,
    /// What it may cost.
    pub budget: Budget,
    /// What it may use.
    pub limits: Limits,
    /// What the provider must have beyond room and speed.
    pub needs: Needs,
    /// The folder against which relative paths are taken.
    pub folder: PathBuf,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Train a model on a text.
    Train {
        /// Where the text is.
        data: Source,
        /// The recipe.
        spec: TrainSpec,
    },
    /// Continue a prompt with a model.
    Infer {
        /// The folder with `config.json` and `model.safetensors`.
        model: PathBuf,
        /// The settings.
        spec: InferSpec,
    },
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A file on this machine.
    Path(PathBuf),
    /// An http or https address, whose content is known by its hash.
    Url {
        /// The address.
        url: String,
        /// BLAKE3 of the content.
        hash: BlobHash,
    },
}

/// What a job may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// The most that a GPU may cost for an hour, as a string such as "0.50"; any price without it.
    pub max_price: Option<PricePerHour>,
    /// The most that the job may cost in all; without it, the whole time limit at the offer's price.
    pub total: Option<Amount>,
    /// Ticks to pay beyond the last delivered output, 1 to 10,000.
    pub delivery_ticks: Option<u16>,
}

/// What a job wants of a provider that says nothing of room, speed or price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// The least level that the sandbox's self-test must have reached, 1 to 255; 1 is the built-in engine.
    pub sandbox: u8,
}

impl Default for Needs {
    /// What every offer has.
    fn default() -> Self {
        Self { sandbox: 1 }
    }
}

/// Why a job file is refused.
#[derive(Debug, thiserror::Error)]
pub enum JobFileError {
    /// It could not be read.
    #[error("cannot read the job file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than any job file.
    #[error("{} has {bytes} bytes; a job file has at most {MAX_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is not TOML, or a key or a value in it is wrong.
    #[error("{}, {mistake}\n\nA job file looks like this:\n{EXAMPLE}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        mistake: Mistake,
    },
}

/// What the errors show.
const EXAMPLE: &str = "\
[train]
data = \"my-text.txt\"     # or an https address with blake3 = \"...\"
preset = \"demo-1m\"
steps = 200

[budget]
max_price = \"0.50\"       # credits a GPU-hour
total = \"0.20\"           # the most that this job may cost
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    train: Option<TrainTable>,
    infer: Option<InferTable>,
    #[serde(default)]
    budget: Budget,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    needs: Needs,
}

impl JobFile {
    /// Reads and checks a job file.
    pub fn read(path: &Path) -> Result<Self, JobFileError> {
        let read_error = |source| JobFileError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(read_error)?.len();
        if bytes > MAX_BYTES {
            let path = path.to_owned();
            return Err(JobFileError::TooLarge { path, bytes });
        }
        let text = std::fs::read(path).map_err(read_error)?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self::parse_bytes(&text, folder).map_err(|mistake| JobFileError::Content {
            path: path.to_owned(),
            mistake,
        })
    }

    fn parse_bytes(bytes: &[u8], folder: PathBuf) -> Result<Self, Mistake> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text, folder),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let reason = format!("line {line} holds bytes that are no text; save it as UTF-8");
                Err(Mistake::whole(reason))
            }
        }
    }

    /// Parses a job file's text; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(text: &str, folder: PathBuf) -> Result<Self, Mistake> {
        let checked = Checked::new(text)?;
        let read: Result<Tables, _> = toml::from_str(text);
        let tables = read.map_err(|error| Mistake::whole(error.message().replace('\n', ", ")))?;
        tables.validate(&checked)?;
        let task = match (tables.train, tables.infer) {
            (Some(train), None) => train.into_task(&checked)?,
            (None, Some(infer)) => Task::Infer {
                model: infer.model,
                spec: infer.spec,
            },
            (Some(_), Some(_)) => {
                return Err(checked.blame(
                    "infer.model",
                    "one job has [train] or [infer], not both; write a file for each",
                ));
            }
            (None, None) => {
                return Err(Mistake::whole(
                    "there is neither a [train] nor an [infer] table",
                ));
            }
        };
        Ok(Self {
            task,
            budget: tables.budget,
            limits: tables.limits,
            needs: tables.needs,
            folder,
        })
    }

    /// Returns `train` or `infer`.
    pub fn kind(&self) -> &'static str {
        match self.task {
            Task::Train { .. } => "train",
            Task::Infer { .. } => "infer",
        }
    }
}

/// `[train]`: where the text is, and the fields of the recipe.
struct TrainTable {
    data: String,
    blake3: Option<BlobHash>,
    spec: TrainSpec,
}

impl<'de> Deserialize<'de> for TrainTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let data = take_text(&mut table, "data")?.ok_or_else(|| D::Error::missing_field("data"))?;
        let blake3 = take_text(&mut table, "blake3")?;
        let blake3 = blake3.map(|text: String| text.parse()).transpose();
        if let Some(preset) = table.remove("preset") {
            table.insert("model".to_owned(), preset);
        }
        table.insert("data".to_owned(), DATA_NAME.into());
        let chooses_warm_up = table.contains_key("warm_up_steps");
        let mut spec: TrainSpec = table.try_into().map_err(D::Error::custom)?;
        if !chooses_warm_up {
            // Nobody who asks for a few steps should have to shorten a warm-up that they did not ask for.
            spec.warm_up_steps = spec.warm_up_steps.min(spec.steps);
        }
        Ok(Self {
            data,
            blake3: blake3.map_err(D::Error::custom)?,
            spec,
        })
    }
}

impl Tables {
    /// Checks what depends on more than one key.
    fn validate(&self, checked: &Checked<'_>) -> Result<(), Mistake> {
        let train = self.train.as_ref().map(|train| train.spec.validate());
        let infer = self.infer.as_ref().map(|infer| infer.spec.validate());
        if let Some(Err(error)) = train {
            return Err(checked.blame(error.field().unwrap_or_default(), error.to_string()));
        }
        if let Some(Err(error)) = infer {
            return Err(checked.blame(error.field, error.to_string()));
        }
        Ok(())
    }
}

impl TrainTable {
    fn into_task(self, checked: &Checked<'_>) -> Result<Task, Mistake> {
        let is_url = self.data.starts_with("http://") || self.data.starts_with("https://");
        let data = match (is_url, self.blake3) {
            (true, Some(hash)) => Source::Url {
                url: self.data,
                hash,
            },
            (true, None) => {
                let reason = format!(
                    "train.data is the address {}; add its hash as train.blake3 = \"64 hexadecimal \
                     digits\" (b3sum prints it), so that nobody can change the job's data",
                    self.data
                );
                return Err(checked.blame("train.data", reason));
            }
            (false, _) => Source::Path(self.data.into()),
        };
        Ok(Task::Train {
            data,
            spec: self.spec,
        })
    }
}

/// `[infer]`: where the model is, and the settings; the temperature as people write it.
struct InferTable {
    model: PathBuf,
    spec: InferSpec,
}

impl<'de> Deserialize<'de> for InferTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let model = take_text(&mut table, "model")?;
        let model = model.ok_or_else(|| D::Error::missing_field("model"))?;
        if let Some(value) = table.remove("temperature") {
            let milli = temperature_milli(&value).ok_or_else(|| {
                D::Error::custom("infer.temperature is not a number from 0 to 10")
            })?;
            table.insert("temperature_milli".to_owned(), toml::Value::Integer(milli));
        }
        Ok(Self {
            model: model.into(),
            spec: table.try_into().map_err(D::Error::custom)?,
        })
    }
}

/// Reads 0.8 or 1 as thousandths. A setting of sampling, so a float on the way does no harm.
fn temperature_milli(value: &toml::Value) -> Option<i64> {
    let number = value
        .as_float()
        .or_else(|| value.as_integer().map(|n| n as f64))?;
    (0.0..=10.0)
        .contains(&number)
        .then(|| (number * 1_000.0).round() as i64)
}

fn take_text<E: serde::de::Error>(
    table: &mut toml::Table,
    key: &'static str,
) -> Result<Option<String>, E> {
    match table.remove(key) {
        None => Ok(None),
        Some(toml::Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(E::custom(format!("{key} is {other}, not a text in quotes"))),
    }
}

#[cfg(test)]
mod tests;
