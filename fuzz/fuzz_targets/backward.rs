#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| poolnd_fuzz::fuzzed::backward::check(bytes));
