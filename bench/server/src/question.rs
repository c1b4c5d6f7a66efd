//! What is asked, and what has to be answered: every answer is held against it, because a wrong one may be as fast as it likes.

use std::fmt;

use crate::{bare, connection::request};

/// The flag that the million is pinned on.
pub const PINNED: &str = "pinned";
/// How many users are pinned where there are any. Those with an even number are on; the flag itself is off.
pub const MILLION: u32 = 1_000_000;
/// How many different questions are asked, one after another: more than the nearest caches hold answers to.
const DIFFERENT: u64 = 4_096;

/// What a feature is for somebody; written as JSON has it.
#[derive(Clone, Copy)]
pub enum State {
    On,
    Off,
}

impl State {
    /// Even numbers are on, odd ones off.
    pub fn of_number(number: u32) -> Self {
        if number.is_multiple_of(2) { Self::On } else { Self::Off }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "true",
            Self::Off => "false",
        })
    }
}

/// A request and the body that answers it.
pub struct Question {
    pub request: Vec<u8>,
    pub answer: Vec<u8>,
}

/// Questions about flags that are drawn from `flags`: of those that are rolled out, so that one flag is asked no other question
/// than many.
pub fn of_flags(flags: u32) -> Vec<Question> {
    drawn(|draw| question(&rolled_out(draw, flags), draw, State::On, "PERCENTAGE_ROLLOUT"))
}

/// Questions about the flag with a million overrides; every other user is pinned.
pub fn of_the_million() -> Vec<Question> {
    drawn(|draw| {
        let user = draw % (2 * MILLION);
        let (state, source) = if user < MILLION {
            (State::of_number(user), "USER_OVERRIDE")
        } else {
            (State::Off, "GLOBAL_DEFAULT")
        };
        question(PINNED, user, state, source)
    })
}

/// The same requests as `of_flags`, with the answer that the bare server gives to all of them.
pub fn of_nothing(flags: u32) -> Vec<Question> {
    let (enabled, source) = bare::ANSWER;
    let state = if enabled { State::On } else { State::Off };
    drawn(|draw| question(&rolled_out(draw, flags), draw, state, source))
}

/// The key of a flag by its number.
pub fn key(number: u32) -> String {
    format!("flag-{number:06}")
}

/// The key of a flag that is rolled out to everybody: those with even numbers are, the others are on for everybody.
fn rolled_out(draw: u32, flags: u32) -> String {
    key(draw % flags / 2 * 2)
}

/// The id of a user by its number.
pub fn user(number: u32) -> String {
    format!("user-{number:07}")
}

fn drawn(make: impl Fn(u32) -> Question) -> Vec<Question> {
    // A generator of one line: what counts is that neighbours have nothing to do with each other.
    let draws = std::iter::successors(Some(0x9E37_79B9_7F4A_7C15_u64), |draw| {
        Some(draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    });
    draws.take(DIFFERENT as usize).map(|draw| make((draw >> 33) as u32)).collect()
}

fn question(key: &str, draw: u32, state: State, source: &str) -> Question {
    let user = user(draw);
    let body = format!(r#"{{"userId":"{user}","groupId":"beta","region":"IN"}}"#);
    let answer = format!(r#"{{"key":"{key}","enabled":{state},"source":"{source}"}}"#).into_bytes();
    Question { request: request("POST", &format!("/features/{key}/evaluate"), &body), answer }
}
