//! A million ids of each kind that people use, the same in every run.

use std::fmt::Write;

/// How many ids there are of each kind.
pub(super) const COUNT: usize = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// `1`, `2`, `3` …: the rows of a table.
    Number,
    /// Random ones, of version 4.
    Uuid,
    /// Names and domains that come again and again.
    Mail,
    /// Sixteen random bytes.
    Hex,
}

impl Kind {
    pub(super) fn ids(self) -> Vec<String> {
        (0..COUNT as u64).map(|number| self.id(number)).collect()
    }

    fn id(self, number: u64) -> String {
        let random = || (u128::from(mix(2 * number)) << 64) | u128::from(mix(2 * number + 1));
        match self {
            Self::Number => (number + 1).to_string(),
            Self::Uuid => {
                let bits = (random() & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
                let digits = format!("{bits:032x}");
                let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
                format!("{a}-{b}-{c}-{d}-{e}")
            }
            Self::Mail => {
                let first = ["ann", "bob", "carla", "deepak", "eve", "fatima", "george", "hiroko"];
                let domain = ["example.com", "example.org", "mail.example.net", "corp.example"];
                let (first, domain) = (first[(number % 8) as usize], domain[(number / 8 % 4) as usize]);
                let mut address = String::from(first);
                let _ = write!(address, ".{}@{domain}", number / 32);
                address
            }
            Self::Hex => format!("{:032x}", random()),
        }
    }
}

/// SplitMix64: numbers that look random and have nothing in common with the hash that is tested.
fn mix(number: u64) -> u64 {
    let z = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The id with one bit flipped, each in turn. All ids are ASCII, and remain so: the highest bit of a byte stays.
pub(super) fn flipped(id: &str, turn: usize) -> String {
    let bit = turn % (id.len() * 7);
    let mut bytes = id.as_bytes().to_vec();
    bytes[bit / 7] ^= 1 << (bit % 7);
    String::from_utf8(bytes).unwrap()
}
