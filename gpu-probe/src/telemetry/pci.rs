//! Owns the address of a card on the PCI bus, in each of the spellings that drivers use.
//!
//! Never guesses a part: a text that is no whole address is none.

use std::fmt;

/// Where a card sits: domain, bus, device, function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    /// Reads `0000:01:00.0`, `00000000:01:00.0` (NVIDIA's) or `01:00.0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (place, function) = text.trim().rsplit_once('.')?;
        let (place, device) = place.rsplit_once(':')?;
        let (domain, bus) = place.rsplit_once(':').unwrap_or(("0", place));
        let byte = |text: &str| {
            let is_short = (1..=2).contains(&text.len()) && is_hexadecimal(text);
            is_short.then(|| u8::from_str_radix(text, 16).ok())?
        };
        let domain = is_hexadecimal(domain).then(|| u32::from_str_radix(domain, 16).ok())?;
        Some(Self {
            domain: domain?,
            bus: byte(bus)?,
            device: byte(device).filter(|device| *device < 32)?,
            function: byte(function).filter(|function| *function < 8)?,
        })
    }
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for PciAddress {
    /// Writes the address as the kernel names folders.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

#[cfg(test)]
mod tests;
