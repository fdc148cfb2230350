//! One case of a fast term: its inputs, how it runs on them, and what the reference says.

use super::{Batch, Laid, Layout, Outputs, Want};
use optimized::{Apart, Backend, Error};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// What a call gave, or why it was refused.
pub type Got = Result<Outputs, Box<dyn std::error::Error>>;

type Run = dyn Fn(Backend, &Laid) -> Got + Send + Sync;
type Parts = dyn Fn(Backend, &[Laid]) -> Got + Send + Sync;
type Truth = dyn Fn(&Batch) -> Vec<(&'static str, Want)> + Send + Sync;

/// One case.
pub struct Case {
    /// Its name, which says why it is there; no other case of the term has it.
    pub name: String,
    /// Its choices, for a message.
    pub how: String,
    /// Its inputs.
    pub batch: Batch,
    run: Box<Run>,
    parts: Option<Box<Parts>>,
    truth: Box<Truth>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.name, self.how)
    }
}

impl Case {
    /// A case of a term that runs so, of which the reference says that.
    pub fn new(
        why: &str,
        how: &impl fmt::Debug,
        batch: Batch,
        run: impl Fn(Backend, &Laid) -> Got + Send + Sync + 'static,
        truth: impl Fn(&Batch) -> Vec<(&'static str, Want)> + Send + Sync + 'static,
    ) -> Case {
        let name = format!("{} × {}: {why}", batch.b, batch.t_len);
        Case { name, how: format!("{how:?}"), batch, run: Box::new(run), parts: None, truth: Box::new(truth) }
    }

    /// The same, which can also run on parts of its batch.
    #[must_use]
    pub fn in_parts(self, parts: impl Fn(Backend, &[Laid]) -> Got + Send + Sync + 'static) -> Case {
        Case { parts: Some(Box::new(parts)), ..self }
    }

    /// Its outputs on arrays laid out for it.
    ///
    /// # Panics
    ///
    /// If the call is refused.
    pub fn run(&self, on: Backend, x: &Laid) -> Outputs {
        (self.run)(on, x).unwrap_or_else(|err| panic!("{self:?}: {err}"))
    }

    /// Its outputs on its own batch, row-major.
    pub fn plain(&self, on: Backend) -> Outputs {
        self.run(on, &Laid::new(&self.batch, Layout::Padded, None))
    }

    /// Its outputs from parts that were merged; none where the term has no parts.
    ///
    /// # Panics
    ///
    /// If a call is refused.
    pub fn merged(&self, on: Backend, parts: &[Laid]) -> Option<Outputs> {
        let run = self.parts.as_ref()?;
        Some(run(on, parts).unwrap_or_else(|err| panic!("{self:?} in parts: {err}")))
    }

    /// What the reference says of these inputs.
    pub fn truth(&self, batch: &Batch) -> Vec<(&'static str, Want)> {
        (self.truth)(batch)
    }
}

/// Runs every part, sends its sums through their serde form, merges them from the right, and finishes.
///
/// # Errors
///
/// If a part is refused, two do not meet, or the serde form does not read back.
pub fn in_parts<S: Serialize + DeserializeOwned>(
    parts: &[Laid],
    sums: impl Fn(&Laid) -> Result<(S, Outputs), Error>,
    merge: impl Fn(S, S) -> Result<S, Apart>,
    finish: impl Fn(S, Outputs) -> Result<Outputs, Error>,
) -> Got {
    let (mut all, mut outputs) = (Vec::new(), Outputs::new());
    for part in parts {
        let (sums, of_part) = sums(part)?;
        all.push(serde_json::from_str::<S>(&serde_json::to_string(&sums)?)?);
        outputs.append(of_part);
    }
    let mut merged = all.pop().ok_or("no parts")?;
    while let Some(before) = all.pop() {
        merged = merge(before, merged)?;
    }
    Ok(finish(merged, outputs)?)
}
