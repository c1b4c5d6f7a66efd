//! What `cluster` found, in words and tables.

use std::fmt::Write;

use flag_bench_report::{machine, number::short};

use crate::{
    cluster::{
        one_more::OneMore,
        propagation::{Propagation, TURN, sorted},
        start::{Start, Starts},
        writes::{Rates, WRITERS},
    },
    curve::{self, Colour, Curve},
    question::user,
    statistic::{Spread, quantile},
    target::{self, Bound, Target},
};

/// Everything that one run has measured.
pub struct Measured {
    pub propagation: Propagation,
    pub writes: Vec<Rates>,
    pub starts: Starts,
    pub one_more: OneMore,
}

/// Milliseconds by which the p99 of changes may lie above that of words through Redis.
const LATER: f64 = 5.0;
/// Bytes that an override may take besides its id.
const BESIDES_ITS_ID: f64 = 64.0;
/// Times as much memory a start may take at its highest as it needs in the end: with two copies it would be twice as much.
const AT_ITS_HIGHEST: f64 = 1.6;

fn targets(measured: &Measured) -> Vec<Target> {
    let Measured { propagation, writes, starts, one_more } = measured;
    let once = |figure| Spread::of([figure]);
    let Spread { low, median, high } = propagation.later();
    let mut targets = vec![Target {
        what: "a change from node to node, ms that its p99 lies above that of a word through Redis"
            .to_owned(),
        found: Spread { low: low * 1e3, median: median * 1e3, high: high * 1e3 },
        bound: Bound::AtMost(LATER),
    }];
    for rates in writes {
        targets.push(Target {
            what: format!(
                "changes acknowledged on {}, times the rows that one connection commits",
                rates.store
            ),
            found: Spread::of_ratios(&rates.changes, &rates.one),
            bound: Bound::AtLeast(2.0),
        });
    }
    targets.push(Target {
        what: "bytes of memory for an override, besides its id".to_owned(),
        found: once(bytes_of_an_override(starts) - user(0).len() as f64),
        bound: Bound::AtMost(BESIDES_ITS_ID),
    });
    for (origin, starts) in &starts.full {
        targets.push(Target {
            what: format!("memory at the highest of a start from {}, times what stays", origin.name()),
            found: Spread::of(starts.iter().map(|start| start.peak / start.settled)),
            bound: Bound::AtMost(AT_ITS_HIGHEST),
        });
    }
    targets.push(Target {
        what: "one more override where there are many, times the same where there is none".to_owned(),
        found: Spread::of_ratios(&one_more.to_many.from_request, &one_more.to_none.from_request),
        bound: Bound::AtMost(2.0),
    });
    targets
}

fn bytes_of_an_override(starts: &Starts) -> f64 {
    let from_postgres = starts.full.first().map(|(_, starts)| median(starts, |start| start.settled));
    let with = from_postgres.unwrap_or(f64::NAN);
    (with - median(&starts.flags_only, |start| start.settled)) / f64::from(starts.content.pinned)
}

fn median(starts: &[Start], figure: impl Fn(&Start) -> f64) -> f64 {
    Spread::of(starts.iter().map(figure)).median
}

/// The section of docs/benchmarks.md.
pub fn text(measured: &Measured) -> String {
    let content = measured.starts.content;
    let (flags, pinned) = (short(f64::from(content.flags)), short(f64::from(content.pinned)));
    format!(
        "## A cluster\n\n\
        `cargo xtask bench cluster` runs the release build over a private PostgreSQL with `fsync` on and a private Redis, and beside \
        each figure something simple on the same stores in the same run. *Many* is {flags} flags and {pinned} users pinned on one \
        flag.\n\n\
        Measured on {}.\n\n{}\n\
        A change is timed from the answer to its writer on one of three nodes to the first evaluation on another that shows it; a \
        word from `PUBLISH` to its subscriber. The two p99 are compared for every {TURN} changes: the figure above is the \
        median of their differences. Changes are acknowledged to {WRITERS} writers, each of whom waits for an answer before \
        it sends the next; rows are single `INSERT`s, each a transaction.\n\n{}\n\
        ![How long a change takes to reach another node](benchmarks-cluster.svg)\n",
        machine::description(),
        standings(measured),
        tables(measured),
    )
}

/// What has to hold, and whether it does.
pub fn standings(measured: &Measured) -> String {
    target::table(&targets(measured))
}

/// The figures themselves.
pub fn tables(measured: &Measured) -> String {
    [
        propagation(&measured.propagation),
        writes(&measured.writes),
        starts(&measured.starts),
        one_more(&measured.one_more),
    ]
    .join("\n")
}

/// How long changes and words took, as a picture.
pub fn picture(measured: &Measured) -> String {
    let Propagation { of_changes, of_words } = &measured.propagation;
    let (of_changes, of_words) = (sorted(of_changes), sorted(of_words));
    let curves = [
        Curve::through("a word through Redis", Colour::Grey, |part| quantile(&of_words, part) * 1e6),
        Curve::through("a change, node to node", Colour::Blue, |part| quantile(&of_changes, part) * 1e6),
    ];
    curve::draw("From the answer to a writer until another node shows the change", &curves)
}

pub fn propagation(found: &Propagation) -> String {
    let mut text =
        String::from("| from one node to another | p50 ms | p99 ms | longest ms |\n|---|---:|---:|---:|\n");
    for (what, seconds) in [("a change", &found.of_changes), ("a word through Redis", &found.of_words)] {
        let ordered = sorted(seconds);
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|part| short(quantile(&ordered, part) * 1e3));
        line(&mut text, format_args!("| {what} | {p50} | {p99} | {longest} |"));
    }
    text
}

/// How many changes and rows were acknowledged.
pub fn writes(found: &[Rates]) -> String {
    let mut text = format!(
        "| acknowledged in a second | changes, {WRITERS} writers | rows, 1 connection | rows, {WRITERS} connections |\n\
        |---|---:|---:|---:|\n"
    );
    for Rates { store, changes, one, many } in found {
        let [changes, one, many] = [changes, one, many].map(|rates| match rates[..] {
            [] => String::new(),
            _ => short(Spread::of(rates.iter().copied()).median.round()),
        });
        line(&mut text, format_args!("| {store} | {changes} | {one} | {many} |"));
    }
    text
}

fn starts(found: &Starts) -> String {
    let mut text = String::from(
        "| a start | seconds until ready | memory at its highest, MB | memory afterwards, MB |\n|---|---:|---:|---:|\n",
    );
    let rows = found.full.iter().map(|(origin, starts)| (format!("from {}, many", origin.name()), starts));
    let rows = rows.chain([
        ("from PostgreSQL, without the pinned users".to_owned(), &found.flags_only),
        ("from PostgreSQL, one flag".to_owned(), &found.empty),
    ]);
    for (what, starts) in rows {
        let seconds = short(median(starts, |start| start.seconds));
        let [peak, settled] =
            [median(starts, |start| start.peak / 1e6), median(starts, |start| start.settled / 1e6)]
                .map(short);
        line(&mut text, format_args!("| {what} | {seconds} | {peak} | {settled} |"));
    }
    let each = short(bytes_of_an_override(found));
    let (id, sharing) = (user(0).len(), short(found.sharing));
    text + &format!(
        "\nAn override takes {each} bytes, of which {id} are its id. A node that shares its snapshot through Redis takes at most \
        {sharing} times what its start took.\n"
    )
}

fn one_more(found: &OneMore) -> String {
    let mut text = String::from(
        "| one more override, until another node shows it | from the request, p50 ms | p99 ms | from the answer, p50 ms | p99 ms |\n\
        |---|---:|---:|---:|---:|\n",
    );
    for (what, added) in [("where there are many", &found.to_many), ("where there is none", &found.to_none)] {
        let figures = [&added.from_request, &added.from_answer].map(|samples| {
            let mut ordered = samples.clone();
            ordered.sort_unstable_by(f64::total_cmp);
            [0.5, 0.99].map(|part| short(quantile(&ordered, part) * 1e3)).join(" | ")
        });
        line(&mut text, format_args!("| {what} | {} |", figures.join(" | ")));
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}
