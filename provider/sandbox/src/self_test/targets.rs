//! What the self test's worker attacks, and how the agent sees whether an attack arrived.
//!
//! It must never put anything of value within reach: every target is made for the test.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Attack;

/// The bytes that an attack on memory must bring back.
const CANARY: [u8; 16] = *b"nightshift-canry";
/// The file that is there to be read.
const READABLE: &str = "canary";
/// The file that must not appear.
const INTRUDER: &str = "intruder";

/// Where to aim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    folder: PathBuf,
    tcp: SocketAddr,
    udp: SocketAddr,
    abstract_name: String,
    agent: i32,
    memory: u64,
}

impl Targets {
    /// The folder that holds the canary file; open to everyone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn readable(&self) -> PathBuf {
        self.folder.join(READABLE)
    }

    pub(crate) fn readable_name(&self) -> &'static str {
        READABLE
    }

    pub(crate) fn intruder(&self) -> PathBuf {
        self.folder.join(INTRUDER)
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

    pub(crate) fn agent(&self) -> i32 {
        self.agent
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Says whether bytes read from the agent's memory are the canary.
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
    local: std::os::unix::net::UnixListener,
    _memory: Box<[u8; 16]>,
}

impl Watched {
    /// Makes the targets on this machine's loopback and in its temporary folder.
    ///
    /// # Errors
    /// A socket or a file that could not be made.
    pub fn set_up() -> io::Result<Self> {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.set_nonblocking(true)?;
        let memory = Box::new(CANARY);
        // The port is this machine's alone while the socket lives, so it makes a unique name.
        let abstract_name = format!("nightshift-self-test-{}", udp.local_addr()?.port());
        let folder = std::env::temp_dir().join(&abstract_name);
        let targets = Targets {
            folder,
            tcp: tcp.local_addr()?,
            udp: udp.local_addr()?,
            abstract_name,
            agent: i32::try_from(std::process::id()).unwrap_or(i32::MAX),
            memory: (&raw const *memory) as u64,
        };
        #[cfg(target_os = "linux")]
        let local = listen(targets.abstract_name())?;
        make_folder(&targets)?;
        Ok(Self {
            targets,
            tcp,
            udp,
            #[cfg(target_os = "linux")]
            local,
            _memory: memory,
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
            Attack::AbstractSocket => arrived(self.local.accept()),
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
fn listen(name: &str) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The folder and its file are open to every user, so that only the confinement stands between.
fn make_folder(targets: &Targets) -> io::Result<()> {
    // A folder of this name is a leftover: the port in it is ours now.
    let _ = fs::remove_dir_all(&targets.folder);
    fs::create_dir(&targets.folder)?;
    fs::write(targets.readable(), CANARY)?;
    open_to_all(&targets.folder, 0o777)?;
    open_to_all(&targets.readable(), 0o644)
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
