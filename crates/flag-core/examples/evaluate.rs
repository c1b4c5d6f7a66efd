//! A flag in ten lines: made, pinned for a group, and asked.

use flag_core::{Change, Context, Entry, FlagKey, Level, Snapshot, Source, SubjectId, Variant};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key: FlagKey = "new_dashboard".parse()?;
    // Each change makes another snapshot. The earlier one stays as it is, so that whoever still reads it is not disturbed.
    let flags = Snapshot::default();
    let flags = flags.with(&Entry::next(&flags, Change::flag_created(key.clone(), Variant::OFF)))?;
    let subject = SubjectId::parse("beta")?;
    let pin = Change::OverrideSet { key, level: Level::Group, subject, variant: Variant::ON };
    let flags = flags.with(&Entry::next(&flags, pin))?;

    let context = Context::new().user("user123").group("beta").region("IN");
    // Only a flag that does not exist has no answer: that is the caller's mistake, not an evaluation.
    let answer = flags.evaluate("new_dashboard", &context).ok_or("no such flag")?;
    assert_eq!((answer.enabled(), answer.source), (true, Source::GroupOverride));
    println!("new_dashboard is {} because of {}", answer.variant, answer.source);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_runs() {
        super::main().unwrap();
    }
}
