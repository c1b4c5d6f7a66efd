//! The law: whatever is written through whichever node, each answer is that of the reducer on the newest state.

use std::future::poll_fn;
use std::task::Poll;

use flag_core::{Applied, Change, Entry, Snapshot};
use flag_engine::{ApplyError, Request};
use flag_testkit::generate;
use flag_testkit::memory::MemoryStore;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::steps::{apply, deaf, live, ready, request};

proptest! {
    #[test]
    fn answers_are_those_of_the_reducer_on_the_newest_state(
        writes in vec((generate::changes(), 0..3_usize), 1..60),
        together in 1..5_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(hold(writes, together))?;
    }
}

/// Writes, some of them at once through one node, and compares each outcome with the reducer's.
async fn hold(writes: Vec<(Change, usize)>, together: usize) -> Result<(), TestCaseError> {
    let store = MemoryStore::new();
    // They do not hear each other, so each is stale more often than not.
    let nodes = [ready(deaf(&store)).await, ready(deaf(&store)).await, ready(deaf(&store)).await];
    let mut newest: Snapshot = (*live(&nodes[0])).clone();
    for writes in writes.chunks(together) {
        let node = &nodes[writes[0].1];
        // Queued in this order, because they are polled in it.
        let outcomes = together_in_order(writes.iter().map(|(change, _)| apply(node, change.clone()))).await;
        for ((change, _), found) in writes.iter().zip(outcomes) {
            let found = found.map(|committed| committed.snapshot);
            let expected = expected(&newest, change);
            if let Ok(after) = &expected {
                newest = after.clone();
            }
            prop_assert_eq!(found, expected, "{:?}", change);
        }
        prop_assert_eq!(live(node).version().revision, store.log().len() as u64);
    }
    Ok(())
}

/// What the reducer makes of `change` after `newest`, as the engine would answer.
fn expected(newest: &Snapshot, change: &Change) -> Result<Snapshot, ApplyError> {
    let Request { author, at, .. } = request(change.clone(), None);
    let entry = Entry { author, at, ..Entry::next(newest, change.clone()) };
    Ok(match newest.apply(&entry)? {
        Applied::Changed(after) => after,
        Applied::Unchanged => newest.clone(),
    })
}

/// Awaits all of `futures`, polling the first one first.
async fn together_in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut all = true;
        for (future, output) in &mut pending {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => all = false,
                }
            }
        }
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}
