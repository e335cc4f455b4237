//! Owns which matrix kernel suits which adapter: what was found earlier, and the tournament that finds it.
//!
//! Never reads or writes a file: the caller stores the text. Never believes it either: a line that is not
//! understood is passed over, a kernel that is not known is searched anew, and what a remembered kernel computes is
//! checked like everything else.

pub(crate) mod candidates;
pub(crate) mod tournament;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use market::gpu::AdapterInfo;

use crate::METHOD_VERSION;
use crate::kernels::Multiply;

/// The most adapters that are remembered; a machine has a few, and a text from a file may have anything.
const MAX_ADAPTERS: usize = 64;

/// The kernels that earlier probes found fastest, one for each adapter, driver and version of the method.
///
/// Its text has one line an adapter: method, vendor, device, backend, name, driver and kernel, with tabs between.
/// Texts come in through `parse`, which takes any: what is not understood is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuning {
    kernels: BTreeMap<String, String>,
}

impl Tuning {
    /// Returns the name of the kernel that was found on this adapter, under this driver and this method.
    pub fn kernel(&self, adapter: &AdapterInfo) -> Option<&str> {
        self.kernels.get(&key(adapter)).map(String::as_str)
    }

    /// Takes the kernel of this adapter out: it is remembered once more only where its product proves right.
    pub(crate) fn take(&mut self, adapter: &AdapterInfo) -> Option<String> {
        self.kernels.remove(&key(adapter))
    }

    /// Remembers the kernel that was found on this adapter, unless too many others are remembered.
    pub(crate) fn remember(&mut self, adapter: &AdapterInfo, kernel: &Multiply) {
        self.insert(key(adapter), kernel.to_string());
    }

    fn insert(&mut self, key: String, kernel: String) {
        if self.kernels.len() < MAX_ADAPTERS || self.kernels.contains_key(&key) {
            self.kernels.insert(key, kernel);
        }
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kernels
            .iter()
            .try_for_each(|(key, kernel)| writeln!(f, "{key}\t{kernel}"))
    }
}

impl FromStr for Tuning {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut tuning = Self::default();
        let ours = format!("{METHOD_VERSION}\t");
        // What another version of the method found is of no use to this one.
        for line in text.lines().filter(|line| line.starts_with(&ours)) {
            if let Some((key, kernel)) = line.rsplit_once('\t')
                && key.matches('\t').count() == 5
            {
                tuning.insert(key.to_owned(), kernel.to_owned());
            }
        }
        Ok(tuning)
    }
}

/// Returns what a finding depends on. Labels have no control characters, so tabs divide them.
fn key(adapter: &AdapterInfo) -> String {
    let AdapterInfo {
        name,
        vendor_id,
        device_id,
        driver,
        backend,
        ..
    } = adapter;
    format!("{METHOD_VERSION}\t{vendor_id:04x}\t{device_id:04x}\t{backend}\t{name}\t{driver}")
}

#[cfg(test)]
mod tests;
