//! `docs/benchmarks.md`: the sections of it that this program owns, each between two markers.

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result};
use flag_bench_report::{machine, number::short, section};

use crate::{
    chart,
    contestant::Form,
    instructions::Count,
    lock,
    roster::Role,
    table::{Heat, Ratio},
    targets::Standing,
};

/// Evaluators that were looked at and are missing, with the reason.
const ABSENT: [(&str, &str); 5] = [
    (
        "posthog-rs 0.30",
        "evaluates locally, but its HTTP client compiles AWS-LC, minutes of C that no feature turns off",
    ),
    (
        "flagd-evaluation-engine 0.1",
        "interprets targeting rules only, and parses their text at each question",
    ),
    (
        "unleash-api-client 0.17",
        "a client with strategies of its own; Unleash is here with the engine that its SDKs share",
    ),
    (
        "statsig-rust 0.24",
        "reachable only through its client, which is started asynchronously; not compared yet",
    ),
    ("superposition_core 0.118", "merges configuration by context and has no flags to ask for"),
];

/// How evaluators are asked whose interfaces left no even choice.
const NOTES: [(&str, &str); 5] = [
    ("configcat", "takes the user by value, so that a prebuilt one is copied for each question"),
    ("feature-flag", "does not let rules see the id, so that its contexts repeat it as an attribute"),
    ("flagsmith-flag-engine", "evaluates every flag at each question; in F it is asked once for all"),
    ("launchdarkly-server-sdk-evaluation", "is lent each flag, where the store of its SDK hands out copies"),
    ("unleash-yggdrasil", "is asked by `is_enabled`, which leaves out the variants that `resolve` adds"),
];

pub fn write_times(docs: &Path, heats: &[Heat]) -> Result<()> {
    fs::write(docs.join("benchmarks-core.svg"), chart::draw(heats)).context("write the chart")?;
    section::write(docs, "core times", &times(heats))
}

pub fn write_instructions(docs: &Path, counts: &[Count]) -> Result<()> {
    section::write(docs, "core instructions", &instructions(counts))
}

fn times(heats: &[Heat]) -> String {
    let mut text = String::from(
        "## flag-core: time\n\n\
        `cargo xtask bench core` runs flag-core, the evaluators that a Rust user could take instead, and a hand-written minimum \
        for each scenario in one process, on the same flags and the same questions. Answers are checked first. Then contestants \
        take turns, a sample of a millisecond each, for up to 301 rounds. Times are medians over the samples, in nanoseconds per \
        evaluation. Ratios are medians over the rounds of the ratio within a round, so that whatever disturbed a round disturbed \
        both; they need not be the quotient of two medians. *Built* makes the context of each question inside the loop, *prebuilt* \
        before it.\n\n\
        The minimum is the least code that gives the same answers with a fast hash table and no model; where there are two, the \
        faster one counts.\n\n",
    );
    write!(text, "Measured on {}.\n\n### Targets\n\n", machine::description()).expect(INFALLIBLE);
    text += &standings(heats);
    text += "\nIn brackets: the quartiles of the ratio over the rounds.\n\n\
        ![Time of one evaluation, by scenario](benchmarks-core.svg)\n";
    for pair in heats.chunk_by(|a, b| a.scenario == b.scenario) {
        text += &scenario(pair);
    }
    text += &cache_misses(heats);
    text += "\n### Versions, and who is missing\n\n";
    let mut names: Vec<_> = heats
        .iter()
        .flat_map(|heat| &heat.lines)
        .filter(|line| line.role == Role::Peer)
        .map(|line| line.name)
        .collect();
    names.sort_unstable();
    names.dedup();
    let versions = names.iter().map(|name| format!("{name} {}", lock::version(name).unwrap_or_default()));
    writeln!(text, "Peers: {}.\n", versions.collect::<Vec<_>>().join(", ")).expect(INFALLIBLE);
    for (name, note) in NOTES {
        writeln!(text, "- {name} {note}.").expect(INFALLIBLE);
    }
    text += "\nNot compared:\n\n";
    for (name, reason) in ABSENT {
        writeln!(text, "- {name}: {reason}.").expect(INFALLIBLE);
    }
    text
}

fn standings(heats: &[Heat]) -> String {
    let mut text = String::from(
        "| scenario | context | of the minimum's time | at most | | as fast as the fastest peer | at least | |\n\
        |---|---|---:|---:|---|---:|---:|---|\n",
    );
    for (heat, standing) in heats.iter().filter_map(|heat| Some((heat, Standing::of(heat)?))) {
        let met = |is_met| if is_met { "met" } else { "**missed**" };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} times {} | {} | {} |",
            heat.scenario,
            heat.form.name(),
            with_quartiles(standing.of_minimum),
            standing.target.of_minimum,
            met(standing.minimum_is_met()),
            with_quartiles(standing.of_peer),
            heat.fastest_peer().name,
            standing.target.of_peer,
            met(standing.peer_is_met()),
        )
        .expect(INFALLIBLE);
    }
    text
}

fn with_quartiles(ratio: Ratio) -> String {
    format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.low, ratio.high)
}

/// One scenario in both forms, side by side.
fn scenario(pair: &[Heat]) -> String {
    let Some(first) = pair.first() else { return String::new() };
    let mut text = format!("\n### {}: {}\n\n| |", first.scenario, first.title);
    for heat in pair {
        write!(text, " {} ns | × minimum | × flag-core | allocations |", heat.form.name()).expect(INFALLIBLE);
    }
    text += "\n|---|";
    text += &"---:|".repeat(4 * pair.len());
    text.push('\n');
    for ranked in first.ranked() {
        write!(text, "| {} |", if ranked.role == Role::Ours { "**flag-core**" } else { ranked.name })
            .expect(INFALLIBLE);
        for heat in pair {
            let Some(line) = heat.lines.iter().find(|line| line.name == ranked.name) else { continue };
            let ratio = |other| short(line.over(other).median);
            let allocations = line.allocations.map_or_else(String::new, short);
            let (minimum, ours) = (ratio(heat.minimum()), ratio(heat.ours()));
            write!(text, " {} | {minimum} | {ours} | {allocations} |", short(line.median)).expect(INFALLIBLE);
        }
        text.push('\n');
    }
    text
}

/// What of scenario D is waiting for memory.
fn cache_misses(heats: &[Heat]) -> String {
    let find = |id: &str| heats.iter().find(|heat| heat.scenario == id && heat.form == Form::Built);
    let (Some(cold), Some(hot)) = (find("D"), find("D hot")) else { return String::new() };
    let share = |name: &str| {
        let of = |heat: &Heat| heat.lines.iter().find(|line| line.name == name).map(|line| line.median);
        let (cold, hot) = (of(cold)?, of(hot)?);
        Some(format!("{name} {} of {} ns", short(cold - hot), short(cold)))
    };
    let shares =
        ["flag-core", "minimum, set", "minimum, hashes", "unleash-yggdrasil"].into_iter().filter_map(share);
    format!(
        "\nD and *D hot* run the same instructions on the same table; in *D hot* all that is touched stays in the nearest caches, \
        and the branches are soon foretold. The difference is what waiting for memory costs: {}.\n",
        shares.collect::<Vec<_>>().join(", ")
    )
}

pub fn print_standings(heats: &[Heat]) {
    println!("\n{}", standings(heats));
}

pub fn print_instructions(counts: &[Count]) {
    println!("{}", instruction_table(counts));
}

fn instructions(counts: &[Count]) -> String {
    format!(
        "## flag-core: instructions\n\n\
        `cargo xtask bench core --instructions` runs the same loops under valgrind's callgrind, twice with different numbers of \
        evaluations; the difference, divided, is the instructions of one evaluation, loop included. *D million* is left out: its setting up would take minutes under an emulator. Built by {}.\n\n{}",
        machine::compiler(),
        instruction_table(counts)
    )
}

fn instruction_table(counts: &[Count]) -> String {
    let mut text = String::from("| scenario | | built | prebuilt |\n|---|---|---:|---:|\n");
    for built in counts.iter().filter(|count| count.form == Form::Built) {
        let same = |count: &&Count| {
            (count.scenario, count.name, count.form) == (built.scenario, built.name, Form::Prebuilt)
        };
        let prebuilt = counts.iter().find(same).map(|count| format!("{:.1}", count.instructions));
        let prebuilt = prebuilt.unwrap_or_default();
        writeln!(text, "| {} | {} | {:.1} | {prebuilt} |", built.scenario, built.name, built.instructions)
            .expect(INFALLIBLE);
    }
    text
}

const INFALLIBLE: &str = "a string takes everything";
