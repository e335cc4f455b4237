//! Owns asking an adapter for an answer from beside whatever else uses it, as a game would.
//!
//! Never gives the adapter anything to compute: what it takes is the others' doing.

use std::time::Duration;

use crate::adapters::Adapter;
use crate::device::Session;
use crate::error::ProbeError;

/// A program on an adapter that has nothing for it to do. Calls block; give them a thread.
pub struct Echo {
    session: Session,
}

impl Echo {
    /// Opens the adapter.
    ///
    /// # Errors
    /// The device could not be opened.
    pub fn open(adapter: &Adapter) -> Result<Self, ProbeError> {
        let session = Session::open(adapter.handle())?;
        Ok(Self { session })
    }

    /// Submits nothing, and returns the time until the adapter says that it is done with it.
    ///
    /// # Errors
    /// The device was lost, or does not answer within 20 seconds.
    pub fn ask(&self) -> Result<Duration, ProbeError> {
        self.session.run(|_| ())
    }
}
