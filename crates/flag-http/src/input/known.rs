//! The names that a body or a query may hold, and which of them somebody may have meant.

/// The names that were asked for, in their order. No shape has more than eight of those that are told; room for them is
/// at hand, because a question should not pay for a mistake that it does not make.
#[derive(Default)]
pub(super) struct Known([Option<&'static str>; 8]);

/// Longer names than this are nobody's misspelling.
const LONGEST: usize = 32;

impl Known {
    pub(super) fn note(&mut self, name: &'static str) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(name);
        }
    }

    /// What is said of a name that nobody asked for; reads after that name.
    pub(super) fn instead_of(&self, name: &str) -> String {
        let names = || self.0.iter().flatten();
        if let Some(meant) = names().find(|known| is_near(known, name)) {
            return format!("is unknown; did you mean `{meant}`?");
        }
        let listed: Vec<String> = names().map(|known| format!("`{known}`")).collect();
        match listed.as_slice() {
            [] => "is unknown; there are none here".to_owned(),
            [only] => format!("is unknown; known is {only}"),
            all => format!("is unknown; known are {}", all.join(", ")),
        }
    }
}

/// Whether `name` is `known` in another spelling, or but for a letter in three and two in all.
fn is_near(known: &str, name: &str) -> bool {
    if name.len() > LONGEST {
        return false;
    }
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (known, name) = (plain(known), plain(name));
    distance(&known, &name) <= (known.len() / 3).min(2)
}

/// How many letters have to be added, taken away or replaced to come from one text to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, a) in from.iter().enumerate() {
        let mut left = at + 1;
        let mut next = vec![left];
        for (b, above) in to.iter().zip(row.windows(2)) {
            if let [diagonal, above] = above {
                left = (left + 1).min(above + 1).min(diagonal + usize::from(a != b));
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_misspells_a_name_is_told_it_and_others_are_told_all() {
        let mut known = Known::default();
        for name in ["userId", "enabled", "q"] {
            known.note(name);
        }
        for (name, meant) in [
            ("user_id", Some("userId")),
            ("USERID", Some("userId")),
            ("user-id", Some("userId")),
            ("usrId", Some("userId")),
            ("user", Some("userId")),
            ("enabeld", Some("enabled")),
            ("enable", Some("enabled")),
            ("Q", Some("q")),
            ("x", None),
            ("", None),
            ("able", None),
            ("tenant", None),
        ] {
            let message = known.instead_of(name);
            match meant {
                Some(meant) => assert_eq!(message, format!("is unknown; did you mean `{meant}`?"), "{name}"),
                None => assert_eq!(message, "is unknown; known are `userId`, `enabled`, `q`", "{name}"),
            }
        }
        let long = "userId".repeat(100_000);
        assert!(known.instead_of(&long).contains("known are"));
        assert_eq!(Known::default().instead_of("x"), "is unknown; there are none here");
    }

    #[test]
    fn a_distance_counts_letters() {
        for (from, to, letters) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "axc", 1),
            ("limit", "limt", 1),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&chars(from), &chars(to)), letters, "{from} {to}");
        }
    }
}
