//! The protocol of a cluster, as a model, in every order of events that there is: a revocation that was answered is
//! honoured by no node (law 1), a token that was created is refused by none (law 2). And what happens to the laws when a
//! rule of the protocol is left out: each that carries anything has its story here.

#![allow(clippy::print_stdout, reason = "who asks for it sees the numbers of states and the stories")]

#[path = "cluster_model/explore.rs"]
mod explore;
#[path = "cluster_model/failover.rs"]
mod failover;
#[path = "cluster_model/protocol.rs"]
mod protocol;

use explore::{Model, explore};
use failover::FailOver;
use protocol::{Cluster, Kind, Mutation};

const REVOKE: [Option<(Kind, usize)>; 2] = [Some((Kind::Revoke, 0)), None];
const REVOKE_TWICE: [Option<(Kind, usize)>; 2] = [Some((Kind::Revoke, 0)), Some((Kind::Revoke, 1))];
const CREATE: [Option<(Kind, usize)>; 2] = [Some((Kind::Create, 0)), None];

/// Two nodes, one of which may end and another come in its place, and be forgotten while it stands still. Every request
/// and every answer is a step.
const TWO: Cluster =
    Cluster { writes: REVOKE, nodes: 2, places: 2, delays: true, ends: 1, deletions: 1, mutation: None };

/// Two revocations at two nodes at once, while any node may end and come again, or be forgotten.
const TWICE: Cluster = Cluster { writes: REVOKE_TWICE, delays: false, ..TWO };

/// The same with a third node beside the two: eighty-nine million states, which take a quarter of an hour.
const TWICE_OF_THREE: Cluster = Cluster { nodes: 3, places: 3, ..TWICE };

#[track_caller]
fn holds(model: &impl Model) {
    let report = explore(model);
    assert!(report.violation.is_none(), "{}", report.story());
    println!("{} states", report.states);
}

#[track_caller]
fn breaks(model: &impl Model, law: &str) {
    let report = explore(model);
    println!("{} states; {}", report.states, report.story());
    assert!(report.violation.is_some_and(|(broken, _)| broken.starts_with(law)), "{law} is not broken");
}

#[test]
fn law_01_a_revocation_on_two_nodes() {
    holds(&TWO);
}

#[test]
fn law_01_a_revocation_while_a_third_node_comes() {
    holds(&Cluster { places: 3, delays: false, ends: 0, deletions: 0, ..TWO });
}

/// On three nodes if `JETON_MODEL` is `whole`, as `scripts/soak model` says.
#[test]
fn law_01_two_revocations_at_once() {
    let whole = std::env::var_os("JETON_MODEL").is_some_and(|size| size == "whole");
    if !whole {
        println!("two nodes of three: scripts/soak model visits every state of three");
    }
    holds(if whole { &TWICE_OF_THREE } else { &TWICE });
}

#[test]
fn law_01_two_revocations_break_when_nobody_is_waited_for() {
    breaks(&Cluster { mutation: Some(Mutation::AnswerAtOnce), ..TWICE_OF_THREE }, "law 1");
}

/// Where nobody ends and nobody comes, less has to be known of a state: the same is found out there, too.
#[test]
fn law_01_breaks_as_well_where_nobody_comes_or_goes() {
    use Mutation::{AnswerAtOnce, FreshFromTheAnswer, FreshWithoutABeat, IndexBeforeClock};
    for mutation in [AnswerAtOnce, FreshFromTheAnswer, FreshWithoutABeat, IndexBeforeClock] {
        breaks(&Cluster { ends: 0, deletions: 0, mutation: Some(mutation), ..TWO }, "law 1");
    }
    for mutation in [AnswerAtOnce, IndexBeforeClock] {
        breaks(&Cluster { ends: 0, deletions: 0, mutation: Some(mutation), ..TWICE }, "law 1");
    }
}

#[test]
fn law_02_a_creation_on_two_nodes() {
    holds(&Cluster { writes: CREATE, ..TWO });
}

#[test]
fn law_01_breaks_when_nobody_is_waited_for() {
    breaks(&Cluster { mutation: Some(Mutation::AnswerAtOnce), ..TWO }, "law 1");
}

#[test]
fn law_01_breaks_when_a_lease_counts_from_the_answer() {
    breaks(&Cluster { mutation: Some(Mutation::FreshFromTheAnswer), ..TWO }, "law 1");
}

#[test]
fn law_01_breaks_when_a_read_without_a_beat_freshens() {
    breaks(&Cluster { mutation: Some(Mutation::FreshWithoutABeat), ..TWO }, "law 1");
}

#[test]
fn law_01_breaks_when_the_index_is_asked_before_the_clock() {
    breaks(&Cluster { mutation: Some(Mutation::IndexBeforeClock), ..TWO }, "law 1");
}

/// That nothing breaks by it alone is so because whoever starts serves after a beat and a read, as everybody does.
#[test]
fn law_01_holds_when_the_snapshot_is_loaded_before_the_row_is_written() {
    holds(&Cluster { mutation: Some(Mutation::SnapshotBeforeRow), ..TWO });
}

#[test]
fn law_01_breaks_when_such_a_snapshot_counts_as_a_read() {
    breaks(&Cluster { mutation: Some(Mutation::SnapshotBeforeRowThenServe), ..TWO }, "law 1");
}

#[test]
fn law_01_breaks_when_rows_count_that_were_read_before_the_commit() {
    breaks(&Cluster { mutation: Some(Mutation::RowsFromBeforeTheCommit), ..TWO }, "law 1");
}

#[test]
fn law_01_breaks_when_a_deleted_row_counts_anew() {
    breaks(&Cluster { mutation: Some(Mutation::BeatsCountedByTheRow), ..TWO }, "law 1");
}

#[test]
fn law_02_breaks_when_a_miss_is_judged_after_an_earlier_read() {
    let mutation = Some(Mutation::MissFromAnEarlierRead);
    breaks(&Cluster { writes: CREATE, mutation, ..TWO }, "law 2");
}

/// Provided that a node, on every new session, compares the change at its own revision with the database's, and that beat
/// and read ask one server.
#[test]
fn laws_01_and_02_hold_through_a_fail_over() {
    for revokes in [true, false] {
        holds(&FailOver { revokes, mutation: None });
    }
}

#[test]
fn laws_01_and_02_break_when_a_node_keeps_what_only_the_old_primary_had() {
    let mutation = Some(failover::Mutation::BelievesWhatItRead);
    breaks(&FailOver { revokes: true, mutation }, "law 1");
    breaks(&FailOver { revokes: false, mutation }, "law 2");
}

#[test]
fn laws_01_and_02_break_when_beat_and_read_ask_two_servers() {
    let mutation = Some(failover::Mutation::ReadsElsewhere);
    breaks(&FailOver { revokes: true, mutation }, "law 1");
    breaks(&FailOver { revokes: false, mutation }, "law 2");
}

#[test]
fn law_02_breaks_when_the_new_primary_is_written_to_at_once() {
    breaks(&FailOver { revokes: false, mutation: Some(failover::Mutation::CommitsAtOnce) }, "law 2");
}
