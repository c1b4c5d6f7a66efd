//! What `http` found, in words and tables.

use std::fmt::Write;

use flag_bench_report::{machine, number::short};

use crate::{
    curve::{self, Colour, Curve},
    http::{Case, Measured, Samples, Turns, WARM_UP},
    load::{CONNECTIONS, Outcome},
    statistic::{Spread, quantile},
    target::{self, Bound, Target},
};

/// Where a p99 counts as no worse: closer than this, it is the noise of a hundredth of the answers.
const NO_WORSE: f64 = 1.05;

fn targets(measured: &Measured) -> Vec<Target> {
    let per_second = |case| figures(&measured.of(case).saturated, |outcome| 1.0 / outcome.cost);
    let p99 = |case| figures(&measured.of(case).steady, |outcome| outcome.latency(0.99));
    let rate = |what: &str, ours, theirs, bound| Target {
        what: what.to_owned(),
        found: Spread::of_ratios(&per_second(ours), &per_second(theirs)),
        bound,
    };
    let late = |what: &str, ours, bound| Target {
        what: what.to_owned(),
        found: Spread::of_calm(&p99(ours), &p99(Case::Bare)),
        bound,
    };
    vec![
        rate("10,000 flags beside the bare server", Case::Many, Case::Bare, Bound::AtLeast(0.92)),
        rate("a million overrides beside the bare server", Case::Million, Case::Bare, Bound::AtLeast(0.92)),
        rate("1 flag beside 10,000", Case::One, Case::Many, Bound::Within(0.05)),
        rate("100,000 flags beside 10,000", Case::Most, Case::Many, Bound::Within(0.05)),
        rate("50 writes a second beside none", Case::Written, Case::Many, Bound::Within(0.05)),
        late(
            "p99 of the calmer turns, 10,000 flags beside the bare server",
            Case::Many,
            Bound::AtMost(NO_WORSE),
        ),
        late(
            "p99 of the calmer turns, a million overrides beside the bare server",
            Case::Million,
            Bound::AtMost(NO_WORSE),
        ),
    ]
}

fn figures(outcomes: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> Vec<f64> {
    outcomes.iter().map(figure).collect()
}

/// The section of docs/benchmarks.md.
pub fn text(measured: &Measured) -> String {
    let (workers, rate) = (measured.workers, short((measured.rate / 100.0).round() * 100.0));
    let turns =
        |turns: Turns| format!("{} ms for {} rounds", turns.sample.as_millis(), short(turns.rounds as f64));
    let warm_up = WARM_UP.as_millis();
    let seldom = measured.pace.steady.sample.as_millis() * 4 / 3;
    let (saturated, steady) = (turns(measured.pace.saturated), turns(measured.pace.steady));
    let mut text = format!(
        "## Evaluation over HTTP\n\n\
        `cargo xtask bench http` runs the release build on SQLite, and beside it a bare actix-web server with as many workers \
        ({workers}), which reads the same JSON and writes the same JSON by serde, without logic, middleware or headers of its own. \
        Servers have one half of the cores and whoever asks the other. {CONNECTIONS} connections that stay open ask \
        `POST /features/{{key}}/evaluate`, one question at a time, each answer held against the expected one. Servers take turns of \
        {saturated}; figures are medians over the rounds, and ratios are medians of the ratio within a round, with quartiles in \
        brackets. Questions are about flags that are rolled out, half of all, so that one flag is asked no other question than \
        many. CPU is what the kernel's scheduler counted for the server's threads.\n\n\
        Latencies are taken at {rate} questions a second, half of what the bare server can do, from when a question was due, in \
        turns of {steady}. A p99 is compared by the calmer turns, as the quotient of the first quartiles over the rounds, with \
        quartiles of the same from samples drawn anew: on a machine whose neighbours make it stall, the others tell how often it \
        did. What strikes fewer than three turns in four, so every {seldom} ms or more seldom, does not show in it; the medians \
        are in the table, and beside them the p99 of all turns together.\n\n\
        The order of turns is drawn anew for each round. Before a sample, {warm_up} ms pass with asking, and before those, where \
        flags are written, up to a fifth of a second with writing alone.\n\n\
        Measured on {}.\n\n",
        machine::description(),
    );
    text += &standings(measured);
    text += "\nThe first five ratios are answers per CPU-second.\n\n";
    text += &table(measured);
    text += "\n![Latency by quantile](benchmarks-http.svg)\n";
    text
}

/// What has to hold, and whether it does.
pub fn standings(measured: &Measured) -> String {
    target::table(&targets(measured))
}

/// The latencies of the bare server and of the product, as a picture.
pub fn picture(measured: &Measured) -> String {
    let curve = |case: Case, name: &str, colour| {
        let rounds = &measured.of(case).steady;
        // By quantile, the median over the rounds.
        let at = |part: f64| Spread::of(rounds.iter().map(|outcome| outcome.latency(part) * 1e6)).median;
        Curve::through(name, colour, at)
    };
    let curves = [
        curve(Case::Bare, "bare actix-web", Colour::Grey),
        curve(Case::Many, "10,000 flags", Colour::Blue),
        curve(Case::Million, "a million overrides", Colour::Green),
    ];
    curve::draw("Latency of an evaluation over HTTP, by quantile", &curves)
}

/// The figures themselves.
pub fn table(measured: &Measured) -> String {
    let mut text = String::from(
        "| | CPU µs an answer | answers a second | p50 µs | p99 µs | steady p50 µs | steady p99 µs | of the calmer turns | of all together |\n\
        |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for Samples { case, saturated, steady } in &measured.samples {
        let spread = |outcomes: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| {
            (!outcomes.is_empty()).then(|| Spread::of(figures(outcomes, figure)))
        };
        let median = |outcomes: &[Outcome], figure: &dyn Fn(&Outcome) -> f64| {
            spread(outcomes, figure).map_or_else(String::new, |spread| short(spread.median))
        };
        let calm = spread(steady, &|outcome| outcome.latency(0.99) * 1e6);
        let late = |outcomes, part| median(outcomes, &|outcome: &Outcome| outcome.latency(part) * 1e6);
        line(
            &mut text,
            format_args!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                case.title(),
                median(saturated, &|outcome| outcome.cost * 1e6),
                median(saturated, &|outcome| outcome.throughput.round()),
                late(saturated, 0.5),
                late(saturated, 0.99),
                late(steady, 0.5),
                late(steady, 0.99),
                calm.map_or_else(String::new, |spread| short(spread.low)),
                together(steady).map_or_else(String::new, |p99| short(p99 * 1e6)),
            ),
        );
    }
    text
}

/// The p99 of the latencies of all turns, in seconds, if there are any.
fn together(outcomes: &[Outcome]) -> Option<f64> {
    let mut latencies: Vec<f64> =
        outcomes.iter().flat_map(|outcome| outcome.latencies.iter().copied()).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    (!latencies.is_empty()).then(|| quantile(&latencies, 0.99))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a string takes everything");
}
