//! Which rung of the ladder answered, for several who ask; and for a rollout, what bucket decided.

use std::error::Error;
use std::fmt::Write;

use flag_core::{
    Bucket, Change, Context, Entry, Flag, FlagKey, Level, Snapshot, Source, SubjectId, Unit, Variant,
};

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", table()?);
    Ok(())
}

fn table() -> Result<String, Box<dyn Error>> {
    let flags = checkout()?;
    let flag = flags.flag("checkout").ok_or("no such flag")?;
    let mut table = String::new();
    // User, group, region. An empty text is an absent member.
    for (user, group, region) in [
        ("ann", "beta", "IN"),
        ("bob", "beta", "IN"),
        ("bob", "", "IN"),
        ("bob", "", ""),
        ("eve", "", ""),
        ("", "", ""),
    ] {
        let answer = flag.evaluate(&Context::new().user(user).group(group).region(region));
        let why = why(answer.source, flag, user);
        writeln!(table, "{user:3} {group:4} {region:2}  {:3} {}{why}", answer.variant.name(), answer.source)?;
    }
    Ok(table)
}

/// An answer carries its source and nothing else, so that giving it costs nothing. Whatever else explains it follows from the
/// flag, which is asked again only for those who want to know.
fn why(source: Source, flag: &Flag, user: &str) -> String {
    match (source, flag.rollout) {
        (Source::PercentageRollout, Some(share)) => {
            let bucket = Bucket::of(Unit::of(user), &flag.salt).number();
            format!(": bucket {bucket}, and {share} % hold those below {}", share.thousandths())
        }
        _ => String::new(),
    }
}

/// Off for everybody, on for half of the users, for a group and for a region, and never for Ann.
fn checkout() -> Result<Snapshot, Box<dyn Error>> {
    let key: FlagKey = "checkout".parse()?;
    let pin = |level, id: &str, variant| -> Result<Change, Box<dyn Error>> {
        Ok(Change::OverrideSet { key: key.clone(), level, subject: SubjectId::parse(id)?, variant })
    };
    let changes = [
        Change::flag_created(key.clone(), Variant::OFF),
        Change::RolloutSet { key: key.clone(), rollout: Some("50".parse()?) },
        pin(Level::User, "ann", Variant::OFF)?,
        pin(Level::Group, "beta", Variant::ON)?,
        pin(Level::Region, "IN", Variant::ON)?,
    ];
    let mut flags = Snapshot::default();
    for change in changes {
        flags = flags.with(&Entry::next(&flags, change))?;
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_answer_says_why() {
        let expected = [
            "ann beta IN  off USER_OVERRIDE",
            "bob beta IN  on  GROUP_OVERRIDE",
            "bob      IN  on  REGION_OVERRIDE",
            "bob          off PERCENTAGE_ROLLOUT: bucket 72623, and 50 % hold those below 50000",
            "eve          on  PERCENTAGE_ROLLOUT: bucket 44740, and 50 % hold those below 50000",
            "             off GLOBAL_DEFAULT",
        ];
        assert_eq!(super::table().unwrap().lines().collect::<Vec<_>>(), expected);
    }
}
