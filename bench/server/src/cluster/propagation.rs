//! How long a change takes from one node to another: from the answer to its writer on the one until an evaluation on the other
//! shows it; beside a word from a publisher to a subscriber of the same Redis.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Cluster;
use crate::{
    connection::{Connection, request},
    question::State,
    redis::Redis,
    seed::{Content, WRITTEN},
    statistic::{Spread, quantile},
};

/// Pauses between changes, in microseconds; with no common measure, so that changes come at every moment of whatever recurs.
const PAUSES: [u64; 3] = [1_700, 2_300, 3_100];
/// How long a change may take before the run is given up.
pub const LONGEST: Duration = Duration::from_secs(10);

/// How many changes have a p99 of their own. What disturbs the machine for a moment spoils that of one turn.
pub const TURN: usize = 400;

/// Seconds, in the order in which they were found.
pub struct Propagation {
    pub of_changes: Vec<f64>,
    pub of_words: Vec<f64>,
}

impl Propagation {
    /// How much longer a change takes than a word, the slowest hundredth of each left out: by turn.
    pub fn later(&self) -> Spread {
        let turns = self.of_changes.chunks(TURN).zip(self.of_words.chunks(TURN));
        Spread::of(
            turns.map(|(changes, words)| quantile(&sorted(changes), 0.99) - quantile(&sorted(words), 0.99)),
        )
    }
}

/// The same, shortest first.
pub fn sorted(seconds: &[f64]) -> Vec<f64> {
    let mut seconds = seconds.to_vec();
    seconds.sort_unstable_by(f64::total_cmp);
    seconds
}

pub fn measure(cluster: &Cluster, changes: usize) -> Result<Propagation> {
    let database = cluster.database(Content::flags(100))?;
    let nodes = cluster.nodes(&database, 3)?;
    let mut writer = Connection::open(nodes[0].address)?;
    // The third node is there to listen as well, as it would be.
    let mut reader = Connection::open(nodes[1].address)?;
    let mut publisher = Redis::open(cluster.redis.port())?;
    let mut subscriber = Redis::open(cluster.redis.port())?;
    subscriber.ask(&["SUBSCRIBE", "bench"])?;

    let mut found = Propagation { of_changes: Vec::new(), of_words: Vec::new() };
    let path = format!("/features/{WRITTEN}/global");
    // The first changes make connections, which later ones find made.
    for number in 0..changes + 10 {
        let state = State::of_number(number as u32);
        writer.change("PATCH", &path, &format!(r#"{{"enabled":{state}}}"#))?;
        let took = until_seen(&mut reader, WRITTEN, "nobody", state, Instant::now())?;
        let began = Instant::now();
        publisher.send(&["PUBLISH", "bench", &number.to_string()])?;
        let word = subscriber.reply()?;
        let word_took = began.elapsed().as_secs_f64();
        ensure!(word.last() == Some(&number.to_string()), "another word was heard: {word:?}");
        publisher.reply()?;
        if number >= 10 {
            found.of_changes.push(took);
            found.of_words.push(word_took);
        }
        std::thread::sleep(Duration::from_micros(PAUSES[number % PAUSES.len()]));
    }
    Ok(found)
}

/// Asks until a user gets the wanted answer; says how many seconds after `since` that was.
pub fn until_seen(
    reader: &mut Connection,
    flag: &str,
    user: &str,
    state: State,
    since: Instant,
) -> Result<f64> {
    let question =
        request("POST", &format!("/features/{flag}/evaluate"), &format!(r#"{{"userId":"{user}"}}"#));
    let wanted = format!(r#""enabled":{state},"#);
    loop {
        let answer = reader.ask(&question)?;
        let elapsed = since.elapsed();
        ensure!(answer.status == 200, "an evaluation answered {}", answer.status);
        if answer.body.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            return Ok(elapsed.as_secs_f64());
        }
        ensure!(elapsed < LONGEST, "a change was not seen within {LONGEST:?}");
    }
}
