//! Bytes as the text of a percentage, against a reader that writes every digit of the number out.

use flag_core::{Invalid, Percentage};

/// Reads the text both ways, and what was read once more from how it is shown.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let found = text.parse::<Percentage>();
    assert_eq!(found.map(Percentage::thousandths), expected(text), "{text:?}");
    if let Ok(percentage) = found {
        assert_eq!(percentage.to_string().parse(), Ok(percentage));
    }
}

/// The thousandths by the specification: the number is written out without an exponent, and compared as text.
fn expected(text: &str) -> Result<u32, Invalid> {
    let (negative, number) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let (sign, power) = match exponent.as_bytes() {
        [b'-', ..] => ('-', &exponent[1..]),
        [b'+', ..] => ('+', &exponent[1..]),
        _ => ('+', exponent),
    };
    for digits in [whole, fraction, power] {
        if digits.is_empty() || digits.chars().any(|c| !c.is_ascii_digit()) {
            return Err(Invalid::NotANumber);
        }
    }

    // A power that moves the point past every digit is as good as any greater one.
    let farthest = text.len() + 10;
    let power = power.parse::<usize>().unwrap_or(farthest).min(farthest);
    let zeros = "0".repeat(power);
    let (whole, fraction) = if sign == '-' {
        let whole = format!("{zeros}{whole}");
        let (left, moved) = whole.split_at(whole.len() - power);
        (left.to_owned(), format!("{moved}{fraction}"))
    } else {
        let fraction = format!("{fraction}{zeros}");
        let (moved, right) = fraction.split_at(power);
        (format!("{whole}{moved}"), right.to_owned())
    };
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));

    let is_zero = whole.is_empty() && fraction.is_empty();
    let is_above = whole.len() > 3 || (whole.len() == 3 && (whole > "100" || !fraction.is_empty()));
    if is_above || (negative && !is_zero) {
        return Err(Invalid::OutOfRange);
    }
    if fraction.len() > 3 {
        return Err(Invalid::TooPrecise);
    }
    Ok(format!("0{whole}{fraction:0<3}").parse().unwrap())
}
