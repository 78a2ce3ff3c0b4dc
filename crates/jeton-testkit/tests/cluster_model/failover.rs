//! A primary, a synchronous standby that takes its place, and a primary that doesn't know it yet.
//!
//! One node reads, another writes. A commit is acknowledged when the standby has it. One that was written by the old
//! primary and never reached the standby is seen by nobody, until that primary starts again: then it shows it to
//! whoever reads there, whether the standby ever gets it or not.

use super::explore::Model;

/// How many units of time a lease has.
const LEASE: u8 = 2;

/// A rule that is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mutation {
    /// A node believes on a new session that what it has applied is what the database has.
    BelievesWhatItRead,
    /// A node commits as soon as it has a session with the new primary.
    CommitsAtOnce,
    /// The read after a beat may ask another server than the one that took the beat.
    ReadsElsewhere,
}

/// What is explored.
pub(crate) struct FailOver {
    /// Whether the write revokes. Else it creates.
    pub(crate) revokes: bool,
    pub(crate) mutation: Option<Mutation>,
}

/// The commit that the old primary was asked for before it was cut off, and that nobody got an answer to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stray {
    None,
    /// Written, and seen by nobody.
    Hidden,
    /// Seen by those who read at the old primary.
    Shown,
    /// On both.
    Replicated,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Unasked,
    /// The writer has a session with the new primary for so long.
    Open(u8),
    Waiting {
        since: u8,
        read: bool,
    },
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Look {
    Admitted,
    Missed,
    Read,
    AdmittedAgain,
}

/// The node that reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Reader {
    /// Whether its session is with the new primary.
    moved: bool,
    /// Up to where it has followed, and what it found there.
    applied: u8,
    has_stray: bool,
    has_write: bool,
    fresh: u8,
    /// The age of a beat that no read has followed yet: a lease if there is none.
    beat: u8,
}

/// Everything at an instant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    stray: Stray,
    promoted: bool,
    reader: Reader,
    /// What the reader's row says on the new primary.
    reported: u8,
    /// For how long the writer knows the row's beat, if it does.
    seen: Option<(u8, u8)>,
    stage: Stage,
    check: Option<Look>,
    broken: Option<&'static str>,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    TimePasses,
    OldPrimaryWrites,
    StandbyGetsIt,
    OldPrimaryStartsAgain,
    StandbyIsPromoted,
    ReaderMoves,
    ReaderBeats,
    ReaderReads,
    ReaderReadsElsewhere,
    WriterOpensSession,
    WriterCommits,
    WriterReads,
    WriterAnswers,
    CheckBegins,
    CheckLooksAtClock,
    CheckLooksIntoIndex,
}

impl State {
    fn committed(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. } | Stage::Done)
    }

    /// The revision of the write: the stray one is before it, if it is there.
    fn revision(&self) -> u8 {
        1 + u8::from(self.stray == Stray::Replicated)
    }

    /// What a server's log holds: the stray commit, the write.
    fn log(&self, new: bool) -> (bool, bool) {
        match self.stray {
            Stray::Replicated => (true, new && self.committed()),
            Stray::Shown => (!new, new && self.committed()),
            Stray::None | Stray::Hidden => (false, new && self.committed()),
        }
    }

    /// The reader takes every change after its own revision.
    fn follow(&mut self, new: bool) {
        let (stray, write) = self.log(new);
        let head = u8::from(stray) + u8::from(write);
        let reader = &mut self.reader;
        if reader.applied == 0 {
            reader.has_stray = stray;
        }
        if reader.applied < head {
            reader.has_write |= write;
            reader.applied = head;
        }
        reader.fresh = reader.fresh.max(LEASE - reader.beat);
        reader.beat = LEASE;
        if self.check == Some(Look::Missed) {
            self.check = Some(Look::Read);
        }
    }

    fn pass_time(&mut self) {
        let age = |age: &mut u8| *age = LEASE.min(*age + 1);
        self.reader.fresh = self.reader.fresh.saturating_sub(1);
        age(&mut self.reader.beat);
        self.seen.iter_mut().for_each(|(_, since)| age(since));
        if let Stage::Open(since) | Stage::Waiting { since, .. } = &mut self.stage {
            age(since);
        }
    }
}

impl Model for FailOver {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let reader =
            Reader { moved: false, applied: 0, has_stray: false, has_write: false, fresh: 0, beat: LEASE };
        State {
            stray: Stray::None,
            promoted: false,
            reader,
            reported: 0,
            seen: None,
            stage: Stage::Unasked,
            check: None,
            broken: None,
        }
    }

    fn next(&self, state: &State, found: &mut Vec<(Step, State)>) {
        let mut offer = |possible: bool, step, change: &dyn Fn(&mut State)| {
            if possible {
                let mut after = state.clone();
                change(&mut after);
                found.push((step, after));
            }
        };
        offer(true, Step::TimePasses, &State::pass_time);
        servers(state, &mut offer);
        self.reads(state, &mut offer);
        self.writes(state, &mut offer);
        self.checks(state, &mut offer);
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        state.broken
    }
}

/// Takes whether a step is possible, the step, and what it does.
type Offer<'a> = dyn FnMut(bool, Step, &dyn Fn(&mut State)) + 'a;

fn servers(state: &State, offer: &mut Offer) {
    let written = state.stray != Stray::None;
    let lost = state.stray != Stray::Replicated;
    offer(!written && !state.promoted, Step::OldPrimaryWrites, &|after| after.stray = Stray::Hidden);
    offer(written && lost && !state.promoted, Step::StandbyGetsIt, &|after| after.stray = Stray::Replicated);
    offer(written && lost, Step::OldPrimaryStartsAgain, &|after| after.stray = Stray::Shown);
    offer(!state.promoted, Step::StandbyIsPromoted, &|after| after.promoted = true);
}

impl FailOver {
    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn reads(&self, state: &State, offer: &mut Offer) {
        let moved = state.reader.moved;
        offer(state.promoted && !moved, Step::ReaderMoves, &|after| {
            after.reader.moved = true;
            after.reader.beat = LEASE;
            let (stray, _) = after.log(true);
            let differs = after.reader.has_stray && !stray;
            if differs && !self.has(Mutation::BelievesWhatItRead) {
                after.reader = Reader { applied: 0, has_stray: false, fresh: 0, ..after.reader };
            }
        });
        // A beat is acknowledged when the standby has it, and everything that was written before.
        offer(moved == state.promoted, Step::ReaderBeats, &|after| {
            if !moved && after.stray != Stray::None {
                after.stray = Stray::Replicated;
            }
            after.reader.beat = 0;
            after.reported = after.reader.applied;
            after.seen = None;
        });
        offer(true, Step::ReaderReads, &|after| after.follow(moved));
        let elsewhere = moved && self.has(Mutation::ReadsElsewhere);
        offer(elsewhere, Step::ReaderReadsElsewhere, &|after| after.follow(false));
    }

    fn writes(&self, state: &State, offer: &mut Offer) {
        match state.stage {
            Stage::Unasked => {
                offer(state.promoted, Step::WriterOpensSession, &|after| after.stage = Stage::Open(0));
            }
            Stage::Open(since) => {
                let waited = since >= LEASE || self.has(Mutation::CommitsAtOnce);
                offer(waited, Step::WriterCommits, &|after| {
                    after.stage = Stage::Waiting { since: 0, read: false };
                });
            }
            Stage::Waiting { since, read } => {
                let known = state
                    .seen
                    .is_some_and(|(reported, since)| reported >= state.revision() || since >= LEASE);
                let answered = !self.revokes || (read && known) || since >= LEASE;
                offer(answered, Step::WriterAnswers, &|after| after.stage = Stage::Done);
            }
            Stage::Done => {}
        }
        offer(state.promoted && state.stage != Stage::Done, Step::WriterReads, &|after| {
            after.seen = after.seen.or(Some((after.reported, 0)));
            if let Stage::Waiting { read, .. } = &mut after.stage {
                *read = true;
            }
        });
    }

    /// A verification that began after the write was answered.
    fn checks(&self, state: &State, offer: &mut Offer) {
        let fresh = state.reader.fresh > 0;
        match state.check {
            None => offer(state.stage == Stage::Done && fresh, Step::CheckBegins, &|after| {
                after.check = Some(Look::Admitted);
            }),
            Some(Look::Missed) => {}
            Some(Look::Read) => offer(true, Step::CheckLooksAtClock, &|after| {
                after.check = fresh.then_some(Look::AdmittedAgain);
            }),
            Some(look) => offer(true, Step::CheckLooksIntoIndex, &|after| {
                after.check = None;
                if state.reader.has_write {
                    return;
                }
                match (self.revokes, look) {
                    (true, _) => after.broken = Some("law 1: what was revoked is accepted"),
                    (false, Look::Admitted) => after.check = Some(Look::Missed),
                    (false, _) => after.broken = Some("law 2: what was created is refused"),
                }
            }),
        }
    }
}
