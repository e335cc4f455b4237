//! Linux: the launch order and the layers. One module a step; `sys.rs` has the raw calls.
//!
//! It must never let a step fail in silence: a layer that is required and missing ends the launch.

mod attack_calls;
mod attacks;
mod bombs;
mod cgroup;
mod enter;
mod evidence;
mod identity;
mod init;
mod landlock;
mod launcher;
mod limit;
mod namespaces;
mod process;
mod root;
mod seccomp;
mod second_agent;
mod sys;
mod trial;
mod watch;

pub use enter::{Confined, Locked, enter, enter_without_layers};
pub(crate) use process::{Killer, Process};
pub use seccomp::calls_after_lock;
pub(crate) use trial::try_alone;
pub use watch::Watch;
