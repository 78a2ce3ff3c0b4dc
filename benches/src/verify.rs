//! What a verification costs in the process, without HTTP: format and checksum, digest, look-up, expiry, owner and rights,
//! with a million tokens in random order and one thread.
//!
//! The floor is the same digest and the barest table that can be looked up with it. Each question is a text that has just
//! been put together, as a request's header is, so what is not in the processor's cache is the index alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jeton_core::change::{Event, Revision};
use jeton_core::credential::Credential;
use jeton_core::digest::Digest;
use jeton_core::rule::Mint;
use jeton_core::secret::Malformed;
use jeton_core::snapshot::Record;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, Token, TokenKind};
use jeton_index::{Dead, Index};

use crate::changing::{CHANGES, Changing};
use crate::figure::{Figure, Goal, Report};
use crate::options::Options;
use crate::population;
use crate::rounds::{Dice, Series, take_turns};
use crate::spread;
use crate::{Fallible, machine};

/// Questions, or tokens taken in, between two looks at the clock.
const BATCH: usize = 1024;
/// Characters of a secret with the usual prefix.
const LENGTH: usize = 54;
/// Secrets that no token has: so many that where they would be does not stay in the processor's cache.
const STRANGERS: usize = 1 << 18;
/// Secrets that are asked with, of more tokens: one of so many, to leave the memory to the index.
const ASKED_WITH: u32 = 4_000_000;
/// After the last token was made, and before the first ends.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

type Text = [u8; LENGTH];

pub(crate) fn measure(options: &Options, report: &mut Report) -> Fallible<()> {
    let mut installation = Installation::of(options.tokens, options.seed)?;
    let bytes = installation.index.bytes() as f64 / f64::from(options.tokens);
    let mut dice = Dice::new(options.seed);
    let series: Series<10> =
        take_turns(options.rounds, options.seed, |side| installation.turn(side, options.seconds, &mut dice))?;
    let beside = |name, side, floor| {
        let figure = Figure::plain(name, series.spread(side).median, "ns");
        figure.beside(series.spread(floor).median, series.ratio(side, floor))
    };
    let figure = |name, side| beside(name, side, FLOOR);
    report.add(figure("verification of a good secret", HIT).goal(Goal::RatioAtMost(1.3)))?;
    let many = beside("one of 1024 good secrets at once, beside one alone", AT_ONCE, HIT);
    report.add(many.goal(Goal::RatioAtMost(0.6)))?;
    report.add(figure("refusal of a wrong checksum", CHECKSUM).goal(Goal::RatioAtMost(0.35)))?;
    report.add(figure("refusal of a secret cut short", CUT).goal(Goal::RatioAtMost(0.35)))?;
    report.add(figure("refusal of an unknown secret", MISS))?;
    report.add(figure("a good secret's caller, with authority and basis", CALLER))?;
    report.add(beside("of it the index: a good digest", INDEX_HIT, FLOOR_OF_INDEX))?;
    report.add(beside("of it the index: an unknown digest", INDEX_MISS, FLOOR_OF_INDEX))?;
    let name = format!("index without rosters, {} tokens, bytes a token", options.tokens);
    report.add(Figure::plain(name, bytes, "B").goal(Goal::AtMost(56.0)))?;
    let name = "resident memory, with members and lists, bytes a token";
    report.add(
        Figure::plain(name, installation.resident / f64::from(options.tokens), "B").goal(Goal::AtMost(100.0)),
    )?;
    let rate = f64::from(options.tokens) / installation.loading.as_secs_f64();
    report.add(Figure::plain("tokens taken in while it is built", rate, "/s"))?;
    while_it_changes(options, &mut installation, &mut dice, report)
}

/// How long a question takes by itself while the index changes, beside one that does not.
fn while_it_changes(
    options: &Options,
    installation: &mut Installation,
    dice: &mut Dice,
    report: &mut Report,
) -> Fallible<()> {
    let mut changing = Changing::new(installation.like.clone(), options.seed);
    let index = Arc::clone(&installation.index);
    let series: Series<2, [f64; 2]> = take_turns(options.rounds, options.seed, |side| {
        let mut ask = || installation.turn_of_single_ones(HIT, options.seconds, dice);
        if side == 0 { ask() } else { changing.beside(&index, ask) }
    })?;
    for (at, share) in ["p50", "p99"].into_iter().enumerate() {
        let name = format!("a good secret by itself, beside {CHANGES} changes a second, {share}");
        let figure = Figure::plain(name, series.spread_of(1, |both| both[at]).median, "ns");
        let quiet = series.spread_of(0, |both| both[at]).median;
        report.add(figure.beside(quiet, series.ratio_of(1, 0, |both| both[at])))?;
    }
    Ok(())
}

/// A good secret alone, and how long single ones take.
pub(crate) fn overview(options: &Options, report: &mut Report) -> Fallible<()> {
    let mut installation = Installation::of(options.tokens, options.seed)?;
    let mut dice = Dice::new(options.seed);
    let series: Series<2> =
        take_turns(options.rounds, options.seed, |side| installation.turn(side, options.seconds, &mut dice))?;
    let singly: Series<2, [f64; 2]> = take_turns(options.rounds, options.seed, |side| {
        installation.turn_of_single_ones(side, options.seconds, &mut dice)
    })?;
    let (cost, floor) = (series.spread(HIT).median, series.spread(FLOOR).median);
    let ratio = series.ratio(HIT, FLOOR);
    let figure = Figure::plain("in process: processor time for a verification", cost, "ns");
    report.add(figure.beside(floor, ratio).goal(Goal::RatioAtMost(1.3)))?;
    let rates = series.ratio_of(FLOOR, HIT, |nanos| *nanos);
    report.add(Figure::plain("in process: verifications", 1e9 / cost, "/s").beside(1e9 / floor, rates))?;
    for (at, name) in ["in process: answer, p50", "in process: answer, p99"].into_iter().enumerate() {
        let figure = Figure::plain(name, singly.spread_of(HIT, |both| both[at]).median, "ns");
        let floor = singly.spread_of(FLOOR, |both| both[at]).median;
        report.add(figure.beside(floor, singly.ratio_of(HIT, FLOOR, |both| both[at])))?;
    }
    Ok(())
}

const FLOOR: usize = 0;
const HIT: usize = 1;
const CHECKSUM: usize = 2;
const CUT: usize = 3;
const MISS: usize = 4;
const CALLER: usize = 5;
/// With the digests at hand. A processor overlaps these look-ups, as it can't with a hash in between.
const FLOOR_OF_INDEX: usize = 6;
const INDEX_HIT: usize = 7;
const INDEX_MISS: usize = 8;
/// As `POST /verify` asks about many: all digests first, and then what is known of them.
const AT_ONCE: usize = 9;

/// Tokens, and their secrets to ask with.
struct Installation {
    mint: Mint,
    index: Arc<Index>,
    /// One of its tokens.
    like: Token,
    /// Bytes of memory that it takes, with its members and lists.
    resident: f64,
    /// How long it took to take in the tokens.
    loading: Duration,
    floor: BareTable,
    secrets: Vec<(Text, Digest)>,
    strangers: Vec<(Text, Digest)>,
    batch: Vec<(Text, Digest)>,
}

impl Installation {
    fn of(tokens: u32, seed: u64) -> Fallible<Self> {
        // As a server makes it when it starts.
        let mut index = Index::with_capacity((tokens + tokens / 16) as usize);
        let mut floor = BareTable::with_room_for(tokens as usize);
        let every = u64::from(tokens.div_ceil(ASKED_WITH));
        let mut secrets = Vec::with_capacity(tokens.min(ASKED_WITH) as usize);
        let (mut issued, mut revision) = (0, Revision::ZERO);
        let (mut like, mut loading) = (None, Duration::ZERO);
        let mut waiting = Vec::new();
        let mut load = |waiting: &mut Vec<Record>, index: &mut Index| {
            let started = Instant::now();
            index.load(waiting.drain(..));
            loading += started.elapsed();
        };
        population::imagine(tokens, seed, population::mint()?, |proposal, secret| {
            revision = revision.next();
            match proposal.at_revision(revision).event {
                Event::MemberAdded { member } => index.load([Record::Member(member)]),
                Event::RoleDefined { role } => index.load([Record::Role(role)]),
                Event::TokenIssued { token } => {
                    if let Some(secret) = secret {
                        floor.put(&token.secret.digest, issued);
                        if issued % every == 0 {
                            secrets.push((secret.expose().as_bytes().try_into()?, token.secret.digest));
                        }
                        issued += 1;
                    }
                    waiting.push(Record::Credential(Credential::from(&token)));
                    if waiting.len() == BATCH {
                        load(&mut waiting, &mut index);
                    }
                    like = Some(token);
                }
                _ => {}
            }
            Ok(())
        })?;
        load(&mut waiting, &mut index);
        index.built(revision);
        let others = floor.bytes() + size_of_val(&*secrets);
        let resident = machine::resident_mib(std::process::id())? * f64::from(1 << 20) - others as f64;
        let mint = population::mint()?;
        let strangers = strangers(&mint, seed)?;
        Ok(Self {
            mint,
            index: Arc::new(index),
            like: like.ok_or("there is no token")?,
            resident,
            loading,
            floor,
            secrets,
            strangers,
            batch: Vec::with_capacity(BATCH),
        })
    }

    /// Nanoseconds for one question of a kind.
    fn turn(&mut self, side: usize, seconds: f64, dice: &mut Dice) -> Fallible<f64> {
        let (mut taken, mut batches) = (0.0, 0_u32);
        while taken < seconds {
            self.put_together(side, dice);
            let started = Instant::now();
            let right = if side == AT_ONCE { self.ask_at_once() } else { self.ask_one_by_one(side) };
            taken += started.elapsed().as_secs_f64();
            batches += 1;
            if right != BATCH {
                return Err(format!("{} of {BATCH} answers are wrong", BATCH - right).into());
            }
        }
        Ok(taken * 1e9 / (f64::from(batches) * BATCH as f64))
    }

    /// How many answers are right.
    fn ask_one_by_one(&self, side: usize) -> usize {
        let right = |(text, digest): &(Text, Digest)| self.ask(side, black_box(text), black_box(digest));
        self.batch.iter().filter(|asked| right(asked)).count()
    }

    /// The same of all together.
    fn ask_at_once(&self) -> usize {
        let texts = self.batch.iter().filter_map(|(text, _)| std::str::from_utf8(black_box(text)).ok());
        let good: Vec<&str> = texts.filter(|text| self.mint.format.recognize(text).is_ok()).collect();
        let digests: Vec<_> = self.mint.key.digests(&good).collect();
        self.index.bring(digests.iter());
        digests.iter().filter(|digest| self.look_up(digest) == Ok(true)).count()
    }

    /// Nanoseconds that half of the questions and 99 of 100 take at most, each by itself. Looking at the clock is counted.
    fn turn_of_single_ones(&mut self, side: usize, seconds: f64, dice: &mut Dice) -> Fallible<[f64; 2]> {
        let begun = Instant::now();
        let mut took = Vec::new();
        while begun.elapsed().as_secs_f64() < seconds {
            self.put_together(side, dice);
            for (text, digest) in &self.batch {
                let started = Instant::now();
                if !self.ask(side, black_box(text), black_box(digest)) {
                    return Err("a wrong answer".into());
                }
                took.push(started.elapsed().as_nanos() as f64);
            }
        }
        took.sort_by(f64::total_cmp);
        Ok([0.5, 0.99].map(|share| spread::at(&took, share)))
    }

    fn put_together(&mut self, side: usize, dice: &mut Dice) {
        let asked = if side == MISS || side == INDEX_MISS { &self.strangers } else { &self.secrets };
        self.batch.clear();
        for _ in 0..BATCH {
            let (mut text, digest) = asked[dice.below(asked.len() as u64) as usize];
            if side == CHECKSUM {
                let wrong = &mut text[LENGTH - 1 - dice.below(40) as usize];
                *wrong = if *wrong == b'x' { b'y' } else { b'x' };
            }
            self.batch.push((text, digest));
        }
    }

    /// Asks, and tells whether the answer is the right one.
    fn ask(&self, side: usize, text: &Text, digest: &Digest) -> bool {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        let text = if side == CUT { &text[..LENGTH - 1] } else { text };
        match side {
            FLOOR => self.floor.get(&self.mint.key.digest(text)).is_some(),
            HIT => self.verify(text) == Ok(true),
            CHECKSUM => self.verify(text) == Err(No::Malformed(Malformed::Checksum)),
            CUT => self.verify(text) == Err(No::Malformed(Malformed::Shape)),
            MISS => self.verify(text) == Err(No::Dead(Dead::Unknown)),
            FLOOR_OF_INDEX => self.floor.get(digest).is_some(),
            INDEX_HIT => self.look_up(digest) == Ok(true),
            INDEX_MISS => self.look_up(digest) == Err(No::Dead(Dead::Unknown)),
            _ => {
                let digest = self.mint.format.recognize(text).map(|_| self.mint.key.digest(text));
                digest.is_ok_and(|digest| black_box(self.index.authenticate(&digest, NOW)).is_ok())
            }
        }
    }

    /// All that a gateway would be told.
    fn verify(&self, text: &str) -> Result<bool, No> {
        self.mint.format.recognize(text).map_err(No::Malformed)?;
        self.look_up(&self.mint.key.digest(text))
    }

    fn look_up(&self, digest: &Digest) -> Result<bool, No> {
        let told = self.index.verify(digest, NOW, |living| {
            black_box(living.identity());
            !matches!(&living.rights.scope, Scope::Roles(roles) if roles.is_empty())
        });
        told.map_err(No::Dead)
    }
}

fn strangers(mint: &Mint, seed: u64) -> Fallible<Vec<(Text, Digest)>> {
    // Not the numbers that the tokens were made of: a stranger is not to be met among them.
    let mut dice = Dice::new(!seed);
    let mut strangers = Vec::with_capacity(STRANGERS);
    for _ in 0..STRANGERS {
        let secret = mint.format.generate(TokenKind::Personal, &dice.bytes());
        strangers.push((secret.expose().as_bytes().try_into()?, mint.key.digest(secret.expose())));
    }
    Ok(strangers)
}

#[derive(PartialEq)]
enum No {
    Malformed(Malformed),
    Dead(Dead),
}

/// The barest table: slots of 32 bytes, each after the other, full to three quarters.
pub(crate) struct BareTable(Vec<BareSlot>);

#[repr(align(32))]
#[derive(Clone, Default)]
struct BareSlot {
    key: u128,
    value: Option<u64>,
}

impl BareTable {
    pub(crate) fn with_room_for(tokens: usize) -> Self {
        Self(vec![BareSlot::default(); tokens / 3 * 4 + 4])
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    fn place(&self, digest: &Digest) -> (u128, usize) {
        let (key, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
        let key = u128::from_le_bytes(*key);
        (key, (((key >> 64) * self.0.len() as u128) >> 64) as usize)
    }

    pub(crate) fn put(&mut self, digest: &Digest, value: u64) {
        let (key, mut at) = self.place(digest);
        while self.0[at].value.is_some() {
            at = (at + 1) % self.0.len();
        }
        self.0[at] = BareSlot { key, value: Some(value) };
    }

    fn get(&self, digest: &Digest) -> Option<u64> {
        let (key, mut at) = self.place(digest);
        loop {
            let slot = &self.0[at];
            if slot.key == key || slot.value.is_none() {
                return slot.value;
            }
            at = if at + 1 == self.0.len() { 0 } else { at + 1 };
        }
    }
}
