//! Tries every attack three ways: against all layers, without its layers, and against each of them alone.
//!
//! It must never excuse an attempt for what the sandbox does, only for what this machine does not have.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use sandbox::{
    Attack, DriverProfile, Finding, LayerName, Limits, LockedReport, Sandbox, Verdict, Watched,
    WorkerProgram,
};

use crate::tried::{Part, Tried};

/// The newest version of Landlock that the sandbox uses.
const NEWEST_LANDLOCK: u32 = 7;

/// How long one attack may take: a virtual machine without hardware of its own starts threads slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries everything, or one attack alone, and prints it as JSON.
pub(crate) fn run(only: Option<u8>) {
    let sandbox = sandbox();
    let report = sandbox
        .check(PATIENCE)
        .expect("a worker with all layers starts");
    let machine = Machine::look(&report.locked);
    assert!(
        report.locked.landlock_abi >= machine.landlock.min(NEWEST_LANDLOCK),
        "this kernel has Landlock {}, and the worker used {}",
        machine.landlock,
        report.locked.landlock_abi
    );
    let mut lines = Vec::new();
    for finding in &report.findings {
        lines.push(line(Part::Together, finding, String::new(), None));
    }
    let is_wanted = |attack: &Attack| only.is_none_or(|number| number == attack.number());
    for attack in Attack::all().filter(|attack| !attack.takes_a_job() && is_wanted(attack)) {
        lines.push(control(&sandbox, attack, &machine));
        for &layer in attack.layers() {
            lines.push(alone(&sandbox, attack, layer, &machine));
        }
    }
    println!("{}", serde_json::to_string(&lines).expect("plain data"));
}

/// Tries the attacks with this number against all layers, and nothing else.
pub(crate) fn run_one(number: u8) {
    for attack in Attack::all().filter(|attack| attack.number() == number) {
        let tried = attempt(&sandbox(), Part::Together, attack, String::new());
        println!("{tried}");
    }
}

fn sandbox() -> Sandbox {
    let program = WorkerProgram::this_binary(["worker", "none"]);
    Sandbox::new(program, DriverProfile::cpu(), Limits::default())
}

fn line(part: Part, finding: &Finding, layer: String, excuse: Option<String>) -> Tried {
    Tried {
        part,
        number: finding.attack.number(),
        attack: finding.attack.to_string(),
        layer,
        verdict: finding.verdict.as_str().to_owned(),
        evidence: finding.evidence.clone(),
        excuse,
    }
}

/// A line for an attempt that is not made.
fn excused(part: Part, attack: Attack, layer: String, excuse: String) -> Tried {
    let finding = Finding {
        attack,
        verdict: Verdict::NotApplicable,
        evidence: String::new(),
    };
    line(part, &finding, layer, Some(excuse))
}

fn attempt(sandbox: &Sandbox, part: Part, attack: Attack, layer: String) -> Tried {
    match sandbox.try_attack(attack, PATIENCE) {
        Ok(finding) => line(part, &finding, layer, None),
        Err(error) => {
            let finding = Finding {
                attack,
                verdict: Verdict::NotApplicable,
                evidence: error.to_string(),
            };
            line(part, &finding, layer, None)
        }
    }
}

/// The layers of an attack; the user namespace, without which there are no others and root stays root, goes too.
fn layers_of(attack: Attack) -> BTreeSet<LayerName> {
    let layers = attack.layers().iter().copied();
    layers.chain([LayerName::UserNamespace]).collect()
}

fn control(sandbox: &Sandbox, attack: Attack, machine: &Machine) -> Tried {
    let words = |layers: &[LayerName]| {
        let names = layers.iter().map(ToString::to_string);
        names.collect::<Vec<_>>().join(", ")
    };
    let layer = words(attack.layers());
    if let Some(excuse) = machine.lacks(attack) {
        return excused(Part::Control, attack, layer, excuse);
    }
    let without = sandbox.clone().without(layers_of(attack));
    attempt(&without, Part::Control, attack, layer)
}

fn alone(sandbox: &Sandbox, attack: Attack, layer: LayerName, machine: &Machine) -> Tried {
    let excuse = machine
        .lacks(attack)
        .or_else(|| machine.lacks_layer(attack, layer));
    if let Some(excuse) = excuse {
        return excused(Part::Alone, attack, layer.to_string(), excuse);
    }
    let mut left_out = layers_of(attack);
    left_out.remove(&layer);
    // What the user namespace carries: the other namespaces, and limits that root would not be held to.
    let carried = matches!(
        layer,
        LayerName::PidNamespace
            | LayerName::NetworkNamespace
            | LayerName::MountNamespace
            | LayerName::NestedNamespaces
            | LayerName::ResourceLimits
    );
    if carried {
        left_out.remove(&LayerName::UserNamespace);
    }
    let alone = sandbox.clone().without(left_out);
    attempt(&alone, Part::Alone, attack, layer.to_string())
}

/// Asks the kernel, not the worker, which version of Landlock it has; 0 for none.
fn landlock_version() -> u32 {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call reads no memory.
    #[expect(unsafe_code, reason = "no library asks for the version alone")]
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

/// What this machine and this user have.
struct Machine {
    landlock: u32,
    has_group: bool,
    has_device: bool,
    is_root: bool,
}

impl Machine {
    fn look(locked: &LockedReport) -> Self {
        let watched = Watched::set_up().expect("targets can be made");
        Self {
            landlock: landlock_version(),
            has_group: locked
                .layers
                .iter()
                .any(|layer| layer.name == LayerName::ControlGroup),
            has_device: watched.targets().device().is_some(),
            is_root: rustix::process::getuid().is_root(),
        }
    }

    /// Says why `attack` would not get through here even without its layers.
    fn lacks(&self, attack: Attack) -> Option<String> {
        let number = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            text.trim().parse::<i32>().ok()
        };
        let above = |path: &str, bound: i32| {
            let value = number(path).filter(|value| !self.is_root && *value > bound)?;
            Some(format!("{path} is {value}, so that only root may"))
        };
        let missing = |path: &str| {
            let words = || format!("this kernel has none ({path} is missing)");
            (!fs::exists(path).unwrap_or(false)).then(words)
        };
        match attack {
            Attack::Trace | Attack::ReadMemory => above("/proc/sys/kernel/yama/ptrace_scope", 0),
            Attack::IoUring => above("/proc/sys/kernel/io_uring_disabled", 0),
            Attack::KernelProgram => above("/proc/sys/kernel/unprivileged_bpf_disabled", 0),
            Attack::KeyRing => missing("/proc/keys"),
            Attack::PageFaults => missing("/proc/sys/vm/unprivileged_userfaultfd"),
            Attack::OtherDevice => {
                (!self.has_device).then(|| "no device is open to this user".to_owned())
            }
            Attack::TerminalInput => {
                let opened = fs::File::options().read(true).write(true).open("/dev/tty");
                opened
                    .err()
                    .map(|error| format!("there is no terminal: {error}"))
            }
            Attack::Downgrade => Some("its attacks have their own controls".to_owned()),
            Attack::EarlyBytes => Some("the handshake cannot be left out".to_owned()),
            _ => None,
        }
    }

    /// Says why `layer` alone does not stop `attack` here.
    fn lacks_layer(&self, attack: Attack, layer: LayerName) -> Option<String> {
        let needed = match (layer, attack) {
            (LayerName::Landlock, Attack::Tcp) => 4,
            (LayerName::Landlock, Attack::AbstractSocket | Attack::Signal) => 6,
            (LayerName::Landlock, _) => 1,
            _ => 0,
        };
        if self.landlock < needed {
            let has = self.landlock;
            return Some(format!("it takes Landlock {needed}; this kernel has {has}"));
        }
        let lacks_group = layer == LayerName::ControlGroup && !self.has_group;
        lacks_group.then(|| "no control group can be made here".to_owned())
    }
}
