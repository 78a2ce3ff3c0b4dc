//! Every committed input of the fuzz targets, through the same checks, without a fuzzer.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use jeton_testkit::fuzz;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    files(folder).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_committed_input_passes_its_check() {
    for (target, check) in fuzz::CHECKS {
        let inputs = files(&folder("corpus").join(target));
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for path in inputs {
            let input = fs::read(&path).unwrap();
            assert!(catch_unwind(|| check(&input)).is_ok(), "{} does not pass: see above", path.display());
        }
        fuzz::settle();
    }
}

/// No input, and the shortest ones: what a fuzzer begins with.
#[test]
fn the_shortest_inputs_pass_every_check() {
    for (_, check) in fuzz::CHECKS {
        check(b"");
        for byte in 0..=u8::MAX {
            check(&[byte]);
        }
    }
    fuzz::settle();
}

#[test]
fn every_check_has_a_target_and_a_corpus() {
    let checks = fuzz::CHECKS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&folder("fuzz_targets")), checks);
    assert_eq!(names(&folder("corpus")), checks);
}
