//! What other trainers' own functions computed (`tests/samples/peers.py`): recognised, and right by their choices.

use crate::scene::followed;
use conformance::{
    check::{Report, check, compare::Verdict},
    dump::Dump,
};
use std::path::Path;

const PEERS: [&str; 2] = ["verl", "openrlhf"];

fn report(peer: &str, flags: &[(&str, &str)]) -> Report {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("samples/peers/{peer}.safetensors"));
    let flags: Vec<_> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    check(&Dump::open(file).unwrap(), &flags).unwrap()
}

#[test]
fn a_peer_is_recognised_by_its_numbers_alone() {
    for peer in PEERS {
        let report = report(peer, &[]);
        assert!(
            report.findings.len() >= 9 && report.findings.iter().all(|finding| !finding.failed()),
            "{peer}"
        );
        assert!(report.consistent.contains(&peer), "{peer}: {:?}", report.consistent);
    }
}

#[test]
fn a_peer_passes_in_its_dialect_and_fails_in_the_other_s() {
    for (peer, other) in [("verl", "openrlhf"), ("openrlhf", "verl")] {
        for finding in report(peer, &[("dialect", peer)]).findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{peer}: {finding:?}");
        }
        let against = report(peer, &[("dialect", other)]);
        assert!(against.findings.iter().any(|finding| finding.failed()), "{peer} as {other}");
    }
}

/// A flag of Stable-Baselines3 begins an episode; read as one that ends it, nothing else explains the numbers.
#[test]
fn the_flags_of_a_rollout_buffer_stand_where_it_says() {
    let right = report("sb3", &[("dialect", "sb3")]);
    assert!(right.findings.iter().all(|finding| finding.compared.verdict == Verdict::Passed));
    let wrong = report("sb3", &[("done_at", "transition")]);
    let gae = wrong.findings.iter().find(|finding| finding.output == "advantages_raw").unwrap();
    assert!(gae.failed());
    assert_eq!(followed(gae), [["done_at = next-start"]]);
}
