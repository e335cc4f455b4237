//! Owns what makers publish of well-known cards, so that a measurement can be looked at beside it.
//!
//! Never decides anything: a class is made of what was measured.
//!
//! Sources, read in November 2026: the makers' product pages and architecture papers. NVIDIA: pages of the GeForce 10,
//! 20, 30, 40 and 50 series, data sheets of Tesla P40, V100, A10, A100, L4, L40S, H100 and H200. AMD: product pages of
//! the Radeon RX series. Intel: product specifications (ARK) of Arc A770 and B580. Peaks are shading units times boost
//! clock times operations a clock: two where a unit does one fused multiply-add, four where it can issue two (RDNA 3 on).

use market::gpu::{AdapterKind, ClassError, GpuClass, Measured, assign};

const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;
const INTEL: u32 = 0x8086;

/// What part of the peak a good matrix multiplication reaches, in percent: cuBLAS does 14.9 of 21.1 TFLOP/s on a
/// GeForce RTX 5060 in fp32.
const USUAL_PERCENT: u64 = 70;

/// What a driver and a desktop keep of a card's memory, in bytes.
const KEPT_BYTES: u64 = 512 << 20;

/// What its maker publishes of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedCard {
    /// The model, as drivers end its name.
    pub name: &'static str,
    /// The vendor's PCI id.
    pub vendor_id: u32,
    /// fp32 peak in MFLOP/s.
    pub peak_fp32_mflops: u64,
    /// Memory bandwidth in MiB a second.
    pub memory_mib_per_s: u64,
    /// Memory in GiB.
    pub memory_gib: u16,
    /// Board power in watts.
    pub power_w: u16,
}

impl PublishedCard {
    /// Finds the card that a driver calls `name`.
    pub fn find(vendor_id: u32, name: &str) -> Option<&'static Self> {
        let mut cards = PUBLISHED.iter();
        cards.find(|card| card.vendor_id == vendor_id && is_called(name, card.name))
    }

    /// Returns what a card of this kind usually multiplies matrices at, in MFLOP/s: seven tenths of its peak.
    pub const fn usual_gemm_mflops(&self) -> u64 {
        self.peak_fp32_mflops * USUAL_PERCENT / 100
    }

    /// Returns the class that a card of this kind usually has: seven tenths of its peak, and all its memory but what a
    /// driver and a desktop keep.
    ///
    /// # Errors
    /// None of those in [`PUBLISHED`] fails.
    pub fn usual_class(&self) -> Result<GpuClass, ClassError> {
        let bytes = u64::from(self.memory_gib) << 30;
        let measured = Measured {
            kind: AdapterKind::Gpu,
            gemm_fp32_mflops: self.usual_gemm_mflops(),
            usable_memory_bytes: bytes.saturating_sub(KEPT_BYTES),
        };
        assign(measured, None)
    }
}

/// Tells whether a driver's name for a card is this model's: the model is in it, and nothing follows that makes it
/// another one, as `Ti` does.
fn is_called(name: &str, model: &str) -> bool {
    let Some((before, after)) = name.split_once(model) else {
        return false;
    };
    let begins = before.is_empty() || before.ends_with(' ');
    let words: Vec<&str> = after.split_whitespace().collect();
    let other = [
        "Ti", "SUPER", "XT", "XTX", "Laptop", "Mobile", "Max-Q", "D", "GRE", "NVL",
    ];
    begins
        && (after.is_empty() || after.starts_with(' '))
        && !words.iter().any(|word| other.contains(word))
}

const fn card(
    name: &'static str,
    vendor_id: u32,
    (units, boost_mhz, operations): (u64, u64, u64),
    (gb_per_s, memory_gib): (u64, u16),
    power_w: u16,
) -> PublishedCard {
    PublishedCard {
        name,
        vendor_id,
        peak_fp32_mflops: units * boost_mhz * operations,
        memory_mib_per_s: gb_per_s * 1_000_000_000 / (1 << 20),
        memory_gib,
        power_w,
    }
}

/// Well-known cards: shading units, boost clock in MHz and operations a clock; GB a second and GiB; watts.
#[rustfmt::skip]
pub const PUBLISHED: &[PublishedCard] = &[
    card("GeForce GTX 1060 6GB", NVIDIA, (1280, 1708, 2), (192, 6), 120),
    card("GeForce GTX 1080 Ti", NVIDIA, (3584, 1582, 2), (484, 11), 250),
    card("GeForce RTX 2060", NVIDIA, (1920, 1680, 2), (336, 6), 160),
    card("GeForce RTX 2080 Ti", NVIDIA, (4352, 1545, 2), (616, 11), 250),
    card("GeForce RTX 3060", NVIDIA, (3584, 1777, 2), (360, 12), 170),
    card("GeForce RTX 3060 Ti", NVIDIA, (4864, 1665, 2), (448, 8), 200),
    card("GeForce RTX 3070", NVIDIA, (5888, 1725, 2), (448, 8), 220),
    card("GeForce RTX 3080", NVIDIA, (8704, 1710, 2), (760, 10), 320),
    card("GeForce RTX 3090", NVIDIA, (10496, 1695, 2), (936, 24), 350),
    card("GeForce RTX 4060", NVIDIA, (3072, 2460, 2), (272, 8), 115),
    card("GeForce RTX 4060 Ti", NVIDIA, (4352, 2535, 2), (288, 8), 160),
    card("GeForce RTX 4070", NVIDIA, (5888, 2475, 2), (504, 12), 200),
    card("GeForce RTX 4070 Ti", NVIDIA, (7680, 2610, 2), (504, 12), 285),
    card("GeForce RTX 4080", NVIDIA, (9728, 2505, 2), (717, 16), 320),
    card("GeForce RTX 4090", NVIDIA, (16384, 2520, 2), (1008, 24), 450),
    card("GeForce RTX 5060", NVIDIA, (3840, 2497, 2), (448, 8), 145),
    card("GeForce RTX 5060 Ti", NVIDIA, (4608, 2572, 2), (448, 16), 180),
    card("GeForce RTX 5070", NVIDIA, (6144, 2512, 2), (672, 12), 250),
    card("GeForce RTX 5070 Ti", NVIDIA, (8960, 2452, 2), (896, 16), 300),
    card("GeForce RTX 5080", NVIDIA, (10752, 2617, 2), (960, 16), 360),
    card("GeForce RTX 5090", NVIDIA, (21760, 2407, 2), (1792, 32), 575),
    card("Tesla P40", NVIDIA, (3840, 1531, 2), (347, 24), 250),
    card("Tesla V100-PCIE-16GB", NVIDIA, (5120, 1380, 2), (900, 16), 250),
    card("A10", NVIDIA, (9216, 1695, 2), (600, 24), 150),
    card("A100 80GB PCIe", NVIDIA, (6912, 1410, 2), (1935, 80), 300),
    card("L4", NVIDIA, (7424, 2040, 2), (300, 24), 72),
    card("L40S", NVIDIA, (18176, 2520, 2), (864, 48), 350),
    card("H100 80GB HBM3", NVIDIA, (16896, 1980, 2), (3350, 80), 700),
    card("H200", NVIDIA, (16896, 1980, 2), (4800, 141), 700),
    card("Radeon RX 580", AMD, (2304, 1340, 2), (256, 8), 185),
    card("Radeon RX 5700 XT", AMD, (2560, 1905, 2), (448, 8), 225),
    card("Radeon RX 6600 XT", AMD, (2048, 2589, 2), (256, 8), 160),
    card("Radeon RX 6700 XT", AMD, (2560, 2581, 2), (384, 12), 230),
    card("Radeon RX 6800 XT", AMD, (4608, 2250, 2), (512, 16), 300),
    card("Radeon RX 6900 XT", AMD, (5120, 2250, 2), (512, 16), 300),
    card("Radeon RX 7600", AMD, (2048, 2655, 4), (288, 8), 165),
    card("Radeon RX 7800 XT", AMD, (3840, 2430, 4), (624, 16), 263),
    card("Radeon RX 7900 XT", AMD, (5376, 2400, 4), (800, 20), 315),
    card("Radeon RX 7900 XTX", AMD, (6144, 2500, 4), (960, 24), 355),
    card("Radeon RX 9070 XT", AMD, (4096, 2970, 4), (640, 16), 304),
    card("Arc A770", INTEL, (4096, 2400, 2), (560, 16), 225),
    card("Arc B580", INTEL, (2560, 2670, 2), (456, 12), 190),
];

#[cfg(test)]
mod tests;
