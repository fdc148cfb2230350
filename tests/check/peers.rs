//! What other trainers' own functions computed (`tests/samples/peers.py`): recognised, and right by their choices.

use conformance::{
    check::{Report, check, compare::Verdict},
    dump::Dump,
};
use std::path::Path;

const PEERS: [&str; 2] = ["verl", "openrlhf"];

fn report(peer: &str, dialect: Option<&str>) -> Report {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("samples/peers/{peer}.safetensors"));
    let flags: Vec<(String, String)> =
        dialect.map(|dialect| ("dialect".to_owned(), dialect.to_owned())).into_iter().collect();
    check(&Dump::open(file).unwrap(), &flags).unwrap()
}

#[test]
fn a_peer_is_recognised_by_its_numbers_alone() {
    for peer in PEERS {
        let report = report(peer, None);
        assert!(
            report.findings.len() >= 9 && report.findings.iter().all(|finding| !finding.failed()),
            "{peer}"
        );
        assert_eq!(report.consistent, [peer]);
    }
}

#[test]
fn a_peer_passes_in_its_dialect_and_fails_in_the_other_s() {
    for (peer, other) in [("verl", "openrlhf"), ("openrlhf", "verl")] {
        for finding in report(peer, Some(peer)).findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{peer}: {finding:?}");
        }
        let against = report(peer, Some(other));
        assert!(against.findings.iter().any(|finding| finding.failed()), "{peer} as {other}");
    }
}
