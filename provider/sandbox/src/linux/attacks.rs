//! The attacks that a few calls make, tried for real; each attempt says only whether it worked.
//!
//! It must never do harm where an attempt works: the targets are made for the purpose, and every
//! attempt ends at the point where its success is certain.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::process::{Pid, test_kill_process};

use super::attack_calls as calls;
use super::enter::Confined;
use super::root;
use crate::attack::Attack;
use crate::frame::write_frame;
use crate::layer::{ConfineError, LayerName};
use crate::self_test::{Attempt, Outcome, Trial};
use crate::targets::Targets;

/// Tries `attacks`, locks, announces, tries them again, reports, and stays until the agent closes its end: what only the
/// agent can observe, it may look for after the report was written.
pub(super) fn run(
    confined: Confined,
    attacks: &[Attack],
    targets: &Targets,
) -> Result<ExitCode, ConfineError> {
    // An attempt can change what a later one meets, so that a control is tried once only.
    let tried_twice = confined.has_every_layer();
    let without_seccomp = tried_twice.then(|| attempt_all(attacks, targets));
    let locked = confined.lock()?;
    let mut output = io::stdout().lock();
    let failed = |error| ConfineError::new(LayerName::Seccomp, "report the self test", error);
    locked.announce(&mut output).map_err(failed)?;
    let trial = Trial {
        without_seccomp,
        locked: attempt_all(attacks, targets),
    };
    let report = serde_json::to_vec(&trial).expect("a trial holds only names and numbers");
    write_frame(&mut output, &report).map_err(failed)?;
    io::stdin()
        .read_to_end(&mut Vec::new())
        .map_err(|error| failed(error.into()))?;
    Ok(ExitCode::SUCCESS)
}

fn attempt_all(attacks: &[Attack], targets: &Targets) -> Vec<Attempt> {
    let attempts = attacks.iter().map(|&attack| {
        // Only the system stops anything: an error without its number is none.
        let errno = attempt(attack, targets)
            .err()
            .and_then(|error| error.raw_os_error());
        let outcome = errno.map_or(Outcome::GotThrough, Outcome::Stopped);
        Attempt { attack, outcome }
    });
    attempts.collect()
}

fn attempt(attack: Attack, targets: &Targets) -> io::Result<()> {
    match attack {
        Attack::ReadFile => read_through(&targets.readable().0),
        Attack::WriteFile => fs::write(targets.intruder(), targets.mark()),
        Attack::SymbolicLink => follow_link(targets),
        Attack::HardLink => link_hard(targets),
        Attack::LeakedDescriptor => calls::open_through_any_descriptor(targets.readable().1),
        Attack::Tcp => TcpStream::connect(targets.tcp())?.write_all(targets.mark()),
        Attack::Udp => send_datagram(targets),
        Attack::AbstractSocket => connect_abstract(targets),
        Attack::PathSocket => UnixStream::connect(targets.socket())?.write_all(targets.mark()),
        Attack::Signal => Ok(test_kill_process(agent(targets)?)?),
        Attack::Trace => calls::trace(targets.agent()),
        Attack::ReadMemory => read_memory(targets),
        Attack::Shell => calls::start_shell(),
        Attack::NestedNamespace => calls::nest_namespaces(),
        Attack::IoUring => calls::set_up_ring(),
        Attack::KernelProgram => calls::load_program(),
        Attack::KeyRing => calls::join_key_ring(),
        Attack::PageFaults => calls::handle_page_faults(),
        Attack::OtherDevice => open_device(targets.device().unwrap_or(Path::new("/dev/ptmx"))),
        Attack::TerminalInput => open_device(Path::new("/dev/tty")),
        _ => unreachable!("{attack} takes a worker of its own"),
    }
}

/// Works where anything is read: whoever can change what is in the file does not make it less readable.
fn read_through(path: &Path) -> io::Result<()> {
    fs::read(path).map(drop)
}

/// The folder in which a worker can make things, if in any: its scratch, or the targets' where nothing confines it.
pub(super) fn writable(targets: &Targets) -> PathBuf {
    let scratch = Path::new(root::SCRATCH);
    match scratch.is_dir() {
        true => scratch.to_owned(),
        false => targets.folder().to_owned(),
    }
}

fn follow_link(targets: &Targets) -> io::Result<()> {
    let link = writable(targets).join("symbolic");
    // Left by the attempt before the lock.
    let _ = fs::remove_file(&link);
    symlink(targets.readable().0, &link)?;
    read_through(&link)
}

fn link_hard(targets: &Targets) -> io::Result<()> {
    let link = writable(targets).join("hard");
    // Left by the attempt before the lock.
    let _ = fs::remove_file(&link);
    fs::hard_link(targets.readable().0, &link)?;
    read_through(&link)
}

/// What is typed into an open terminal cannot be taken back, so that opening is where it ends.
fn open_device(path: &Path) -> io::Result<()> {
    File::options().read(true).write(true).open(path).map(drop)
}

fn agent(targets: &Targets) -> io::Result<Pid> {
    Pid::from_raw(targets.agent()).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn send_datagram(targets: &Targets) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(targets.mark(), targets.udp()).map(drop)
}

fn connect_abstract(targets: &Targets) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(targets.abstract_name())?;
    UnixStream::connect_addr(&address)?.write_all(targets.mark())
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
