//! Numbers as people read them.

/// A number with no more digits than it deserves.
pub fn short(number: f64) -> String {
    let digits = match number {
        whole if whole.fract() == 0.0 => 0,
        ..0.01 => 4,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let mut text = format!("{number:.digits$}");
    let mut place = text.find('.').unwrap_or(text.len());
    while place > 3 {
        place -= 3;
        text.insert(place, ',');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_no_more_digits_than_it_deserves() {
        for (number, text) in [
            (0.0, "0"),
            (0.001, "0.0010"),
            (2.345, "2.35"),
            (34.56, "34.6"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
