//! What the attacks aim at, and how the agent sees whether one arrived.
//!
//! It must never put anything of value within reach: every target is made for the attack, and goes with it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::leftovers::left_by_the_dead;

/// The bytes that an attack on memory or files must bring back.
const CANARY: [u8; 16] = *b"nightshift-canry";
/// The start of the name of every folder made here; the agent's process id and a port follow.
const PREFIX: &str = "nightshift-self-test-";
/// How many arrivals are looked at; where more wait, somebody floods, and the attack says itself that it got through.
const MAX_ARRIVALS: usize = 1_000;
/// Devices that are open to everyone on most machines and that no profile names.
const OTHER_DEVICES: [&str; 4] = ["/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/net/tun"];

/// Where to aim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    folder: PathBuf,
    /// What an attack brings along, so that the agent knows it from whatever else comes by.
    mark: String,
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

    /// What an attack writes or sends; nobody but this worker and its agent knows it.
    pub(crate) fn mark(&self) -> &[u8] {
        self.mark.as_bytes()
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
    /// A socket or a file that could not be made, or a system without entropy.
    pub fn set_up() -> io::Result<Self> {
        for folder in left_by_the_dead(&std::env::temp_dir(), PREFIX) {
            // One of another user's stays.
            let _ = fs::remove_dir_all(folder);
        }
        let mut entropy = [0; 16];
        getrandom::fill(&mut entropy).map_err(io::Error::other)?;
        let mark = u128::from_le_bytes(entropy);
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.set_nonblocking(true)?;
        let memory = Box::new(CANARY);
        // The port is this machine's alone while the socket lives, so it makes a unique name.
        let port = udp.local_addr()?.port();
        let abstract_name = format!("{PREFIX}{}-{port}", std::process::id());
        let is_open = |path: &&Path| File::options().read(true).open(path).is_ok();
        let targets = Targets {
            folder: std::env::temp_dir().join(&abstract_name),
            mark: format!("{mark:032x}"),
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
        let folder = make_folder(&targets)?;
        #[cfg(target_os = "linux")]
        let local = listen(&targets)?;
        open_to_all(&folder, 0o1777)?;
        Ok(Self {
            tcp,
            udp,
            #[cfg(target_os = "linux")]
            local,
            _memory: memory,
            targets,
        })
    }

    /// Where to aim.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Looks whether `attack` arrived, with its mark. What cannot be seen from here counts as not seen.
    #[must_use]
    pub fn saw(&self, attack: Attack) -> bool {
        match attack {
            Attack::WriteFile => {
                let file = File::open(self.targets.intruder());
                file.is_ok_and(|file| self.is_marked(file))
            }
            Attack::Tcp => self.any_marked(|| {
                let (stream, _) = self.tcp.accept()?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            }),
            Attack::Udp => self.any_marked(|| {
                let mut datagram = [0; 64];
                let length = self.udp.recv(&mut datagram)?;
                Ok(io::Cursor::new(datagram[..length].to_vec()))
            }),
            #[cfg(target_os = "linux")]
            Attack::AbstractSocket => self.any_local(&self.local[0]),
            #[cfg(target_os = "linux")]
            Attack::PathSocket => self.any_local(&self.local[1]),
            _ => false,
        }
    }

    #[cfg(target_os = "linux")]
    fn any_local(&self, listener: &std::os::unix::net::UnixListener) -> bool {
        self.any_marked(|| {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        })
    }

    /// Looks at all that waits; others on this machine may have sent something too, but a bounded number of times.
    fn any_marked<Source: Read>(&self, next: impl Fn() -> io::Result<Source>) -> bool {
        let waiting = (0..MAX_ARRIVALS).map_while(|_| next().ok());
        waiting.into_iter().any(|source| self.is_marked(source))
    }

    fn is_marked(&self, source: impl Read) -> bool {
        let mark = self.targets.mark();
        let mut bytes = Vec::new();
        // What cannot be read to its end yet may have the mark all the same.
        let _ = source.take(mark.len() as u64).read_to_end(&mut bytes);
        bytes == mark
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.targets.folder);
    }
}

#[cfg(target_os = "linux")]
fn listen(targets: &Targets) -> io::Result<[std::os::unix::net::UnixListener; 2]> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    let name = SocketAddr::from_abstract_name(targets.abstract_name())?;
    let named = UnixListener::bind_addr(&name)?;
    let path = UnixListener::bind(targets.socket())?;
    // The folder is still this user's alone, so that nobody can put something else in the socket's place.
    fs::set_permissions(targets.socket(), fs::Permissions::from_mode(0o777))?;
    named.set_nonblocking(true)?;
    path.set_nonblocking(true)?;
    Ok([named, path])
}

/// Makes the folder, for this user alone, and the file in it, which is open to all. The folder is opened to all last, so
/// that only the confinement stands between; the file can then not be replaced by anybody else, since it is sticky.
fn make_folder(targets: &Targets) -> io::Result<File> {
    private_folder(&targets.folder)?;
    let folder = File::open(&targets.folder)?;
    let (readable, _) = targets.readable();
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(readable)?;
    file.write_all(&CANARY)?;
    open_to_all(&file, 0o666)?;
    Ok(folder)
}

#[cfg(unix)]
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Opens what a descriptor leads to, so that no name can be made to mean something else.
#[cfg(unix)]
fn open_to_all(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn open_to_all(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
