//! Owns telling a service manager that the node is ready, or stopping.
//!
//! Never fails: without a manager there is nobody to tell.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Names the manager's socket; a leading `@` stands for a name outside the file system.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// What a manager is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The node serves.
    Ready,
    /// The node is about to end.
    Stopping,
}

/// Tells the service manager, where this process has one.
pub(crate) fn tell(news: News) {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return;
    };
    let message = match news {
        News::Ready => "READY=1",
        News::Stopping => "STOPPING=1",
    };
    if let Err(error) = send(name.as_bytes(), message) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

fn send(name: &[u8], message: &str) -> std::io::Result<()> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests;
