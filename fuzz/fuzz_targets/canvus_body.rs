//! See `jeton_testkit::fuzz::canvus_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::canvus_body(input));
