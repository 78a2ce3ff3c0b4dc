//! See `jeton_testkit::fuzz::forward_auth`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::forward_auth(input));
