//! Owns what the units say.
//!
//! Never writes or starts one.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Begins the line of a unit that names its home; a unit without it is not ours.
const HOME_LINE: &str = "# home: ";

/// Whose systemd runs a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    /// The person's own, for a node.
    User,
    /// The system's, for an operator.
    System,
}

/// One node that systemd runs.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// By whose systemd.
    pub(crate) manager: Manager,
    /// This program.
    pub(crate) program: PathBuf,
    /// The node's home.
    pub(crate) home: PathBuf,
    /// The command and its flags.
    pub(crate) arguments: Vec<String>,
}

impl Manager {
    /// Returns the unit's name.
    pub(super) fn unit_name(self) -> &'static str {
        match self {
            Self::User => "nightshift.service",
            Self::System => "nightshift-operator.service",
        }
    }

    /// Returns where units of this manager lie.
    pub(super) fn folder(self) -> anyhow::Result<PathBuf> {
        if self == Self::System {
            return Ok("/etc/systemd/system".into());
        }
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let config = variable("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(variable("HOME")?.join(".config")));
        let config = config.context("neither XDG_CONFIG_HOME nor HOME is set")?;
        Ok(config.join("systemd/user"))
    }

    /// Returns the command that talks to this manager.
    pub(super) fn control(self) -> &'static str {
        match self {
            Self::User => "systemctl --user",
            Self::System => "systemctl",
        }
    }

    /// Returns the command that shows what a unit logged.
    pub(super) fn journal(self) -> &'static str {
        match self {
            Self::User => "journalctl --user -u",
            Self::System => "journalctl -u",
        }
    }
}

impl Unit {
    /// Returns what `--uninstall` is said with, without the home.
    pub(super) fn undo_flags(&self) -> &'static str {
        match self.manager {
            Manager::User => "up --uninstall",
            Manager::System => "operator run --uninstall",
        }
    }

    /// Returns the command that removes the unit, where it runs in `home`, as a person can type it.
    pub(super) fn undo_in(&self, home: &Path) -> String {
        let home = typed(&home.display().to_string());
        format!("nightshift --home {home} {}", self.undo_flags())
    }

    /// Returns what to know about the unit once it runs.
    pub(super) fn advice(&self) -> Vec<String> {
        let (journal, name) = (self.manager.journal(), self.manager.unit_name());
        let log = self.home.join("logs/nightshift.log");
        let mut notes = vec![format!(
            "What it logs: {} and `{journal} {name}`. To undo: `{}`.",
            log.display(),
            self.undo_in(&self.home)
        )];
        if self.manager == Manager::User {
            notes.push(
                "It runs while you are logged in. To let it run always: loginctl enable-linger"
                    .to_owned(),
            );
        }
        notes
    }

    /// Returns the command line that systemd starts.
    ///
    /// # Errors
    /// A path has a character that a unit cannot hold.
    pub(super) fn exec_start(&self) -> anyhow::Result<String> {
        let mut words = vec![quoted(path_text(&self.program)?)?];
        words.push("--home".to_owned());
        words.push(quoted(path_text(&self.home)?)?);
        for argument in &self.arguments {
            words.push(quoted(argument)?);
        }
        Ok(words.join(" "))
    }

    /// Writes the unit.
    ///
    /// # Errors
    /// As [`Unit::exec_start`], and where the home's owner cannot be found out.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        let body = match self.manager {
            Manager::User => USER.replace("@EXEC_START@", &self.exec_start()?),
            Manager::System => self.operator()?,
        };
        let (undo, home) = (self.undo_flags(), path_text(&self.home)?);
        Ok(format!(
            "# Written by nightshift; `nightshift {undo}` removes it.\n{HOME_LINE}{home}\n{body}"
        ))
    }

    /// Fills in the packaged unit: the rights of the home's owner and no others, and nothing else differs.
    fn operator(&self) -> anyhow::Result<String> {
        let metadata = std::fs::metadata(&self.home);
        let metadata = metadata.with_context(|| format!("looking at {}", self.home.display()))?;
        let home = quoted(path_text(&self.home)?)?;
        let in_tmp = ["/tmp", "/var/tmp"]
            .iter()
            .any(|tmp| self.home.starts_with(tmp));
        let own = [
            ("Documentation=", "man:nightshift(1)".to_owned()),
            // This path is taken as it stands, but for the sign that begins a specifier.
            (
                "ConditionPathExists=",
                path_text(&self.home.join("genesis.json"))?.replace('%', "%%"),
            ),
            ("User=", metadata.uid().to_string()),
            ("Group=", metadata.gid().to_string()),
            ("ExecStart=", self.exec_start()?),
            ("ReadWritePaths=", home),
            // The home may be below /home, and so may the program.
            ("ProtectHome=", "read-only".to_owned()),
            // A temporary folder of its own would hide a home that is below the shared one.
            ("PrivateTmp=", if in_tmp { "no" } else { "yes" }.to_owned()),
        ];
        let (_, packaged) = OPERATOR
            .split_once("[Unit]\n")
            .context("the packaged unit has no [Unit]")?;
        let lines = packaged
            .lines()
            .filter(|line| !line.starts_with("EnvironmentFile="));
        let lines = lines.map(|line| {
            let line = if line.starts_with("StateDirectory=") {
                "ReadWritePaths="
            } else {
                line
            };
            let filled = own.iter().find(|(key, _)| line.starts_with(key));
            filled.map_or_else(|| line.to_owned(), |(key, value)| format!("{key}{value}"))
        });
        let lines = lines.filter(|line| !line.starts_with("StateDirectoryMode="));
        Ok(format!(
            "[Unit]\n{}\n",
            lines.collect::<Vec<_>>().join("\n")
        ))
    }
}

/// The unit of an operator, as packages bring it.
const OPERATOR: &str = include_str!("../../../packaging/nightshift-operator.service");

/// The unit of a node. A stop drains first, for which the program takes 20 seconds at most. A node may confine
/// workers in control groups of its own.
const USER: &str = "\
[Unit]
Description=Nightshift node: a peer-to-peer market for GPU compute
Documentation=man:nightshift(1)
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=notify
ExecStart=@EXEC_START@
TimeoutStartSec=180
TimeoutStopSec=45
KillMode=mixed
Restart=on-failure
RestartSec=10
UMask=0077
Delegate=yes

[Install]
WantedBy=default.target
";

/// Reads out of a unit which home it runs in; `None` where the unit is not ours.
pub(super) fn home_of(text: &str) -> Option<PathBuf> {
    let line = text.lines().find_map(|line| line.strip_prefix(HOME_LINE));
    line.map(PathBuf::from)
}

fn path_text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8, which a unit cannot hold", path.display()))
}

/// Writes a word so that systemd reads it back as it is.
pub(super) fn quoted(word: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        !word.chars().any(char::is_control),
        "{word:?} has a character that a unit cannot hold"
    );
    if is_plain(word) {
        return Ok(word.to_owned());
    }
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '%' | '$' => text.extend([character, character]),
            _ => text.push(character),
        }
    }
    text.push('"');
    Ok(text)
}

/// Writes a word so that a shell reads it back as it is.
pub(super) fn typed(word: &str) -> String {
    match is_plain(word) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Tells whether neither systemd nor a shell sees anything but letters in a word.
fn is_plain(word: &str) -> bool {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:@+=".contains(character);
    !word.is_empty() && word.chars().all(is_plain)
}
