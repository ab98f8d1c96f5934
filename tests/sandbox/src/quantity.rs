//! Exact decimals: a whole number of units of ten to some negative power, as printed.

use crate::text::is_decimal;

/// A number as printed: `units` × 10^-`scale`. `33.00` and `33` are the same number, printed to
/// different digits.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    units: i128,
    scale: u32,
}

/// Digits that fit with room for sums.
const MOST_DIGITS: usize = 18;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// Reads a decimal.
    ///
    /// # Errors
    /// A sentence when it is none, or has more than 18 digits.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if !is_decimal(text) {
            return Err("is not a decimal number");
        }
        let digits: String = text.chars().filter(|it| *it != '.').collect();
        let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if digits.len() > MOST_DIGITS {
            return Err("has more than 18 digits");
        }
        let units = digits.parse().map_err(|_| "is not a decimal number")?;
        let scale = u32::try_from(scale).map_err(|_| "has more than 18 digits")?;
        Ok(Self { units, scale })
    }

    /// The sum of two numbers.
    pub fn plus(self, other: Self) -> Self {
        let scale = self.scale.max(other.scale);
        let units = self.at(scale).saturating_add(other.at(scale));
        Self { units, scale }
    }

    /// This number less another.
    pub fn minus(self, other: Self) -> Self {
        let units = other.units.saturating_neg();
        self.plus(Self { units, ..other })
    }

    /// One unit of the last printed digit.
    pub fn last_digit(self) -> Self {
        Self { units: 1, ..self }
    }

    /// Without its sign.
    pub fn size(self) -> Self {
        let units = self.units.saturating_abs();
        Self { units, ..self }
    }

    /// Whether this number is larger.
    pub fn exceeds(self, other: Self) -> bool {
        let scale = self.scale.max(other.scale);
        self.at(scale) > other.at(scale)
    }

    /// Its units at a finer scale.
    fn at(self, scale: u32) -> i128 {
        let factor = 10_i128.saturating_pow(scale.saturating_sub(self.scale));
        self.units.saturating_mul(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        Quantity::read(text).unwrap()
    }

    #[test]
    fn sums_are_exact_whatever_was_printed() {
        let sum = q("0.1").plus(q("0.20")).plus(q("-0.3"));
        assert!(!sum.size().exceeds(Quantity::ZERO));
        assert!(q("33.00").exceeds(q("32.999")));
        assert!(!q("33.00").exceeds(q("33")));
        assert!(q("-1").minus(q("-2")).exceeds(Quantity::ZERO));
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for bad in ["", "NaN", "1e3", "twelve", "1234567890.1234567890"] {
            assert!(Quantity::read(bad).is_err(), "{bad}");
        }
    }
}
