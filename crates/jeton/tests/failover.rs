//! Fail-over for real: nodes on a PostgreSQL that has a standby, which takes over while clients write and ask.
//!
//! What makes these fail-overs is done by hand, as it is done at night: a primary is killed, or only cut off, and the standby
//! is promoted. Everything that clients were told is compared with laws 1 and 2 afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "how long a fail-over took is worth knowing")]

#[path = "support/bell.rs"]
#[allow(dead_code, reason = "other tests use it too, and each a part of it")]
mod bell;
#[path = "../../jeton-store/tests/postgres/cluster.rs"]
#[allow(dead_code, reason = "the tests of the store use it too, and each a part of it")]
mod cluster;
#[path = "support/dice.rs"]
#[allow(dead_code, reason = "other tests use it too, and each a part of it")]
mod dice;
#[path = "failover/load.rs"]
mod load;
#[path = "failover/nodes.rs"]
mod nodes;
#[path = "failover/pair.rs"]
mod pair;
mod support;
#[path = "failover/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use jeton_store::Postgres;
use jeton_testkit::history::Verdict;
use load::{Book, Load, Look};
use nodes::Node;
use pair::{Machine, Pair, Replication};
use pollster::block_on;
use wire::Passage;

const LEASE: Duration = Duration::from_secs(1);
/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until something has become so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let (_kept, never) = channel::<()>();
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come to pass: {what}");
        let _ = never.recv_timeout(Duration::from_millis(5));
    }
}

fn book_of(nodes: &[Node]) -> Arc<Book> {
    Arc::new(Book::new(nodes.iter().map(|node| node.address().to_owned()).collect()))
}

/// Waits until every one of these nodes has acknowledged so many changes that were asked for after this instant.
fn until_written(book: &Book, nodes: &[usize], since: Instant, count: usize) {
    until("every node writes", || {
        let successes = book.successes();
        let written = |node| successes.iter().filter(|it| it.node == node && it.start > since).count();
        nodes.iter().all(|node| written(*node) >= count)
    });
}

/// Waits until every one of these nodes has answered a question that was asked after this instant.
fn until_answered(book: &Book, nodes: &[usize], since: Instant) {
    until("every node answers", || {
        let looks = book.looks();
        let answers = |node| looks.iter().any(|it| it.node == node && it.start > since && is_answer(it));
        nodes.iter().all(|node| answers(*node))
    });
}

fn is_answer(look: &Look) -> bool {
    look.verdict != Verdict::Unavailable
}

/// When a node answered again after the last time that it did not. `None` if it always did.
fn back(book: &Book, node: usize) -> Option<Instant> {
    let mut looks = book.looks();
    looks.retain(|look| look.node == node);
    looks.sort_by_key(|look| look.end);
    let last = looks.iter().rposition(|look| !is_answer(look))?;
    looks.get(last + 1).map(|look| look.end)
}

/// Insists that what a database holds is whole.
fn check_database(machine: &Machine) {
    let store = block_on(Postgres::open(&machine.url().parse().unwrap(), Duration::ZERO)).unwrap();
    jeton_testkit::check_store(&store);
}

/// Waits until a commit waits for the standby, or until nobody waits for one any more; whether it is one of changes. What is
/// written beside the log waits there too, and no change is committed meanwhile.
fn waits_with_a_change(machine: &Machine, is_given_up: impl Fn() -> bool) -> bool {
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = waiting.pid
            AND relation = 'changes'::regclass AND mode = 'RowExclusiveLock') || ' ' || pid || ' ' || xact_start
        FROM pg_stat_activity AS waiting WHERE wait_event = 'SyncRep' AND query = 'COMMIT'";
    let mut before = Vec::new();
    // One that is confirmed at this moment is soon gone.
    until("the same commit waits for the standby in two looks", || {
        let now = machine.sql(waiting);
        let same = !now.is_empty() && now == before;
        before = now;
        same || is_given_up()
    });
    before.first().is_some_and(|waiting| waiting.starts_with("true"))
}

/// Keeps the primary and its standby apart in this way, in the middle of a change that this node was asked for. Since when.
fn part_during_a_change(pair: &Pair, way: Passage, book: &Book, node: usize) -> Instant {
    loop {
        pair.replication.set(way);
        let parted = Instant::now();
        if waits_with_a_change(&pair.primary, || false) {
            return parted;
        }
        pair.replication.set(Passage::Open);
        until_written(book, &[node], Instant::now(), 1);
    }
}

/// Says how long after an instant nodes wrote and answered again.
fn tell(what: &str, book: &Book, since: Instant) {
    let written = book.successes().iter().filter(|it| it.start > since).map(|it| it.end).min();
    let seconds = |at: Option<Instant>| at.map_or(0.0, |at| at.duration_since(since).as_secs_f64());
    let answered: Vec<String> =
        (0..book.addresses.len()).map(|node| format!("{:.2}", seconds(back(book, node)))).collect();
    println!(
        "{what}: the first change after {:.2} s, every question answered after {} s",
        seconds(written),
        answered.join(", ")
    );
}

/// Kills the primary under load, in one way or another, and promotes the standby.
fn lose_the_primary(what: &str, passage: Passage) {
    let Some(mut pair) = Pair::start(Replication::Synchronous) else { return };
    let nodes = nodes::start(&pair, 3, LEASE);
    let book = book_of(&nodes);
    let load = Load::start(&book);
    until_written(&book, &[0, 1, 2], Instant::now(), 30);
    let lost = Instant::now();
    nodes.iter().for_each(|node| node.to_primary.set(passage));
    pair.primary.kill();
    pair.take_over();
    let promoted = Instant::now();
    // Questions are answered again before the system has found out that nobody is there any more. A change that had been sent
    // off has to wait for that.
    until_answered(&book, &[0, 1, 2], lost + LEASE + LEASE / 2);
    nodes.iter().filter(|_| passage == Passage::Silent).for_each(|node| node.to_primary.give_up());
    until_written(&book, &[0, 1, 2], promoted, 30);
    load.stop();
    let decided = book.settle();
    check_database(&pair.standby);
    tell(what, &book, lost);
    tell("  of that since the promotion", &book, promoted);
    println!("  {} changes acknowledged, {decided} answers decided by the laws", book.successes().len());
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_primary_is_killed() {
    lose_the_primary("killed", Passage::Open);
}

#[test]
fn a_primary_falls_silent() {
    lose_the_primary("fallen silent", Passage::Silent);
}

/// Two nodes move to a new primary, while a third one sees only the old one, which lives and has lost its standby: `cut` takes
/// that away, and says since when the old one confirms nothing any more.
fn leave_a_node_behind(what: &str, lease: Duration, cut: impl FnOnce(&mut Pair, &Book) -> Instant) {
    let Some(mut pair) = Pair::start(Replication::Synchronous) else { return };
    let mut nodes = nodes::start(&pair, 3, lease);
    let book = book_of(&nodes);
    let load = Load::start(&book);
    until_written(&book, &[0, 1, 2], Instant::now(), 30);
    nodes[0].to_standby.set(Passage::Shut);
    let asked = Instant::now();
    nodes[1..].iter().for_each(|node| node.to_primary.set(Passage::Shut));
    let cut = cut(&mut pair, &book);
    pair.take_over();
    let promoted = Instant::now();
    // Revocations among them, which nobody may honour any more once they were answered: the history tells.
    until_written(&book, &[1, 2], promoted, 30);
    until("the node that was left behind has noticed", || {
        book.looks().iter().any(|look| look.node == 0 && look.start > cut + lease)
    });
    let late = |look: &&Look| look.node == 0 && look.start > cut + lease && is_answer(look);
    assert_eq!(
        book.looks().iter().find(late).map(|look| look.start - cut),
        None,
        "it answers past its lease"
    );
    assert_eq!(book.client().ask(0, "GET", "/readyz", "").unwrap().status, 503);

    pair.primary.kill();
    nodes[0].to_standby.set(Passage::Open);
    let seen = Instant::now();
    until("the node that was left behind has followed, or ended", || {
        let looks = book.looks();
        !nodes[0].is_running() || looks.iter().any(|it| it.node == 0 && it.start > seen && is_answer(it))
    });
    let followed = nodes[0].is_running();
    if !followed {
        nodes[0].end_astray();
        nodes[0].restart();
    }
    until_written(&book, &[0, 1, 2], Instant::now(), 10);
    load.stop();
    let decided = book.settle();
    check_database(&pair.standby);
    tell(what, &book, asked);
    let ended = if followed { "followed by itself" } else { "ended, and was started again" };
    println!("  the node left behind {ended}; {} acknowledged, {decided} decided", book.successes().len());
    nodes.into_iter().for_each(Node::stop);
}

#[test]
fn a_node_is_left_behind_on_the_old_primary() {
    leave_a_node_behind("left behind", LEASE, |pair, _| {
        pair.replication.set(Passage::Shut);
        Instant::now()
    });
}

#[test]
fn the_old_primary_is_started_again_and_shows_what_was_never_confirmed() {
    leave_a_node_behind("left behind, and misled", 3 * LEASE, |pair, book| {
        loop {
            let cut = part_during_a_change(pair, Passage::Mute, book, 0);
            pair.primary.kill();
            pair.primary.restart();
            if pair.primary.revision() > pair.standby.revision() {
                return cut;
            }
            // It was on its way already.
            pair.replication.set(Passage::Open);
            until_written(book, &[0], Instant::now(), 1);
        }
    });
}

/// What an asynchronous standby costs: see docs/clusters.md.
#[test]
fn an_asynchronous_standby_loses_changes_and_nodes_that_know_of_them_end() {
    let Some(mut pair) = Pair::start(Replication::Asynchronous) else { return };
    let mut nodes = nodes::start(&pair, 2, LEASE);
    let book = book_of(&nodes);
    let mut client = book.client();
    let (kept, revoked) = (client.create(0).unwrap(), client.create(1).unwrap());
    until("the standby has both", || pair.standby.revision() == pair.primary.revision());
    pair.replication.set(Passage::Shut);
    let lost = client.create(0).unwrap();
    client.revoke(1, &revoked).unwrap();
    let all = |client: &mut load::Client<'_>, secret: &_| [0, 1].map(|node| client.verify(node, secret));
    assert_eq!(all(&mut client, &lost), [Verdict::Active; 2]);
    assert_eq!(all(&mut client, &revoked), [Verdict::Inactive; 2]);

    pair.primary.kill();
    pair.take_over();
    for node in &mut nodes {
        node.end_astray();
        node.restart();
    }
    let mut client = book.client();
    assert_eq!(all(&mut client, &kept), [Verdict::Active; 2]);
    assert_eq!(all(&mut client, &lost), [Verdict::Inactive; 2], "what is lost is lost");
    assert_eq!(
        all(&mut client, &revoked),
        [Verdict::Active; 2],
        "and what was revoked lives: revoke it again"
    );
    client.revoke(0, &revoked).unwrap();
    assert_eq!(all(&mut client, &revoked), [Verdict::Inactive; 2]);
    check_database(&pair.standby);
    nodes.into_iter().for_each(Node::stop);
}

/// One node can still read the old primary, and takes it for the truth until its lease has passed. Another one issues tokens,
/// and comes to the new primary within that lease.
fn come_early(prepare: impl FnOnce(&Pair, &[Node]), cut: impl FnOnce(&Pair, &Book)) {
    const LONG: Duration = Duration::from_secs(5);
    let Some(mut pair) = Pair::start(Replication::Synchronous) else { return };
    let nodes = nodes::start(&pair, 2, LONG);
    let book = book_of(&nodes);
    nodes[0].to_standby.set(Passage::Shut);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = book.client();
                while !stop.load(Ordering::Relaxed) {
                    client.create(1).map(|secret| client.verify(0, &secret));
                }
            });
        }
        until_written(&book, &[1], Instant::now(), 50);
        prepare(&pair, &nodes);
        let beat = || pair.primary.sql("SELECT beat FROM nodes ORDER BY joined_at LIMIT 1");
        let before = beat();
        until("the node that will be left behind beats", || beat() != before);
        let beaten = Instant::now();
        cut(&pair, &book);
        pair.take_over();
        nodes[1].to_primary.set(Passage::Shut);
        let early = Instant::now();
        until("a change is acknowledged", || book.successes().iter().any(|it| it.end > early));
        stop.store(true, Ordering::Relaxed);
        let first = book.successes().iter().map(|it| it.end).filter(|end| *end > early).min().unwrap();
        println!("the first change {:?} after a beat at the old primary", first - beaten);
    });
    pair.primary.kill();
    nodes[0].to_standby.set(Passage::Open);
    let (mut client, some) = (book.client(), book.secrets().remove(0));
    until("both nodes answer", || {
        [0, 1].iter().all(|node| client.verify(*node, &some) != Verdict::Unavailable)
    });
    println!("{} answers decided by the laws", book.settle());
    check_database(&pair.standby);
    nodes.into_iter().for_each(Node::stop);
}

/// It has tried to connect for longer than a lease, and gets through in the very moment in which the standby takes over.
#[test]
fn a_node_that_waited_for_the_new_primary_does_not_commit_early() {
    come_early(
        |_, nodes| {
            let cut = Instant::now();
            nodes[1].to_primary.set(Passage::Shut);
            nodes[1].to_primary.set(Passage::Silent);
            until("more than a lease has passed", || cut.elapsed() > Duration::from_secs(6));
        },
        |_, _| {},
    );
}

/// Its commit has arrived at the standby, and neither it nor the old primary has heard of that.
#[test]
fn a_node_that_finds_its_commit_at_the_new_primary_does_not_say_so_early() {
    come_early(
        |_, _| {},
        |pair, book| {
            part_during_a_change(pair, Passage::Deaf, book, 1);
            let arrived = || pair.standby.revision() > pair.primary.revision();
            until("a commit is at the standby, and waits to hear of it", arrived);
        },
    );
}

/// Two nodes revoke the same token. The old primary is started again before its standby has got the one revocation, so the other
/// one is done already, as it seems there: what is said to that must outlast the old primary.
#[test]
fn what_was_never_confirmed_is_not_acknowledged_either() {
    let Some(mut pair) = Pair::start(Replication::Synchronous) else { return };
    let mut nodes = nodes::start(&pair, 2, LEASE);
    let book = book_of(&nodes);
    let mut client = book.client();
    nodes[0].to_standby.set(Passage::Shut);
    let answer = |client: &mut load::Client<'_>, secret: &load::Secret| {
        [0, 1].iter().all(|node| client.verify(*node, secret) == Verdict::Active)
    };
    let (secret, first) = loop {
        let mut created = None;
        until("a token is issued", || {
            created = client.create(1);
            created.is_some()
        });
        let secret = created.unwrap();
        until("both nodes know of it", || answer(&mut client, &secret));
        pair.replication.set(Passage::Mute);
        let (its_book, its_secret) = (Arc::clone(&book), secret.clone());
        let first = std::thread::spawn(move || its_book.client().revoke(1, &its_secret));
        // A beat may wait for the standby before the revocation comes to that, which then is given up.
        if waits_with_a_change(&pair.primary, || first.is_finished()) {
            break (secret, first);
        }
        pair.replication.set(Passage::Open);
        first.join().unwrap();
    };
    let told = std::thread::scope(|scope| {
        let other = scope.spawn(|| book.client().revoke_as_its_holder(0, &secret));
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%head%'";
        until("the other one waits for the first", || !pair.primary.sql(waiting).is_empty());
        nodes[1].crash();
        pair.primary.kill();
        pair.primary.restart();
        other.join().unwrap()
    });
    first.join().unwrap();
    println!("who revoked it at the old primary was told {told}");
    pair.take_over();
    pair.primary.kill();
    nodes[0].to_standby.set(Passage::Open);
    nodes[1].restart();
    let mut client = book.client();
    let seen = client.verify(1, &secret);
    assert!(told != 200 || seen == Verdict::Inactive, "revoked with {told}, and {seen:?} at the new primary");
    until("the node that was left behind has followed, or ended", || {
        !nodes[0].is_running() || client.verify(0, &secret) != Verdict::Unavailable
    });
    if !nodes[0].is_running() {
        nodes[0].end_astray();
        nodes[0].restart();
    }
    book.settle();
    check_database(&pair.standby);
    nodes.into_iter().for_each(Node::stop);
}
