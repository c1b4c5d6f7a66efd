//! Every combination of rungs and contexts, against an oracle that is too simple to be wrong.

use flag_core::{
    Bucket, Change, Context, Entry, FlagKey, Level, Percentage, Salt, Snapshot, Source, SubjectId, Unit,
    Variant,
};

const KEY: &str = "f";
const PINS: [Option<Variant>; 3] = [None, Some(Variant::ON), Some(Variant::OFF)];

fn snapshot(pins: [Option<Variant>; 3], rollout: Option<&str>, global: Variant) -> Snapshot {
    let key: FlagKey = KEY.parse().unwrap();
    let rollout = rollout.map(|text| text.parse::<Percentage>().unwrap());
    let mut changes = vec![Change::FlagCreated { key: key.clone(), description: None, global, rollout }];
    for (level, pin) in Level::ALL.into_iter().zip(pins) {
        let subject = SubjectId::parse(&format!("the-{level}")).unwrap();
        changes.extend(pin.map(|variant| Change::OverrideSet { key: key.clone(), level, subject, variant }));
    }
    changes.into_iter().fold(Snapshot::default(), |s, change| s.with(&Entry::next(&s, change)).unwrap())
}

fn expected(
    present: [bool; 3],
    pins: [Option<Variant>; 3],
    rollout: Option<&str>,
    global: Variant,
    user: &str,
) -> (bool, Source) {
    let sources = [Source::UserOverride, Source::GroupOverride, Source::RegionOverride];
    for ((present, pin), source) in present.into_iter().zip(pins).zip(sources) {
        if let (true, Some(variant)) = (present, pin) {
            return (variant == Variant::ON, source);
        }
    }
    let bucket = Bucket::of(Unit::of(user), &Salt::parse(KEY).unwrap()).number();
    match rollout {
        Some(share) if present[0] => {
            let limit = (share.parse::<f64>().unwrap() * 1_000.0).round() as u32;
            (bucket < limit, Source::PercentageRollout)
        }
        _ => (global == Variant::ON, Source::GlobalDefault),
    }
}

#[test]
fn every_combination_is_answered_by_the_rung_that_the_ladder_says() {
    let mut seen = 0;
    for pins in
        PINS.iter().flat_map(|u| PINS.iter().flat_map(move |g| PINS.iter().map(move |r| [*u, *g, *r])))
    {
        for rollout in [None, Some("0"), Some("33.333"), Some("100")] {
            for global in [Variant::ON, Variant::OFF] {
                let flags = snapshot(pins, rollout, global);
                for present in 0..8 {
                    let present = [present & 1 > 0, present & 2 > 0, present & 4 > 0];
                    let absent = |at: usize, id: &'static str| if present[at] { id } else { "" };
                    let context = Context::new()
                        .user(absent(0, "the-user"))
                        .group(absent(1, "the-group"))
                        .region(absent(2, "the-region"));
                    let answer = flags.evaluate(KEY, &context).unwrap();
                    let wanted = expected(present, pins, rollout, global, "the-user");
                    assert_eq!(
                        (answer.enabled(), answer.source),
                        wanted,
                        "{pins:?} {rollout:?} {global} {present:?}"
                    );
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 27 * 4 * 2 * 8);
}

#[test]
fn a_stranger_falls_through_every_pin_to_the_rollout() {
    let flags = snapshot([Some(Variant::ON); 3], Some("33.333"), Variant::OFF);
    for number in 0..2_000 {
        let user = format!("user-{number}");
        let context = Context::new().user(&user).group("another").region("another");
        let answer = flags.evaluate(KEY, &context).unwrap();
        let wanted = expected([true; 3], [None; 3], Some("33.333"), Variant::OFF, &user);
        assert_eq!((answer.enabled(), answer.source), wanted);
    }
}

#[test]
fn ids_are_compared_byte_by_byte_and_within_their_level() {
    let flags = snapshot([Some(Variant::ON); 3], None, Variant::OFF);
    for (context, source) in [
        (Context::new().user("the-group"), Source::GlobalDefault),
        (Context::new().group("the-user"), Source::GlobalDefault),
        (Context::new().user("The-User"), Source::GlobalDefault),
        (Context::new().user("the-user "), Source::GlobalDefault),
        (Context::new().user("the-user"), Source::UserOverride),
    ] {
        assert_eq!(flags.evaluate(KEY, &context).unwrap().source, source, "{context:?}");
    }
}

#[test]
fn an_unknown_flag_has_no_answer() {
    assert!(Snapshot::default().evaluate("nothing", &Context::new()).is_none());
}

#[test]
fn evaluation_allocates_nothing() {
    let flags = snapshot([Some(Variant::ON); 3], Some("33.333"), Variant::OFF);
    let spent = allocation_counter::measure(|| {
        for id in ["the-user", "somebody", ""] {
            let context = Context::new().user(id).group(id).region(id);
            std::hint::black_box(flags.evaluate(KEY, &context));
        }
    });
    assert_eq!(spent.count_total, 0);
}

#[test]
fn every_flag_is_evaluated_for_one_context_without_allocating() {
    let mut flags = Snapshot::default();
    for number in 0..3_000 {
        let key = format!("flag-{number}").parse().unwrap();
        flags = flags.with(&Entry::next(&flags, Change::flag_created(key, Variant::ON))).unwrap();
    }
    let context = Context::new().user("somebody");
    let mut enabled = 0;
    let spent = allocation_counter::measure(|| {
        enabled = flags.flags().filter(|flag| flag.evaluate(&context).enabled()).count();
    });
    assert_eq!((enabled, spent.count_total), (3_000, 0));
}
