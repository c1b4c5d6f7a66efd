//! A log of changes, applied line by line: how the answer to one question came about, and what a log refuses.

use std::error::Error;
use std::fmt::Write;

use flag_core::{
    Author, Change, Context, Entry, FlagKey, Level, Rejection, Snapshot, SubjectId, Timestamp, Variant,
};

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", history()?);
    Ok(())
}

fn history() -> Result<String, Box<dyn Error>> {
    let log = log()?;
    let ann = Context::new().user("ann");
    let mut history = String::new();
    let mut flags = Snapshot::default();
    for entry in &log {
        // Unlike `with`, `replay` takes only what really follows: a log holds no line without an effect.
        flags = flags.replay(std::slice::from_ref(entry))?;
        let answer = flags.evaluate("search", &ann);
        let answer = answer.map_or("no such flag".into(), |a| format!("{} {}", a.variant, a.source));
        writeln!(history, "{} {:5} {answer}", entry.revision, entry.author.as_str())?;
    }
    // A line that was read already, or one after a gap, is refused and changes nothing: that is the moment to fetch a whole
    // snapshot.
    let again = flags.replay(&log);
    assert_eq!(again, Err(Rejection::OutOfOrder { expected: 6, found: 1 }));
    Ok(history)
}

/// What a store would have kept: who did what, in the order of commits.
fn log() -> Result<Vec<Entry>, Box<dyn Error>> {
    let key: FlagKey = "search".parse()?;
    let ann = SubjectId::parse("ann")?;
    let changes = [
        ("dora", Change::flag_created(key.clone(), Variant::OFF)),
        ("dora", Change::RolloutSet { key: key.clone(), rollout: Some("10".parse()?) }),
        (
            "carl",
            Change::OverrideSet {
                key: key.clone(),
                level: Level::User,
                subject: ann.clone(),
                variant: Variant::ON,
            },
        ),
        ("dora", Change::RolloutSet { key: key.clone(), rollout: Some("100".parse()?) }),
        ("carl", Change::OverrideRemoved { key, level: Level::User, subject: ann }),
    ];
    let entry = |(revision, (author, change))| {
        // The core reads no clock: a time is whatever the caller says.
        Ok(Entry { revision, at: Timestamp(0), author: Author::parse(author)?, change })
    };
    (1..).zip(changes).map(entry).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_history_shows_each_answer_and_who_brought_it_about() {
        let expected = [
            "1 dora  off GLOBAL_DEFAULT",
            "2 dora  off PERCENTAGE_ROLLOUT",
            "3 carl  on USER_OVERRIDE",
            "4 dora  on USER_OVERRIDE",
            "5 carl  on PERCENTAGE_ROLLOUT",
        ];
        assert_eq!(super::history().unwrap().lines().collect::<Vec<_>>(), expected);
    }
}
