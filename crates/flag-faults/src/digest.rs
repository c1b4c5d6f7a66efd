//! The digest of a state by its definition in docs/digest.md, worked out from the oracle's rows by code that shares nothing with
//! the engine's; and what nodes say theirs is.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::state::State;
use crate::verdict::must;

/// How what is off and what is on are written.
const STATES: [&str; 2] = ["off", "on"];

/// A digest, and what it is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Digested {
    pub(crate) epoch: String,
    pub(crate) revision: u64,
    /// In hexadecimal.
    pub(crate) digest: String,
}

/// What a node says in `/readyz`; nothing while it has none.
pub(crate) fn told(report: &str) -> Option<Digested> {
    let line = report.lines().find_map(|line| line.strip_prefix("digest: "))?;
    let (digest, rest) = line.split_once(" at revision ")?;
    let (revision, epoch) = rest.split_once(" of epoch ")?;
    let revision = revision.parse().ok()?;
    Some(Digested { epoch: epoch.to_owned(), revision, digest: digest.to_owned() })
}

/// Waits until each node says that its flags have the digest of this state.
pub(crate) async fn agree(api: &Api, nodes: &[String], state: &State, limit: Duration) -> Result<()> {
    let (began, right) = (Instant::now(), of(state)?);
    for node in nodes {
        loop {
            let report = api.report(node).await?.text;
            let told = told(&report);
            if told.as_ref() == Some(&right) {
                break;
            }
            must!(
                began.elapsed() < limit,
                "{node} says {told:?}, and the rows of the database come to {right:?}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}

/// The digest of the state.
pub(crate) fn of(state: &State) -> Result<Digested> {
    let mut sum = [0; 32];
    for (key, flag) in &state.flags {
        add(&mut sum, Sha256::digest(flag_row(key, &flag.document)?).into());
        for ((level, subject), is_on) in &flag.pins {
            let variant = STATES[usize::from(*is_on)];
            let row = row(&[Some("override"), Some(key), Some(level), Some(subject), Some(variant)]);
            add(&mut sum, Sha256::digest(row).into());
        }
    }
    let epoch = u128::from_str_radix(&state.epoch, 16).context("the epoch")?;
    let mut whole = b"flag-digest/1".to_vec();
    whole.extend_from_slice(&epoch.to_be_bytes());
    whole.extend_from_slice(&state.revision.to_be_bytes());
    whole.extend_from_slice(&sum);
    let digest = Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digested { epoch: state.epoch.clone(), revision: state.revision, digest })
}

fn flag_row(key: &str, document: &Value) -> Result<Vec<u8>> {
    let text = |member: &str| document[member].as_str();
    // Three decimals at most, so that rounding only undoes what the float lost.
    let rollout = document["rolloutPct"].as_f64().map(|share| ((share * 1_000.0).round() as u64).to_string());
    let revision = document["revision"].to_string();
    let [created, updated] = ["createdAt", "updatedAt"]
        .map(|member| milliseconds(text(member).unwrap_or_default()).map(|time| time.to_string()));
    Ok(row(&[
        Some("flag"),
        Some(key),
        text("description"),
        Some(STATES[usize::from(document["enabled"] == true)]),
        rollout.as_deref(),
        text("salt"),
        Some(&revision),
        Some(&created.context("createdAt")?),
        Some(&updated.context("updatedAt")?),
    ]))
}

fn row(fields: &[Option<&str>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        let length = field.map_or(u32::MAX, |field| field.len() as u32);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field.unwrap_or_default().as_bytes());
    }
    bytes
}

/// Adds as on paper: digit by digit from the right, and what is left over at the end is dropped.
fn add(sum: &mut [u8; 32], addend: [u8; 32]) {
    let mut carry = 0;
    for (digit, other) in sum.iter_mut().zip(addend).rev() {
        let total = u16::from(*digit) + u16::from(other) + carry;
        (*digit, carry) = (total as u8, total >> 8);
    }
}

/// The milliseconds since 1970 of an instant as documents write it: `2026-01-31T12:00:00.001Z`.
fn milliseconds(time: &str) -> Option<i64> {
    let (date, time) = time.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split([':', '.']).map(|part| part.parse::<i64>().ok());
    let (hour, minute, second, rest) = (time.next()??, time.next()??, time.next()??, time.next()??);
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = months.iter().take(usize::try_from(month - 1).ok()?).sum();
    let days = years + before + day - 1;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::FlagState;

    /// The example of the page that defines it.
    #[test]
    fn the_digest_of_the_example_is_the_one_that_stands_beside_it() {
        let document = json!({
            "key": "new_dashboard", "description": null, "enabled": false, "rolloutPct": 33.333,
            "salt": "new_dashboard", "revision": 7,
            "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.001Z",
        });
        let pins = [("user", "ann", true), ("region", "IN", false)];
        let pins = pins.map(|(level, id, is_on)| ((level.to_owned(), id.to_owned()), is_on)).into();
        let flags = [("new_dashboard".to_owned(), FlagState { document, pins })].into();
        let epoch = "0123456789abcdef0123456789abcdef".to_owned();
        let digested = of(&State { epoch, revision: 7, flags }).unwrap();
        assert_eq!(digested.digest, "7ea9db372b9330c5ebb1d5add5f1606692dd8bbbe0185f05d24f9e469d0263e7");
        let report = format!(
            "ready\ndigest: {} at revision 7 of epoch 0123456789abcdef0123456789abcdef\n",
            digested.digest
        );
        assert_eq!(told(&report), Some(digested));
    }

    #[test]
    fn instants_are_counted_from_1970() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2000-03-01T00:00:00.000Z", Some(951_868_800_000)),
            ("2026-01-31T12:00:00.001Z", Some(1_769_860_800_001)),
            ("today", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
