//! See `jeton_testkit::fuzz::secret`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jeton_testkit::fuzz::secret(input));
