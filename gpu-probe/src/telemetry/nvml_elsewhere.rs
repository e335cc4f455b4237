//! Owns the answer that NVIDIA's management library does not exist on this operating system.
//!
//! Never answers for a card: no value of [`Card`] can be made.

use market::gpu::AdapterInfo;

use super::{Silence, Telemetry};
use crate::activity::Load;

/// A card that the library knows; there is none.
pub(crate) enum Card {}

impl Card {
    /// Finds no library.
    pub(super) fn open(_adapter: &AdapterInfo) -> Result<Self, Silence> {
        Err(Silence::System)
    }

    /// Is never called.
    pub(super) fn read(&self) -> Telemetry {
        match *self {}
    }

    /// Is never called.
    pub(crate) fn loads(&mut self) -> Option<Vec<Load>> {
        match *self {}
    }
}
