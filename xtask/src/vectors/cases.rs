//! How cases are written down: a header that explains them, and then a line of JSON for each.

use std::fmt::Write;

use flag_core::ALGORITHM;

/// The number of the shape of these files.
const FORMAT: u32 = 1;

/// A file of cases in the making.
pub(super) struct Cases {
    head: String,
    lines: Vec<String>,
}

impl Cases {
    /// A file that is about this, and whose cases are arrays of these columns.
    pub(super) fn new(about: &str, columns: &[(&str, &str)]) -> Self {
        let mut head = format!("{{\n  \"format\": {FORMAT},\n  \"algorithm\": {},\n", quote(ALGORITHM));
        line(&mut head, format_args!("  \"about\": {},", quote(about)));
        line(&mut head, format_args!("  \"columns\": {{"));
        for (place, (name, meaning)) in columns.iter().enumerate() {
            let comma = if place + 1 < columns.len() { "," } else { "" };
            line(&mut head, format_args!("    {}: {}{comma}", quote(name), quote(meaning)));
        }
        line(&mut head, format_args!("  }},"));
        Self { head, lines: Vec::new() }
    }

    /// Puts a member into the header whose lines are JSON already.
    pub(super) fn with(mut self, name: &str, json: &str) -> Self {
        line(&mut self.head, format_args!("  {}: {json},", quote(name)));
        self
    }

    /// Adds a case; its columns are JSON already.
    pub(super) fn push(&mut self, columns: &[String]) {
        self.lines.push(format!("    [{}]", columns.join(", ")));
    }

    /// The whole file.
    pub(super) fn finish(self) -> String {
        format!("{}  \"cases\": [\n{}\n  ]\n}}\n", self.head, self.lines.join(",\n"))
    }
}

/// How many cases a file holds.
pub(super) fn count(text: &str) -> usize {
    text.lines().skip_while(|line| *line != "  \"cases\": [").filter(|line| line.starts_with("    [")).count()
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// `text` as a JSON string in plain ASCII: what is not ASCII is escaped, four-byte characters as surrogate pairs.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A number of 64 bits as sixteen hexadecimal digits: many JSON readers know no such number.
pub(super) fn hex(number: u64) -> String {
    format!("\"{number:016x}\"")
}

/// A text, or `null`.
pub(super) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_to_plain_ascii() {
        for (text, expected) in [
            ("a b", "\"a b\""),
            ("\"\\\n", "\"\\\"\\\\\\u000a\""),
            ("\u{e9}\u{7f}", "\"\\u00e9\\u007f\""),
            ("\u{1f600}", "\"\\ud83d\\ude00\""),
        ] {
            assert_eq!(quote(text), expected);
        }
    }

    #[test]
    fn cases_are_counted() {
        let mut cases = Cases::new("two", &[("a", "first"), ("b", "second")]).with("more", "[\n    [1]\n  ]");
        for number in 0..2 {
            cases.push(&[number.to_string(), hex(number)]);
        }
        assert_eq!(count(&cases.finish()), 2);
    }
}
