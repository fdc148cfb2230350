//! Test vectors: small cases that any implementation of PPO can run, each saying which mistakes it catches.
//!
//! | part | is |
//! |---|---|
//! | [`terms`] | the inputs of every case, as data, a file a term |
//! | [`run`] | a case by the reference or by a backend, and what any other evaluation may be off |
//! | [`flags`] | the mistakes, and which of them a case catches: found by running each |
//! | `text` | the files themselves |
//!
//! `ppo bless` writes them. The suite `vectors` holds that they are current, and reads them as a stranger does.

pub mod case;
pub mod flags;
pub mod run;
pub mod terms;
mod text;

use crate::{
    dump::BadInput,
    engine::Engine,
    outputs::{GRAD_LOGITS, OUTPUTS},
};
use case::Case;
use flags::{Mistake, Shown, mistakes, tolerances};
use run::{Outputs, dump_name};
use std::collections::BTreeMap;
use terms::Term;

/// A case with what comes out of it.
#[derive(Debug, Clone)]
pub struct Vector {
    /// What goes in, with every setting of its term.
    pub case: Case,
    /// What comes out.
    pub expected: Outputs,
    /// What another evaluation in f64 may be off.
    pub f64s: Outputs,
    /// What one in f32 may be off; none where a number lies beyond f32's range.
    pub f32s: Option<Outputs>,
    /// The mistakes that fail it, and where.
    pub flags: BTreeMap<String, Shown>,
}

/// The text of a term's file.
///
/// # Errors
///
/// If a case is refused, which is a mistake in the case.
pub fn file(term: &Term) -> Result<String, BadInput> {
    let all = mistakes();
    let vectors: Result<Vec<Vector>, BadInput> = (term.cases)()
        .into_iter()
        .map(|case| {
            let name = case.name.clone();
            let in_case = |err| BadInput::new(format!("{} of {}: {err}", name, term.stem));
            vector(term, case, &all).map_err(in_case)
        })
        .collect();
    Ok(text::file(term, &vectors?, &all))
}

fn vector(term: &Term, case: Case, mistakes: &[Mistake]) -> Result<Vector, BadInput> {
    let case = stated(term, case.masked())?;
    let expected = run::outputs(&case, term.outputs, Engine::Reference)?;
    let tolerances = tolerances(&case, term.outputs, &expected)?;
    let by_precision: Vec<_> = tolerances.iter().map(|(p, outputs)| (*p, outputs)).collect();
    let mut flags = BTreeMap::new();
    for mistake in mistakes {
        if let Some(shown) = mistake.fails(&case, &expected, &by_precision)? {
            flags.entry(mistake.flag.clone()).or_insert(shown);
        }
    }
    let mut tolerances = tolerances.into_iter().map(|(_, outputs)| outputs);
    let f64s = tolerances.next().ok_or_else(|| BadInput::new("a number of it may be off by any amount"))?;
    Ok(Vector { case, expected, f64s, f32s: tolerances.next(), flags })
}

/// The case with every setting of its term, as it is used.
fn stated(term: &Term, case: Case) -> Result<Case, BadInput> {
    let chosen = run::settings(&case)?;
    let value = |key: &str| chosen.setting(key).map(|setting| (key.to_owned(), setting.value.clone()));
    Ok(Case { settings: term.keys().filter_map(value).collect(), ..case })
}

/// The equations of a term's outputs, each once, and the files of the reference that they stand in.
fn equations(term: &Term) -> (Vec<&'static str>, Vec<String>) {
    let rows = OUTPUTS.iter().chain([&GRAD_LOGITS]);
    let of = rows.filter(|row| term.outputs.iter().any(|name| dump_name(name) == row.name));
    let (mut labels, mut files) = (Vec::new(), Vec::new());
    for row in of {
        if !labels.contains(&row.label) {
            labels.push(row.label);
        }
        let file = row.file();
        if !files.contains(&file) {
            files.push(file);
        }
    }
    (labels, files)
}
