//! Crashes: what a machine that stops at any instant leaves behind opens again, with all that was answered.
//!
//! A crash is played by copying the files of a running store. What the end of the write-ahead log may look like after a
//! loss of power is played by cutting it off or garbling it.

use std::fs;

use jeton_core::change::Revision;

use crate::founded::{Place, check, open};

#[test]
fn what_was_answered_is_in_the_files() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    for round in 0..10 {
        let last = issuer.issue(&store, 4);
        let copy = place.file(&format!("crash-{round}.db"));
        fs::copy(place.database(), &copy).unwrap();
        fs::copy(place.file("jeton.db-wal"), place.file(&format!("crash-{round}.db-wal"))).unwrap();
        let store = open(&copy);
        assert_eq!(check(&store), last);
    }
}

#[test]
fn a_torn_log_is_a_shorter_one() {
    let place = Place::new();
    let (store, mut issuer) = place.founded();
    let base = fs::read(place.database()).unwrap();
    let mut answered = vec![(0, Revision::ZERO)];
    let mut log = Vec::new();
    for _ in 0..6 {
        let last = issuer.issue(&store, 2);
        log = fs::read(place.file("jeton.db-wal")).unwrap();
        answered.push((log.len(), last));
    }
    let cuts = (0..=log.len()).step_by(997).chain(answered.iter().map(|(length, _)| *length));
    for (number, cut) in cuts.enumerate() {
        let mut garbled = log.clone();
        for byte in &mut garbled[cut..] {
            *byte ^= 0x5a;
        }
        for (how, left) in [("cut", &log[..cut]), ("garbled", &garbled)] {
            let copy = place.file(&format!("{how}-{number}.db"));
            fs::write(&copy, &base).unwrap();
            fs::write(place.file(&format!("{how}-{number}.db-wal")), left).unwrap();
            let found = check(&open(&copy));
            let (_, durable) = answered.iter().rfind(|(length, _)| *length <= cut).unwrap();
            assert!(
                found >= *durable,
                "{how} at {cut}: {found:?} is less than {durable:?}, which was answered"
            );
        }
    }
}
