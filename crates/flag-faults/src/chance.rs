//! Chance that can be replayed: everything that a scenario leaves to chance follows from the seed that it prints first.

use std::time::Duration;

/// A source of numbers that are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The source that `label` has under `seed`. Tasks take one each, so that their order does not matter.
    pub(crate) fn new(seed: u64, label: &str) -> Self {
        Self(xxhash_rust::xxh64::xxh64(label.as_bytes(), seed))
    }

    /// The next number (splitmix64).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A place in a list of this length, which is not 0.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.place(choices.len())]
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time from `least` up to `most` milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_label_give_the_same_numbers_again() {
        let draw = |seed, label| {
            let mut chance = Chance::new(seed, label);
            [(); 8].map(|()| chance.below(1_000))
        };
        assert_eq!(draw(7, "writer 1"), draw(7, "writer 1"));
        assert_ne!(draw(7, "writer 1"), draw(7, "writer 2"));
        assert_ne!(draw(7, "writer 1"), draw(8, "writer 1"));
    }
}
