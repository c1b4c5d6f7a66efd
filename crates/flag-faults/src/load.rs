//! Clients that ask without end, and must always get the right answer; and writers that write without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::chance::Chance;
use crate::journal::{Journal, Outcome, Wish};
use crate::state::{Answer, Question};
use crate::verdict::{Times, must};

/// The flag that askers ask for, which nobody changes.
pub(crate) const STEADY: &str = "steady";

/// Creates the flag that askers ask for, with a group that is pinned.
pub(crate) async fn prepare_steady(api: &Api, node: &str, journal: &Journal) -> Result<()> {
    for (author, wish) in [
        ("steady/create", Wish::create(STEADY)),
        ("steady/pin", Wish::pin(STEADY, "group", "beta", &true.into())),
    ] {
        let outcome = journal.write(api, node, author, &wish).await?;
        must!(matches!(outcome, Outcome::Acknowledged(_)), "{author}: {outcome:?}");
    }
    Ok(())
}

/// A question for [`STEADY`], and the answer that is right at every revision.
fn steady() -> (Question, Answer) {
    let context = [Some("u".to_owned()), Some("beta".to_owned()), None];
    (Question { key: STEADY.to_owned(), context }, Some((true, "GROUP_OVERRIDE".to_owned())))
}

/// Tasks that run until they are told to stop, and what each of them found.
pub(crate) struct Running<T: Send + 'static> {
    tasks: JoinSet<Result<T>>,
    stop: Stop,
}

/// Whether a task shall go on.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<T: Send + 'static> Running<T> {
    pub(crate) fn none() -> Self {
        Self { tasks: JoinSet::new(), stop: Stop::default() }
    }

    pub(crate) fn add<F>(&mut self, task: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let task = task(self.stop.clone());
        self.tasks.spawn(task);
    }

    /// Tells all to stop, and gives what they found; the first failure, if one failed.
    pub(crate) async fn finish(mut self) -> Result<Vec<T>> {
        self.stop.0.store(true, Ordering::Relaxed);
        let mut found = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            found.push(ended??);
        }
        Ok(found)
    }
}

/// Asks each of `nodes` from `tasks` tasks, with `pause` between questions.
pub(crate) fn ask(api: &Api, nodes: &[String], tasks: usize, pause: Duration) -> Running<Times> {
    let mut running = Running::none();
    for node in nodes {
        for _ in 0..tasks {
            let (api, node) = (api.clone(), node.clone());
            running.add(|stop| async move {
                let (question, right) = steady();
                let mut times = Times::default();
                while !stop.is_told() {
                    let asked = Instant::now();
                    let answer = api.evaluate(&node, &question).await;
                    match answer {
                        Ok(answer) => must!(answer == right, "{node} answers {answer:?} to {question:?}"),
                        Err(error) => must!(false, "{node} does not answer an evaluation: {error:#}"),
                    }
                    times.push(asked.elapsed());
                    sleep(pause).await;
                }
                Ok(times)
            });
        }
    }
    running
}

/// All that askers found.
pub(crate) async fn asked(running: Running<Times>) -> Result<Times> {
    let mut all = Times::default();
    for times in running.finish().await? {
        all.append(times);
    }
    Ok(all)
}

/// Writes what chance says to one node after another, with a pause drawn from `pauses` (milliseconds) after each.
pub(crate) async fn write_on(
    api: Api,
    nodes: Vec<String>,
    journal: Journal,
    name: String,
    mut chance: Chance,
    pauses: (u64, u64),
    stop: Stop,
) -> Result<()> {
    let mut number = 0;
    while !stop.is_told() {
        number += 1;
        // At first there has to be something to change; of several writers one is first.
        let wish = if number <= Wish::FLAGS {
            Wish::create(&Wish::key(number - 1))
        } else {
            Wish::random(&mut chance)
        };
        let node = chance.pick(&nodes).clone();
        journal.write(&api, &node, &format!("{name}/{number}"), &wish).await?;
        sleep(chance.millis(pauses.0, pauses.1)).await;
    }
    Ok(())
}
