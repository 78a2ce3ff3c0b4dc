//! Nodes on one database, step by step: everything that can be interrupted is a step of its own.
//!
//! A pause is a node that isn't chosen while time passes, a cut one whose requests aren't answered, so neither is a step.
//! Time has no end, and numbers of beats none: what is kept is how long ago something was, up to a lease, after which
//! nothing differs any more, and whether a row's beat is still the one that somebody saw.
//!
//! What the protocol does apart is one step here where what lies between shows nobody anything. A read is sent and made at
//! once: one that is made later is one that was sent later. A beat is answered when the read after it begins. What a read
//! shows of other rows is known at once, which lets a node judge them no later than it may. And one verification is enough,
//! since verifications change nothing for anybody.

use super::explore::Model;

/// How many units of time a lease has.
const LEASE: u8 = 2;
/// How many nodes there are at once. Who comes in the place of another is a new node.
const NODES: usize = 3;

const ACCEPTED: &str = "law 1: what was revoked is accepted";

/// A node, by its place.
type Node = usize;
/// A change, by its place in [`Cluster::writes`].
type Write = usize;

/// A rule of the protocol that is left out or turned around.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mutation {
    /// A revocation is answered when it is committed and applied.
    AnswerAtOnce,
    /// A node is fresh for a lease from the answer to its beat.
    FreshFromTheAnswer,
    /// A read that follows no newer beat makes a node fresher.
    FreshWithoutABeat,
    /// A verification looks into the index, and then at the clock.
    IndexBeforeClock,
    /// A node loads its snapshot, and then registers.
    SnapshotBeforeRow,
    /// As [`Mutation::SnapshotBeforeRow`], and the node serves without having read after it registered.
    SnapshotBeforeRowThenServe,
    /// Other nodes are judged by the last read, even if that began before the commit was answered.
    RowsFromBeforeTheCommit,
    /// An unknown secret is judged after any read, even if that began before the verification.
    MissFromAnEarlierRead,
    /// A row that was deleted begins to count anew, so that its beat may be one that somebody knows.
    BeatsCountedByTheRow,
}

/// A change that somebody asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Revoke,
    Create,
}

/// What is explored.
pub(crate) struct Cluster {
    /// Each change, and the node that is asked for it.
    pub(crate) writes: [Option<(Kind, Node)>; 2],
    /// How many nodes are there at the beginning.
    pub(crate) nodes: usize,
    /// How many there may be at once.
    pub(crate) places: usize,
    /// Whether a request and its answer are steps of their own.
    pub(crate) delays: bool,
    /// How often a node may fall over or leave.
    pub(crate) ends: u8,
    /// How often a row may be deleted under a node.
    pub(crate) deletions: u8,
    pub(crate) mutation: Option<Mutation>,
}

/// A row of the table of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Row {
    revision: u8,
    /// Since the beat.
    age: u8,
}

/// What a node knows of another's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Seen {
    revision: u8,
    /// Since a read first showed this beat.
    since: u8,
    /// Whether there has been another beat since the last read.
    moved: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Turn {
    None,
    /// A beat is under way, or committed and not answered.
    Beat {
        since: u8,
        revision: u8,
        committed: bool,
    },
    /// A read is under way. `since` is the age of the beat before it: a lease if there is none.
    Read {
        since: u8,
        head: u8,
        for_check: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Life {
    /// There is no such node.
    Out,
    /// It has written its row, or loaded its snapshot: whichever comes first.
    Starting,
    Up,
    /// It fell over, and its row is left.
    Fallen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Peer {
    life: Life,
    /// Up to where its index has followed.
    applied: u8,
    /// For how long it is fresh.
    fresh: u8,
    turn: Turn,
    seen: [Option<Seen>; NODES],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Stage {
    Unasked,
    Committed {
        revision: u8,
    },
    /// The author knows that it is committed. `read` says whether a read of the nodes began after that.
    Waiting {
        revision: u8,
        since: u8,
        read: bool,
    },
    Done {
        revision: u8,
    },
    /// Nobody will answer any more.
    Lost,
}

/// How far a verification is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Look {
    Begun,
    /// The clock allows it; the index comes next.
    Admitted,
    /// The index was asked before the clock, and knew the token as alive.
    Alive,
    Missed,
    /// The read after the miss was answered.
    Read,
    AdmittedAgain,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Check {
    node: Node,
    write: Write,
    look: Look,
}

/// Everything at an instant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct State {
    head: u8,
    rows: [Option<Row>; NODES],
    peers: [Peer; NODES],
    stages: [Stage; 2],
    check: Option<Check>,
    ends: u8,
    deletions: u8,
    broken: Option<&'static str>,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are read where a story is told")]
pub(crate) enum Step {
    TimePasses,
    SendBeat(Node),
    CommitBeat(Node),
    /// The same with a beat that others know from before.
    CommitKnownBeat(Node),
    BeginRead(Node),
    AnswerRead(Node),
    /// A read without a beat before it, from beginning to end.
    Follow(Node),
    /// The answer to such a read, which was made before the last change.
    FollowLate(Node),
    FailTurn(Node),
    Register(Node),
    LoadSnapshot(Node),
    FallOver(Node),
    Leave(Node),
    DeleteRow(Node),
    Commit(Write),
    AnswerCommit(Write),
    BeginCheck(Node, Write),
    LookAtClock,
    LookIntoIndex,
}

const NOBODY: Peer = Peer { life: Life::Out, applied: 0, fresh: 0, turn: Turn::None, seen: [None; NODES] };

impl Model for Cluster {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let mut state = State {
            head: 0,
            rows: [None; NODES],
            peers: [NOBODY; NODES],
            stages: [Stage::Unasked; 2],
            check: None,
            ends: self.ends,
            deletions: self.deletions,
            broken: None,
        };
        for node in 0..self.nodes {
            state.rows[node] = Some(Row { revision: 0, age: 0 });
            let mut seen = [None; NODES];
            seen[..self.nodes].fill(Some(Seen { revision: 0, since: 0, moved: false }));
            state.peers[node] = Peer { life: Life::Up, seen, ..NOBODY };
        }
        self.tidy(&mut state);
        state
    }

    fn next(&self, state: &State, found: &mut Vec<(Step, State)>) {
        let mut offer = |step, change: &dyn Fn(&mut State)| {
            let mut after = state.clone();
            change(&mut after);
            self.tidy(&mut after);
            if after != *state {
                found.push((step, after));
            }
        };
        offer(Step::TimePasses, &pass_time);
        for node in 0..self.places {
            self.lives(state, node, &mut offer);
            self.turns(state, node, &mut offer);
        }
        for write in 0..2 {
            self.writes(state, write, &mut offer);
        }
        self.checks(state, &mut offer);
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        state.broken
    }
}

/// Takes a step and what it does.
type Offer<'a> = dyn FnMut(Step, &dyn Fn(&mut State)) + 'a;

impl Cluster {
    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn snapshot_first(&self) -> bool {
        self.has(Mutation::SnapshotBeforeRow) || self.has(Mutation::SnapshotBeforeRowThenServe)
    }

    /// How nodes come and go.
    fn lives(&self, state: &State, node: Node, offer: &mut Offer) {
        let row = state.rows[node];
        match state.peers[node].life {
            Life::Out if row.is_none() && self.snapshot_first() => {
                offer(Step::LoadSnapshot(node), &|after| after.load(node, Life::Starting));
            }
            Life::Out if row.is_none() => offer(Step::Register(node), &|after| {
                after.beat(node, 0, true);
                after.peers[node].life = Life::Starting;
            }),
            Life::Starting if self.snapshot_first() => offer(Step::Register(node), &|after| {
                after.beat(node, after.peers[node].applied, true);
                after.peers[node].life = Life::Up;
                if self.has(Mutation::SnapshotBeforeRowThenServe) {
                    after.peers[node].fresh = LEASE;
                }
            }),
            Life::Starting => offer(Step::LoadSnapshot(node), &|after| after.load(node, Life::Up)),
            Life::Up if state.ends > 0 => {
                offer(Step::FallOver(node), &|after| self.end(after, node, Life::Fallen));
                offer(Step::Leave(node), &|after| {
                    self.end(after, node, Life::Out);
                    after.rows[node] = None;
                });
            }
            _ => {}
        }
        // After an hour, says the protocol. A lease is the shortest that can be right.
        if state.deletions > 0 && row.is_some_and(|row| row.age >= LEASE) {
            offer(Step::DeleteRow(node), &|after| {
                after.deletions -= 1;
                after.rows[node] = None;
                if after.peers[node].life == Life::Fallen {
                    after.peers[node].life = Life::Out;
                }
            });
        }
    }

    fn end(&self, state: &mut State, node: Node, life: Life) {
        state.ends -= 1;
        state.peers[node] = Peer { life, ..NOBODY };
        for (write, asked) in self.writes.iter().enumerate() {
            let stage = &mut state.stages[write];
            if asked.is_some_and(|(_, author)| author == node)
                && matches!(stage, Stage::Committed { .. } | Stage::Waiting { .. })
            {
                *stage = Stage::Lost;
            }
        }
        state.check = state.check.filter(|check| check.node != node);
    }

    /// One turn after another.
    fn turns(&self, state: &State, node: Node, offer: &mut Offer) {
        let Peer { life: Life::Up, applied, turn, .. } = state.peers[node] else { return };
        match turn {
            Turn::None => {
                if self.serves(node) {
                    offer(Step::SendBeat(node), &|after| {
                        let committed = !self.delays;
                        after.peers[node].turn = Turn::Beat { since: 0, revision: applied, committed };
                        if committed {
                            after.beat(node, applied, true);
                        }
                    });
                }
                let freshens = self.has(Mutation::FreshWithoutABeat) && self.serves(node);
                let since = if freshens { 0 } else { LEASE };
                if since < LEASE || self.curious(state, node) {
                    offer(Step::BeginRead(node), &|after| self.read(after, node, since));
                }
                offer(Step::Follow(node), &|after| after.follow(node, after.head, true));
                let late = applied + u8::from(applied < state.head);
                let enough = self.has(Mutation::MissFromAnEarlierRead);
                offer(Step::FollowLate(node), &|after| after.follow(node, applied, enough));
                offer(Step::FollowLate(node), &|after| after.follow(node, late, enough));
                return;
            }
            Turn::Beat { since, revision, committed: false } => {
                let committed = Turn::Beat { since, revision, committed: true };
                offer(Step::CommitBeat(node), &|after| {
                    after.beat(node, revision, true);
                    after.peers[node].turn = committed;
                });
                if self.has(Mutation::BeatsCountedByTheRow) && state.rows[node].is_none() {
                    offer(Step::CommitKnownBeat(node), &|after| {
                        after.beat(node, revision, false);
                        after.peers[node].turn = committed;
                    });
                }
            }
            Turn::Beat { since, .. } => {
                let since = if self.has(Mutation::FreshFromTheAnswer) { 0 } else { since };
                offer(Step::BeginRead(node), &|after| self.read(after, node, since));
            }
            Turn::Read { .. } => offer(Step::AnswerRead(node), &|after| Self::answer_read(after, node)),
        }
        offer(Step::FailTurn(node), &|after| after.peers[node].turn = Turn::None);
    }

    /// Whether anybody asks a node about a token that another node is to change. Who has but its own changes to serve has no
    /// use for freshness.
    fn serves(&self, node: Node) -> bool {
        self.writes.iter().flatten().any(|(_, author)| *author != node)
    }

    /// Whether a node will judge others by their rows.
    fn curious(&self, state: &State, node: Node) -> bool {
        self.writes.iter().zip(&state.stages).any(|(write, stage)| {
            let open = match stage {
                Stage::Waiting { since, .. } => *since < LEASE,
                Stage::Done { .. } | Stage::Lost => false,
                _ => true,
            };
            *write == Some((Kind::Revoke, node)) && open
        })
    }

    fn read(&self, state: &mut State, node: Node, since: u8) {
        let rows = state.rows;
        for (seen, row) in state.peers[node].seen.iter_mut().zip(rows) {
            let since = seen.filter(|seen| !seen.moved).map_or(0, |seen| seen.since);
            *seen = row.map(|row| Seen { revision: row.revision, since, moved: false });
        }
        for (write, stage) in self.writes.iter().zip(&mut state.stages) {
            if let (Some((_, author)), Stage::Waiting { read, .. }) = (write, stage) {
                *read |= *author == node;
            }
        }
        let missed = state.check.is_some_and(|check| check.node == node && check.look == Look::Missed);
        let for_check = missed || self.has(Mutation::MissFromAnEarlierRead);
        let freshens = since < LEASE;
        state.peers[node].turn =
            if freshens { Turn::Read { since, head: state.head, for_check } } else { Turn::None };
        if !self.delays {
            Self::answer_read(state, node);
        }
    }

    fn answer_read(state: &mut State, node: Node) {
        let peer = &mut state.peers[node];
        let Turn::Read { since, head, for_check } = peer.turn else { return };
        peer.turn = Turn::None;
        peer.fresh = peer.fresh.max(LEASE - since);
        let applied = peer.applied.max(head);
        state.follow(node, applied, for_check);
    }

    /// From the question to the answer.
    fn writes(&self, state: &State, write: Write, offer: &mut Offer) {
        let Some((_, author)) = self.writes[write] else { return };
        if state.peers[author].life != Life::Up {
            return;
        }
        match state.stages[write] {
            Stage::Unasked => offer(Step::Commit(write), &|after| {
                after.head += 1;
                after.stages[write] = Stage::Committed { revision: after.head };
                if !self.delays {
                    after.answer_commit(write, author);
                }
            }),
            Stage::Committed { .. } => {
                offer(Step::AnswerCommit(write), &|after| {
                    after.answer_commit(write, author);
                });
            }
            Stage::Waiting { .. } | Stage::Done { .. } | Stage::Lost => {}
        }
    }

    /// A verification of a token whose revocation or creation was answered before it began. Of others anything may be said.
    fn checks(&self, state: &State, offer: &mut Offer) {
        let Some(check) = state.check else {
            for node in 0..NODES {
                for write in 0..2 {
                    let done = matches!(state.stages[write], Stage::Done { .. });
                    if done && state.peers[node].life == Life::Up {
                        let begun = Check { node, write, look: Look::Begun };
                        offer(Step::BeginCheck(node, write), &|after| after.check = Some(begun));
                    }
                }
            }
            return;
        };
        let ask_index = match check.look {
            Look::Begun => self.has(Mutation::IndexBeforeClock),
            Look::Admitted | Look::AdmittedAgain => true,
            Look::Alive | Look::Read => false,
            Look::Missed => return,
        };
        if ask_index {
            offer(Step::LookIntoIndex, &|after| self.look_into_index(after, check));
        } else {
            offer(Step::LookAtClock, &|after| look_at_clock(after, check));
        }
    }

    fn look_into_index(&self, state: &mut State, check: Check) {
        let Stage::Done { revision } = state.stages[check.write] else { return };
        let known = state.peers[check.node].applied >= revision;
        let revoke = self.writes[check.write].is_some_and(|(kind, _)| kind == Kind::Revoke);
        let go_on = |look| Some(Check { look, ..check });
        state.check = match (known, revoke, check.look) {
            // The right answer.
            (true, ..) => None,
            (false, true, Look::Begun) => go_on(Look::Alive),
            (false, false, Look::Admitted) => go_on(Look::Missed),
            (false, true, _) => {
                state.broken = Some(ACCEPTED);
                None
            }
            (false, false, _) => {
                state.broken = Some("law 2: what was created is refused");
                None
            }
        };
    }

    /// Answers what may be answered. That takes nothing away that could happen without, but for a node's interest in its own
    /// change; and the laws speak of what comes after: if they hold after the first moment in which something could be answered,
    /// they hold after every later one.
    fn answer_writes(&self, state: &mut State) {
        for (write, asked) in self.writes.iter().enumerate() {
            let (Some((kind, author)), Stage::Waiting { revision, since, read }) =
                (asked, state.stages[write])
            else {
                continue;
            };
            let read = read || self.has(Mutation::RowsFromBeforeTheCommit);
            let known = read && everybody_has(&state.peers[*author], *author, revision);
            let at_once = *kind == Kind::Create || self.has(Mutation::AnswerAtOnce);
            if known || at_once || since >= LEASE {
                state.stages[write] = Stage::Done { revision };
            }
        }
    }

    /// Forgets what decides nothing any more, so that states are equal that differ in nothing else.
    fn tidy(&self, state: &mut State) {
        self.answer_writes(state);
        let curious: [bool; NODES] = std::array::from_fn(|node| self.curious(state, node));
        let nobody_comes = self.nobody_comes(state);
        for node in 0..NODES {
            let waited_for = (0..NODES).any(|other| other != node && curious[other]);
            let up_to_date = self.is_up_to_date(state, node);
            let awaited = self.awaited_revisions(state, node);
            let peer = &mut state.peers[node];
            peer.seen[node] = None;
            if !curious[node] {
                peer.seen = [None; NODES];
            }
            // Of what others have reported it counts what is waited for, and no later revision.
            for seen in peer.seen.iter_mut().flatten() {
                let reported = awaited.iter().flatten().filter(|awaited| **awaited <= seen.revision).max();
                seen.revision = reported.copied().unwrap_or(0);
                if nobody_comes && seen.revision > 0 && awaited.iter().flatten().max() == reported {
                    (seen.since, seen.moved) = (LEASE, false);
                }
            }
            // Nothing but the news is left of it, and whoever follows late gets those, too.
            let spent = match peer.turn {
                Turn::Read { since, .. } => since == LEASE,
                Turn::Beat { since, committed, .. } => since == LEASE && committed,
                Turn::None => false,
            };
            // How fresh a node is that knows everything makes no difference.
            let idle = match peer.turn {
                Turn::Read { .. } => up_to_date,
                Turn::Beat { committed, .. } => up_to_date && committed,
                Turn::None => false,
            };
            if up_to_date {
                peer.fresh = 0;
                if let Turn::Beat { since, .. } = &mut peer.turn {
                    *since = LEASE;
                }
            }
            if spent || idle {
                peer.turn = Turn::None;
            }
            if !waited_for {
                if let Some(row) = &mut state.rows[node] {
                    let age = if curious.contains(&true) { row.age } else { 0 };
                    *row = Row { revision: 0, age };
                }
                if let Turn::Beat { revision, .. } = &mut peer.turn {
                    *revision = 0;
                }
            }
            if state.deletions == 0
                && let Some(row) = &mut state.rows[node]
            {
                row.age = 0;
            }
        }
    }

    /// The revisions of a node's own changes, as far as they are committed and not answered.
    fn awaited_revisions(&self, state: &State, node: Node) -> [Option<u8>; 2] {
        std::array::from_fn(|write| match state.stages[write] {
            Stage::Committed { revision } | Stage::Waiting { revision, .. } => {
                self.writes[write].filter(|(_, author)| *author == node).map(|_| revision)
            }
            _ => None,
        })
    }

    /// Whether the nodes that are up are those that there will ever be, each with what it knows.
    fn nobody_comes(&self, state: &State) -> bool {
        let stays = |life| matches!(life, Life::Up | Life::Fallen);
        state.ends == 0
            && state.deletions == 0
            && state.peers[..self.places].iter().all(|peer| stays(peer.life))
    }

    /// Whether a node knows every change that there will be, and answers nobody from before.
    fn is_up_to_date(&self, state: &State, node: Node) -> bool {
        if state.check.is_some_and(|check| check.node == node) {
            return false;
        }
        let written =
            |(write, stage): (&Option<_>, &Stage)| write.is_none() || !matches!(stage, Stage::Unasked);
        state.peers[node].applied == state.head && self.writes.iter().zip(&state.stages).all(written)
    }
}

/// Whether a node may take it that every other one has a change, or serves no more.
fn everybody_has(peer: &Peer, author: Node, revision: u8) -> bool {
    let has = |seen: &Seen| seen.revision >= revision || seen.since >= LEASE;
    (0..NODES).filter(|node| *node != author).all(|node| peer.seen[node].as_ref().is_none_or(has))
}

fn look_at_clock(state: &mut State, check: Check) {
    let fresh = state.peers[check.node].fresh > 0;
    // Whoever isn't fresh says so, and that is never wrong.
    state.check = match check.look {
        Look::Begun if fresh => Some(Check { look: Look::Admitted, ..check }),
        Look::Read if fresh => Some(Check { look: Look::AdmittedAgain, ..check }),
        Look::Alive if fresh => {
            state.broken = Some(ACCEPTED);
            None
        }
        _ => None,
    };
}

fn pass_time(state: &mut State) {
    let age = |age: &mut u8| *age = LEASE.min(*age + 1);
    state.rows.iter_mut().flatten().for_each(|row| age(&mut row.age));
    for peer in &mut state.peers {
        peer.fresh = peer.fresh.saturating_sub(1);
        peer.seen.iter_mut().flatten().for_each(|seen| age(&mut seen.since));
        if let Turn::Beat { since, .. } | Turn::Read { since, .. } = &mut peer.turn {
            age(since);
        }
    }
    for stage in &mut state.stages {
        if let Stage::Waiting { since, .. } = stage {
            age(since);
        }
    }
}

impl State {
    /// A beat reaches the database. `new` says whether it differs from all that were seen.
    fn beat(&mut self, node: Node, revision: u8, new: bool) {
        self.rows[node] = Some(Row { revision, age: 0 });
        for peer in &mut self.peers {
            if let Some(seen) = &mut peer.seen[node] {
                seen.moved = new;
            }
        }
    }

    /// A node follows. `enough` says whether whoever waits for a read may go on.
    fn follow(&mut self, node: Node, to: u8, enough: bool) {
        self.peers[node].applied = to;
        if let Some(check) = &mut self.check
            && (check.node, check.look, enough) == (node, Look::Missed, true)
        {
            check.look = Look::Read;
        }
    }

    /// The author hears that its change is durable. It has taken in what others committed before by then: a node that fails to
    /// read that answers nothing.
    fn answer_commit(&mut self, write: Write, author: Node) {
        let Stage::Committed { revision } = self.stages[write] else { return };
        let peer = &mut self.peers[author];
        peer.applied = peer.applied.max(revision);
        self.stages[write] = Stage::Waiting { revision, since: 0, read: false };
    }

    fn load(&mut self, node: Node, life: Life) {
        self.peers[node] = Peer { life, applied: self.head, ..NOBODY };
    }
}
