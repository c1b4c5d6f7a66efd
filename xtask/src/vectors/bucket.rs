//! Cases of bucketing, with every number on the way.

use flag_core::{BUCKETS, Bucket, Salt, Unit, xxh64};

use super::{
    cases::{Cases, hex, quote},
    people::{Random, odd, salts, usual},
};

pub(super) fn file() -> String {
    let mut cases = Cases::new(
        "The bucket of a user under a salt, with every number on the way.",
        &[
            ("user", "a text"),
            ("times", "how many times that text stands in the user's id, one after the other"),
            ("salt", "the flag's salt"),
            ("unit", "xxh64(user, 0), sixteen hexadecimal digits"),
            ("seed", "xxh64(salt, 0), sixteen hexadecimal digits"),
            ("hash", "xxh64(unit as 8 little-endian bytes, seed), sixteen hexadecimal digits"),
            ("bucket", "(hash * 100000) >> 64"),
        ],
    );
    let mut add = |user: &str, times: usize, salt: &str| {
        let id = user.repeat(times);
        let (unit, seed) = (xxh64(id.as_bytes(), 0), xxh64(salt.as_bytes(), 0));
        let hash = xxh64(&unit.to_le_bytes(), seed);
        cases.push(&[
            quote(user),
            times.to_string(),
            quote(salt),
            hex(unit),
            hex(seed),
            hex(hash),
            bucket(&id, salt).to_string(),
        ]);
    };

    add("user123", 1, "new_dashboard");
    for id in usual(110) {
        for salt in ["new_dashboard", "checkout-v2", "a"] {
            add(&id, 1, salt);
        }
    }
    for id in odd() {
        for salt in ["new_dashboard", "\u{e9}"] {
            add(&id, 1, salt);
        }
    }
    for length in 1..=130 {
        let id: String = ('!'..='~').cycle().skip(length).take(length).collect();
        add(&id, 1, "new_dashboard");
        add("x", length, "checkout-v2");
    }
    let mut random = Random(3);
    for _ in 0..200 {
        let scalar = 0x1_0000 + random.below(0x10_0000);
        let c = char::from_u32(scalar).unwrap_or('\u{1f600}');
        add(&c.to_string(), 1 + random.below(20) as usize, "new_dashboard");
    }
    // The evaluation sets no limit to an id, nor does it look for control characters; only pins do.
    for c in ["\0", "\n", "\r\n", "\t", "\u{7f}", "\u{85}", "a\0b"] {
        add(c, 1, "new_dashboard");
    }
    for (text, times) in
        [("x", 513), ("x", 10_240), ("0123456789", 1_024), ("\u{e9}", 5_120), ("e\u{301}", 3_413)]
    {
        for salt in salts() {
            add(text, times, &salt);
        }
    }
    for salt in salts() {
        for user in ["user123", "\u{1f600}", "0", "ann@example.com", &salt] {
            add(user, 1, &salt);
        }
    }
    for wanted in [0, 1, BUCKETS / 2 - 1, BUCKETS / 2, BUCKETS - 2, BUCKETS - 1] {
        add(&user_in(wanted, "new_dashboard"), 1, "new_dashboard");
    }
    cases.finish()
}

pub(super) fn bucket(user: &str, salt: &str) -> u32 {
    // No salt of a case breaks the limits of salts.
    Salt::parse(salt).map_or(BUCKETS, |salt| Bucket::of(Unit::of(user), &salt).number())
}

/// The first of the users `user-0`, `user-1` … that lies in this bucket.
pub(super) fn user_in(wanted: u32, salt: &str) -> String {
    let mut users = (0..u32::MAX).map(|number| format!("user-{number}"));
    users.find(|user| bucket(user, salt) == wanted).unwrap_or_default()
}
