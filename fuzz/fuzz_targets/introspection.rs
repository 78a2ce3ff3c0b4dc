//! See `jeton_testkit::fuzz::introspection`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::introspection(input));
