//! A good file with a few bytes changed is read or refused; it never ends in a panic.

use crate::file::{save, step};
use conformance::dump::{BadInput, Dump, Inputs};
use proptest::prelude::*;

/// Everything that can be read.
fn read(bytes: &[u8], flags: &[(String, String)]) -> Result<(), BadInput> {
    let file = save(bytes);
    let dump = Dump::open(file.path())?;
    let inputs = Inputs::load(&dump, &dump.choose(flags)?)?;
    let mut row = Vec::new();
    if let Some(mut logits) = inputs.logits {
        for slot in 0..inputs.shape.b * inputs.shape.t_len {
            logits.row((slot / inputs.shape.t_len, slot % inputs.shape.t_len), None, &mut row)?;
        }
    }
    for name in dump.output_names() {
        match name {
            "grad_logits" => dump.output_rows(name).map_or(Ok(()), |mut rows| rows.row((0, 0), &mut row))?,
            name if name.contains("loss") => drop(dump.output_scalar(name)?),
            name => drop(dump.output_matrix(name)?),
        }
    }
    Ok(())
}

/// A file with every kind of tensor.
fn whole() -> Vec<u8> {
    let tokens = [2, 3];
    let file = step().flags("truncated", &tokens, &[0, 1, 0, 0, 0, 0]).all("bootstrap_values", &tokens, 1.0);
    let file = file.flags("dones", &tokens, &[0, 0, 1, 0, 0, 0]).flags("last_dones", &[2], &[0, 1]);
    let file = file.all("last_values", &[2], 0.5).all("returns", &tokens, 0.5).all("pg_loss", &[], 0.1);
    file.say("gamma", "0.9").say("score_at", "first-pad").say("note", "x").bytes()
}

#[test]
fn the_file_is_good_before_it_is_changed() {
    read(&whole(), &[]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = whole();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes);
    }

    #[test]
    fn changed_digits_and_signs_of_the_header_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0123456789-.,:[]{}\"eF".to_vec())), 1..4),
    ) {
        let mut bytes = whole();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let digits: Vec<usize> = (8..8 + header).filter(|at| !bytes[*at].is_ascii_alphabetic()).collect();
        for (at, byte) in changes {
            bytes[digits[at.index(digits.len())]] = byte;
        }
        check(&bytes);
    }

    #[test]
    fn a_file_cut_anywhere_never_panics(at in any::<prop::sample::Index>(), extra in 0usize..9) {
        let mut bytes = whole();
        bytes.truncate(at.index(bytes.len()));
        bytes.extend(vec![b' '; extra]);
        check(&bytes);
    }

    #[test]
    fn arbitrary_settings_never_panic(key in "[a-z_-]{0,12}", value in "\\PC{0,12}", which in any::<prop::sample::Index>()) {
        let known = which.get(conformance::dump::KEYS).name;
        for key in [known, &key] {
            let _ = read(&whole(), &[(key.to_string(), value.clone())]);
        }
    }
}

/// Read or refused, and a refusal is one line that a screen can show.
fn check(bytes: &[u8]) {
    if let Err(err) = read(bytes, &[]) {
        let text = err.to_string();
        assert!(!text.is_empty() && text.len() < 1000 && !text.chars().any(char::is_control), "{text:?}");
    }
}
