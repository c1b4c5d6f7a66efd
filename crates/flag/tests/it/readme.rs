//! The README's examples, run as they stand: what it prints is what the server prints.

use std::process::Command;

use crate::fleet::Fleet;

const README: &str = include_str!("../../../../README.md");

/// The commands of every `console` block, each with the output that is printed below it.
fn examples() -> Vec<(&'static str, String)> {
    let mut examples: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in README.lines() {
        match (line, line.strip_prefix("$ ")) {
            ("```console", _) => inside = true,
            ("```", _) => inside = false,
            (_, Some(command)) if inside => examples.push((command, String::new())),
            (line, _) if inside => {
                let (_, output) = examples.last_mut().expect("a block begins with a command");
                output.extend([line, "\n"]);
            }
            _ => {}
        }
    }
    examples
}

/// The output with every instant replaced by the same one, because no two runs happen at the same time.
fn timeless(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z";
    let is_instant = |text: &str| {
        text.len() >= SHAPE.len()
            && text.bytes().zip(SHAPE).all(|(found, shape)| match shape {
                b'0' => found.is_ascii_digit(),
                shape => found == *shape,
            })
    };
    let (mut result, mut rest) = (String::new(), text);
    while let Some(next) = rest.chars().next() {
        let length = if is_instant(rest) { SHAPE.len() } else { next.len_utf8() };
        let (taken, left) = rest.split_at(length);
        result.push_str(if length == 1 { taken } else { "<instant>" });
        rest = left;
    }
    result
}

#[test]
fn only_instants_are_taken_out_of_an_output() {
    for (text, expected) in [
        (r#"{"a":"2026-01-31T12:00:00.000Z"}"#, r#"{"a":"<instant>"}"#),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31", "2026-01-31"),
        ("", ""),
    ] {
        assert_eq!(timeless(text), expected);
    }
}

#[test]
fn the_server_prints_what_the_readme_says() {
    let curl = Command::new("curl").arg("--version").output();
    assert!(curl.is_ok_and(|curl| curl.status.success()), "the README's examples need curl; install it");
    let fleet = Fleet::sqlite();
    let address = fleet.nodes[0].url.trim_start_matches("http://");
    let examples = examples();
    assert!(examples.len() >= 15, "the README shows {} examples", examples.len());
    for (command, expected) in examples {
        assert!(command.starts_with("curl ") && command.contains("localhost:3000"), "{command}");
        let here = command.replace("localhost:3000", address);
        let output = Command::new("sh").args(["-c", &here]).output().expect("a shell");
        let found = String::from_utf8(output.stdout).expect("text");
        // An answer's text ends without a line break; the README cannot show that.
        assert_eq!(
            timeless(found.trim_end_matches('\n')),
            timeless(expected.trim_end_matches('\n')),
            "{command}"
        );
        assert!(output.status.success(), "{command}");
    }
}
