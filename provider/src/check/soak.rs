//! Owns the soak: many jobs, good and hostile ones in turn, and what is left of them on the machine.
//!
//! Never takes away what is left: it counts before and after, and says what grew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sandbox::{Attack, Sandbox, Verdict};
use serde::Serialize;

use super::trial::{Ending, Trial, Trials};
use super::{hostile, judge};

/// How long an attack or a start may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes of memory the allocator may keep beyond what it had once it was warm.
const MEMORY_SLACK_BYTES: u64 = 2 << 20;

/// What there is of this process and its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Processes below this one, dead ones that nobody has waited for among them.
    pub processes: usize,
    /// Mounts that this process sees.
    pub mounts: usize,
    /// Control groups of workers.
    pub groups: usize,
    /// Open descriptors of this process.
    pub descriptors: usize,
    /// Threads of this process.
    pub threads: usize,
    /// Files and folders of this program in the folder for temporary files.
    pub files: usize,
    /// Resident memory of this process, in bytes.
    pub resident_bytes: u64,
}

impl Left {
    /// Counts; what a system does not show counts as nothing.
    pub fn count() -> Self {
        let entries = |path: &str| std::fs::read_dir(path).map_or(0, Iterator::count);
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = resident.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        Self {
            processes: sandbox::family_of(std::process::id()).len() - 1,
            mounts: text("/proc/self/mountinfo").lines().count(),
            groups: folders_named(Path::new("/sys/fs/cgroup"), "nightshift-worker-"),
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            files: ours(&std::env::temp_dir()),
            resident_bytes: kibibytes.unwrap_or(0_u64) * 1024,
        }
    }

    /// Says in words what there is more of than at `first`. Memory is compared with that after the first jobs, `warm`, and
    /// may have grown by 2 MiB. Empty where nothing was left.
    #[must_use]
    pub fn leaked_since(&self, first: &Self, warm: &Self) -> Vec<String> {
        let counts = [
            ("processes", first.processes, self.processes),
            ("mounts", first.mounts, self.mounts),
            ("control groups", first.groups, self.groups),
            ("descriptors", first.descriptors, self.descriptors),
            ("threads", first.threads, self.threads),
            ("temporary files", first.files, self.files),
        ];
        let grew = counts.into_iter().filter(|(_, before, now)| now > before);
        let mut words: Vec<String> = grew
            .map(|(what, before, now)| format!("{what}: {before} before, {now} now"))
            .collect();
        if self.resident_bytes > warm.resident_bytes + MEMORY_SLACK_BYTES {
            let mebibytes = |left: &Self| left.resident_bytes as f64 / f64::from(1 << 20);
            words.push(format!(
                "memory: {:.1} MiB after the first jobs, {:.1} now",
                mebibytes(warm),
                mebibytes(self)
            ));
        }
        words
    }
}

fn ours(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("nightshift-")).count()
}

/// Counts the folders below `top` whose names begin with `start`.
fn folders_named(top: &Path, start: &str) -> usize {
    let mut open: Vec<PathBuf> = vec![top.to_owned()];
    let mut count = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name();
                count += usize::from(name.to_string_lossy().starts_with(start));
                open.push(entry.path());
            }
        }
    }
    count
}

/// What became of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Honest jobs that were done.
    pub done: u32,
    /// Honest jobs that were killed while they ran.
    pub killed: u32,
    /// Hostile jobs that the engine refused, or died of alone.
    pub refused: u32,
    /// Attacks on the confinement that were stopped.
    pub stopped: u32,
    /// What did not go as it should, in words.
    pub wrong: Vec<String>,
}

/// One of the kinds in turn.
enum Kind<'a> {
    Honest,
    Killed,
    Hostile(&'a hostile::Attack),
    Attack(Attack),
}

/// Gives `count` jobs to workers of `sandbox`, one after the other, and tells `each` how many are done and what there
/// is then. Blocks for about half a second a job.
///
/// # Errors
/// Not even the first honest job was done; why, in words.
pub fn soak(
    sandbox: &Sandbox,
    count: u32,
    each: &mut dyn FnMut(u32, Left),
) -> Result<Tally, String> {
    let trials = Trials::prepare(sandbox.clone()).map_err(|error| error.to_string())?;
    let honest = hostile::honest();
    let control = trials.run(&honest);
    let files = hostile::Files::of(&control).ok_or_else(|| control.in_words())?;
    let hostile: Vec<hostile::Attack> = hostile::attacks(&files)
        .into_iter()
        .filter(|attack| !attack.needs_gpu)
        .collect();
    let mut kinds = Vec::new();
    let attacks: Vec<Attack> = Attack::all()
        .filter(|attack| attack.takes_a_worker())
        .collect();
    for place in 0..hostile.len().max(attacks.len()) {
        kinds.push(Kind::Honest);
        kinds.extend(hostile.get(place).map(Kind::Hostile));
        kinds.extend(attacks.get(place).copied().map(Kind::Attack));
        kinds.push(Kind::Killed);
    }
    let mut tally = Tally::default();
    for (done, kind) in (1..=count).zip(kinds.iter().cycle()) {
        let went = run(sandbox, &trials, (&honest, kind), &mut tally);
        tally.wrong.extend(went.err());
        each(done, Left::count());
    }
    Ok(tally)
}

fn run(
    sandbox: &Sandbox,
    trials: &Trials,
    (honest, kind): (&Trial, &Kind<'_>),
    tally: &mut Tally,
) -> Result<(), String> {
    let (counter, is_right, words) = match kind {
        Kind::Honest => {
            let heard = trials.run(honest);
            (
                &mut tally.done,
                heard.ending == Ending::Done,
                heard.in_words(),
            )
        }
        Kind::Hostile(attack) => {
            let found = judge(attack, &trials.run(&attack.job));
            let words = format!("{}: {}", found.tried, found.evidence);
            (&mut tally.refused, found.verdict == Verdict::Stopped, words)
        }
        Kind::Attack(attack) => match sandbox.try_attack(*attack, TIMEOUT) {
            Ok(found) => {
                let words = format!("{attack}: {}", found.evidence);
                (&mut tally.stopped, found.verdict == Verdict::Stopped, words)
            }
            Err(error) => (&mut tally.stopped, false, format!("{attack}: {error}")),
        },
        Kind::Killed => {
            let launched = sandbox
                .launch()
                .and_then(|launched| launched.wait_locked(TIMEOUT));
            let words = launched.as_ref().err().map(ToString::to_string);
            // Dropped at once, in the middle of whatever it does.
            drop(launched);
            (
                &mut tally.killed,
                words.is_none(),
                words.unwrap_or_default(),
            )
        }
    };
    if !is_right {
        return Err(words);
    }
    *counter += 1;
    Ok(())
}
