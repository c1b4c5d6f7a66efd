//! Cases of reading percentages: every spelling of what is taken, and every reason why something is not.

use flag_core::{BUCKETS, Invalid, Percentage};

use super::{
    cases::{Cases, optional, quote},
    people::Random,
};

pub(super) fn file() -> String {
    let mut cases = Cases::new(
        "What a text is read as where a percentage is meant. In a request it stands as a JSON number; some texts are none.",
        &[
            ("text", "the text as it was sent"),
            ("thousandths", "the percentage in thousandths of one per cent, or null if the text is refused"),
            ("reason", "null, or why it is refused: not_a_number, out_of_range or too_precise"),
        ],
    );
    for text in texts() {
        let read = text.parse::<Percentage>();
        let thousandths = read.map_or_else(|_| "null".to_owned(), |read| read.thousandths().to_string());
        cases.push(&[quote(&text), thousandths, optional(read.err().map(reason))]);
    }
    cases.finish()
}

fn reason(invalid: Invalid) -> &'static str {
    match invalid {
        Invalid::OutOfRange => "out_of_range",
        Invalid::TooPrecise => "too_precise",
        _ => "not_a_number",
    }
}

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut random = Random(4);
    let ends = (0..=1_000).chain(BUCKETS - 200..=BUCKETS);
    let whole = (1..100).flat_map(|per_cent| [per_cent * 1_000 - 1, per_cent * 1_000, per_cent * 1_000 + 1]);
    let written = |thousandths: u32| {
        Percentage::from_thousandths(thousandths).map_or_else(|_| String::new(), |share| share.to_string())
    };
    texts.extend(ends.chain(whole).map(written));
    for _ in 0..60 {
        let thousandths = random.below(BUCKETS + 1);
        texts.extend(spellings(thousandths));
    }
    for thousandths in [0, 1, 10, 33_333, 50_000, 99_999, 100_000] {
        texts.extend(spellings(thousandths));
    }
    texts.extend(SINGLE.map(str::to_owned));
    texts.extend(long());
    texts
}

/// One value in many spellings, and its neighbours that are refused.
fn spellings(thousandths: u32) -> Vec<String> {
    let (whole, fraction) = (thousandths / 1_000, thousandths % 1_000);
    let padded = format!("{whole}.{fraction:03}");
    vec![
        padded.clone(),
        format!("{padded}0"),
        format!("{padded}000000000000000000000"),
        format!("{padded}e0"),
        format!("{padded}E+0"),
        format!("{padded}e-0"),
        format!("00{padded}"),
        format!("{thousandths}e-3"),
        format!("{thousandths}000E-6"),
        format!("{thousandths}.0e-03"),
        format!("0.{thousandths:06}e3"),
        format!("0.000{thousandths:06}E+0006"),
        format!("-{padded}"),
        format!("{padded}1"),
        format!("{padded}00000000000000000000000000000000001"),
        format!("{thousandths}e-4"),
        format!("{padded}e1"),
        format!("{padded}e-1"),
        format!("{whole}{padded}"),
        format!("+{padded}"),
        format!("{padded}%"),
        format!(" {padded}"),
        format!("{padded} "),
    ]
}

/// Texts as long as a request may hold.
fn long() -> Vec<String> {
    let zeros = "0".repeat(5_000);
    vec![
        format!("33.333{zeros}"),
        format!("33.333{zeros}1"),
        format!("{zeros}50"),
        format!("0.{zeros}5e5001"),
        format!("0.{zeros}5e4997"),
        format!("0.{zeros}5e4996"),
        format!("5{zeros}e-4999"),
        format!("5{zeros}e-4998"),
        format!("5e{zeros}1"),
        format!("5e-{zeros}4"),
        format!("-{zeros}"),
        format!("{zeros}.{zeros}e{zeros}"),
        "9".repeat(5_000),
        format!("9.{}", "9".repeat(5_000)),
    ]
}

const SINGLE: [&str; 76] = [
    "-0",
    "-0.0",
    "-0.000",
    "-0e5",
    "-0E-5",
    "0e0",
    "0e999999999999999999999",
    "0e-999999999999999999999",
    "00",
    "-00",
    "000.000",
    "5e1",
    "5E1",
    "5E+1",
    "5e01",
    "500e-1",
    "0.5e2",
    "0.05e3",
    "1e2",
    "1e-3",
    "1e-4",
    "1e-5",
    "1e3",
    "10e1",
    "10e2",
    "1e400",
    "1e-400",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "1e9223372036854775807",
    "1e9223372036854775808",
    "1e-9223372036854775808",
    "1e18446744073709551616",
    "100.0001",
    "100.001",
    "100.00000000000000000001",
    "1000",
    "999",
    "101",
    "100.1",
    "200000e-3",
    "-1",
    "-0.001",
    "-0.0001",
    "-100",
    "-1e-400",
    "-1e400",
    "33.3333",
    "33.33300000000000000001",
    "99.9999",
    "99.99999999999999999999",
    "",
    "-",
    "+",
    ".",
    "e",
    "e1",
    ".5",
    "5.",
    "5.e1",
    "1e",
    "1e+",
    "1e-",
    "1e1.0",
    "1e1e1",
    "1.2.3",
    "--1",
    "+1",
    "1,5",
    "1_000",
    "0x10",
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "\u{663}",
];
