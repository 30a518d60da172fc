//! Chance for invented data: the same on every run and machine.
//!
//! Only integers are drawn and compared, and the generator is our own, because neither `rand`'s small generator nor
//! floating-point functions promise the same values everywhere.

/// SplitMix64: small, and the same for ever.
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0, below a bound.
    pub fn below(&mut self, bound: i32) -> i32 {
        (self.roll() % bound.max(1) as u64) as i32
    }

    /// A number between two, both included.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below(high - low + 1)
    }

    /// Whether something of that chance in a hundred happens.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.per_mille(chance * 10)
    }

    /// Whether something of that chance in a thousand happens.
    pub fn per_mille(&mut self, chance: u32) -> bool {
        self.below(1000) < chance as i32
    }

    /// The position of one of several, by their weights.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum::<u32>() as i32) as u32;
        weights
            .clone()
            .position(|weight| {
                left < weight || {
                    left -= weight;
                    false
                }
            })
            .unwrap_or(0)
    }
}
