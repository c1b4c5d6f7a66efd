//! Cases of evaluation: every combination of rungs, rollouts around real buckets, ids that must not be confused, salts.

use anyhow::Result;
use flag_core::{BUCKETS, Level, Variant};

use super::{
    bucket::{bucket, user_in},
    cases::{Cases, optional, quote},
    flags::{Drawn, document},
    people::{odd, salts, usual},
};

/// Who asks for which flag.
type Question = (usize, [Option<String>; 3]);

/// Flags whose salt is their key, as every flag begins: they can be created over HTTP.
pub(super) fn file() -> Result<String> {
    let mut drawing = Drawing::default();
    drawing.every_combination()?;
    drawing.edges_of_buckets()?;
    drawing.edges_of_percentages()?;
    drawing.odd_ids()?;
    drawing.keys()?;
    Ok(drawing.finish("What a context gets of a flag. The salt of every flag is its key."))
}

/// Flags whose salt is another text than their key, and users that no interface would let through.
pub(super) fn salts_file() -> Result<String> {
    let mut drawing = Drawing::default();
    for (number, salt) in salts().iter().enumerate() {
        let users = usual(12);
        let share = [33_333, 50_000, 1_000, 99_000].into_iter().cycle().nth(number).unwrap_or_default();
        let flag = drawing.add(Drawn::new(&format!("salted-{number}"))?.salt(salt)?.rollout(share)?);
        drawing.ask_users(flag, &users);
        drawing.ask(flag, [None, None, None]);
        drawing.ask(flag, [Some(""), Some("user123"), Some("user123")]);
        if number < 2 {
            let unpinnable =
                ["x".repeat(513), "x".repeat(10_240), "\u{1f600}".repeat(2_560), "a\nb".to_owned()];
            drawing.ask_users(flag, &unpinnable);
        }
        let edge = bucket("user123", salt);
        for (name, share) in [("at", edge), ("above", edge + 1)] {
            let flag = Drawn::new(&format!("salted-{number}-{name}"))?.salt(salt)?.rollout(share)?;
            let flag = drawing.add(flag);
            drawing.ask(flag, [Some("user123"), None, None]);
        }
    }
    Ok(drawing.finish("What a context gets of a flag whose salt is not its key. Some users are longer than may be pinned or sent."))
}

/// Flags and the questions to them.
#[derive(Default)]
struct Drawing {
    flags: Vec<Drawn>,
    questions: Vec<Question>,
}

impl Drawing {
    fn add(&mut self, flag: Drawn) -> usize {
        self.flags.push(flag);
        self.flags.len() - 1
    }

    fn ask(&mut self, flag: usize, members: [Option<&str>; 3]) {
        self.questions.push((flag, members.map(|member| member.map(str::to_owned))));
    }

    fn ask_users(&mut self, flag: usize, users: &[String]) {
        for user in users {
            self.ask(flag, [Some(user), None, None]);
        }
    }

    /// Pinned or not at each level, with and without a rollout, on and off; members absent, pinned, and pinned elsewhere.
    fn every_combination(&mut self) -> Result<()> {
        let pins = [("none", None), ("on", Some(Variant::ON)), ("off", Some(Variant::OFF))];
        let rollouts = [("none", None), ("0", Some(0)), ("33.333", Some(33_333)), ("100", Some(BUCKETS))];
        for levels in triples(pins) {
            for (share, rollout) in rollouts {
                for global in [Variant::ON, Variant::OFF] {
                    let names = levels.map(|(name, _)| name).join("-");
                    let mut flag = Drawn::new(&format!("{names}.{share}.{global}"))?.global(global);
                    if let Some(share) = rollout {
                        flag = flag.rollout(share)?;
                    }
                    for ((level, id), (_, pin)) in Level::ALL.into_iter().zip(PINNED).zip(levels) {
                        if let Some(variant) = pin {
                            flag = flag.pin(level, id, variant)?;
                        }
                    }
                    let flag = self.add(flag);
                    self.ask_every_way(flag);
                }
            }
        }
        Ok(())
    }

    fn ask_every_way(&mut self, flag: usize) {
        for (number, [user, group, region]) in triples([Who::Absent, Who::Pinned, Who::Elsewhere]).enumerate()
        {
            // An absent member is missing or empty by turns.
            let absent = (number % 2 == 1).then_some("");
            let member = |who, pinned, elsewhere| match who {
                Who::Absent => absent,
                Who::Pinned => Some(pinned),
                Who::Elsewhere => Some(elsewhere),
            };
            let [a, b, c] = PINNED;
            self.ask(flag, [member(user, a, b), member(group, b, c), member(region, c, a)]);
        }
    }

    /// For real users, the rollouts one bucket below theirs, at theirs and one above. The global state says the opposite.
    fn edges_of_buckets(&mut self) -> Result<()> {
        for (number, user) in usual(8).iter().chain(&odd()).enumerate() {
            for (name, above) in [("below", 0), ("at", 1), ("above", 2)] {
                let key = format!("edge-{number}-{name}");
                let share = (bucket(user, &key) + above).saturating_sub(1).min(BUCKETS);
                let global = Variant::from(above < 2);
                let flag = self.add(Drawn::new(&key)?.rollout(share)?.global(global));
                self.ask(flag, [Some(user), None, None]);
                self.ask(flag, [Some(""), Some(user), Some(user)]);
            }
        }
        Ok(())
    }

    /// For shares that operators set, users whose buckets lie at the edge.
    fn edges_of_percentages(&mut self) -> Result<()> {
        for share in [0, 1, 1_000, 33_333, 50_000, 99_999, BUCKETS] {
            let key = format!("share-{share}");
            let flag = self.add(Drawn::new(&key)?.rollout(share)?);
            for wanted in share.saturating_sub(2)..(share + 2).min(BUCKETS) {
                self.ask(flag, [Some(&user_in(wanted, &key)), None, None]);
            }
            self.ask_users(flag, &usual(30));
        }
        Ok(())
    }

    /// Every second odd id is pinned at every level, and all of them ask at every level.
    fn odd_ids(&mut self) -> Result<()> {
        for parity in [0, 1] {
            let mut flag = Drawn::new(&format!("odd-{parity}"))?;
            for (number, id) in odd().iter().enumerate().filter(|(number, _)| number % 2 == parity) {
                for level in Level::ALL {
                    flag = flag.pin(level, id, Variant::from(number % 4 < 3 || level == Level::Group))?;
                }
            }
            let flag = self.add(flag);
            for id in odd() {
                self.ask(flag, [Some(&id), None, None]);
                self.ask(flag, [None, Some(&id), None]);
                self.ask(flag, [None, None, Some(&id)]);
            }
        }
        Ok(())
    }

    /// Keys of every shape, each a salt of its own.
    fn keys(&mut self) -> Result<()> {
        let long = "k".repeat(128);
        for key in ["a", "A", "0", "a.b", "a_b", "a-b", "a-B", "new_dashboard", &long] {
            let flag = self.add(Drawn::new(key)?.rollout(BUCKETS / 2)?);
            self.ask_users(flag, &usual(8));
        }
        Ok(())
    }

    fn finish(self, about: &str) -> String {
        let cases = Cases::new(
            about,
            &[
                ("flag", "the key of a flag in the snapshot"),
                ("userId", "a text, which may be empty, or null for none"),
                ("groupId", "the same"),
                ("region", "the same"),
                ("enabled", "whether the answer is on"),
                ("source", "the rung that gave it"),
            ],
        );
        let mut cases = cases.with("snapshot", &document(&self.flags));
        for (flag, members) in &self.questions {
            let Some(flag) = self.flags.get(*flag) else { continue };
            let members = members.each_ref().map(|member| member.as_deref());
            let answer = flag.answer(members);
            let [user, group, region] = members.map(optional);
            let (enabled, source) = (answer.enabled().to_string(), quote(answer.source.name()));
            cases.push(&[quote(flag.key()), user, group, region, enabled, source]);
        }
        cases.finish()
    }
}

/// The user, the group and the region that are pinned; each also asks at another level, where it is not.
const PINNED: [&str; 3] = ["ann", "beta", "IN"];

/// How a level of a context stands to what is pinned there.
#[derive(Clone, Copy)]
enum Who {
    Absent,
    Pinned,
    Elsewhere,
}

/// Every way to put one of three at each of three places.
fn triples<T: Copy>(of: [T; 3]) -> impl Iterator<Item = [T; 3]> {
    of.into_iter().flat_map(move |a| of.into_iter().flat_map(move |b| of.into_iter().map(move |c| [a, b, c])))
}
