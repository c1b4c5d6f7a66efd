//! The loops that are timed: one engine, one list of questions, contexts made inside the loop or before it.

use std::hint::black_box;

use crate::{
    engine::Engine,
    scenario::{Breadth, Scenario},
};

/// When the context is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Inside the loop, as a service that serves one request after the other must.
    Built,
    /// Before the loop: asked many times, a context may have paid for itself already.
    Prebuilt,
}

impl Form {
    pub const ALL: [Self; 2] = [Self::Built, Self::Prebuilt];

    pub fn name(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Prebuilt => "prebuilt",
        }
    }
}

/// A loop over the questions of one scenario.
pub trait Contestant {
    /// Answers one question: how many flags are on.
    fn answer(&mut self, question: usize) -> usize;

    /// Asks so many questions, going on where the last call stopped.
    fn run(&mut self, questions: usize);
}

/// A loop over `questions` with an engine inside `ask`.
struct Loop<Q, F> {
    questions: Vec<Q>,
    next: usize,
    ask: F,
}

impl<Q, F: FnMut(&mut Q) -> usize> Contestant for Loop<Q, F> {
    fn answer(&mut self, question: usize) -> usize {
        (self.ask)(&mut self.questions[question])
    }

    fn run(&mut self, mut left: usize) {
        while left > 0 {
            // A slice at a time, so that the loop itself costs next to nothing.
            let now = left.min(self.questions.len() - self.next);
            for question in &mut self.questions[self.next..self.next + now] {
                black_box((self.ask)(black_box(question)));
            }
            left -= now;
            self.next = (self.next + now) % self.questions.len();
        }
    }
}

/// The loop of `E` over a scenario.
pub fn contestant<E: Engine + 'static>(scenario: &Scenario, form: Form) -> Box<dyn Contestant> {
    let mut engine = E::with_flags(&scenario.flags);
    let keys = scenario.keys();
    let questions = scenario.questions.iter();
    match (scenario.breadth, form) {
        (Breadth::OneFlag, Form::Built) => boxed(questions.copied().collect(), move |question| {
            let mut context = E::context(question.user);
            usize::from(engine.is_on(question.key, &mut context))
        }),
        (Breadth::OneFlag, Form::Prebuilt) => {
            let questions = questions.map(|question| (question.key, E::context(question.user))).collect();
            boxed(questions, move |(key, context)| usize::from(engine.is_on(key, context)))
        }
        (Breadth::EveryFlag, Form::Built) => boxed(questions.copied().collect(), move |question| {
            engine.count_on(&keys, &mut E::context(question.user))
        }),
        (Breadth::EveryFlag, Form::Prebuilt) => {
            let contexts = questions.map(|question| E::context(question.user)).collect();
            boxed(contexts, move |context| engine.count_on(&keys, context))
        }
    }
}

fn boxed<Q: 'static>(questions: Vec<Q>, ask: impl FnMut(&mut Q) -> usize + 'static) -> Box<dyn Contestant> {
    Box::new(Loop { questions, next: 0, ask })
}
