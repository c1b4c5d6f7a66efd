//! Percent-encoding, read strictly: what is not well encoded is refused, because a guess would act on another name.

use percent_encoding::percent_decode_str;

/// What is said of a text that cannot be read; reads after the name of its field.
pub(super) const FAULT: &str = "must be percent-encoded UTF-8";

/// The text that `encoded` stands for.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    // All that follows a percent sign up to the next one begins with two hexadecimal digits.
    let well_formed = encoded
        .split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if !well_formed {
        return None;
    }
    percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_encoded_is_not_read() {
        for (encoded, expected) in [
            ("", Some("")),
            ("a+b", Some("a+b")),
            ("%2F%c3%A9%00", Some("/é\0")),
            ("%25zz", Some("%zz")),
            ("%", None),
            ("%4", None),
            ("%4%41", None),
            ("%zz", None),
            ("%+1", None),
            ("%é", None),
            ("%ff", None),
            ("%ed%a0%80", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), expected, "{encoded}");
        }
    }
}
