//! Owns the checks of the home folder itself: settings, permissions, keys, who uses it, which market it is in.
//!
//! Never opens the store or the network.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use market_node::config::{Config, Settings};
use market_node::home::Home;
use market_node::identity::{AccountKey, Identity, IdentityError, load_key};
use market_node::membership::{Membership, MembershipError};

use super::check::Check;
use super::{NodeState, Patient};

/// What a newcomer does first.
const JOIN: &str = "join a market with `nightshift init --join HASH@ADDRESS`, or found one with `nightshift \
                    operator init`";

/// The settings and what is to be said of them.
pub(super) struct SettingsChecked {
    pub(super) config: Config,
    pub(super) check: Check,
}

/// The home folder cannot be used at all.
pub(super) fn unusable(error: &anyhow::Error) -> Check {
    let advice = "mend what it says, or name another folder with --home DIR or NIGHTSHIFT_HOME";
    Check::failed("permissions", format!("{error:#}"), advice)
}

/// Reads config.toml and the environment.
pub(super) fn settings(home: &Home) -> SettingsChecked {
    let name = "settings";
    match Settings::load(home) {
        Ok(settings) => {
            let file = home.config();
            let evidence = match file.exists() {
                true => format!("{} is valid", file.display()),
                false => "no config.toml; the defaults hold".to_owned(),
            };
            SettingsChecked {
                config: settings.config().clone(),
                check: Check::ok(name, evidence),
            }
        }
        Err(error) => SettingsChecked {
            config: Config::default(),
            check: Check::failed(
                name,
                error,
                "no node starts before this is mended: `nightshift config set KEY VALUE`, or edit the file; \
                 `nightshift config show --reference` lists what is allowed",
            ),
        },
    }
}

/// Looks whether others can change what the node trusts.
pub(super) fn permissions(home: &Home) -> Check {
    let name = "permissions";
    let own = [
        "",
        "keys",
        "store",
        "store.journal",
        "ledger",
        "config.toml",
        "genesis.json",
        "bootstrap.txt",
    ];
    let paths = own.iter().map(|part| home.path().join(part));
    let open: Vec<(PathBuf, u32)> = paths.filter_map(writable_by_others).collect();
    let Some((first, mode)) = open.first() else {
        return Check::ok(
            name,
            format!("only you can change {}", home.path().display()),
        );
    };
    let paths: Vec<String> = open
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    Check::failed(
        name,
        format!("others can change {} (mode {mode:o})", first.display()),
        format!("run: chmod go-w {}", paths.join(" ")),
    )
}

fn writable_by_others(path: PathBuf) -> Option<(PathBuf, u32)> {
    let mode = fs::metadata(&path).ok()?.mode() & 0o7777;
    (mode & 0o022 != 0).then_some((path, mode))
}

/// Reads the keys and the delegation.
pub(super) fn keys(home: &Home) -> Check {
    let name = "keys";
    let restore =
        "restore the keys folder from a backup; the money belongs to whoever has account.key";
    if !home.key("node").exists() {
        return Check::failed(name, "this home has no keys", JOIN);
    }
    for key in ["node", "account", "treasury", "operator", "operator-next"] {
        if !home.key(key).exists() {
            continue;
        }
        match load_key(home, key) {
            // A node runs without it, and its checksum fits.
            Ok(_) | Err(IdentityError::Encrypted { .. }) => {}
            Err(IdentityError::OpenKey { path, mode }) => {
                let path = path.display();
                return Check::failed(
                    name,
                    format!("{path} can be read by others (mode {mode:o})"),
                    format!(
                        "run: chmod 600 {path}; if others use this machine, move the money to a new account"
                    ),
                );
            }
            Err(error) => return Check::failed(name, error, restore),
        }
    }
    let Ok(membership) = Membership::load(home) else {
        return Check::ok(name, "the keys can be read");
    };
    match Identity::load(home, &membership.chain) {
        Ok(identity) if home.key("account").exists() => {
            let is_encrypted = AccountKey::load(home).is_ok_and(|key| key.is_encrypted());
            let how = match is_encrypted {
                true => "encrypted",
                false => "not encrypted (`nightshift wallet encrypt`)",
            };
            let (node, account) = (identity.node().short(), identity.account);
            Check::ok(
                name,
                format!("node {node} acts for account {account}; the account key is {how}"),
            )
        }
        Ok(identity) => Check::ok(
            name,
            format!(
                "node {} acts for account {}, whose key is kept elsewhere",
                identity.node().short(),
                identity.account
            ),
        ),
        Err(error) => Check::failed(name, error, restore),
    }
}

/// Tells who uses the home.
pub(super) fn instance(patient: &Patient) -> Check {
    let name = "instance";
    let process = |pid: &Option<u32>| match pid {
        Some(pid) => format!("process {pid}"),
        None => "a process".to_owned(),
    };
    match &patient.node {
        NodeState::Answers(running) => Check::ok(
            name,
            format!(
                "{} runs this home's node and answers",
                process(&running.pid)
            ),
        ),
        NodeState::Absent(Some(_)) => {
            Check::ok(name, "no node runs in this home, and none is in the way")
        }
        NodeState::Absent(None) => Check::failed(
            name,
            "the home's lock cannot be taken",
            "look at nightshift.lock in the home: it must be a file that you can write",
        ),
        NodeState::Silent(pid) => Check::failed(
            name,
            format!(
                "{} uses this home and its node does not answer",
                process(pid)
            ),
            match pid {
                Some(pid) => {
                    format!("wait a moment if it just started; else stop it with: kill {pid}")
                }
                None => "wait a moment if it just started; else stop that process".to_owned(),
            },
        ),
    }
}

/// Reads which market the home is in.
pub(super) fn market(home: &Home) -> Check {
    let name = "market";
    match Membership::load(home) {
        Ok(membership) => {
            let (market, chain) = (&membership.genesis.name, membership.chain.short());
            Check::ok(name, format!("member of {market}, chain {chain}"))
        }
        Err(error @ MembershipError::NotJoined) => Check::failed(name, error, JOIN),
        Err(error) => Check::failed(
            name,
            error,
            "restore genesis.json from a backup, or remove it and join again",
        ),
    }
}
