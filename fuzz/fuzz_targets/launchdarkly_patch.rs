//! See `jeton_testkit::fuzz::launchdarkly_patch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::launchdarkly_patch(input));
