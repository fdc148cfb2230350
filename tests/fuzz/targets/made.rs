//! Well-formed dumps that no trainer writes, one or two of a batch: `ppo check` and `ppo step` say what they are, or refuse them
//! with a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ppo_fuzz::{check, file, made::Made, step};

fuzz_target!(|made: (Made, Option<Made>)| {
    let (Made { dump, flags }, second) = made;
    let first = file("dump", &dump);
    let _ = step(&first, &flags);
    match second.map(|second| file("second", &second.dump)) {
        Some(second) => check(&[&first, &second], &flags, dump.len()),
        None => check(&[&first], &flags, dump.len()),
    }
});
