//! Readers beside a writer: what was acknowledged before a look began is seen by it, and nothing is seen that never was.
//!
//! The whole history is worked out first, with the answer that each secret gives after each change. The writer says
//! which change it begins and which it has done. A reader notes what was done before its look and what was begun after
//! it: the answer has to be one that was right somewhere in between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use jeton_core::authority::{Authority, Grant};
use jeton_core::change::{Change, Event, Expectation};
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::member::{Member, Standing};
use jeton_core::role::BaseRole;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{RetiringSecret, Scope, Token, TokenKind};
use jeton_index::roster::{Selection, Start};
use jeton_index::{Dead, Index};

use crate::naive::Naive;

const NOW: Timestamp = Timestamp::from_millis(1);
pub(crate) const READERS: usize = 3;
/// Every reader looks this often at least, also if the writer is done early.
pub(crate) const LOOKS: usize = 20_000;
const CYCLES: u64 = 4_000;
/// Tokens that are alive at a time.
const WINDOW: usize = 40;

/// How far the writer has come, in changes.
#[derive(Default)]
pub(crate) struct Progress {
    begun: AtomicU64,
    pub(crate) done: AtomicU64,
}

impl Progress {
    pub(crate) fn write(&self, index: &Index, changes: &[Change]) {
        for change in changes {
            self.begun.store(change.revision.number(), Ordering::SeqCst);
            index.apply(change);
            self.done.store(change.revision.number(), Ordering::SeqCst);
        }
    }

    /// Looks, and gives what was done before and begun after.
    pub(crate) fn look<T>(&self, look: impl FnOnce() -> T) -> (u64, T, u64) {
        let done = self.done.load(Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let seen = look();
        fence(Ordering::SeqCst);
        (done, seen, self.begun.load(Ordering::SeqCst))
    }
}

/// What a thing was after which change, in order.
type Timeline<T> = Vec<(u64, T)>;

/// What it can have been for a look that began after `done` and ended before whatever comes after `begun`.
fn possible<T: Copy>(timeline: &Timeline<T>, done: u64, begun: u64) -> Vec<T> {
    let during = timeline.partition_point(|(at, _)| *at <= done);
    let (before, from_then) = timeline.split_at(during);
    let during = from_then.iter().take_while(|(at, _)| *at <= begun);
    before.last().into_iter().chain(during).map(|(_, what)| *what).collect()
}

/// A churn of tokens, and what each secret and each token was when.
#[derive(Default)]
struct History {
    changes: Vec<Change>,
    /// Whose the secret is, and whether it has been replaced.
    secrets: HashMap<Digest, Timeline<Option<(TokenId, bool)>>>,
    /// What the token may do, by the change that gave it.
    rights: HashMap<TokenId, Timeline<BaseRole>>,
    /// The secrets that each change touched.
    touched: Vec<Vec<Digest>>,
}

impl History {
    fn happen(&mut self, naive: &mut Naive, event: Event) {
        let change = naive.happen(event);
        let at = change.revision.number();
        let secrets = |token: &Token| {
            [Some(token.secret.digest), token.retiring.map(|it| it.record.digest)].into_iter().flatten()
        };
        let (before, after) = match &change.event {
            Event::TokenIssued { token } => (None, Some(token)),
            Event::TokenRevoked { token } => (Some(token), None),
            Event::TokenChanged { before, after } | Event::TokenRotated { before, after } => {
                (Some(before), Some(after))
            }
            _ => (None, None),
        };
        let mut touched: Vec<Digest> = before.into_iter().chain(after).flat_map(secrets).collect();
        touched.dedup();
        for digest in &touched {
            let whose = after.filter(|token| secrets(token).any(|it| it == *digest));
            let whose = whose.map(|token| (token.id, token.secret.digest != *digest));
            self.secrets.entry(*digest).or_insert_with(|| vec![(0, None)]).push((at, whose));
        }
        if let Some(Token { id, scope: Scope::Base(role), .. }) = after {
            self.rights.entry(*id).or_default().push((at, *role));
        }
        self.touched.push(touched);
        self.changes.push(change);
    }

    /// Issues, rescopes, rotates with and without a grace, and revokes, in a window that moves on.
    fn of_churn() -> (Self, TokenId) {
        let mut history = Self::default();
        let (mut naive, first) = Naive::new();
        // Neither before the first change nor by it is there a secret.
        history.touched.resize(2, Vec::new());
        history.changes.extend(first);
        let owner = Member::clone(naive.members.values().next().unwrap());
        let scoped = |token: Token, number: u64| {
            let role = BaseRole::ALL[usize::try_from(number % 5).unwrap()];
            Token { scope: Scope::Base(role), ..token }
        };
        let stays = scoped(naive.new_token(&owner, TokenKind::Service), 0);
        history.happen(&mut naive, Event::TokenIssued { token: stays.clone() });
        let mut window = std::collections::VecDeque::new();
        for cycle in 0..CYCLES {
            let kind = if cycle % 3 == 0 { TokenKind::Service } else { TokenKind::Personal };
            let token = scoped(naive.new_token(&owner, kind), cycle);
            window.push_back(token.id);
            history.happen(&mut naive, Event::TokenIssued { token });

            let place = usize::try_from(cycle * 7).unwrap() % window.len();
            let before = naive.tokens[&window[place]].clone();
            let after = scoped(before.clone(), cycle / 2);
            history.happen(&mut naive, Event::TokenChanged { before: before.clone(), after });

            let before = naive.tokens[&window[place]].clone();
            let ends_at = Timestamp::from_millis(i64::MAX);
            let retiring = (cycle % 2 == 0).then_some(RetiringSecret { record: before.secret, ends_at });
            let after = Token { secret: naive.new_secret(), retiring, ..before.clone() };
            history.happen(&mut naive, Event::TokenRotated { before, after });

            if window.len() > WINDOW {
                let oldest = window.pop_front().unwrap();
                let token = naive.tokens[&oldest].clone();
                history.happen(&mut naive, Event::TokenRevoked { token });
            }
        }
        (history, stays.id)
    }

    /// A secret that the writer is near, is done with, or will come to.
    fn secret_near(&self, done: u64, turn: u64) -> Option<Digest> {
        let scattered = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let last = self.touched.len() as u64 - 1;
        let at = match turn % 8 {
            0 => scattered % (last + 1),
            1..4 => (done + scattered % 8).min(last),
            _ => done.saturating_sub(scattered % 200),
        };
        let touched = &self.touched[usize::try_from(at).unwrap()];
        touched.get(usize::try_from(scattered).unwrap() % touched.len().max(1)).copied()
    }

    fn check_find(&self, index: &Index, progress: &Progress, digest: Digest) {
        let (done, seen, begun) = progress.look(|| index.find(&digest, NOW));
        let seen =
            seen.map(|identity| Some((identity.token, identity.retiring))).or_else(|dead| match dead {
                Dead::Unknown => Ok(None),
                other => Err(other),
            });
        let possible = possible(&self.secrets[&digest], done, begun);
        assert!(
            seen.is_ok_and(|seen| possible.contains(&seen)),
            "{seen:?} between {done} and {begun}: {possible:?}"
        );
    }

    fn check_authenticate(&self, index: &Index, progress: &Progress, digest: Digest) {
        let (done, seen, begun) = progress.look(|| index.authenticate(&digest, NOW));
        let possible = possible(&self.secrets[&digest], done, begun);
        let Ok(caller) = seen else {
            assert!(possible.contains(&None), "missed between {done} and {begun}: {possible:?}");
            return;
        };
        let seen = Some((caller.token, caller.retiring));
        assert!(possible.contains(&seen), "{seen:?} between {done} and {begun}: {possible:?}");
        let Expectation::Token { id, revision } = caller.basis()[0] else { panic!("{:?}", caller.basis()) };
        assert_eq!(id, caller.token);
        let revision = revision.number();
        assert!(revision <= begun, "{revision} was not begun at {begun}");

        // Not a secret that this very revision, or one before it, has ended or replaced, as if it had not: what is
        // written on that has to fail.
        let mut until_then = self.secrets[&digest].iter().rev().skip_while(|(at, _)| *at > revision);
        match until_then.next() {
            Some((_, None)) => {
                assert_eq!(until_then.next(), None, "ended by {revision} and still good for it");
            }
            Some((_, Some((_, true)))) => {
                assert!(caller.retiring, "replaced by {revision} and not said to be");
            }
            _ => {}
        }

        // The rights of that revision or of a later one, but of no earlier one: a write on earlier rights has to fail.
        let timeline = &self.rights[&caller.token];
        let given: Vec<BaseRole> = timeline
            .iter()
            .filter(|(at, _)| (revision..=begun).contains(at))
            .map(|(_, role)| *role)
            .collect();
        let has = |role: &BaseRole| *caller.inherent() == Authority::all_of([Grant::Base(*role)]);
        assert!(given.iter().any(has), "{:?} at {revision}, before {begun}: {given:?}", caller.inherent());
        let oldest = timeline.iter().rfind(|(at, _)| *at <= done).map_or(0, |(at, _)| *at);
        assert!(revision >= oldest, "revision {revision} is older than {oldest}, which was done at {done}");
    }
}

/// Laws 1, 2 and 8.
#[test]
fn a_look_sees_what_was_acknowledged_before_it_began() {
    let (history, stays) = History::of_churn();
    let Event::TokenIssued { token } = &history.changes[1].event else { panic!("the second change issues") };
    let account = token.account;
    let (index, progress) = (Index::with_capacity(0), Progress::default());
    let last = history.changes.len() as u64;
    progress.write(&index, &history.changes[..2]);
    let read = |reader: usize| {
        let mut turn = (reader as u64) << 32;
        let mut looks = 0;
        while looks < LOOKS || progress.done.load(Ordering::SeqCst) < last {
            (turn, looks) = (turn + 1, looks + 1);
            let done = progress.done.load(Ordering::SeqCst);
            let Some(digest) = history.secret_near(done, turn) else { continue };
            match turn % 16 {
                0..8 => history.check_find(&index, &progress, digest),
                8..15 => history.check_authenticate(&index, &progress, digest),
                _ => {
                    let page = |limit| index.rosters().page(account, Selection::All, Start::Offset(0), limit);
                    let page = page(2 * WINDOW);
                    assert!(page.ids.is_sorted() && page.ids.contains(&stays));
                    assert!(page.total <= WINDOW as u64 + 2, "{}", page.total);
                    let (done, revision, begun) = progress.look(|| index.revision().number());
                    assert!((done..=begun).contains(&revision));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let read = &read;
            scope.spawn(move || read(reader));
        }
        progress.write(&index, &history.changes[2..]);
    });
}

/// Nobody is let in by a record that says that they are blocked, whenever it was read.
#[test]
fn a_blocked_member_is_out_at_once_and_back_at_once() {
    let (mut naive, mut changes) = Naive::new();
    let owner = Member::clone(naive.members.values().next().unwrap());
    let personal = naive.new_token(&owner, TokenKind::Personal);
    let service = naive.new_token(&owner, TokenKind::Service);
    for token in [&personal, &service] {
        changes.push(naive.happen(Event::TokenIssued { token: token.clone() }));
    }
    let set_up = changes.len();
    let mut timeline: Timeline<Option<Dead>> = vec![(changes.len() as u64, None)];
    let mut before = owner;
    for turn in 0..CYCLES {
        let off = if turn % 4 == 0 { Standing::Pending } else { Standing::Blocked };
        let standing = if turn % 2 == 0 { off } else { Standing::Active };
        let after = Member { standing, ..before.clone() };
        let change = naive.happen(Event::MemberChanged { before, after: after.clone() });
        timeline.push((change.revision.number(), (turn % 2 == 0).then_some(Dead::OwnerInactive)));
        before = after;
        changes.push(change);
    }
    let after = Member { standing: Standing::Removed, ..before.clone() };
    let removed = naive.happen(Event::MemberChanged { before, after });
    // Between the member and the secrets, either answer is right.
    timeline.push((removed.revision.number(), Some(Dead::OwnerInactive)));
    timeline.push((removed.revision.number(), Some(Dead::Unknown)));
    changes.push(removed);

    let (index, progress) = (Index::with_capacity(0), Progress::default());
    progress.write(&index, &changes[..set_up]);
    let read = || {
        for look in 0.. {
            if look >= LOOKS && progress.done.load(Ordering::SeqCst) == changes.len() as u64 {
                break;
            }
            let (done, answer, begun) = progress.look(|| index.find(&personal.secret.digest, NOW).err());
            let right = possible(&timeline, done, begun);
            assert!(right.contains(&answer), "{answer:?} between {done} and {begun}: {right:?}");
            let (done, answer, begun) = progress.look(|| index.authenticate(&personal.secret.digest, NOW));
            let right = possible(&timeline, done, begun);
            match answer {
                Ok(caller) => {
                    assert!(right.contains(&None), "let in between {done} and {begun}: {right:?}");
                    assert_eq!(
                        caller.member.standing,
                        Standing::Active,
                        "by a record of {:?}",
                        caller.basis()
                    );
                }
                Err(dead) => {
                    assert!(right.contains(&Some(dead)), "{dead:?} between {done} and {begun}: {right:?}");
                }
            }
            assert_eq!(index.find(&service.secret.digest, NOW).unwrap().token, service.id);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(read);
        }
        progress.write(&index, &changes[set_up..]);
    });
    assert_eq!(index.find(&personal.secret.digest, NOW), Err(Dead::Unknown));
    assert_eq!(index.image(), naive.built().image());
}
