//! All chance comes from here. SplitMix64, written out, so that a seed means the same schedule with every toolchain and
//! every release of every library: seeds are kept as regression tests.

/// A stream of numbers that one seed decides.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A stream of its own: what it is used for does not disturb the others.
    pub fn fork(&mut self) -> Self {
        Self::new(self.roll())
    }

    /// From 0 up to, but not including, `end` (at least 1).
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// From `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// As [`Dice::between`], for counting things.
    pub fn count(&mut self, first: usize, last: usize) -> usize {
        let span = u64::try_from(last.saturating_sub(first)).unwrap_or(u64::MAX);
        first + usize::try_from(self.between(0, span)).unwrap_or(0)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, which is not empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let last = choices.len().saturating_sub(1);
        let chosen = self.count(0, last);
        choices.get(chosen).expect("there is something to pick from")
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = self.count(0, last);
            things.swap(last, other);
        }
    }
}
