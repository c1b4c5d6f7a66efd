//! What words, limits and comparisons promise to the letter, where no law says so: each row is a value beside its neighbour.

use flag_core::{
    Author, Bucket, Change, Context, Description, Entry, Epoch, FlagKey, Invalid, Level, Overrides,
    Percentage, Rejection, Salt, Snapshot, Source, SubjectId, Unit, Variant, Version,
};

fn key(text: &str) -> FlagKey {
    text.parse().unwrap()
}

fn subject(text: &str) -> SubjectId {
    SubjectId::parse(text).unwrap()
}

fn created(text: &str) -> Change {
    Change::flag_created(key(text), Variant::OFF)
}

fn pinned(flag: &str, level: Level, id: &str, variant: Variant) -> Change {
    Change::OverrideSet { key: key(flag), level, subject: subject(id), variant }
}

fn after(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    changes.into_iter().fold(Snapshot::default(), |s, change| s.with(&Entry::next(&s, change)).unwrap())
}

#[test]
fn a_text_is_taken_up_to_its_limit_and_not_beyond() {
    let characters = |limit| Err(Invalid::TooManyCharacters { limit });
    let key = |length: usize| "k".repeat(length).parse::<FlagKey>().map(|_| ());
    let salt = |length: usize| Salt::parse(&"é".repeat(length)).map(|_| ());
    let author = |length: usize| Author::parse(&"é".repeat(length)).map(|_| ());
    let description = |length: usize| Description::parse(&"é".repeat(length)).map(|_| ());
    let id = |length: usize| SubjectId::parse(&"é".repeat(length)).map(|_| ());
    let rows = [
        (key(128), Ok(())),
        (key(129), characters(128)),
        (salt(128), Ok(())),
        (salt(129), characters(128)),
        (author(128), Ok(())),
        (author(129), characters(128)),
        (description(1_000), Ok(())),
        (description(1_001), characters(1_000)),
        (id(256), Ok(())),
        (id(257), Err(Invalid::TooManyBytes { limit: 512 })),
    ];
    for (number, (found, expected)) in rows.into_iter().enumerate() {
        assert_eq!(found, expected, "row {number}");
    }
}

#[test]
fn a_text_holds_the_characters_it_may_and_no_others() {
    let key = |text: &str| text.parse::<FlagKey>().map(|_| ());
    let salt = |text: &str| Salt::parse(text).map(|_| ());
    let author = |text: &str| Author::parse(text).map(|_| ());
    let description = |text: &str| Description::parse(text).map(|_| ());
    let id = |text: &str| SubjectId::parse(text).map(|_| ());
    let control = |found| Err(Invalid::ControlCharacter { found });
    let rows = [
        (key(""), Err(Invalid::Empty)),
        (key("a.b_c-D9"), Ok(())),
        (key("9"), Ok(())),
        (key("-a"), Err(Invalid::FirstCharacter)),
        (key("a b"), Err(Invalid::Character { found: ' ' })),
        (key("é"), Err(Invalid::Character { found: 'é' })),
        (salt(""), Err(Invalid::Empty)),
        (salt(" a b"), Ok(())),
        (salt("a\u{7f}"), control('\u{7f}')),
        (author(""), Err(Invalid::Empty)),
        (author("a\n"), control('\n')),
        (description(""), Ok(())),
        (description("a\r\n\tb"), Ok(())),
        (description("a\0"), control('\0')),
        (id(""), Err(Invalid::Empty)),
        (id(" "), Ok(())),
        (id("a\u{85}"), control('\u{85}')),
        (SubjectId::check(""), Ok(())),
        (SubjectId::check("\t"), control('\t')),
    ];
    for (number, (found, expected)) in rows.into_iter().enumerate() {
        assert_eq!(found, expected, "row {number}");
    }
}

#[test]
fn a_text_is_shown_as_it_was_given() {
    let rows = [
        (key("a.b").as_str().to_owned(), "a.b"),
        (key("a.b").to_string(), "a.b"),
        (format!("{:?}", key("a.b")), "FlagKey(\"a.b\")"),
        (Salt::parse("s t").unwrap().as_str().to_owned(), "s t"),
        (format!("{:?}", Salt::parse("s").unwrap()), "Salt(\"s\")"),
        (Description::parse("why").unwrap().as_str().to_owned(), "why"),
        (Author::parse("ann").unwrap().as_str().to_owned(), "ann"),
        (Author::default().as_str().to_owned(), "unknown"),
        (subject("u").as_str().to_owned(), "u"),
        (Epoch(0xAB).to_string(), "000000000000000000000000000000ab"),
        (Variant::ON.to_string(), "on"),
        (Variant::OFF.to_string(), "off"),
        (Level::Region.to_string(), "region"),
        (Source::GroupOverride.to_string(), "GROUP_OVERRIDE"),
    ];
    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
}

#[test]
fn names_are_read_back_and_strangers_are_nobody() {
    for level in Level::ALL {
        assert_eq!(Level::named(level.name()), Some(level));
    }
    assert_eq!((Level::named("User"), Level::named("")), (None, None));
    let named = ["on", "off", "On", ""].map(Variant::named);
    assert_eq!(named, [Some(Variant::ON), Some(Variant::OFF), None, None]);
    let names = Source::ALL.map(Source::name);
    let expected =
        ["USER_OVERRIDE", "GROUP_OVERRIDE", "REGION_OVERRIDE", "PERCENTAGE_ROLLOUT", "GLOBAL_DEFAULT"];
    assert_eq!(names, expected);
}

#[test]
fn a_refusal_says_what_to_do() {
    let rows = [
        (Invalid::Empty, "must not be empty"),
        (Invalid::TooManyCharacters { limit: 128 }, "must be at most 128 characters long"),
        (Invalid::TooManyBytes { limit: 512 }, "must be at most 512 bytes of UTF-8 long"),
        (Invalid::FirstCharacter, "must begin with a letter or a digit"),
        (
            Invalid::Character { found: '/' },
            "may hold only the characters A-Z a-z 0-9 . _ -, and '/' is none of them",
        ),
        (Invalid::ControlCharacter { found: '\0' }, "must not hold the control character '\\0'"),
        (Invalid::NotANumber, "must be a number"),
        (Invalid::OutOfRange, "must be between 0 and 100"),
        (Invalid::TooPrecise, "must have at most three decimals"),
    ];
    for (invalid, expected) in rows {
        assert_eq!(invalid.to_string(), expected);
    }
}

#[test]
fn a_rejection_names_what_it_is_about() {
    let missing = Rejection::OverrideNotFound { key: key("a"), level: Level::User, subject: subject("u\"") };
    let rows = [
        (Rejection::FlagNotFound(key("a")), "there is no flag a"),
        (Rejection::FlagExists(key("a")), "there is already a flag a"),
        (Rejection::FlagUnreadable(key("a")), "flag a cannot be read"),
        (missing, r#"flag a has no override for the user "u\"""#),
        (Rejection::OutOfOrder { expected: 2, found: 4 }, "revision 4 cannot follow where 2 is due"),
        (Rejection::NoEffect(3), "revision 3 changes nothing"),
    ];
    for (rejection, expected) in rows {
        assert_eq!(rejection.to_string(), expected);
    }
}

#[test]
fn a_version_precedes_only_later_moments_of_its_own_history() {
    let at = |epoch, revision| Version { epoch: Epoch(epoch), revision };
    for (one, other, expected) in [
        (at(1, 6), at(1, 7), true),
        (at(1, 7), at(1, 7), false),
        (at(1, 8), at(1, 7), false),
        (at(2, 6), at(1, 7), false),
    ] {
        assert_eq!(one.precedes(other), expected, "{one:?} {other:?}");
    }
}

#[test]
fn nothing_follows_the_last_revision_there_is() {
    let last = Snapshot::new(Version { epoch: Epoch(1), revision: u64::MAX }, []);
    for revision in [0, 1, u64::MAX] {
        let entry = Entry { revision, ..Entry::next(&last, created("a")) };
        let expected = Rejection::OutOfOrder { expected: u64::MAX, found: revision };
        assert_eq!(last.apply(&entry).unwrap_err(), expected);
    }
    let before = Snapshot::new(Version { epoch: Epoch(1), revision: u64::MAX - 1 }, []);
    assert_eq!(before.with(&Entry::next(&before, created("a"))).unwrap().version().revision, u64::MAX);
}

#[test]
fn snapshots_are_equal_if_all_that_they_hold_is() {
    let base = || vec![created("a"), pinned("a", Level::User, "u", Variant::ON)];
    let snapshot = after(base());
    assert_eq!(snapshot, after(base()));
    assert_eq!(snapshot, Snapshot::new(snapshot.version(), snapshot.flags().cloned()));
    let renamed = after([created("b"), pinned("b", Level::User, "u", Variant::ON)]);
    let other = |change: Change| {
        let later = after(base().into_iter().chain([change]));
        Snapshot::new(snapshot.version(), later.flags().cloned())
    };
    let elsewhere = Version { epoch: Epoch(9), ..snapshot.version() };
    for different in [
        renamed,
        other(created("b")),
        other(Change::FlagDeleted { key: key("a") }),
        other(pinned("a", Level::User, "u", Variant::OFF)),
        Snapshot::new(elsewhere, snapshot.flags().cloned()),
    ] {
        assert_ne!(snapshot, different);
        assert_ne!(different, snapshot);
    }
}

#[test]
fn overrides_are_equal_if_they_pin_the_same_subjects_to_the_same() {
    let of = |pins: &[(Level, &str, Variant)]| {
        let mut overrides = Overrides::default();
        for (level, id, variant) in pins {
            overrides.set(*level, &subject(id), *variant);
        }
        overrides
    };
    let one = of(&[(Level::User, "u", Variant::ON), (Level::Group, "g", Variant::OFF)]);
    assert_eq!(one, of(&[(Level::Group, "g", Variant::OFF), (Level::User, "u", Variant::ON)]));
    for different in [
        of(&[(Level::User, "u", Variant::ON)]),
        of(&[(Level::User, "u", Variant::OFF), (Level::Group, "g", Variant::OFF)]),
        of(&[(Level::User, "v", Variant::ON), (Level::Group, "g", Variant::OFF)]),
        of(&[(Level::User, "u", Variant::ON), (Level::Region, "g", Variant::OFF)]),
        of(&[
            (Level::User, "u", Variant::ON),
            (Level::Group, "g", Variant::OFF),
            (Level::Group, "h", Variant::ON),
        ]),
    ] {
        assert_ne!(one, different);
        assert_ne!(different, one);
    }
}

#[test]
fn a_table_counts_what_it_holds_and_shows_the_counts() {
    let mut overrides = Overrides::default();
    assert!(overrides.is_empty());
    assert_eq!(overrides.set(Level::Region, &subject("r"), Variant::ON), None);
    assert_eq!(overrides.set(Level::Region, &subject("r"), Variant::OFF), Some(Variant::ON));
    assert_eq!((overrides.len(Level::Region), overrides.is_empty()), (1, false));
    assert_eq!(format!("{overrides:?}"), "{User: 0, Group: 0, Region: 1}");
    let snapshot = after([created("a"), created("b"), Change::FlagDeleted { key: key("a") }]);
    assert_eq!((snapshot.len(), snapshot.is_empty()), (1, false));
    assert!(format!("{snapshot:?}").ends_with("flags: 1 }"), "{snapshot:?}");
}

#[test]
fn flag_keys_stand_in_the_order_of_their_bytes() {
    let mut keys = ["b", "a.b", "B", "a", "a-b", "0"].map(key);
    keys.sort();
    assert_eq!(keys.each_ref().map(FlagKey::as_str), ["0", "B", "a", "a-b", "a.b", "b"]);
    assert!(key("a") < key("b") && key("a") != key("b"));
}

#[test]
fn a_share_holds_the_buckets_below_it_and_not_its_own() {
    let bucket = Bucket::of(Unit::of("user123"), &Salt::from(&key("new_dashboard")));
    let share = |thousandths| Percentage::from_thousandths(thousandths).unwrap();
    assert_eq!(bucket.number(), 21_938);
    assert!(!share(21_938).holds(bucket) && share(21_939).holds(bucket));
    assert_eq!(Percentage::from_thousandths(100_001), Err(Invalid::OutOfRange));
    assert_eq!((Percentage::NONE.thousandths(), Percentage::ALL.thousandths()), (0, 100_000));
}

#[test]
fn a_share_is_shown_as_short_as_it_can_be() {
    let rows = [(0, "0"), (1, "0.001"), (10, "0.01"), (100, "0.1"), (33_330, "33.33"), (50_000, "50")];
    for (thousandths, expected) in rows {
        assert_eq!(Percentage::from_thousandths(thousandths).unwrap().to_string(), expected);
    }
}

#[test]
fn a_context_that_is_given_another_user_forgets_the_first() {
    let rollout = Some(Percentage::from_thousandths(50_000).unwrap());
    let flags = after([
        Change::FlagCreated { key: key("r"), description: None, global: Variant::OFF, rollout },
        created("p"),
        pinned("p", Level::User, "user-0", Variant::ON),
        pinned("p", Level::User, "user-1", Variant::OFF),
    ]);
    let fresh = |flag, user: &str| flags.evaluate(flag, &Context::new().user(user)).unwrap();
    let users: Vec<String> = (0..20).map(|number| format!("user-{number}")).collect();
    assert!(users.iter().any(|user| fresh("r", user).enabled() != fresh("r", "user-0").enabled()));
    for user in &users {
        let context = Context::new().user("user-0");
        // Asked before, so that the first user's hashes are known.
        assert_eq!(flags.evaluate_all(&context).count(), 2);
        let context = context.user(user);
        for flag in ["r", "p"] {
            assert_eq!(flags.evaluate(flag, &context), Some(fresh(flag, user)), "{flag} {user}");
        }
    }
}
