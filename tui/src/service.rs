//! Owns handing a node over to systemd: the unit is written, started, and removed again.
//!
//! Never touches a unit that this program did not write, and never starts a second node in one home.

mod unit;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use market_node::home::HOME_VARIABLE;
use serde::Serialize;

pub(crate) use unit::{Manager, Unit};

use unit::home_of;

/// Exists where the system was started by systemd; says systemd's own manual.
const BOOTED: &str = "/run/systemd/system";

/// Flags of the commands that run a node until it is stopped.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct ServiceFlags {
    /// Let systemd run this from now on, with the same flags, instead of running it here
    #[arg(long, conflicts_with = "uninstall")]
    install: bool,
    /// Stop what --install started, and remove it
    #[arg(long)]
    uninstall: bool,
}

/// What is asked of systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Run the node from now on.
    Install,
    /// Stop it, for good.
    Uninstall,
}

impl ServiceFlags {
    /// Returns what is asked of systemd, if anything.
    pub(crate) fn wish(self) -> Option<Wish> {
        match (self.install, self.uninstall) {
            (true, _) => Some(Wish::Install),
            (_, true) => Some(Wish::Uninstall),
            _ => None,
        }
    }
}

/// What was done, and what to know about it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Name of the unit.
    unit: &'static str,
    /// The unit's file.
    path: PathBuf,
    /// What it runs.
    command: Option<String>,
    /// What to know and to do, a line each.
    notes: Vec<String>,
}

/// Writes the report for a person.
pub(crate) fn text(report: &Report) -> String {
    let done = match &report.command {
        Some(command) => format!(
            "{} runs, and starts again by itself: {command}\nIts unit is {}.\n",
            report.unit,
            report.path.display()
        ),
        None => format!(
            "{} is stopped, and {} is removed.\n",
            report.unit,
            report.path.display()
        ),
    };
    let notes = report.notes.iter().map(|note| format!("{note}\n"));
    std::iter::once(done).chain(notes).collect()
}

/// Does what is asked with a unit. `is_running` tells whether a node runs in the unit's home now.
pub(crate) fn carry_out(wish: Wish, unit: &Unit, is_running: bool) -> anyhow::Result<Report> {
    unit.manager.check(Path::new(BOOTED))?;
    let path = unit.manager.folder()?.join(unit.manager.unit_name());
    match wish {
        Wish::Install => install(unit, path, is_running),
        Wish::Uninstall => uninstall(unit, path),
    }
}

fn install(unit: &Unit, path: PathBuf, is_running: bool) -> anyhow::Result<Report> {
    let name = unit.manager.unit_name();
    check_replaceable(unit, &path)?;
    check_in_front(unit, &path)?;
    let was_active = unit
        .manager
        .systemctl(&["is-active", "--quiet", name])
        .is_ok();
    anyhow::ensure!(
        was_active || !is_running,
        "a node runs in {} already; stop it first (Ctrl-C in its window), then run this again",
        unit.home.display()
    );
    let text = unit.text()?;
    let folder = path.parent().context("a unit's file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    unit.manager.systemctl(&["daemon-reload"])?;
    unit.manager.systemctl(&["enable", name])?;
    // Returns when the node is ready, or with the reason why it is not.
    unit.manager
        .systemctl(&["restart", name])
        .with_context(|| {
            format!(
                "starting {name}; its unit stays, and `{}` removes it",
                unit.undo_in(&unit.home)
            )
        })?;
    Ok(Report {
        unit: name,
        command: Some(unit.exec_start()?),
        notes: unit.advice(),
        path,
    })
}

fn uninstall(unit: &Unit, path: PathBuf) -> anyhow::Result<Report> {
    let name = unit.manager.unit_name();
    anyhow::ensure!(
        path.exists(),
        "nothing is installed: {} is not there",
        path.display()
    );
    check_replaceable(unit, &path)?;
    unit.manager.systemctl(&["disable", "--now", name])?;
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
    unit.manager.systemctl(&["daemon-reload"])?;
    let home = unit.home.display();
    Ok(Report {
        unit: name,
        path,
        command: None,
        notes: vec![format!("The node's home {home} is left as it is.")],
    })
}

/// Refuses to touch a unit that another wrote, or that runs a node in another home.
fn check_replaceable(unit: &Unit, path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let shown = path.display();
    let home = home_of(&text).with_context(|| {
        format!("{shown} was not written by this program, so it is left alone; move it away first")
    })?;
    anyhow::ensure!(
        home == unit.home,
        "{shown} runs the node in {}; remove it first with: {}",
        home.display(),
        unit.undo_in(&home)
    );
    Ok(())
}

/// Refuses to put a unit in front of one that lies elsewhere and is in use, such as a package's: the market that it
/// runs would end for another one.
fn check_in_front(unit: &Unit, path: &Path) -> anyhow::Result<()> {
    let name = unit.manager.unit_name();
    let is = |asked| unit.manager.systemctl(&[asked, "--quiet", name]).is_ok();
    anyhow::ensure!(
        path.exists() || !(is("is-active") || is("is-enabled")),
        "a {name} that this program did not write is in use already, such as a package's; to give it up for the node \
         in {}, first run: {} disable --now {name}",
        unit.home.display(),
        unit.manager.control()
    );
    Ok(())
}

impl Manager {
    /// Refuses where there is no such manager, in words.
    fn check(self, booted: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(
            booted.is_dir(),
            "systemd does not run on this system ({} is missing), so there is nothing to install into; let \
             your own start-up script run `nightshift up` or `nightshift operator run`: SIGTERM stops them",
            booted.display()
        );
        match self {
            Self::User => anyhow::ensure!(
                std::env::var_os("XDG_RUNTIME_DIR").is_some(),
                "no systemd of yours is in reach (XDG_RUNTIME_DIR is not set); log in as the user who is to \
                 run the node, not through su or sudo, and run this again"
            ),
            Self::System => anyhow::ensure!(
                rustix::process::geteuid().is_root(),
                "a system unit is installed by root; run: sudo nightshift --home DIR operator run --install"
            ),
        }
        Ok(())
    }

    /// Runs systemctl for this manager.
    fn systemctl(self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("systemctl");
        if self == Self::User {
            command.arg("--user");
        }
        command.args(arguments);
        let output = command.output().context("running systemctl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "`{} {}` failed: {}; `{} {}` tells more",
            self.control(),
            arguments.join(" "),
            said.trim(),
            self.journal(),
            self.unit_name()
        );
        Ok(())
    }
}

/// Returns the folder that a unit shall run in, also where it belongs to another user: root installs what a
/// user without rights runs.
pub(crate) fn home_path(flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let named = flag.or_else(|| std::env::var_os(HOME_VARIABLE).map(PathBuf::from));
    let path = named.context(
        "a system unit needs its home folder named: pass --home DIR, the folder of `nightshift operator init`",
    )?;
    let path = std::path::absolute(path).context("finding the home folder")?;
    anyhow::ensure!(
        path.join("genesis.json").is_file(),
        "{} holds no market; found one there first with `nightshift operator init`",
        path.display()
    );
    Ok(path)
}

#[cfg(test)]
mod tests;
