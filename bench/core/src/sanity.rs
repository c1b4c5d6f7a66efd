//! Answers are checked before anything is timed: a fast wrong answer is worth nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{
    contestant::{Contestant, Form},
    roster::{Entrant, Role},
    scenario::{Expected, Scenario, expected},
};

/// How far the share of a rollout may be from what was asked for.
const TOLERANCE: f64 = 0.03;
/// How long one contestant is questioned; those that scan long lists answer fewer questions.
const PATIENCE: Duration = Duration::from_millis(500);

/// What every contestant of a scenario must answer.
pub struct Examination<'a> {
    scenario: &'a Scenario,
    expected: Vec<Expected>,
    /// What flag-core says, which the hand-written minimums must say too, bucket for bucket.
    exact: Vec<usize>,
}

impl<'a> Examination<'a> {
    pub fn new(scenario: &'a Scenario, entrants: &[Entrant]) -> Result<Self> {
        let ours =
            entrants.iter().find(|entrant| entrant.role == Role::Ours).context("flag-core is missing")?;
        let mut contestant = ours.make(scenario, Form::Built);
        let exact = (0..scenario.questions.len()).map(|question| contestant.answer(question)).collect();
        Ok(Self { scenario, expected: expected(scenario), exact })
    }

    pub fn pass(&self, entrant: &Entrant, contestant: &mut dyn Contestant) -> Result<()> {
        self.examine(entrant.role, contestant)
            .with_context(|| format!("{} gives a wrong answer", entrant.name))
    }

    fn examine(&self, role: Role, contestant: &mut dyn Contestant) -> Result<()> {
        let began = Instant::now();
        let (mut rolled_out, mut mean, mut asked) = (0.0, 0.0, 0.0);
        for (question, expected) in self.expected.iter().enumerate() {
            let on = contestant.answer(question);
            let user = self.scenario.questions[question].user;
            if expected.rolled_out == 0.0 {
                ensure!(on == expected.on, "{user} has {on} flags instead of {}", expected.on);
            }
            if role != Role::Peer {
                ensure!(
                    on == self.exact[question],
                    "{user} has {on} flags, and {} of flag-core",
                    self.exact[question]
                );
            }
            rolled_out += on as f64 - expected.on as f64;
            mean += expected.rolled_out;
            asked += self.scenario.evaluations() as f64;
            if role == Role::Peer && question >= 10 && began.elapsed() > PATIENCE {
                break;
            }
        }
        let off_by = (rolled_out - mean).abs() / asked;
        ensure!(off_by < TOLERANCE, "rollouts hold {rolled_out} where {mean} were expected");
        Ok(())
    }
}
