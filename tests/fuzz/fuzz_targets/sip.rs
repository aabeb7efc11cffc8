#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| firstline::wire::hostile::sip(bytes));
