//! Bytes as the parts of a request: what is refused is the client's fault and told in a problem document, and what is read is
//! what a second reader finds there.

use flag_engine::Precondition;
use flag_http::fuzzing::{self, Found, Refusal};
use serde_json::Value;

/// Reads the parts that the first byte chooses.
pub fn check(bytes: &[u8]) {
    let Some((part, rest)) = bytes.split_first() else { return };
    let (first, second) = rest.iter().position(|byte| *byte == 0).map_or((rest, &rest[..0]), |at| {
        let (first, second) = rest.split_at(at);
        (first, &second[1..])
    });
    let text = std::str::from_utf8(rest);
    match part {
        b'{' => check_body(bytes),
        b'?' => text.into_iter().for_each(check_query),
        b'%' => text.into_iter().for_each(check_percent),
        b'"' => check_conditions(first, second),
        b'H' => check_host(rest),
        b'C' => told(fuzzing::body_headers(first, second).err()),
        _ => told(fuzzing::body(bytes).err()),
    }
}

/// A refusal is the client's fault, and its document says the same as its status.
fn told(refusal: Option<Refusal>) {
    let Some(refusal) = refusal else { return };
    assert!((400..500).contains(&refusal.status), "{refusal:?}");
    let document: Value = serde_json::from_slice(&refusal.document).unwrap();
    assert_eq!(document["status"], refusal.status);
    let errors = document["errors"].as_array().map_or(0, Vec::len);
    assert!(errors <= 32, "{errors} faults are too many to read");
}

fn check_body(bytes: &[u8]) {
    match fuzzing::body(bytes) {
        Err(refusal) => told(Some(refusal)),
        Ok(found) => {
            let sent: Value = serde_json::from_slice(bytes).unwrap();
            let sent = sent.as_object().unwrap();
            let given = sent.values().filter(|value| !value.is_null()).count();
            assert_eq!(found.len(), given, "{found:?} {sent:?}");
            for (name, text) in &found {
                let agrees = match &sent[*name] {
                    Value::String(value) => value == text,
                    Value::Bool(value) => value.to_string() == *text,
                    // The digits were read; the nearest float is all that is left of them here.
                    Value::Number(value) => text.parse::<f64>().ok() == value.as_f64(),
                    other => other.is_object() && *name == "attributes",
                };
                assert!(agrees, "{name} {text:?} {sent:?}");
            }
        }
    }
}

fn check_query(text: &str) {
    match fuzzing::query(text) {
        Err(refusal) => told(Some(refusal)),
        Ok(found) => {
            let written: Vec<String> =
                found.iter().map(|(name, text)| format!("{name}={}", encode(text))).collect();
            let again: Result<Found, Refusal> = fuzzing::query(&written.join("&"));
            assert_eq!(again, Ok(found));
        }
    }
}

fn check_percent(text: &str) {
    let decoded = fuzzing::percent_decode(text);
    assert_eq!(decoded, decode(text), "{text:?}");
    if let Some(decoded) = decoded {
        assert_eq!(fuzzing::percent_decode(&encode(&decoded)), Some(decoded));
    }
}

fn check_conditions(if_match: &[u8], if_none_match: &[u8]) {
    match fuzzing::conditions(if_match, if_none_match) {
        Err(refusal) => told(Some(refusal)),
        Ok(found) => {
            for condition in found {
                let (header, revisions) = match &condition {
                    Precondition::RevisionIn(revisions) => (0, revisions),
                    Precondition::RevisionNotIn(revisions) => (1, revisions),
                    _ => continue,
                };
                let mut values = [b"\xff\n".to_vec(), b"\xff\n".to_vec()];
                // A tag that is no revision stands for those that were passed over.
                let tags =
                    revisions.iter().map(|revision| format!("\"{revision}\"")).chain(["\"x\"".to_owned()]);
                values[header] = tags.collect::<Vec<_>>().join(",").into_bytes();
                assert_eq!(fuzzing::conditions(&values[0], &values[1]), Ok(vec![condition]));
            }
        }
    }
}

fn check_host(host: &[u8]) {
    match fuzzing::host(host) {
        Err(refusal) => told(Some(refusal)),
        Ok(()) => {
            let text = std::str::from_utf8(host).unwrap().to_ascii_lowercase();
            let is_ours = ["localhost", "127.", "::1", "[::1]", "[127.", "0:", "[0:", "::ffff:", "[::ffff:"]
                .iter()
                .any(|ours| text.starts_with(ours));
            assert!(is_ours || text.contains("::") || text.contains(":0"), "{text:?}");
        }
    }
}

/// Every byte as it is read by hand, one after the other.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(decoded).ok()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
