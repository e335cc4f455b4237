//! Owns the modes: which integers the operands hold and how an entry is summed.
//!
//! Never knows where an element or an entry stands.

/// What kind of arithmetic a product asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// fp32: elements in [-4095, 4095], one fp32 accumulator an entry, `k` from zero upwards.
    F,
    /// Any precision: elements in [-255, 255], the exact integer sum in any order on any unit.
    I,
}

impl Mode {
    /// Returns the largest magnitude of an element. In mode F the square stays below 2^24, so products are exact
    /// in fp32; in mode I 256 products stay below 2^24.
    pub const fn operand_limit(self) -> i32 {
        match self {
            Self::F => 4_095,
            Self::I => 255,
        }
    }

    /// Maps a word of the generator to an element: `(((word >> 16) * (2 * limit + 1)) >> 16) - limit`, uniform to
    /// one part in eight in mode F and to one in 128 in mode I.
    pub const fn element(self, word: u32) -> i32 {
        let limit = self.operand_limit();
        let values = 2 * limit.unsigned_abs() + 1;
        (((word >> 16) * values) >> 16).cast_signed() - limit
    }

    /// Returns the byte that stands for the mode in messages and roots.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::F => 1,
            Self::I => 2,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        [Self::F, Self::I]
            .into_iter()
            .find(|mode| mode.code() == code)
    }

    /// Returns the bits of an entry: those of the fp32 sum in order of `k` in mode F, those of the two's complement
    /// sum in mode I.
    pub(crate) fn sum_bits(self, left: &[i16], right: &[i16]) -> u32 {
        let products = left
            .iter()
            .zip(right)
            .map(|(a, b)| i32::from(*a) * i32::from(*b));
        match self {
            // Every product is exact in fp32, so only the additions round.
            Self::F => products
                .fold(0.0_f32, |sum, product| sum + product as f32)
                .to_bits(),
            Self::I => products.fold(0_i32, i32::wrapping_add).cast_unsigned(),
        }
    }
}

#[cfg(test)]
mod tests;
