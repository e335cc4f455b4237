//! What the attacks aim at, and how the agent sees whether one arrived.
//!
//! It must never put anything of value within reach: every target is made for the attack, and goes with it.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::attack::Attack;

/// The bytes that an attack on memory or files must bring back.
const CANARY: [u8; 16] = *b"nightshift-canry";
/// The start of the name of every folder made here; the agent's process id and a port follow.
const PREFIX: &str = "nightshift-self-test-";
/// Devices that are open to everyone on most machines and that no profile names.
const OTHER_DEVICES: [&str; 4] = ["/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/net/tun"];

/// Where to aim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    folder: PathBuf,
    tcp: SocketAddr,
    udp: SocketAddr,
    abstract_name: String,
    device: Option<PathBuf>,
    agent: i32,
    memory: u64,
}

impl Targets {
    /// The folder that holds the canary file; open to everyone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that is there to be read; its name alone is the second value.
    pub(crate) fn readable(&self) -> (PathBuf, &'static str) {
        (self.folder.join("canary"), "canary")
    }

    /// The file that must not appear.
    pub(crate) fn intruder(&self) -> PathBuf {
        self.folder.join("intruder")
    }

    /// The socket that nobody may connect to.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.udp
    }

    pub(crate) fn abstract_name(&self) -> &str {
        &self.abstract_name
    }

    /// A device that everyone can open outside; `None` where this machine has none of those known.
    #[must_use]
    pub fn device(&self) -> Option<&Path> {
        self.device.as_deref()
    }

    pub(crate) fn agent(&self) -> i32 {
        self.agent
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Says whether bytes that were read are the canary.
    pub(crate) fn is_canary(bytes: &[u8]) -> bool {
        bytes == CANARY
    }
}

/// Live targets; dropping them takes the files away.
#[derive(Debug)]
pub struct Watched {
    targets: Targets,
    tcp: TcpListener,
    udp: UdpSocket,
    #[cfg(target_os = "linux")]
    local: [std::os::unix::net::UnixListener; 2],
    _memory: Box<[u8; 16]>,
}

impl Watched {
    /// Makes the targets on this machine's loopback and in its temporary folder. Takes away what an agent that died
    /// left there.
    ///
    /// # Errors
    /// A socket or a file that could not be made.
    pub fn set_up() -> io::Result<Self> {
        sweep(&std::env::temp_dir());
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.set_nonblocking(true)?;
        let memory = Box::new(CANARY);
        // The port is this machine's alone while the socket lives, so it makes a unique name.
        let port = udp.local_addr()?.port();
        let abstract_name = format!("{PREFIX}{}-{port}", std::process::id());
        let is_open = |path: &&Path| fs::File::options().read(true).open(path).is_ok();
        let targets = Targets {
            folder: std::env::temp_dir().join(&abstract_name),
            tcp: tcp.local_addr()?,
            udp: udp.local_addr()?,
            abstract_name,
            device: OTHER_DEVICES
                .iter()
                .map(Path::new)
                .find(is_open)
                .map(Path::to_owned),
            agent: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
            memory: (&raw const *memory) as u64,
        };
        make_folder(&targets)?;
        Ok(Self {
            tcp,
            udp,
            #[cfg(target_os = "linux")]
            local: listen(&targets)?,
            _memory: memory,
            targets,
        })
    }

    /// Where to aim.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Looks whether `attack` arrived. What cannot be seen from here counts as not seen.
    #[must_use]
    pub fn saw(&self, attack: Attack) -> bool {
        match attack {
            Attack::WriteFile => self.targets.intruder().exists(),
            Attack::Tcp => arrived(self.tcp.accept()),
            Attack::Udp => arrived(self.udp.recv(&mut [0; 64])),
            #[cfg(target_os = "linux")]
            Attack::AbstractSocket => arrived(self.local[0].accept()),
            #[cfg(target_os = "linux")]
            Attack::PathSocket => arrived(self.local[1].accept()),
            _ => false,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.targets.folder);
    }
}

/// Nothing waiting is the only proof that nothing came.
fn arrived<T>(answer: io::Result<T>) -> bool {
    !matches!(answer, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[cfg(target_os = "linux")]
fn listen(targets: &Targets) -> io::Result<[std::os::unix::net::UnixListener; 2]> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let name = SocketAddr::from_abstract_name(targets.abstract_name())?;
    let named = UnixListener::bind_addr(&name)?;
    let path = UnixListener::bind(targets.socket())?;
    open_to_all(&targets.socket(), 0o777)?;
    named.set_nonblocking(true)?;
    path.set_nonblocking(true)?;
    Ok([named, path])
}

/// The folder and its file are open to every user, so that only the confinement stands between.
fn make_folder(targets: &Targets) -> io::Result<()> {
    fs::create_dir(&targets.folder)?;
    let (readable, _) = targets.readable();
    fs::write(&readable, CANARY)?;
    open_to_all(&targets.folder, 0o777)?;
    open_to_all(&readable, 0o666)
}

/// Removes the folders of agents that are gone. What belongs to another user stays.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(unix)]
fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_all(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
