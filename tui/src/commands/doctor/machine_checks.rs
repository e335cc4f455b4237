//! Owns the checks of the machine: room on the disk, what computes, what confines jobs.
//!
//! Never measures a GPU; `probe` does.

use std::time::Duration;

use market::gpu::AdapterForm;
use market_node::disk;
use provider::Workplace;
use sandbox::{Limits, SandboxLevel};

use super::Patient;
use super::check::Check;
use crate::words;

/// How long the sandbox may take to attack itself.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Compares what is free with the reserve.
pub(super) fn disk(patient: &Patient) -> Check {
    let name = "disk";
    let folder = patient.home.path();
    let reserve = patient.settings.disk.reserve_bytes();
    match disk::free_bytes(folder) {
        Err(error) => Check::skipped(name, error),
        Ok(free) if free < reserve => Check::failed(
            name,
            format!(
                "{} free at {}, below the reserve of {}",
                words::bytes(free),
                folder.display(),
                words::bytes(reserve)
            ),
            "make room, for example by removing old outputs; or lower the reserve with `nightshift config set \
             disk.reserve_mib MIB`. Until then no new job and no new blob is taken",
        ),
        Ok(free) => Check::ok(
            name,
            format!(
                "{} free, {} in reserve",
                words::bytes(free),
                words::bytes(reserve)
            ),
        ),
    }
}

/// Looks at what only a seller needs.
pub(super) async fn selling() -> Vec<Check> {
    let looked = tokio::task::spawn_blocking(|| vec![gpu(), confinement()]).await;
    looked.unwrap_or_else(|_| {
        let advice =
            "report this; `nightshift sandbox check` and `nightshift probe` look at one thing each";
        vec![Check::failed(
            "sandbox",
            "looking at the machine broke off",
            advice,
        )]
    })
}

fn gpu() -> Check {
    let name = "gpu";
    let adapters = gpu_probe::adapters();
    let names: Vec<String> = adapters
        .iter()
        .map(|adapter| words::printable(adapter.info().name.as_str()))
        .collect();
    match adapters.first().map(|adapter| adapter.info().form) {
        None => Check::warning(
            name,
            "no adapter answers",
            "this machine can buy and not sell; to sell, install the vendor's Vulkan driver, or Mesa's for a \
             processor (on Debian: mesa-vulkan-drivers), and look again with `nightshift probe --quick`",
        ),
        Some(AdapterForm::Cpu) => Check::warning(
            name,
            format!("only a processor answers: {}", names.join(", ")),
            "it can sell in the classes of processors; if there is a card, install its vendor's Vulkan driver",
        ),
        Some(_) => sellable(names.join(", ")),
    }
}

/// Says whether the sandbox knows the driver of the card that would be sold.
fn sellable(names: String) -> Check {
    let name = "gpu";
    let Ok(adapter) = gpu_probe::best_adapter() else {
        return Check::ok(name, names);
    };
    match provider::driver_of(adapter.info()) {
        Ok(_driver) => Check::ok(name, names),
        Err(error) => Check::warning(
            name,
            format!("{names}; nothing is offered on it: {error}"),
            "the handbook's chapter on the sandbox, \"When a layer is missing\", says how to sell the processor \
             meanwhile and how to prove a profile",
        ),
    }
}

fn confinement() -> Check {
    let name = "sandbox";
    // Whether a card's driver is known well enough is the check before this one; without it the processor may be sold.
    let workplace = gpu_probe::best_adapter().map(|adapter| Workplace::of(adapter.info()));
    let workplace = match workplace {
        Ok(Ok(workplace)) => workplace,
        Ok(Err(_)) | Err(_) => Workplace::processor(),
    };
    match workplace.sandbox(Limits::default()).self_test(TIMEOUT) {
        Err(error) => Check::warning(
            name,
            format!("jobs cannot be confined: {error}"),
            "this machine can buy and not sell until that layer is there; `nightshift sandbox check` tries again",
        ),
        Ok(report) if report.level == SandboxLevel::Closed => Check::failed(
            name,
            "an attack got through; this machine offers nothing",
            "`nightshift sandbox check` shows which",
        ),
        Ok(report) => {
            let (layers, attacks) = (report.locked.layers.len(), report.rows.len());
            Check::ok(
                name,
                format!("{layers} layers hold against {attacks} attacks"),
            )
        }
    }
}
