//! `http`: evaluation over HTTP beside a bare server, by the number of flags, and while flags are written.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};

use crate::{
    cores::Cores,
    load::{self, Meanwhile, Outcome, Rate},
    node::{Program, sqlite, wait_until_ready},
    process::Process,
    question::{self, Question},
    seed::{self, Content},
};

/// Flags of the database that everything else is compared with.
const MANY: u32 = 10_000;
/// Writes in a second, where there are any.
const WRITES: u32 = 50;
/// For up to how long, in milliseconds, flags are written before anything is asked. What a node does less often than once a
/// write, such as to report where it stands five times a second at most, then falls into samples as often as in the long run.
const WRITTEN_BEFORE: u64 = 200;
/// At which part of the bare server's throughput latencies are taken: what a server says of itself when it is drowning is of
/// no use to anybody.
const CALM: f64 = 0.5;

/// How often each server has its turn, and how long that is: very many and short ones, because how fast a server is differs from
/// turn to turn by much more than what is looked for, however long a turn is.
#[derive(Clone, Copy)]
pub struct Turns {
    pub rounds: usize,
    pub sample: Duration,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Pace {
    pub saturated: Turns,
    pub steady: Turns,
}

impl Pace {
    /// A p99 is spoilt by a single stall, and of turns of 10 ms most have none even on a restless machine.
    pub const USUAL: Self = Self {
        saturated: Turns { rounds: 1_500, sample: SAMPLE },
        steady: Turns { rounds: 3_000, sample: SHORT_SAMPLE },
    };
    pub const QUICK: Self = Self {
        saturated: Turns { rounds: 20, sample: SAMPLE },
        steady: Turns { rounds: 40, sample: SHORT_SAMPLE },
    };
}

/// How long a server is asked before a sample begins.
pub const WARM_UP: Duration = Duration::from_millis(10);
const SAMPLE: Duration = Duration::from_millis(20);
const SHORT_SAMPLE: Duration = Duration::from_millis(10);

/// Who is asked what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    Bare,
    One,
    Many,
    Most,
    Million,
    Written,
}

impl Case {
    pub const ALL: [Self; 6] = [Self::Bare, Self::One, Self::Many, Self::Most, Self::Million, Self::Written];

    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare actix-web",
            Self::One => "1 flag",
            Self::Many => "10,000 flags",
            Self::Most => "100,000 flags",
            Self::Million => "a flag with a million overrides",
            Self::Written => "10,000 flags, 50 writes a second",
        }
    }

    /// The number of flags and of whoever is pinned, of its own server; nothing if it shares that of another case.
    fn content(self) -> Option<Content> {
        match self {
            Self::Bare | Self::Written => None,
            Self::One => Some(Content::flags(1)),
            Self::Many => Some(Content::flags(MANY)),
            Self::Most => Some(Content::flags(100_000)),
            Self::Million => Some(Content::with_the_million(MANY)),
        }
    }

    fn questions(self) -> Vec<Question> {
        match self {
            Self::Bare => question::of_nothing(MANY),
            Self::One => question::of_flags(1),
            Self::Many | Self::Written => question::of_flags(MANY),
            Self::Most => question::of_flags(100_000),
            Self::Million => question::of_the_million(),
        }
    }
}

/// What all rounds found of one case.
pub struct Samples {
    pub case: Case,
    /// Under saturation.
    pub saturated: Vec<Outcome>,
    /// At a steady rate, the same for all; nothing for cases whose latency is of no interest.
    pub steady: Vec<Outcome>,
}

/// What was measured.
pub struct Measured {
    pub samples: Vec<Samples>,
    /// Questions in a second while latencies were taken.
    pub rate: f64,
    /// Workers of each server.
    pub workers: usize,
    pub pace: Pace,
}

impl Measured {
    pub fn of(&self, case: Case) -> &Samples {
        self.samples.iter().find(|samples| samples.case == case).expect("every case is measured")
    }
}

struct Server {
    process: Process,
    /// Where its flags are.
    _directory: Option<tempfile::TempDir>,
}

/// Starts every server and asks them in turn.
pub fn measure(program: &Program, pace: Pace) -> Result<Measured> {
    let cores = Cores::divide()?;
    let mut contestants = Vec::new();
    for case in Case::ALL {
        eprintln!("      starting: {}", case.title());
        let server = match case.content() {
            Some(content) => Some(node(program, &cores, content)?),
            None if case == Case::Bare => Some(bare(&cores)?),
            None => None,
        };
        contestants.push((case, server, case.questions()));
    }
    let mut samples: Vec<Samples> =
        Case::ALL.map(|case| Samples { case, saturated: Vec::new(), steady: Vec::new() }).into();
    let mut rate = 0.0;
    // Of a seed, so that every run has the same order.
    let mut random = fastrand::Rng::with_seed(1);
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    for (title, turns, steady) in [("saturated", pace.saturated, false), ("steady", pace.steady, true)] {
        for round in 0..turns.rounds {
            if round % 50 == 0 {
                eprintln!("      {title}, round {} of {} …", round + 1, turns.rounds);
            }
            // Whoever comes after a slow one finds colder caches, so everybody comes after everybody.
            random.shuffle(&mut order);
            for place in &order {
                let (case, _, questions) = &contestants[*place];
                let is_timed = !steady || matches!(case, Case::Bare | Case::Many | Case::Million);
                if !is_timed {
                    continue;
                }
                let shared = if *case == Case::Written { Case::Many } else { *case };
                let server = contestants.iter().find(|(other, ..)| *other == shared);
                let server = server.and_then(|(_, server, _)| server.as_ref()).context("nobody to ask")?;
                let rate = if steady { Rate::Steady(rate) } else { Rate::Saturating };
                let meanwhile = if *case == Case::Written {
                    Meanwhile::Writes(WRITES, Duration::from_millis(random.u64(..WRITTEN_BEFORE)))
                } else {
                    Meanwhile::Nothing
                };
                // A turn comes to a part of the questions: each begins elsewhere, so that all are asked, and rarely the same ones
                // twice in a row.
                let (last, first) = questions.split_at(random.usize(..questions.len()));
                let questions = first.iter().chain(last);
                let outcome = load::run(&server.process, questions, rate, meanwhile, WARM_UP, turns.sample)?;
                let samples = samples.iter_mut().find(|samples| samples.case == *case);
                let samples = samples.context("every case has its samples")?;
                if steady { samples.steady.push(outcome) } else { samples.saturated.push(outcome) }
            }
        }
        let throughputs = samples[0].saturated.iter().map(|outcome| outcome.throughput);
        rate = CALM * crate::statistic::Spread::of(throughputs).median;
    }
    Ok(Measured { samples, rate, workers: cores.of_a_server(), pace })
}

/// Asks one server, the bare one if no program is named, for a while.
pub fn load(program: Option<&Program>, rate: Rate, period: Duration) -> Result<Outcome> {
    let cores = Cores::divide()?;
    let (server, questions) = match program {
        Some(program) => (node(program, &cores, Content::flags(MANY))?, Case::Many.questions()),
        None => (bare(&cores)?, Case::Bare.questions()),
    };
    println!("asking process {}", server.process.id());
    load::run(&server.process, questions.iter(), rate, Meanwhile::Nothing, WARM_UP, period)
}

fn bare(cores: &Cores) -> Result<Server> {
    let program = std::env::current_exe().context("where is this program?")?;
    let process = cores.among_servers(|| Process::start(Command::new(program).arg("bare")))??;
    Ok(Server { process, _directory: None })
}

fn node(program: &Program, cores: &Cores, content: Content) -> Result<Server> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("flags.db");
    fill(program, &file, content)?;
    let process = cores.among_servers(|| program.start(&sqlite(&file), None))??;
    wait_until_ready(&process)?;
    Ok(Server { process, _directory: Some(directory) })
}

fn fill(program: &Program, file: &Path, content: Content) -> Result<()> {
    program.migrate(&sqlite(file))?;
    seed::sqlite(file, content)
}
