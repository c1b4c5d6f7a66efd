//! The promises of the ports, as tests that every adapter must pass. To the engine, adapters are indistinguishable.

mod append;
mod feed;
mod fetch;
mod history;
mod law;
mod nodes;
mod receipts;
mod rows;
mod steps;

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use flag_engine::{ChangeFeed, FlagStore};

/// Runs each check on what `make` gives it, and names the one that fails.
macro_rules! run {
    ($make:ident: $($check:path),+ $(,)?) => {
        $(named(stringify!($check), async { $check($make().await).await }).await;)+
    };
}

/// The promises of a [`FlagStore`]. Each call of `make` gives a new store, whose environment `default` is empty.
///
/// `CONTRACT_CASES` says how many random sequences of commands are tried (24 unless told), `CONTRACT_SEED` repeats those
/// of an earlier run.
///
/// # Panics
/// If a promise is not kept; the message says which.
pub async fn flag_store<F, Fut>(make: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Arc<dyn FlagStore>>,
{
    run!(make:
        fetch::a_new_store_is_empty_at_revision_0_of_an_epoch,
        fetch::what_was_appended_is_fetched_as_the_reducer_has_it,
        fetch::who_has_the_newest_version_is_told_so,
        fetch::who_is_a_little_behind_gets_the_changes,
        fetch::who_is_far_behind_gets_everything,
        fetch::who_stands_in_another_epoch_gets_everything,
        fetch::who_is_ahead_of_the_store_gets_everything,
        fetch::an_environment_that_does_not_exist_is_an_error,
        append::another_revision_is_a_conflict_and_writes_nothing,
        append::another_epoch_is_a_conflict_and_writes_nothing,
        append::an_empty_batch_only_asks,
        append::of_appends_from_one_base_exactly_one_is_committed,
        append::an_append_that_nobody_waits_for_is_made_whole_or_not_at_all,
        append::a_batch_of_256_entries_is_one_commit,
        rows::a_deleted_flag_takes_its_overrides_along_and_leaves_its_history,
        rows::a_flag_that_is_created_again_in_another_batch_starts_clean,
        rows::a_flag_that_is_created_again_in_the_same_batch_starts_clean,
        rows::what_is_pinned_and_released_in_one_batch_ends_as_it_was_last,
        rows::every_kind_of_subject_survives,
        rows::every_part_of_a_flag_survives,
        rows::keys_are_compared_byte_by_byte,
        receipts::a_receipt_is_found_by_its_key_and_by_no_other,
        receipts::receipts_alone_are_written_and_move_no_revision,
        receipts::a_receipt_that_is_there_already_is_a_conflict_and_nothing_is_written,
        receipts::a_batch_that_comes_too_late_leaves_no_receipt,
        receipts::of_batches_with_one_receipt_exactly_one_is_committed,
        history::the_log_is_read_newest_first_without_gaps,
        history::pages_continue_below_one_another,
        history::only_entries_of_the_flag_asked_for_are_given,
        history::the_ends_of_the_log_are_no_error,
        nodes::a_node_is_seen_as_it_last_reported,
        nodes::many_nodes_that_report_at_once_are_all_seen,
        nodes::a_node_that_withdraws_is_gone_at_once,
        nodes::every_version_and_name_survives,
        nodes::reports_leave_flags_and_log_alone,
        nodes::the_nodes_of_an_environment_that_does_not_exist_are_none_or_an_error,
    );
    named("law::the_store_behaves_as_the_one_in_memory", law::the_store_behaves_as_the_one_in_memory(&make))
        .await;
}

/// The promises of a [`ChangeFeed`]. Each call of `make_pair` gives two feeds that are joined to one channel, as two nodes
/// would be; nobody else speaks on it.
///
/// # Panics
/// If a promise is not kept; the message says which.
pub async fn change_feed<F, Fut>(make_pair: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = (Arc<dyn ChangeFeed>, Arc<dyn ChangeFeed>)>,
{
    run!(make_pair:
        feed::a_feed_has_a_name_and_comes_up,
        feed::what_one_announces_the_other_hears,
        feed::of_many_announcements_the_last_is_heard,
        feed::a_new_epoch_is_heard,
        feed::who_comes_late_hears_what_comes_next,
        feed::announcing_lets_nobody_wait,
        feed::a_feed_that_hears_itself_is_not_confused,
    );
}

/// Runs a check, and puts its name before whatever it panics with.
async fn named(name: &str, check: impl Future<Output = ()>) {
    let mut check = pin!(check);
    let outcome = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    if let Err(panic) = outcome.await {
        panic!("the contract is broken: {name}: {}", message(&*panic));
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}
