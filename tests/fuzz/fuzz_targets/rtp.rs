#![no_main]

#[path = "../../hostile/checks.rs"]
#[allow(dead_code, reason = "the others are for the tests")]
mod checks;

libfuzzer_sys::fuzz_target!(init: checks::sow("rtp"), |bytes: &[u8]| firstline::wire::hostile::rtp(bytes));
