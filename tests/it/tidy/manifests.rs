//! Owns the rules for the crates: which arrows there are, what each says of itself, what it never uses.
//!
//! Never reads a file: it gets the manifests as text.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::source::Finding;

/// Every crate, its folder, and the crates of ours that it may use: everything below it in the picture.
const ARROWS: [(&str, &str, &[&str]); 13] = [
    ("market", "market", &[]),
    ("matching", "matching", &["market"]),
    ("throughput-proof", "gpu-probe/proof", &["market"]),
    ("sandbox", "provider/sandbox", &[]),
    ("engine", "provider/engine", &["market"]),
    ("gpu-probe", "gpu-probe", &["throughput-proof", "market"]),
    (
        "market-node",
        "market/node",
        &["matching", "throughput-proof", "market"],
    ),
    (
        "provider",
        "provider",
        &[
            "sandbox",
            "engine",
            "gpu-probe",
            "market-node",
            "matching",
            "throughput-proof",
            "market",
        ],
    ),
    (
        "consumer",
        "consumer",
        &[
            "engine",
            "market-node",
            "matching",
            "throughput-proof",
            "market",
        ],
    ),
    ("nightshift", "tui", BELOW_THE_BINARY),
    ("nightshift-tests", "tests", BELOW_THE_TESTS),
    (
        "nightshift-fuzz",
        "tests/fuzz",
        &["engine", "sandbox", "market-node", "matching", "market"],
    ),
    ("matching-peers", "matching/peers", &["matching", "market"]),
];

const BELOW_THE_BINARY: &[&str] = &[
    "provider",
    "consumer",
    "sandbox",
    "engine",
    "gpu-probe",
    "market-node",
    "matching",
    "throughput-proof",
    "market",
];

const BELOW_THE_TESTS: &[&str] = &[
    "nightshift",
    "provider",
    "consumer",
    "sandbox",
    "engine",
    "gpu-probe",
    "market-node",
    "matching",
    "throughput-proof",
    "market",
];

/// What a crate never uses of what others made. Its own tests may.
const NEVER: [(&str, &[&str]); 7] = [
    ("market", IMPURE),
    ("matching", IMPURE),
    ("throughput-proof", IMPURE),
    ("gpu-probe", &["tokio", "libp2p", "sled", "reqwest", "axum"]),
    (
        "sandbox",
        &["tokio", "libp2p", "sled", "reqwest", "axum", "burn", "wgpu"],
    ),
    ("engine", &["tokio", "libp2p", "sled", "reqwest", "axum"]),
    ("nightshift", &["libp2p", "sled", "bincode", "burn", "wgpu"]),
];

const IMPURE: &[&str] = &[
    "tokio",
    "libp2p",
    "sled",
    "reqwest",
    "axum",
    "wgpu",
    "burn",
    "futures",
    "rand",
    "rand_chacha",
    "getrandom",
    "fs4",
    "rustix",
    "libc",
];

/// A crate's manifest.
pub(crate) struct Manifest {
    /// Path from the workspace root.
    pub(crate) path: String,
    table: Table,
}

impl Manifest {
    /// Reads a manifest, or says why it is none.
    pub(crate) fn new(path: impl Into<String>, text: &str) -> Result<Self, Finding> {
        let path = path.into();
        match text.parse::<Table>() {
            Ok(table) => Ok(Self { path, table }),
            Err(error) => Err(Finding::at(&path, 1, error.message())),
        }
    }

    /// Returns the crate's name; empty where there is no package.
    fn name(&self) -> &str {
        self.package("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn package(&self, key: &str) -> Option<&Value> {
        self.table.get("package")?.get(key)
    }

    fn finding(&self, what: impl Into<String>) -> Finding {
        Finding::at(&self.path, 1, what)
    }

    /// Returns the names in every dependency table called one of `kinds`, those of single targets included.
    fn dependencies(&self, kinds: &[&str]) -> BTreeSet<String> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let by_target = targets.into_iter().flat_map(|targets| targets.values());
        let tables = by_target.filter_map(Value::as_table).chain([&self.table]);
        let mut names = BTreeSet::new();
        for table in tables {
            for kind in kinds {
                let listed = table.get(*kind).and_then(Value::as_table);
                names.extend(listed.into_iter().flat_map(|listed| listed.keys().cloned()));
            }
        }
        names
    }
}

/// Returns the crates of the workspace: all manifests with a package.
pub(crate) fn crates(manifests: &[Manifest]) -> impl Iterator<Item = &Manifest> {
    manifests
        .iter()
        .filter(|manifest| !manifest.name().is_empty())
}

/// Arrows between crates point down, and only where the picture has them.
pub(crate) fn arrows_point_down(manifests: &[Manifest]) -> Vec<Finding> {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, ..)| *name).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS
        .iter()
        .map(|(name, _, below)| (*name, *below))
        .collect();
    let mut findings = Vec::new();
    for manifest in crates(manifests) {
        let used =
            manifest.dependencies(&["dependencies", "dev-dependencies", "build-dependencies"]);
        let below = allowed.get(manifest.name()).copied().unwrap_or_default();
        let ours_used = used.iter().filter(|name| ours.contains(name.as_str()));
        for name in ours_used.filter(|name| !below.contains(&name.as_str())) {
            let what = format!(
                "uses `{name}`, an arrow that ARCHITECTURE.md does not have; move what is shared down"
            );
            findings.push(manifest.finding(what));
        }
    }
    findings
}

/// The crates are the ones of the picture, each in its folder.
pub(crate) fn crates_are_the_known_ones(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in crates(manifests) {
        let folder = manifest.path.trim_end_matches("/Cargo.toml");
        let is_known = ARROWS
            .iter()
            .any(|(name, at, _)| (*name, *at) == (manifest.name(), folder));
        if !is_known {
            let what = format!(
                "the crate `{}` is not in ARCHITECTURE.md's map; add it there and to tidy",
                manifest.name()
            );
            findings.push(manifest.finding(what));
        }
    }
    findings
}

/// Every crate says what it is, and takes licence and lints from the workspace.
pub(crate) fn crates_say_what_they_are(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in crates(manifests) {
        let description = manifest
            .package("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if description.len() < 20 {
            findings.push(
                manifest.finding("has no description; say in a sentence what the crate owns"),
            );
        }
        let from_workspace = |value: Option<&Value>| {
            value
                .and_then(|value| value.get("workspace"))
                .and_then(Value::as_bool)
                == Some(true)
        };
        if !from_workspace(manifest.package("license")) {
            findings.push(manifest.finding("write `license.workspace = true`"));
        }
        if !from_workspace(manifest.table.get("lints")) {
            findings.push(
                manifest
                    .finding("write `[lints]` with `workspace = true`, or no lint is denied here"),
            );
        }
    }
    findings
}

/// Crates keep away from what their purpose excludes.
pub(crate) fn crates_keep_to_their_purpose(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in crates(manifests) {
        let used = manifest.dependencies(&["dependencies", "build-dependencies"]);
        let never = NEVER.iter().filter(|(name, _)| *name == manifest.name());
        for banned in never
            .flat_map(|(_, banned)| *banned)
            .filter(|banned| used.contains(**banned))
        {
            let what = format!(
                "`{}` never uses `{banned}`; see ARCHITECTURE.md",
                manifest.name()
            );
            findings.push(manifest.finding(what));
        }
    }
    findings
}

/// Versions stand once, in the workspace's manifest.
pub(crate) fn versions_stand_once(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in crates(manifests) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let listed = manifest.table.get(kind).and_then(Value::as_table);
            for (name, value) in listed.into_iter().flatten() {
                if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                    let what = format!(
                        "`{name}`: write `{name}.workspace = true`, with the version in the root Cargo.toml"
                    );
                    findings.push(manifest.finding(what));
                }
            }
        }
    }
    findings
}
