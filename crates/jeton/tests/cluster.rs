//! Laws 1, 2, 3 and 4 in a cluster of real processes on a real PostgreSQL, while ways are cut, delayed and stalled, and
//! processes stopped and killed: everything that was asked and answered is written down, and checked afterwards.
//!
//! `scripts/soak cluster` runs the same for as long as one likes, each minute with another seed. And a cluster that breaks its
//! promise on purpose has to be found out by the very same means.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and may say what it tried"
)]

#[path = "support/bell.rs"]
mod bell;
#[path = "cluster/clients.rs"]
mod clients;
#[path = "../../jeton-store/tests/postgres/cluster.rs"]
#[allow(dead_code, reason = "the tests of the store use it too, and each a part of it")]
mod database;
#[path = "support/dice.rs"]
mod dice;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/installation.rs"]
mod installation;
#[path = "cluster/link.rs"]
mod link;
mod support;
#[path = "cluster/wish.rs"]
mod wish;
#[path = "cluster/world.rs"]
mod world;

use std::path::PathBuf;
use std::thread::Scope;
use std::time::{Duration, Instant};

use bell::{Bell, RingsAtTheEnd};
use clients::Client;
use dice::Dice;
use faults::{Chronicle, befall, cut_off};
use installation::{Installation, OWNER};
use jeton_testkit::history::{Findings, History, Violation};
use link::Direction;
use support::PATIENCE;
use support::http::Connection;
use world::{World, lines};

const TOKENS: &str = "/api/v2/tokens";
const CLIENTS: u64 = 24;
/// Of the form that stands in the suite.
const SHORT: Duration = Duration::from_secs(20);
/// After so long the long form begins anew, with the next seed.
const ROUND: Duration = Duration::from_mins(1);
/// So many verifications at least have to be such that only one answer was right.
const ENOUGH: usize = 300;

#[test]
fn law_01_and_02_hold_while_nodes_are_cut_off_stopped_and_killed() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("JETON_CLUSTER_SEED").unwrap_or(1);
    let Some(minutes) = number("JETON_CLUSTER_MINUTES") else {
        round(seed, SHORT);
        return;
    };
    let (end, mut total) = (Instant::now() + Duration::from_secs(60 * minutes), 0);
    for seed in seed.. {
        let Some(decided) = round(seed, ROUND) else { return };
        total += decided;
        if Instant::now() >= end {
            return println!("seeds to {seed}: {total} verifications decided, and none against the laws");
        }
    }
}

/// Lets clients and faults loose on a cluster for so long. Gives back how many verifications were decided.
fn round(seed: u64, lasts: Duration) -> Option<usize> {
    let installation = Installation::start("0")?;
    let world = World::new(&installation);
    let chronicle = Chronicle::new();
    let bell = Bell::default();
    during(lasts, &bell, |scope| {
        employ(scope, seed, &world, &bell);
        for (number, node) in (0..).zip(&installation.nodes) {
            let dice = Dice(seed * 1000 + 500 + number);
            let (bell, chronicle) = (&bell, &chronicle);
            scope.spawn(move || befall(node, dice, bell, chronicle));
        }
    });
    installation.until_ready();
    let living = world.ask_about_all_at_the_end();
    installation.assert_dense_log();
    installation.stop();
    let story = Story { seed, installation: &installation, world: &world, chronicle: &chronicle };
    let findings = story.tell();
    println!("{living} tokens that nobody revoked work at every node");
    assert!(findings.violations.is_empty() && world.surprises().is_empty(), "{}", story.of(&findings));
    assert!(findings.decided >= ENOUGH, "only {} verifications were decided", findings.decided);
    Some(findings.decided)
}

/// A node that answers for a minute after it was cut off honours what was revoked elsewhere.
#[test]
fn a_cluster_without_leases_is_found_out() {
    let Some(findings) = with_one_node_cut_off("60") else { return };
    let honoured = |it: &&Violation| matches!(it, Violation::Honoured(..));
    let honoured = findings.violations.iter().filter(honoured).count();
    println!("with the lease switched off: {honoured} violations of law 1 found");
    assert!(honoured > 0);
}

#[test]
fn a_cluster_with_leases_stands_where_one_without_is_found_out() {
    let Some(findings) = with_one_node_cut_off("0") else { return };
    assert!(findings.violations.is_empty(), "{:?}", findings.violations);
}

/// One node is cut off from beginning to end, and clients write at the others and ask at all.
fn with_one_node_cut_off(max_staleness: &'static str) -> Option<Findings> {
    let installation = Installation::start(max_staleness)?;
    let world = World::new(&installation);
    let chronicle = Chronicle::new();
    let bell = Bell::default();
    let head_start = Duration::from_secs(2);
    during(head_start + Duration::from_secs(6), &bell, |scope| {
        employ(scope, 1, &world, &bell);
        let (bell, chronicle, node) = (&bell, &chronicle, &installation.nodes[2]);
        scope.spawn(move || {
            // It has to know some tokens, of which others are to be revoked.
            bell.wait(head_start);
            cut_off(node, bell, chronicle);
        });
    });
    installation.until_ready();
    installation.stop();
    Some(Story { seed: 1, installation: &installation, world: &world, chronicle: &chronicle }.tell())
}

/// Rings the bell after so long, and waits until everybody has heard it.
fn during<'e>(lasts: Duration, bell: &Bell, employ: impl for<'s> FnOnce(&'s Scope<'s, 'e>)) {
    std::thread::scope(|scope| {
        let _rings = RingsAtTheEnd(bell);
        employ(scope);
        bell.wait(lasts);
    });
}

fn employ<'s>(scope: &'s Scope<'s, '_>, seed: u64, world: &'s World<'_>, bell: &'s Bell) {
    for number in 0..CLIENTS {
        let client = Client::new(world, Dice(seed * 1000 + number), bell);
        scope.spawn(move || client.work());
    }
}

/// Whoever asks for a revocation that somebody else has just asked for is told that there is no such token. They may take it
/// for dead then, as if it had been theirs.
#[test]
fn law_01_a_token_that_is_said_to_be_gone_is_dead_at_every_node() {
    let Some(installation) = Installation::start("0") else { return };
    let connect = |node: usize| installation.nodes[node].connect();
    let (mut one, mut other, mut third) = (connect(0), connect(1), connect(2));
    let token = one.ask(OWNER, "POST", TOKENS, r#"{"role":"reader","serviceToken":true}"#).unwrap();
    let (path, secret) = (format!("{TOKENS}/{}", token.string("_id")), token.string("token"));
    let question =
        format!("Authorization: Bearer {secret}\r\nX-Forwarded-Uri: /\r\nX-Forwarded-Method: GET\r\n");
    let mut at_the_third = || third.ask_with(&question, "GET", "/verify/x-forwarded", "").unwrap().status;
    assert_eq!(at_the_third(), 200);
    installation.nodes[2].link.stall(Direction::ToDatabase);
    std::thread::scope(|scope| {
        let revoking = scope.spawn(|| one.ask(OWNER, "DELETE", &path, "").unwrap().status);
        while other.ask(OWNER, "GET", &path, "").unwrap().status == 200 {}
        assert_eq!(other.ask(OWNER, "DELETE", &path, "").unwrap().status, 404);
        assert_ne!(at_the_third(), 200);
        assert_eq!(revoking.join().unwrap(), 204);
    });
    installation.nodes[2].link.heal();
    installation.stop();
}

/// It may hold the lock that every commit needs.
#[test]
fn a_node_that_falls_silent_in_the_middle_of_a_commit_holds_the_others_up_for_a_moment_only() {
    let Some(installation) = Installation::start("0") else { return };
    let (bell, silent) = (Bell::default(), &installation.nodes[2]);
    let create = |connection: &mut Connection| connection.ask(OWNER, "POST", TOKENS, r#"{"role":"reader"}"#);
    std::thread::scope(|scope| {
        let _rings = RingsAtTheEnd(&bell);
        scope.spawn(|| {
            let mut connection = silent.connect();
            while !bell.has_rung() {
                let _ = create(&mut connection);
            }
        });
        let holds_a_lock = || {
            // One that has locked a row has a number.
            let those = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL";
            !installation.database.sql(those).is_empty()
        };
        // Slow enough to be caught in the act.
        let deadline = Instant::now() + PATIENCE;
        loop {
            silent.link.delay(Direction::ToNode, Duration::from_millis(40));
            while !holds_a_lock() {
                assert!(Instant::now() < deadline, "it was never caught with a lock");
            }
            silent.link.stall(Direction::ToNode);
            // What had been let through already has arrived by then, and another statement with it.
            bell.wait(Duration::from_millis(100));
            if holds_a_lock() {
                break;
            }
            silent.link.heal();
        }
        let asked = Instant::now();
        assert_eq!(create(&mut installation.nodes[0].connect()).unwrap().status, 201);
        let took = asked.elapsed();
        println!("a create beside a silent node took {took:?}");
        assert!(took < Duration::from_secs(4), "{took:?}");
        silent.link.heal();
    });
    installation.stop();
}

/// Everything there is to be said of a run.
struct Story<'a> {
    seed: u64,
    installation: &'a Installation,
    world: &'a World<'a>,
    chronicle: &'a Chronicle,
}

impl Story<'_> {
    fn tell(&self) -> Findings {
        let history = self.world.history();
        let findings = history.check();
        let History { writes, verifications } = &history;
        println!(
            "seed {}: {} writes and {} verifications, of which {} decided",
            self.seed,
            writes.len(),
            verifications.len(),
            findings.decided
        );
        println!("asked: {:?}", self.world.counts());
        println!("faults: {:?}", self.chronicle.counts());
        findings
    }

    /// What went wrong, and where the logs of the nodes are kept.
    fn of(&self, findings: &Findings) -> String {
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{}.log", self.seed));
        let said = format!("{}\n{}", self.chronicle.told(), self.installation.said());
        std::fs::write(&place, said).unwrap();
        let violations: Vec<String> =
            findings.violations.iter().take(10).map(|it| self.violation(it)).collect();
        format!(
            "seed {}: {} violations, for example:\n{}\nsurprises: {:#?}\nfaults and logs: {}",
            self.seed,
            findings.violations.len(),
            violations.join("\n"),
            self.world.surprises(),
            place.display()
        )
    }

    fn violation(&self, violation: &Violation) -> String {
        let (Violation::Honoured(verified, _) | Violation::Refused(verified, _)) = violation;
        format!("{violation}\n{}", lines(&self.world.told_about(verified.secret)))
    }
}
