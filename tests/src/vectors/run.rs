//! A case by the reference or by a backend, and what any other evaluation of it may be off.

use super::case::Case;
use crate::{
    budget::{self, Budget, Precision},
    dump::{BadInput, Chosen, Dump, Entry, INPUTS, Inputs, Kind, Writer},
    engine::Engine,
    evaluate::{Evaluation, evaluate, grad_logits_row},
    outputs::Value,
};
use nalgebra::DMatrix;
use reference::Mask;
use std::collections::BTreeMap;

/// What `aggregate` calls its input and its output, and the names that a dump has for such numbers.
pub const AGGREGATED: [(&str, &str); 2] = [("per_token", "entropy"), ("aggregate", "entropy_loss")];

/// The numbers of one output, row-major; none in masked slots.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Its axes; none for a scalar.
    pub shape: Vec<usize>,
    /// Its elements.
    pub x: Vec<Option<f64>>,
}

impl Numbers {
    /// One number.
    pub fn scalar(x: f64) -> Numbers {
        Numbers { shape: Vec::new(), x: vec![Some(x)] }
    }

    /// One number a token.
    pub fn per_token(x: &DMatrix<f64>, mask: &Mask) -> Numbers {
        let slots = (0..x.nrows()).flat_map(|row| (0..x.ncols()).map(move |t| (row, t)));
        let x = slots.map(|slot| mask.has(slot).then(|| x[slot]));
        Numbers { shape: vec![mask.shape().0, mask.shape().1], x: x.collect() }
    }

    /// Where an element stands, such as `[0, 2]`.
    pub fn place(&self, index: usize) -> String {
        let mut place = Vec::new();
        let mut rest = index;
        for axis in self.shape.iter().rev() {
            place.insert(0, (rest % axis).to_string());
            rest /= axis;
        }
        if place.is_empty() { String::new() } else { format!("[{}]", place.join(", ")) }
    }
}

/// The outputs of a case by name.
pub type Outputs = BTreeMap<String, Numbers>;

/// A case as a dump, handed over.
///
/// # Errors
///
/// If the dump is refused, or `what` is.
pub fn opened<T>(case: &Case, what: impl FnOnce(&Dump) -> Result<T, BadInput>) -> Result<T, BadInput> {
    let failed = |err: std::io::Error| BadInput::new(format!("a dump could not be written: {err}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("case.safetensors");
    let entry = |name: &str, shape: &[usize]| match INPUTS.iter().find(|row| row.name == name) {
        Some(row) if row.kind == Kind::Id => Entry::ids(name, shape),
        _ => Entry::new(name, shape),
    };
    let entries: Vec<Entry> =
        case.inputs.iter().map(|tensor| entry(dump_name(&tensor.name), &tensor.shape)).collect();
    let metadata = case.settings.iter().cloned().collect();
    let mut writer = Writer::create(&path, &entries, &metadata)?;
    for tensor in &case.inputs {
        writer.part(dump_name(&tensor.name), &tensor.x)?;
    }
    writer.finish()?;
    what(&Dump::open(&path)?)
}

/// The name that a dump has for an input or output of a case.
pub fn dump_name(name: &str) -> &str {
    AGGREGATED.iter().find(|(of, _)| *of == name).map_or(name, |(_, dump)| dump)
}

/// The settings of a case, each as it is used.
///
/// # Errors
///
/// If the case is refused.
pub fn settings(case: &Case) -> Result<Chosen, BadInput> {
    opened(case, |dump| dump.choose(&[]))
}

/// These outputs of a case, as far as it has their inputs.
///
/// # Errors
///
/// If the case is refused, by the dump or by the backend.
pub fn outputs(case: &Case, names: &[&str], engine: Engine) -> Result<Outputs, BadInput> {
    opened(case, |dump| {
        let chosen = dump.choose(&[])?;
        let mut inputs = Inputs::load(dump, &chosen)?;
        if let Some(x) = case.input("per_token") {
            let x = inputs.mask.keep(&matrix(&x.x, inputs.mask.shape()));
            let aggregate = engine.aggregate(&x, &inputs.mask, chosen.settings.agg)?;
            return Ok(Outputs::from([("aggregate".to_owned(), Numbers::scalar(aggregate))]));
        }
        let made = evaluate(engine, &mut inputs, &chosen)?;
        let mut all = Outputs::new();
        for name in names {
            let numbers = match made.output(name) {
                Some(Value::Scalar(x)) => Some(Numbers::scalar(x)),
                Some(Value::PerToken(x)) => Some(Numbers::per_token(x, mask_of(name, &inputs))),
                None if *name == "grad_logits" => {
                    let s = chosen.settings.as_listed();
                    of_logits(&mut inputs, |inputs, slot, z| {
                        grad_logits_row(engine, &made, inputs, &s, slot, z)
                    })?
                }
                None => None,
            };
            all.extend(numbers.map(|numbers| ((*name).to_owned(), numbers)));
        }
        Ok(all)
    })
}

/// What these outputs of a case may be off where another evaluation in precision `p` gives them.
///
/// # Errors
///
/// If the case is refused.
pub fn allowed(case: &Case, names: &[&str], p: Precision) -> Result<Outputs, BadInput> {
    opened(case, |dump| {
        let chosen = dump.choose(&[])?;
        let mut inputs = Inputs::load(dump, &chosen)?;
        if let Some(x) = case.input("per_token") {
            let x = inputs.mask.keep(&matrix(&x.x, inputs.mask.shape()));
            let off = budget::aggregate(p, &p.read(&x), &inputs.mask, chosen.settings.agg).off;
            return Ok(Outputs::from([("aggregate".to_owned(), Numbers::scalar(off))]));
        }
        let made: Evaluation = evaluate(Engine::Reference, &mut inputs, &chosen)?;
        let budget = Budget::of(p, &made, &mut inputs, &chosen)?;
        let mut all = Outputs::new();
        for name in names {
            let numbers = match (budget.scalar(name), budget.per_token(name)) {
                (Some(off), _) => Some(Numbers::scalar(off)),
                (None, Some(off)) => Some(Numbers::per_token(&off, mask_of(name, &inputs))),
                (None, None) if *name == "grad_logits" => {
                    let s = chosen.settings.as_listed();
                    of_logits(&mut inputs, |inputs, slot, z| Ok(budget.grad_logits_row(inputs, &s, slot, z)))?
                }
                (None, None) => None,
            };
            all.extend(numbers.map(|numbers| ((*name).to_owned(), numbers)));
        }
        Ok(all)
    })
}

/// Something of every row of logits; none where one row has none.
fn of_logits(
    inputs: &mut Inputs,
    mut what: impl FnMut(&Inputs, (usize, usize), &[f64]) -> Result<Option<Vec<f64>>, BadInput>,
) -> Result<Option<Numbers>, BadInput> {
    let Some(mut logits) = inputs.logits.take() else { return Ok(None) };
    let ((b, t_len), vocab) = (inputs.mask.shape(), logits.vocab());
    let (mut z, mut x) = (Vec::new(), Vec::new());
    for slot in (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))) {
        if !inputs.mask.has(slot) {
            x.extend(std::iter::repeat_n(None, vocab));
            continue;
        }
        logits.row(slot, inputs.actions.as_ref().map(|actions| actions[slot]), &mut z)?;
        let Some(row) = what(inputs, slot, &z)? else { return Ok(None) };
        x.extend(row.into_iter().map(Some));
    }
    Ok(Some(Numbers { shape: vec![b, t_len, vocab], x }))
}

/// The slots of an output that mean something.
pub fn mask_of<'a>(name: &str, inputs: &'a Inputs) -> &'a Mask {
    match name {
        "token_rewards" | "advantages_raw" | "returns" | "grad_values" => &inputs.value_mask,
        _ => &inputs.mask,
    }
}

fn matrix(x: &[f64], (b, t_len): (usize, usize)) -> DMatrix<f64> {
    DMatrix::from_row_iterator(b, t_len, x.iter().copied())
}
