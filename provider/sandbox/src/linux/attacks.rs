//! What a hostile job would try, tried for real; each attempt says only whether it worked.
//!
//! It must never do harm where an attempt works: the targets are made for the purpose, and every
//! attempt ends at the point where its success is certain.

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::ExitCode;

use rustix::mount::{FsOpenFlags, fsopen};
use rustix::process::{Pid, test_kill_process};

use super::attack_calls as calls;
use super::enter::Confined;
use crate::frame::write_frame;
use crate::layer::{ConfineError, LayerName};
use crate::self_test::{Attack, Attempt, Outcome, Targets, Trial};

/// Runs the self test inside: attacks, locks, announces, attacks again, reports.
pub(super) fn run(confined: Confined, targets: &Targets) -> Result<ExitCode, ConfineError> {
    let without_seccomp = attempt_all(targets);
    let locked = confined.lock()?;
    let mut output = io::stdout().lock();
    let failed = |error| ConfineError::new(LayerName::Seccomp, "report the self test", error);
    locked.announce(&mut output).map_err(failed)?;
    let trial = Trial {
        without_seccomp,
        locked: attempt_all(targets),
    };
    let report = serde_json::to_vec(&trial).expect("a trial holds only names and numbers");
    write_frame(&mut output, &report).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Tries every attack on `targets`, in the order of [`Attack::ALL`]. It is public so that a test
/// can show that an unconfined process does get through.
#[must_use]
pub fn attempt_all(targets: &Targets) -> Vec<Attempt> {
    Attack::ALL
        .into_iter()
        .map(|attack| {
            let outcome = match attempt(attack, targets) {
                Ok(()) => Outcome::GotThrough,
                Err(error) => Outcome::Stopped(error.raw_os_error().unwrap_or(0)),
            };
            Attempt { attack, outcome }
        })
        .collect()
}

fn attempt(attack: Attack, targets: &Targets) -> io::Result<()> {
    match attack {
        Attack::ReadFile => std::fs::read(targets.readable()).map(drop),
        Attack::WriteFile => std::fs::write(targets.intruder(), "x"),
        Attack::LeakedDescriptor => calls::open_through_any_descriptor(targets.readable_name()),
        Attack::Tcp => TcpStream::connect(targets.tcp()).map(drop),
        Attack::Udp => send_datagram(targets),
        Attack::AbstractSocket => connect_abstract(targets),
        Attack::Signal => Ok(test_kill_process(agent(targets)?)?),
        Attack::Trace => calls::trace(targets.agent()),
        Attack::ReadMemory => read_memory(targets),
        Attack::Shell => calls::start_shell(),
        Attack::Fork => calls::start_process(),
        Attack::NestedNamespace => calls::nest_namespaces(),
        Attack::Mount => Ok(fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map(drop)?),
        Attack::IoUring => calls::set_up_ring(),
    }
}

fn agent(targets: &Targets) -> io::Result<Pid> {
    Pid::from_raw(targets.agent()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn send_datagram(targets: &Targets) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"x", targets.udp()).map(drop)
}

fn connect_abstract(targets: &Targets) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(targets.abstract_name())?;
    UnixStream::connect_addr(&address).map(drop)
}

/// Works only when the bytes read are the agent's: a process id may mean another one here.
fn read_memory(targets: &Targets) -> io::Result<()> {
    let bytes = calls::read_memory(targets.agent(), targets.memory())?;
    if Targets::is_canary(&bytes) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}
