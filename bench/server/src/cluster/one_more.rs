//! One more override: on the flag that has a million already, and in turn on one that has none.

use std::time::Instant;

use anyhow::Result;

use super::{Cluster, propagation::until_seen};
use crate::{
    connection::Connection,
    question::{PINNED, State},
    seed::{Content, WRITTEN},
};

/// Seconds, one for each override, in the order in which they were made.
#[derive(Default)]
pub struct Added {
    /// From sending the request to an evaluation on another node that shows it.
    pub from_request: Vec<f64>,
    /// From the answer to its writer.
    pub from_answer: Vec<f64>,
}

pub struct OneMore {
    pub to_many: Added,
    pub to_none: Added,
}

pub fn measure(cluster: &Cluster, many: Content, overrides: usize) -> Result<OneMore> {
    let database = cluster.database(many)?;
    let nodes = cluster.nodes(&database, 2)?;
    let mut writer = Connection::open(nodes[0].address)?;
    let mut reader = Connection::open(nodes[1].address)?;
    let mut found = OneMore { to_many: Added::default(), to_none: Added::default() };
    for number in 0..overrides {
        let user = format!("one-more-{number}");
        for (flag, added) in [(PINNED, &mut found.to_many), (WRITTEN, &mut found.to_none)] {
            let path = format!("/features/{flag}/user-override");
            let sent = Instant::now();
            writer.change("POST", &path, &format!(r#"{{"userId":"{user}","enabled":true}}"#))?;
            let answered = sent.elapsed().as_secs_f64();
            let seen = until_seen(&mut reader, flag, &user, State::On, sent)?;
            added.from_request.push(seen);
            added.from_answer.push(seen - answered);
            // Taken away again: an empty flag is to stay one.
            writer.change("DELETE", &format!("{path}/{user}"), "")?;
            until_seen(&mut reader, flag, &user, State::Off, Instant::now())?;
        }
    }
    Ok(found)
}
