//! What befalls nodes and their ways to the database, drawn from a seed. Each node has a fate of its own, so that by chance
//! several are in trouble at once.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::dice::Dice;
use crate::installation::Node;
use crate::link::Direction::{ToDatabase, ToNode};

/// Everything that befell, and when.
pub(crate) struct Chronicle {
    began: Instant,
    told: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
}

impl Chronicle {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), told: Mutex::default(), counts: Mutex::default() }
    }

    /// In nanoseconds, as histories have it.
    fn note(&self, node: &Node, what: &str) {
        let at = self.began.elapsed().as_nanos();
        self.told.lock().unwrap().push(format!("{at:>12} ns  {}  {what}", node.name));
    }

    fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    pub(crate) fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.counts.lock().unwrap().clone()
    }
}

/// Until the bell rings; leaves the node well.
pub(crate) fn befall(node: &Node, mut dice: Dice, bell: &Bell, chronicle: &Chronicle) {
    while !bell.wait(dice.millis(100..=1200)) {
        let fault = FAULTS[dice.roll(FAULTS.len())];
        chronicle.count(fault.name);
        chronicle.note(node, fault.name);
        (fault.strike)(node, &mut dice, bell);
        node.link.heal();
        chronicle.note(node, "all is well");
    }
}

#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    strike: fn(&Node, &mut Dice, &Bell),
}

/// As often as they stand here.
const FAULTS: [Fault; 13] = [
    CUT,
    CUT,
    DELAY,
    DELAY,
    STALL,
    STALL,
    STALL_AND_CUT,
    STALL_AND_CUT,
    FREEZE,
    FREEZE,
    NAP,
    FREEZE_AND_CUT,
    KILL,
];

const CUT: Fault = Fault {
    name: "its way is cut",
    strike: |node, dice, bell| {
        node.link.cut();
        bell.wait(dice.millis(20..=1800));
    },
};

const DELAY: Fault = Fault {
    name: "its way is slow",
    strike: |node, dice, bell| {
        node.link.delay(ToDatabase, dice.millis(0..=100));
        node.link.delay(ToNode, dice.millis(0..=100));
        bell.wait(dice.millis(300..=2500));
    },
};

const STALL: Fault = Fault {
    name: "its way is stalled, and goes on",
    strike: |node, dice, bell| {
        stall(node, dice);
        bell.wait(dice.millis(20..=1800));
    },
};

const STALL_AND_CUT: Fault = Fault {
    name: "its way is stalled, and then cut",
    strike: |node, dice, bell| {
        stall(node, dice);
        bell.wait(dice.millis(20..=1200));
        node.link.cut();
        bell.wait(dice.millis(0..=300));
    },
};

/// For longer than a lease.
const FREEZE: Fault = Fault {
    name: "its process is stopped",
    strike: |node, dice, bell| {
        let _frozen = node.freeze();
        bell.wait(dice.millis(550..=1600));
    },
};

const NAP: Fault = Fault {
    name: "its process is stopped for less than a lease",
    strike: |node, dice, bell| {
        let _frozen = node.freeze();
        bell.wait(dice.millis(1..=450));
    },
};

/// When it wakes up it has nothing but what it knew.
const FREEZE_AND_CUT: Fault = Fault {
    name: "its process is stopped, and its way cut meanwhile",
    strike: |node, dice, bell| {
        let frozen = node.freeze();
        bell.wait(dice.millis(20..=900));
        node.link.cut();
        bell.wait(dice.millis(20..=900));
        drop(frozen);
        bell.wait(dice.millis(20..=600));
    },
};

const KILL: Fault = Fault {
    name: "it is killed",
    strike: |node, dice, bell| {
        node.crash();
        bell.wait(dice.millis(0..=1000));
        node.start();
    },
};

fn stall(node: &Node, dice: &mut Dice) {
    let which = dice.roll(3);
    if which != 0 {
        node.link.stall(ToDatabase);
    }
    if which != 1 {
        node.link.stall(ToNode);
    }
}

/// For the run that has to go wrong: a node that stays cut off until the bell rings.
pub(crate) fn cut_off(node: &Node, bell: &Bell, chronicle: &Chronicle) {
    chronicle.count("its way is cut for good");
    chronicle.note(node, "its way is cut for good");
    node.link.cut();
    while !bell.wait(Duration::from_mins(1)) {}
    node.link.heal();
}
