//! The subjects and salts of the cases: the kinds that people use, and the kinds that break what is careless.

/// Numbers that look random and are the same for ever (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let scaled = (self.next() >> 32) * u64::from(limit);
        u32::try_from(scaled >> 32).unwrap_or_default()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next().to_le_bytes());
        words.flatten().take(length).collect()
    }
}

/// `each` ids of every kind that people use: numbers, names, e-mail addresses, UUIDs, hexadecimal digits.
pub(super) fn usual(each: u64) -> Vec<String> {
    let mut random = Random(1);
    let mut ids = Vec::new();
    for number in 0..each {
        let (high, low) = (random.next(), random.next());
        ids.push(number.to_string());
        ids.push(format!("user-{number}"));
        ids.push(format!("ann.{}@example.com", high % 100_000));
        ids.push(format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high & 0xFFFF,
            (high >> 16) & 0xFFF,
            low >> 52,
            low & 0xFFFF_FFFF_FFFF
        ));
        ids.push(format!("{high:016x}{low:016x}"));
    }
    ids
}

/// Ids that differ only by what must make a difference, and ids that something takes for something else. All may be pinned.
pub(super) fn odd() -> Vec<String> {
    let mut ids: Vec<String> = [
        "user",
        "User",
        "USER",
        "user ",
        " user",
        "user  ",
        " ",
        "  ",
        "us er",
        "us\u{a0}er",
        "us\u{200b}er",
        // Composed and decomposed, and marks in two orders.
        "\u{e9}",
        "e\u{301}",
        "\u{1e9b}\u{323}",
        "\u{17f}\u{323}\u{307}",
        "\u{17f}\u{307}\u{323}",
        "\u{ac00}",
        "\u{1100}\u{1161}",
        "\u{212b}",
        "\u{c5}",
        "A\u{30a}",
        "\u{fb01}",
        "fi",
        // Upper and lower case that do not fold one to one.
        "\u{df}",
        "ss",
        "SS",
        "\u{1e9e}",
        "\u{130}",
        "\u{131}",
        "i",
        "I",
        "i\u{307}",
        "\u{3a3}",
        "\u{3c3}",
        "\u{3c2}",
        // Four bytes, joined, and the ends of planes.
        "\u{1f600}",
        "\u{1f601}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{ffff}",
        "\u{fffd}",
        "\u{e000}",
        "\u{d7ff}",
        "\u{20bb7}\u{91ce}\u{5bb6}",
        // What something strips, turns round, or takes for a number, a path or a word of its language.
        "\u{feff}bom",
        "bom",
        "\u{202e}txet",
        "0",
        "00",
        "-0",
        "1",
        "1.0",
        "1e0",
        "01",
        "null",
        "NULL",
        "true",
        "NaN",
        "a/b",
        "a%2Fb",
        "%",
        "..",
        "o'brien",
        "\"",
        "\\",
        "\\u0065",
        "{}",
        "[]",
        ",",
        ";--",
        "$1",
        "*",
        "_",
        "?",
        "#",
        "a:b",
    ]
    .map(str::to_owned)
    .to_vec();
    // The longest that may be pinned, in one and in four bytes a character, and a neighbour of each.
    ids.extend(["x".repeat(512), "x".repeat(511), "\u{1f600}".repeat(128), "\u{1f600}".repeat(127)]);
    ids
}

/// Salts: keys, and texts that no key could be.
pub(super) fn salts() -> Vec<String> {
    let mut salts: Vec<String> = [
        "new_dashboard",
        "checkout-v2",
        "a",
        "A",
        "a ",
        " a",
        "0",
        "1",
        "new_dashboard:2",
        "new dashboard",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "\u{20bb7}",
        "user123",
        "null",
        "\"quoted\"",
        "back\\slash",
        "\u{a0}",
        "2026-01-31T12:00:00Z",
    ]
    .map(str::to_owned)
    .to_vec();
    salts.extend(["k".repeat(128), "\u{1f600}".repeat(128), "k".repeat(31), "k".repeat(32), "k".repeat(33)]);
    salts
}
