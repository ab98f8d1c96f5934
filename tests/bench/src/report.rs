//! Figures, held to their bars.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// How a figure stands to its bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is within.
    Met,
    /// It is not.
    Missed,
    /// There is none.
    Informative,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What came out.
    pub value: String,
    /// The bar, as the architecture words it.
    pub bar: String,
    /// How it stands to it.
    pub verdict: Verdict,
}

impl Figure {
    /// A figure that has to be within its bar.
    pub fn held(what: impl Into<String>, value: impl Into<String>, bar: impl Into<String>, met: bool) -> Self {
        let verdict = if met { Verdict::Met } else { Verdict::Missed };
        Self { what: what.into(), value: value.into(), bar: bar.into(), verdict }
    }

    /// A figure without a bar.
    pub fn told(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), bar: String::new(), verdict: Verdict::Informative }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Met => "met   ",
            Verdict::Missed => "MISSED",
            Verdict::Informative => "      ",
        };
        let bar = if self.bar.is_empty() { String::new() } else { format!("  (bar: {})", self.bar) };
        write!(f, "{verdict}  {:<58} {}{bar}", self.what, self.value)
    }
}

/// Prints the figures of one measurement.
///
/// # Errors
/// When nobody reads.
pub fn print(name: &str, figures: &[Figure]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n== {name}")?;
    for figure in figures {
        writeln!(out, "{figure}")?;
    }
    Ok(())
}

/// The middle of several values; the lower one of two. Nothing of nothing.
#[must_use]
pub fn median<T: Ord + Copy>(values: &[T]) -> Option<T> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// `12.34 ms`.
#[must_use]
pub fn millis(duration: Duration) -> String {
    format!("{} ms", decimals(duration.as_micros(), 1000))
}

/// `1.23 s`.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{} s", decimals(duration.as_micros(), 1_000_000))
}

/// `12.3 MB`, in mebibytes as `VmHWM` is meant.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", decimals(u128::from(bytes), 1 << 20))
}

/// `number / unit` with two decimals.
#[must_use]
pub fn decimals(number: u128, unit: u128) -> String {
    let hundredths = (number * 100 + unit / 2) / unit.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// How much of something was done in a second of `time`.
#[must_use]
pub fn per_second(number: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::from(number) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_one_of_the_values() {
        assert_eq!(median(&[5, 1, 9]), Some(5));
        assert_eq!(median(&[4, 1, 9, 5]), Some(4));
        assert_eq!(median::<u8>(&[]), None);
    }

    #[test]
    fn numbers_are_rounded_to_two_decimals() {
        assert_eq!(decimals(1_999, 1000), "2.00");
        assert_eq!(millis(Duration::from_micros(12_345)), "12.35 ms");
        assert_eq!(per_second(500, Duration::from_millis(250)), 2000);
    }
}
