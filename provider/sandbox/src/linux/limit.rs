//! Limits that the kernel keeps for each process.
//!
//! It must never use `RLIMIT_AS`: GPU drivers reserve huge address ranges that they never touch.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{LaunchConfig, MemoryKeeper};
use crate::layer::{ConfineError, LayerName};

/// Lowers the limits. Must run inside the new user namespace, because the kernel counts
/// processes within it.
pub(super) fn apply(config: &LaunchConfig) -> Result<(), ConfineError> {
    for (resource, value) in wanted(config) {
        lower(resource, value).map_err(|error| {
            ConfineError::new(
                LayerName::ResourceLimits,
                format!("setrlimit {resource:?} to {value}"),
                error,
            )
        })?;
    }
    Ok(())
}

/// Checks from inside that every limit holds, and says so.
pub(super) fn observe(config: &LaunchConfig) -> Result<String, String> {
    let mut words = Vec::new();
    for (resource, value) in wanted(config) {
        match getrlimit(resource).maximum {
            Some(maximum) if maximum <= value => words.push(format!("{resource:?} {maximum}")),
            other => return Err(format!("{resource:?} is {other:?}, over {value}")),
        }
    }
    Ok(words.join(", "))
}

/// The limits of `config`. A file may be as large as memory, since drivers keep device memory in
/// unnamed files; the scratch folder has its own, smaller bound.
fn wanted(config: &LaunchConfig) -> Vec<(Resource, u64)> {
    let limits = &config.limits;
    let seconds = limits.cpu_time.as_secs() + u64::from(limits.cpu_time.subsec_nanos() > 0);
    let mut wanted = vec![
        // The kernel holds a crash handler behind a pipe to no limit, 0 included, but to 1, which no dump fits in.
        (Resource::Core, 1),
        (Resource::Cpu, seconds),
        (Resource::Fsize, limits.memory_bytes),
        (Resource::Nofile, u64::from(limits.open_files)),
        (Resource::Nproc, u64::from(limits.processes) + 2),
    ];
    if config.memory_keeper == MemoryKeeper::ResourceLimit {
        wanted.push((Resource::Data, limits.memory_bytes));
    }
    wanted
}

fn lower(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let maximum = getrlimit(resource)
        .maximum
        .map_or(value, |old| old.min(value));
    setrlimit(
        resource,
        Rlimit {
            current: Some(maximum),
            maximum: Some(maximum),
        },
    )
}
