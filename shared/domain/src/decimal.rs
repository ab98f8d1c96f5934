//! Numbers of energy and money: decimals, never binary floats (contracts.md §6).
//!
//! Written as XML Schema's `decimal`: an optional sign, digits, and a decimal point that digits follow or precede.
//! `NaN`, `1,234.50`, `5e-3` and text are refused, each with its reason, rather than read as something.

use rust_decimal::Decimal;

/// Why a text is not a number. Its `Display` reads after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// There is no text at all.
    #[error("is empty where a number is needed")]
    Empty,
    /// Text, `NaN`, `INF`, a currency sign.
    #[error("is not a decimal number")]
    NotANumber,
    /// `1,234.50`, or a decimal comma: which one, nobody can tell.
    #[error("is not a plain decimal number: it has a comma, a space or another separator")]
    Separator,
    /// `5e-3`: the printed digits decide what a total may differ by, and an exponent hides them.
    #[error("is not a plain decimal number: it has an exponent")]
    Exponent,
    /// More digits than any meter has.
    #[error("has more than 28 digits")]
    TooLong,
}

/// Reads a decimal number, keeping the digits it was printed with (`5.00` has a scale of 2).
///
/// # Errors
///
/// The specific rule that the text breaks.
pub fn parse(text: &str) -> Result<Decimal, NumberFault> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match short(digits) {
        Some((mantissa, scale)) => {
            let signed = if text.starts_with('-') { -mantissa } else { mantissa };
            Ok(Decimal::new(signed, scale))
        }
        None => long(text, digits),
    }
}

/// The short way: up to 18 digits as an integer, and how many of them follow the point. `rust_decimal` reads the
/// same a good deal slower; a property test holds that both agree.
fn short(digits: &str) -> Option<(i64, u32)> {
    let (mut mantissa, mut scale, mut count, mut point) = (0_i64, 0_u32, 0_u32, false);
    for byte in digits.bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(digit));
            count += 1;
            scale += u32::from(point);
        } else if byte == b'.' && !point {
            point = true;
        } else {
            return None;
        }
    }
    (1..=18).contains(&count).then_some((mantissa, scale))
}

/// What is not a short plain number: a long one, or a reason.
fn long(text: &str, digits: &str) -> Result<Decimal, NumberFault> {
    if digits.is_empty() {
        return Err(if text.is_empty() { NumberFault::Empty } else { NumberFault::NotANumber });
    }
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let points = digits.bytes().filter(|byte| *byte == b'.').count();
    if plain && points <= 1 && digits != "." {
        return Decimal::from_str_exact(text.strip_suffix('.').unwrap_or(text))
            .ok()
            .filter(|_| digits.len() - points <= 28)
            .ok_or(NumberFault::TooLong);
    }
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    let all = |allowed: &[char]| digits.chars().all(|c| c.is_ascii_digit() || allowed.contains(&c));
    Err(match starts_with_digit {
        true if all(&['.', 'e', 'E', '-', '+']) && digits.contains(['e', 'E']) => NumberFault::Exponent,
        true if all(&['.', ',', ' ', '\'', '_', '\u{a0}', '\u{202f}', '\u{2019}']) && points <= 1 => {
            NumberFault::Separator
        }
        _ => NumberFault::NotANumber,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_keeps_its_sign_and_its_printed_digits() {
        for (text, printed) in [
            ("5.00", "5.00"),
            ("-0.25", "-0.25"),
            ("+7", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0012", "12"),
            ("123456789012345678901234.5678", "123456789012345678901234.5678"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), printed, "{text}");
        }
        assert_eq!(parse("-5.00").unwrap().scale(), 2);
    }

    #[test]
    fn each_text_that_is_no_number_is_refused_for_its_own_reason() {
        use NumberFault::*;
        for (text, fault) in [
            ("", Empty),
            ("NaN", NotANumber),
            ("INF", NotANumber),
            ("-", NotANumber),
            (".", NotANumber),
            ("--5", NotANumber),
            ("1.2.3", NotANumber),
            ("five", NotANumber),
            ("0x10", NotANumber),
            ("5 kWh", NotANumber),
            ("٥", NotANumber),
            ("1,234.50", Separator),
            ("5,00", Separator),
            ("1 234", Separator),
            (" 5", NotANumber),
            ("5 ", Separator),
            ("1_000", Separator),
            ("5e-3", Exponent),
            ("1E5", Exponent),
            ("12345678901234567890123456789", TooLong),
        ] {
            assert_eq!(parse(text), Err(fault), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_library_read_the_same(text in "[-+]?[0-9]{0,20}(\\.[0-9]{0,8})?") {
            if let Ok(number) = parse(&text) {
                let padded = if text.ends_with('.') { format!("{text}0") } else { text.clone() };
                prop_assert_eq!(number, Decimal::from_str_exact(&padded).unwrap());
            }
        }

        #[test]
        fn a_number_prints_as_it_was_read(mantissa: i64, scale in 0_u32..20) {
            let number = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse(&number.to_string()), Ok(number));
            prop_assert_eq!(parse(&number.to_string()).unwrap().scale(), scale);
        }
    }
}
