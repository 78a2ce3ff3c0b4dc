//! See `jeton_testkit::fuzz::ext_authz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::ext_authz(input));
