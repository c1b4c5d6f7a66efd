//! The program behind `cargo xtask bench http` and `cargo xtask bench cluster`: measures, prints, and writes the report.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use flag_bench_report::section;
use flag_bench_server::{
    bare,
    cluster::{self, Cluster, one_more, propagation, start, writes},
    cluster_report, http, http_report,
    load::Rate,
    node::Program,
};

const USAGE: &str = "(http | cluster) PROGRAM [--quick | --docs FOLDER] | load (PROGRAM | bare) SECONDS [QUESTIONS_A_SECOND] | writes PROGRAM SECONDS | propagation PROGRAM CHANGES | bare";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["http", program, ref options @ ..] => {
            measure_http(&Program::at(program)?, &Options::parse(options)?)
        }
        ["cluster", program, ref options @ ..] => {
            measure_cluster(Program::at(program)?, &Options::parse(options)?)
        }
        // For whoever wants to watch a server at work with a profiler.
        ["load", program, seconds, ref rate @ ..] => {
            let program = if program == "bare" { None } else { Some(Program::at(program)?) };
            let rate = match *rate {
                [] => Rate::Saturating,
                [rate] => Rate::Steady(rate.parse()?),
                _ => bail!("usage: {USAGE}"),
            };
            let outcome = http::load(program.as_ref(), rate, Duration::from_secs(seconds.parse()?))?;
            let (cost, throughput) = (outcome.cost * 1e6, outcome.throughput);
            println!("{cost:.2} µs of CPU for an answer, {throughput:.0} answers a second");
            let late = [0.5, 0.9, 0.99, 0.999, 1.0].map(|part| outcome.latency(part) * 1e6);
            println!("p50, p90, p99, p99.9 and longest: {late:.0?} µs");
            Ok(())
        }
        ["writes", program, seconds] => {
            let cluster = Cluster::start(Program::at(program)?)?;
            let turn = Duration::from_secs(seconds.parse()?);
            let rates =
                [writes::on_postgres(&cluster, 1, turn)?, writes::on_sqlite(&cluster.program, 1, turn)?];
            println!("{}", cluster_report::writes(&rates));
            Ok(())
        }
        ["propagation", program, changes] => {
            let cluster = Cluster::start(Program::at(program)?)?;
            let found = propagation::measure(&cluster, changes.parse()?)?;
            println!("{}", cluster_report::propagation(&found));
            Ok(())
        }
        ["bare"] => bare::serve(),
        _ => bail!("usage: {USAGE}"),
    }
}

/// How thoroughly to measure, and where to write it down.
struct Options {
    is_quick: bool,
    docs: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        Ok(match *arguments {
            [] => Self { is_quick: false, docs: None },
            ["--quick"] => Self { is_quick: true, docs: None },
            ["--docs", docs] => Self { is_quick: false, docs: Some(docs.into()) },
            _ => bail!("usage: {USAGE}"),
        })
    }

    /// Writes a section of docs/benchmarks.md and its picture, if they are to be written down.
    fn write(&self, name: &str, text: &str, picture: &str) -> Result<()> {
        let Some(docs) = &self.docs else { return Ok(()) };
        fs::write(docs.join(format!("benchmarks-{name}.svg")), picture).context("write the picture")?;
        section::write(docs, name, text)
    }
}

fn measure_http(program: &Program, options: &Options) -> Result<()> {
    let pace = if options.is_quick { http::Pace::QUICK } else { http::Pace::USUAL };
    let measured = http::measure(program, pace)?;
    println!("{}\n{}", http_report::standings(&measured), http_report::table(&measured));
    options.write("http", &http_report::text(&measured), &http_report::picture(&measured))
}

fn measure_cluster(program: Program, options: &Options) -> Result<()> {
    let pace = if options.is_quick { cluster::Pace::QUICK } else { cluster::Pace::USUAL };
    let turn = Duration::from_secs_f64(pace.turn);
    let cluster = Cluster::start(program)?;
    eprintln!("      from node to node: {} changes …", pace.changes);
    let propagation = propagation::measure(&cluster, pace.changes)?;
    eprintln!("      writers on PostgreSQL and on SQLite: {} turns …", pace.turns);
    let writes = vec![
        writes::on_postgres(&cluster, pace.turns, turn)?,
        writes::on_sqlite(&cluster.program, pace.turns, turn)?,
    ];
    eprintln!("      starts: {} rounds …", pace.rounds);
    let starts = start::measure(&cluster, pace.many, pace.rounds)?;
    eprintln!("      one more override: {} …", pace.overrides);
    let one_more = one_more::measure(&cluster, pace.many, pace.overrides)?;
    let measured = cluster_report::Measured { propagation, writes, starts, one_more };
    println!("{}\n{}", cluster_report::standings(&measured), cluster_report::tables(&measured));
    options.write("cluster", &cluster_report::text(&measured), &cluster_report::picture(&measured))
}
