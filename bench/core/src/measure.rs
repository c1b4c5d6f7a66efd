//! Timing: contestants take turns, sample by sample, so that whatever disturbs the machine disturbs all of them.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{
    contestant::{Contestant, Form},
    roster::entrants,
    sanity::Examination,
    scenario::Scenario,
    table::{Heat, Line},
};

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Pace {
    /// How long one sample takes, unless a single question takes longer.
    pub sample: Duration,
    /// The most rounds; each takes one sample of every contestant.
    pub rounds: usize,
    /// How long the rounds of one heat may take together.
    pub heat: Duration,
}

impl Pace {
    pub const USUAL: Self =
        Self { sample: Duration::from_millis(1), rounds: 301, heat: Duration::from_secs(15) };
    pub const QUICK: Self =
        Self { sample: Duration::from_micros(200), rounds: 11, heat: Duration::from_millis(300) };

    /// However slow a contestant is, a median needs some samples.
    const FEWEST_ROUNDS: usize = 7;
}

struct Runner {
    contestant: Box<dyn Contestant>,
    /// Questions in one sample.
    questions: usize,
    /// Nanoseconds of one evaluation, by round.
    samples: Vec<f64>,
}

/// Makes, checks and times everybody who takes part in a scenario.
pub fn race(scenario: &Scenario, form: Form, pace: Pace) -> Result<Heat> {
    let entrants = entrants(scenario);
    let examination = Examination::new(scenario, &entrants)?;
    let mut runners = Vec::new();
    for entrant in &entrants {
        let mut contestant = entrant.make(scenario, form);
        examination.pass(entrant, &mut *contestant)?;
        let questions = questions_in(pace.sample, &mut *contestant);
        runners.push(Runner { contestant, questions, samples: Vec::new() });
    }
    let began = Instant::now();
    for round in 0..pace.rounds {
        if round >= Pace::FEWEST_ROUNDS && began.elapsed() > pace.heat {
            break;
        }
        // Whoever comes after a slow contestant finds colder caches, so everybody comes after everybody.
        let first = round % runners.len();
        for turn in 0..runners.len() {
            let runner = &mut runners[(first + turn) % entrants.len()];
            let sample = sample(runner) / scenario.evaluations() as f64;
            runner.samples.push(sample);
        }
    }
    let lines = entrants.iter().zip(runners);
    let lines = lines.map(|(entrant, runner)| Line::new(entrant.name, entrant.role, runner.samples));
    Ok(Heat { scenario: scenario.id, title: scenario.title, form, lines: lines.collect() })
}

/// Nanoseconds of one question.
fn sample(runner: &mut Runner) -> f64 {
    // Brings back code and tables that the others have driven out of the caches.
    runner.contestant.run(runner.questions.div_ceil(8));
    let elapsed = time(runner.questions, &mut *runner.contestant);
    elapsed.as_nanos() as f64 / runner.questions as f64
}

fn time(questions: usize, contestant: &mut dyn Contestant) -> Duration {
    let began = Instant::now();
    contestant.run(questions);
    began.elapsed()
}

/// How many questions fill the time of one sample.
fn questions_in(sample: Duration, contestant: &mut dyn Contestant) -> usize {
    let mut questions = 1;
    loop {
        // The fastest of some: an interruption here would make every sample too short.
        let elapsed = (0..5).map(|_| time(questions, contestant)).min().unwrap_or_default();
        if elapsed * 2 >= sample {
            let fitting = questions as f64 * sample.as_secs_f64() / elapsed.as_secs_f64();
            return (fitting as usize).max(1);
        }
        questions *= 2;
    }
}
