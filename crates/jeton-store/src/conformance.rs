//! The conformance suite: what every store does, written against the port alone, and what carries it into another one.
//!
//! An adapter is right when it passes. Each case gets a fresh, empty store and panics with what it found wrong. The list
//! of the cases stands here once; an adapter's test file turns it into tests of its own:
//!
//! ```ignore
//! fn run(case: jeton_store::conformance::Case) {
//!     pollster::block_on(case(&MyStore::empty()));
//! }
//! jeton_store::store_conformance!(run);
//! ```
//!
//! A case left out of the list is dead code, which the compiler reports. Only [`a_backup_is_a_copy_of_one_moment`] is
//! not in it: it needs a way to open what was written.
//!
//! The suite refuses to know how a store keeps anything. What it draws, it draws from fixed seeds.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests: a panic is how they say no"
)]

mod accounts;
mod archive;
mod bench;
mod commits;
mod draw;
mod duplicates;
mod expectations;
mod fold;
mod installation;
mod log;
mod members;
mod records;
mod sample;
mod threads;
mod tokens;

use std::future::Future;
use std::pin::Pin;

use crate::Archive;

pub use installation::a_backup_is_a_copy_of_one_moment;

/// What a case gives back: it has passed when it is through.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// One case, to be run on a fresh and empty store.
pub type Case = for<'a> fn(&'a dyn Archive) -> Verdict<'a>;

/// Makes a test of each conformance case. `$run` names a function that takes a [`Case`](crate::conformance::Case), gives
/// it a fresh and empty store, and waits for it.
#[macro_export]
macro_rules! store_conformance {
    ($run:path) => {
        $crate::store_conformance! { @list tests ($run) }
    };
    (@list $then:ident $with:tt) => {
        $crate::store_conformance! { @$then $with
            installation::a_new_store_is_empty,
            installation::founding_takes_the_first_three_revisions,
            installation::a_second_founding_changes_nothing,
            installation::a_server_key_is_bound_once,
            commits::revisions_are_dense_whatever_is_left_out,
            commits::each_proposal_sees_those_before_it,
            commits::a_group_of_nothing_takes_no_revision,
            commits::a_group_that_fails_leaves_nothing,
            expectations::each_kind_of_expectation_is_checked,
            expectations::the_head_is_the_last_change_of_all,
            expectations::all_expectations_must_hold,
            expectations::an_expectation_is_about_the_record_and_not_about_its_past,
            duplicates::an_id_is_used_once,
            duplicates::what_is_unique_in_an_account_is_used_once,
            duplicates::a_change_into_a_duplicate_is_refused,
            duplicates::another_account_may_use_the_same,
            duplicates::what_a_removed_record_had_may_be_used_again,
            records::every_field_of_a_token_survives,
            records::every_field_of_a_member_survives,
            records::every_field_of_a_role_survives,
            records::a_change_replaces_what_may_change,
            tokens::tokens_come_in_the_order_they_are_asked_for,
            tokens::a_rotation_keeps_two_secrets_apart,
            tokens::a_revoked_token_is_gone,
            tokens::an_instant_of_use_never_goes_backwards,
            tokens::using_a_token_is_no_change,
            members::a_removed_member_loses_personal_tokens_only,
            members::any_other_standing_leaves_the_tokens,
            members::an_address_is_found_without_regard_to_case,
            members::a_removed_role_leaves_the_tokens_that_held_it,
            members::a_presence_never_goes_backwards,
            members::a_presence_is_no_change,
            accounts::accounts_are_walls,
            log::the_row_is_what_the_log_says,
            log::the_log_keeps_who_and_when,
            log::the_snapshot_is_the_log_folded,
            log::a_snapshot_comes_announced_and_in_order,
            log::the_log_is_read_in_pages,
            log::the_oldest_changes_are_forgotten,
            log::the_log_is_forgotten_from_its_beginning_only,
            archive::everything_is_carried_away,
            archive::everything_arrives,
            archive::what_was_interrupted_goes_on,
            archive::a_step_is_taken_once_and_from_where_the_store_stands,
            archive::what_was_used_is_not_carried_into,
            archive::a_source_that_has_changed_is_another_one,
            archive::a_source_that_was_used_meanwhile_is_caught_up_with,
            threads::two_threads_lose_nothing,
            threads::a_snapshot_beside_a_writer_is_of_one_revision,
        }
    };
    (@tests ($run:path) $($module:ident::$case:ident,)+) => {
        $(
            #[test]
            fn $case() {
                $run($crate::conformance::$case);
            }
        )+
    };
    (@cases () $($module:ident::$case:ident,)+) => {
        $(
            #[doc = concat!("The case `", stringify!($case), "`.")]
            pub fn $case(store: &dyn Archive) -> Verdict<'_> {
                Box::pin($module::$case(store))
            }
        )+

        /// Every case by its name.
        pub fn all() -> Vec<(&'static str, Case)> {
            vec![$((stringify!($case), $case)),+]
        }
    };
}

crate::store_conformance! { @list cases () }
