//! A flag must earn its name: the wrong implementation fails every vector that carries it.

use crate::file::{cases, files};
use conformance::{
    budget::Precision,
    vectors::flags::{Mistake, mistakes},
};
use std::collections::BTreeSet;

/// Mistakes that are a flag of no vector, each with why.
const WITHOUT_A_VECTOR: &[(&str, &str)] = &[
    (
        "EntropyOfAPiece",
        "of several pieces it is the one that is nearest to a file's own numbers: a case has none",
    ),
    (
        "MaskInAnotherOrder",
        "of several orders it is the one that is nearest to a file's own numbers: a case has none",
    ),
    ("OnePassVariance", "its numbers are rounding: how far off they are is another in every order"),
];

#[test]
fn every_flag_fails_every_vector_that_carries_it() {
    let all = mistakes();
    let mut proofs = 0;
    for read in cases() {
        let mut tolerances = vec![(Precision::F64, &read.f64s)];
        tolerances.extend(read.f32s.as_ref().map(|f32s| (Precision::DECIMAL, f32s)));
        for flag in &read.flags {
            let of_flag = || all.iter().filter(|mistake| mistake.flag == *flag);
            let fails = |mistake: &Mistake| mistake.fails(&read.case, &read.expected, &tolerances).unwrap();
            assert!(of_flag().any(|mistake| fails(mistake).is_some()), "{flag} passes {}", read.name());
            proofs += 1;
        }
    }
    println!("{proofs} flags of vectors earn their names");
    assert!(proofs > 0);
}

#[test]
fn every_mistake_is_a_flag_of_a_vector() {
    let carried: BTreeSet<String> = cases().into_iter().flat_map(|read| read.flags).collect();
    for mistake in mistakes() {
        let without = WITHOUT_A_VECTOR.iter().any(|(flag, _)| *flag == mistake.flag);
        assert_eq!(carried.contains(&mistake.flag), !without, "{} of {}", mistake.flag, mistake.of);
    }
}

#[test]
fn every_flag_of_a_case_has_its_note_in_the_head_and_no_other_has() {
    for (stem, file) in files() {
        let noted: BTreeSet<&str> = file["flags"].as_object().unwrap().keys().map(String::as_str).collect();
        let cases = file["cases"].as_array().unwrap();
        let carried = cases.iter().flat_map(|case| case["flags"].as_array().unwrap());
        let carried: BTreeSet<&str> = carried.map(|flag| flag.as_str().unwrap()).collect();
        assert_eq!(noted, carried, "{stem}");
    }
}
