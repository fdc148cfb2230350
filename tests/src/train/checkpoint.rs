//! The state of a run as one safetensors file: parameters, both means of Adam, and the words of the plan.

use super::{Plan, State, Trainer, durable};
use crate::dump::{
    BadInput, Entry, Header,
    error::{bad, plain},
    header,
    stream::Stream,
    write,
};
use nalgebra::DMatrix;
use reference::adam::AdamState;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

/// Its name in the folder of a run.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// What the file calls itself; it changes when an older reader would misread it.
const FORMAT: &str = "ppo train, checkpoint 1";

/// The tensors of a state by name, in the order of the file.
fn tensors(state: &State) -> Vec<(String, &DMatrix<f64>)> {
    let named = state.model.named();
    let mut all = Vec::new();
    for ((name, theta), adam) in named.into_iter().zip(&state.optimizer) {
        all.push((format!("adam.first.{name}"), &adam.first));
        all.push((format!("adam.second.{name}"), &adam.second));
        all.push((name, theta));
    }
    all
}

/// Puts the state in the place of the checkpoint that was there.
pub(super) fn save(path: &Path, plan: &Plan, state: &State) -> Result<(), BadInput> {
    let all = tensors(state);
    let entries: Vec<Entry> =
        all.iter().map(|(name, x)| Entry::new(name.clone(), [x.nrows(), x.ncols()])).collect();
    let mut data = Vec::new();
    for (_, x) in &all {
        x.row_iter().for_each(|row| row.iter().for_each(|x| data.extend(x.to_le_bytes())));
    }
    let mut metadata = plan.said.clone();
    let steps = state.optimizer.first().map_or(0, |adam| adam.steps);
    metadata.extend([
        ("format".to_owned(), FORMAT.to_owned()),
        ("seed".to_owned(), state.seed.to_string()),
        ("iteration".to_owned(), state.iteration.to_string()),
        ("steps".to_owned(), steps.to_string()),
        ("flops".to_owned(), format!("{:?}", state.flops)),
    ]);
    let sum = checksum(&metadata, &data);
    metadata.insert("checksum".to_owned(), sum);
    let (header, _) = write::header(&entries, &metadata)?;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    durable::replace(path, &bytes).map_err(|err| bad!("the checkpoint cannot be written: {err}"))
}

/// The plan and the run that a checkpoint holds.
///
/// # Errors
///
/// A file that is no checkpoint, or has been damaged.
pub fn read(path: &Path) -> Result<(Plan, Trainer), BadInput> {
    let mut file = header::open(path)?;
    let header = header::read(&mut file)?;
    let mut metadata = header.metadata.clone();
    if metadata.get("format").map(String::as_str) != Some(FORMAT) {
        return Err(bad!("the file is no checkpoint of this command: `format` is not `{FORMAT}`"));
    }
    let sum = metadata.remove("checksum");
    let plan = Plan::kept(&metadata)?;
    let mut trainer = Trainer::new(plan.recipe, number(&metadata, "seed")?);
    check_shapes(&header, &trainer.state)?;
    let file = Arc::new(Mutex::new(file));
    let mut data = Vec::new();
    let mut all = Vec::new();
    for tensor in &header.tensors {
        let mut numbers = Vec::new();
        Stream::new(&file, tensor).numbers(0, tensor.len(), &mut numbers)?;
        numbers.iter().for_each(|x| data.extend(x.to_le_bytes()));
        all.push(DMatrix::from_row_slice(tensor.shape[0], tensor.shape[1], &numbers));
    }
    if sum != Some(checksum(&metadata, &data)) {
        return Err(bad!("the checkpoint is damaged: its checksum is not that of what it holds"));
    }
    let steps = number(&metadata, "steps")?;
    let state = &mut trainer.state;
    state.iteration = number(&metadata, "iteration")?;
    state.flops = number(&metadata, "flops")?;
    let (mut parameters, mut optimizer) = (Vec::new(), Vec::new());
    for three in all.chunks_exact(3) {
        optimizer.push(AdamState { steps, first: three[0].clone(), second: three[1].clone() });
        parameters.push(three[2].clone());
    }
    state.model = state.model.with(&parameters);
    state.optimizer = optimizer;
    Ok((plan, trainer))
}

/// The names, shapes and order that the plan's model has.
fn check_shapes(header: &Header, state: &State) -> Result<(), BadInput> {
    let want = tensors(state);
    let (got, count) = (header.tensors.len(), want.len());
    if got != count {
        return Err(bad!("the checkpoint has {got} tensors, and a run of its sizes has {count}"));
    }
    for (tensor, (name, x)) in header.tensors.iter().zip(&want) {
        if tensor.name != *name || tensor.shape != [x.nrows(), x.ncols()] {
            return Err(bad!(
                "the checkpoint has `{}` of shape {:?} where `{name}` of shape [{}, {}] belongs",
                plain(&tensor.name),
                tensor.shape,
                x.nrows(),
                x.ncols()
            ));
        }
    }
    Ok(())
}

fn number<T: std::str::FromStr>(metadata: &BTreeMap<String, String>, name: &str) -> Result<T, BadInput> {
    let value = metadata.get(name).map_or("", String::as_str);
    value.parse().map_err(|_| bad!("`{name}` is `{}`, and must be a number", plain(value)))
}

/// FNV-1a of the words and the data: finds damage, not intent.
fn checksum(metadata: &BTreeMap<String, String>, data: &[u8]) -> String {
    let words = metadata.iter().flat_map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\n"]);
    let bytes = words.flatten().chain(data);
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}
