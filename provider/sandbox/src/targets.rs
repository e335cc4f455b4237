//! What the attacks aim at, and how the agent sees whether one arrived.
//!
//! It must never put anything of value within reach: every target is made for the attack, and goes with it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::private_folder::PrivateFolder;

/// The bytes that an attack on memory or files must bring back.
const CANARY: [u8; 16] = *b"nightshift-canry";
/// The start of the name of every folder and socket made here.
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
    /// The folder that holds the canary file; open to all users where the worker is another than the agent.
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
    _folder: PrivateFolder,
    _memory: Box<[u8; 16]>,
}

impl Watched {
    /// Makes the targets on this machine's loopback and in its temporary folder. Takes away what an agent that died
    /// left there.
    ///
    /// # Errors
    /// A socket or a file that could not be made, or a system without entropy.
    pub fn set_up() -> io::Result<Self> {
        let folder = PrivateFolder::make(PREFIX)?;
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
        let abstract_name = format!("{PREFIX}{port}-{mark:032x}");
        let is_open = |path: &&Path| File::options().read(true).open(path).is_ok();
        let targets = Targets {
            folder: folder.path().to_owned(),
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
        make_canary(&targets)?;
        #[cfg(target_os = "linux")]
        let local = listen(&targets)?;
        #[cfg(target_os = "linux")]
        if rustix::process::geteuid().is_root() {
            // Last, and sticky, so that nobody can put something else in a file's place.
            open_to_all(folder.handle(), 0o1777)?;
        }
        Ok(Self {
            tcp,
            udp,
            #[cfg(target_os = "linux")]
            local,
            _folder: folder,
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
            Attack::WriteFile => intruder(&self.targets).is_ok_and(|file| self.is_marked(file)),
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

    /// Says whether somebody else on this machine put something in the place that an attack aims at, so that nothing can be
    /// said of the attack.
    pub(crate) fn is_disturbed(&self) -> bool {
        match intruder(&self.targets) {
            Ok(file) => !self.is_marked(file),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
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

/// Opens the file that must not be there. Whatever else has its name, such as a pipe that nobody writes to, is an error
/// and no wait.
fn intruder(targets: &Targets) -> io::Result<File> {
    let path = targets.intruder();
    if !fs::symlink_metadata(&path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut options = File::options();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NONBLOCK | libc::O_NOFOLLOW,
    );
    options.open(path)
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

/// Makes the file that an attack is to read: open to all, so that only the confinement stands between.
fn make_canary(targets: &Targets) -> io::Result<()> {
    let (readable, _) = targets.readable();
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(readable)?;
    file.write_all(&CANARY)?;
    open_to_all(&file, 0o666)
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
