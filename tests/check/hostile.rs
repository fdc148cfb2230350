//! Files that no trainer writes: extreme numbers, other settings, changed bytes. `check` says something or refuses.

use crate::scene::Scene;
use conformance::{
    check::check,
    dump::{Dump, KEYS},
};
use proptest::prelude::*;
use std::{fs, sync::LazyLock};

/// The bytes of a file with every output.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| Scene::rich().complete().bytes());

const EXTREMES: [f64; 10] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -0.0,
    1e200,
    -745.0,
];

/// Where the numbers begin.
fn data(bytes: &[u8]) -> usize {
    8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// Whether it ends, in words; a panic is the failure.
fn ends(bytes: &[u8], flags: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump");
    fs::write(&path, bytes).unwrap();
    match Dump::open(&path).and_then(|dump| check(&dump, flags)) {
        Ok(report) => assert!(report.findings.iter().all(|finding| !finding.output.is_empty())),
        Err(err) => assert!(!err.to_string().is_empty() && !err.to_string().contains('\n')),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn extreme_numbers_anywhere_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(EXTREMES.to_vec())), 1..6),
    ) {
        let mut bytes = WHOLE.clone();
        let start = data(&bytes);
        for (at, x) in changes {
            let at = start + 8 * at.index((bytes.len() - start) / 8);
            bytes[at..at + 8].copy_from_slice(&x.to_le_bytes());
        }
        ends(&bytes, &[]);
    }

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = WHOLE.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        ends(&bytes, &[]);
    }

    #[test]
    fn settings_of_every_size_never_panic(
        which in any::<prop::sample::Index>(),
        value in prop::sample::select(vec!["0", "1", "1e-300", "1e300", "5e-324", "0.999999", "1.0000001", "off", "true", "false"]),
    ) {
        let key = KEYS[which.index(KEYS.len())].name;
        ends(&WHOLE, &[(key.to_owned(), value.to_owned())]);
    }
}
