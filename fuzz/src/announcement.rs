//! Bytes as what is heard on the channel of a feed: an announcement is read as it was written, and the latest version counts.

use flag_core::{Epoch, Version};
use flag_engine::announcement::{Heard, read, write};

/// Reads each line, writes it again, and lets a feed hear all of them.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let heard = Heard::default();
    let hints = heard.hints();
    let mut latest = Version::default();
    for payload in text.split('\n') {
        let found = read(payload);
        assert_eq!(found, expected(payload), "{payload:?}");
        if let Some(version) = found {
            assert_eq!(read(&write("default", version)), Some(version));
            if version.epoch != latest.epoch || version.revision > latest.revision {
                latest = version;
            }
        }
        heard.hear(payload);
        assert_eq!(hints.borrow().version, latest);
    }
}

/// The version by the description: an environment, an epoch in hexadecimal and a revision, each behind one blank.
fn expected(payload: &str) -> Option<Version> {
    let words: Vec<&str> = payload.split(' ').collect();
    let [_, epoch, revision] = words[..] else { return None };
    // Whoever writes a plus sign means the same number.
    let digits = |text: &str| text.strip_prefix('+').unwrap_or(text).to_owned();
    let epoch = number(&digits(epoch), 16)?;
    let revision = u64::try_from(number(&digits(revision), 10)?).ok()?;
    Some(Version { epoch: Epoch(epoch), revision })
}

fn number(digits: &str, base: u32) -> Option<u128> {
    let first = digits.chars().next()?.to_digit(base)?;
    digits.chars().skip(1).try_fold(u128::from(first), |sum, digit| {
        sum.checked_mul(u128::from(base))?.checked_add(u128::from(digit.to_digit(base)?))
    })
}
