//! What the engine does for its users, held unchanged against every arrangement.

mod changes;
mod features;
mod lists;
mod overrides;
mod protocol;

use std::future::Future;

use crate::client::Client;
use crate::fleet::Fleet;

/// Runs every part of the suite against a fresh fleet each.
async fn run(fleet: impl Fn() -> Fleet) {
    async fn part<F: Future<Output = ()>>(fleet: Fleet, check: impl FnOnce(Client) -> F) {
        check(fleet.client()).await;
        drop(fleet);
    }
    part(fleet(), features::a_flag_is_created_read_changed_and_deleted).await;
    part(fleet(), features::a_flag_answers_by_the_rung_that_the_ladder_says).await;
    part(fleet(), features::a_rollout_holds_its_share_and_never_lets_anyone_go_when_raised).await;
    part(fleet(), features::a_write_that_asks_for_what_is_changes_nothing).await;
    part(fleet(), overrides::pinning_and_releasing_work_at_every_level).await;
    part(fleet(), overrides::any_id_can_be_pinned_and_released).await;
    part(fleet(), overrides::ids_are_compared_byte_by_byte).await;
    part(fleet(), overrides::a_flag_that_is_created_again_starts_clean).await;
    part(fleet(), lists::flags_are_listed_in_pages_and_found_by_text).await;
    part(fleet(), lists::overrides_are_listed_in_pages_by_level_and_prefix).await;
    part(fleet(), changes::the_log_tells_what_happened_newest_first).await;
    part(fleet(), protocol::a_write_with_if_match_happens_once).await;
    part(fleet(), protocol::every_write_gives_the_tag_for_the_next).await;
    part(fleet(), protocol::every_answer_has_a_revision_and_a_request_id).await;
    part(fleet(), protocol::a_reader_that_names_a_revision_is_answered_no_earlier).await;
    part(fleet(), protocol::the_nodes_say_when_a_change_has_landed_on_all_of_them).await;
    part(fleet(), protocol::head_is_answered_like_get_without_a_body).await;
    part(fleet(), protocol::unknown_routes_and_methods_are_problems).await;
    part(fleet(), protocol::the_interface_describes_itself).await;
    part(fleet(), protocol::health_and_meters_can_be_read).await;
}

#[tokio::test]
async fn the_suite_holds_on_sqlite() {
    run(Fleet::sqlite).await;
}

#[tokio::test]
async fn the_suite_holds_on_postgres() {
    run(Fleet::postgres).await;
}

#[tokio::test]
async fn the_suite_holds_on_two_nodes_in_turn() {
    run(|| Fleet::postgres_nodes(2)).await;
}

#[tokio::test]
async fn the_suite_holds_on_postgres_with_redis() {
    run(|| Fleet::redis_nodes(1)).await;
}

#[tokio::test]
async fn the_suite_holds_on_two_nodes_with_redis_in_turn() {
    run(|| Fleet::redis_nodes(2)).await;
}
