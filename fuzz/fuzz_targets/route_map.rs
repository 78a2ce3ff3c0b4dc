//! See `jeton_testkit::fuzz::route_map`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::route_map(input));
