//! Percentages with at most three decimals, read digit by digit: no float decides who is in a rollout.

use core::fmt;
use core::str::FromStr;

use crate::bucket::{BUCKETS, Bucket};
use crate::invalid::Invalid;

/// A share from 0 to 100 per cent in steps of a thousandth of one per cent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Percentage(u32);

impl Percentage {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(BUCKETS);

    /// Takes thousandths of one per cent, 0 to 100,000.
    ///
    /// # Errors
    /// [`Invalid::OutOfRange`] above 100,000.
    pub fn from_thousandths(thousandths: u32) -> Result<Self, Invalid> {
        if thousandths > BUCKETS { Err(Invalid::OutOfRange) } else { Ok(Self(thousandths)) }
    }

    /// Thousandths of one per cent, 0 to 100,000.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        self.0
    }

    /// Whether a rollout of this share holds `bucket`. Raising the share never lets a bucket go.
    #[must_use]
    #[inline]
    pub fn holds(self, bucket: Bucket) -> bool {
        bucket.number() < self.0
    }
}

impl FromStr for Percentage {
    type Err = Invalid;

    /// Reads a decimal number as JSON writes it, exponent included: `33.333`, `50`, `5e1`.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        if [whole, fraction].iter().any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Invalid::NotANumber);
        }
        let exponent = read_exponent(exponent)?;
        let point = i64::try_from(whole.len()).map_err(|_| Invalid::OutOfRange)?.saturating_add(exponent);

        // Every digit has a weight; the thousandths are the digits up to the third behind the (shifted) point.
        let mut thousandths: u32 = 0;
        let mut zero = true;
        for (position, digit) in (0i64..).zip(whole.bytes().chain(fraction.bytes())) {
            let digit = u32::from(digit - b'0');
            zero &= digit == 0;
            if zero {
                continue;
            }
            let power = point.saturating_add(2).saturating_sub(position);
            if power > 5 {
                return Err(Invalid::OutOfRange);
            }
            match u32::try_from(power) {
                Ok(power) => thousandths += digit * 10u32.pow(power),
                Err(_) if digit == 0 => {}
                Err(_) if thousandths >= BUCKETS => return Err(Invalid::OutOfRange),
                Err(_) if negative => return Err(Invalid::OutOfRange),
                Err(_) => return Err(Invalid::TooPrecise),
            }
        }
        if negative && !zero {
            return Err(Invalid::OutOfRange);
        }
        Self::from_thousandths(thousandths)
    }
}

/// Reads the digits behind `e`; an exponent beyond any number that could count is cut off, not refused.
fn read_exponent(text: &str) -> Result<i64, Invalid> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::NotANumber);
    }
    let size = digits
        .bytes()
        .fold(0i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Ok(if negative { -size } else { size })
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000, self.0 % 1_000);
        match fraction {
            0 => write!(f, "{whole}"),
            _ if fraction % 100 == 0 => write!(f, "{whole}.{}", fraction / 100),
            _ if fraction % 10 == 0 => write!(f, "{whole}.{:02}", fraction / 10),
            _ => write!(f, "{whole}.{fraction:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_percentage_is_read_exactly_or_refused() {
        let rows = [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-0.000", Ok(0)),
            ("0.001", Ok(1)),
            ("33.333", Ok(33_333)),
            ("33.3330", Ok(33_333)),
            ("100", Ok(100_000)),
            ("100.000", Ok(100_000)),
            ("5e1", Ok(50_000)),
            ("5E+1", Ok(50_000)),
            ("500e-1", Ok(50_000)),
            ("0.5e2", Ok(50_000)),
            ("0e999999999999999999999", Ok(0)),
            ("1e-3", Ok(1)),
            ("00000000000000000000050", Ok(50_000)),
            ("33.3333", Err(Invalid::TooPrecise)),
            ("33.33300000000000000001", Err(Invalid::TooPrecise)),
            ("1e-4", Err(Invalid::TooPrecise)),
            ("1e-99999999999999999999", Err(Invalid::TooPrecise)),
            ("100.001", Err(Invalid::OutOfRange)),
            ("100.0001", Err(Invalid::OutOfRange)),
            ("999", Err(Invalid::OutOfRange)),
            ("1000", Err(Invalid::OutOfRange)),
            ("1e400", Err(Invalid::OutOfRange)),
            ("1e99999999999999999999", Err(Invalid::OutOfRange)),
            ("-1", Err(Invalid::OutOfRange)),
            ("-0.0001", Err(Invalid::OutOfRange)),
            ("", Err(Invalid::NotANumber)),
            ("-", Err(Invalid::NotANumber)),
            ("NaN", Err(Invalid::NotANumber)),
            ("1.", Err(Invalid::NotANumber)),
            (".5", Err(Invalid::NotANumber)),
            ("1e", Err(Invalid::NotANumber)),
            ("1e+", Err(Invalid::NotANumber)),
            ("+1", Err(Invalid::NotANumber)),
            ("٣", Err(Invalid::NotANumber)),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse::<Percentage>().map(Percentage::thousandths), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for thousandths in 0..=BUCKETS {
            let percentage = Percentage(thousandths);
            assert_eq!(format!("{percentage}").parse(), Ok(percentage));
        }
    }
}
