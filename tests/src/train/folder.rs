//! The folder of a run: its metrics and its checkpoint, which agree at every moment or can be made to.
//!
//! Of each iteration the line of metrics is written first and the checkpoint after it. So a run that was killed
//! has a line for every iteration of its checkpoint, and maybe one more or a torn one: to resume is to cut
//! the metrics back to the checkpoint and to go on.

use super::{CHECKPOINT, Metrics, Plan, State, Trainer, checkpoint, durable, line};
use crate::dump::{BadInput, error::bad};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The name of the metrics in the folder.
pub const METRICS: &str = "metrics.jsonl";

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    metrics: File,
    /// Held as long as the folder is open, so that no second run writes into it.
    _lock: Option<File>,
}

impl Folder {
    /// A folder for a run that begins. It is made if it is not there, and begins with a checkpoint.
    ///
    /// # Errors
    ///
    /// If it holds a run, another run is writing into it, or it cannot be written.
    pub fn begin(path: &Path, plan: &Plan, state: &State) -> Result<Folder, BadInput> {
        fs::create_dir_all(path).map_err(|err| bad!("the folder cannot be made: {err}"))?;
        let lock = lock(path)?;
        if let Some(name) = [CHECKPOINT, METRICS].iter().find(|name| path.join(name).exists()) {
            return Err(bad!("the folder holds a run (`{name}`): --resume goes on with it"));
        }
        checkpoint::save(&path.join(CHECKPOINT), plan, state)?;
        Folder::open(path, lock)
    }

    /// The run that a folder holds, its metrics cut back to its checkpoint; `flags` are those given now.
    ///
    /// # Errors
    ///
    /// If it holds no run, the checkpoint is damaged or says otherwise than the flags, the metrics lack a line,
    /// another run is writing into it, or it cannot be written.
    pub fn resume(
        path: &Path,
        flags: &[(String, String)],
        seed: Option<u64>,
    ) -> Result<(Folder, Plan, Trainer), BadInput> {
        let file = path.join(CHECKPOINT);
        if !file.exists() {
            return Err(bad!("there is no `{CHECKPOINT}` to resume from"));
        }
        let lock = lock(path)?;
        let (kept, mut trainer) = checkpoint::read(&file).map_err(|err| bad!("{CHECKPOINT}: {err}"))?;
        let plan = kept.resumed(flags)?;
        if let Some(seed) = seed.filter(|seed| *seed != trainer.state.seed) {
            let kept = trainer.state.seed;
            return Err(bad!("`--seed` is {seed}, and the run was begun with {kept}"));
        }
        let (done, asked) = (trainer.state.iteration, plan.recipe.iterations);
        if asked < done {
            return Err(bad!("`--iterations` is {asked}, and the run has done {done}"));
        }
        trainer.recipe = plan.recipe;
        cut_back(&path.join(METRICS), done)?;
        Ok((Folder::open(path, lock)?, plan, trainer))
    }

    fn open(path: &Path, lock: Option<File>) -> Result<Folder, BadInput> {
        let metrics =
            File::options().create(true).append(true).open(path.join(METRICS)).map_err(unwritable)?;
        durable::sync_folder(path).map_err(unwritable)?;
        Ok(Folder { path: path.to_path_buf(), metrics, _lock: lock })
    }

    /// Writes the line of one iteration.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn log(&mut self, metrics: &Metrics) -> Result<(), BadInput> {
        self.metrics.write_all((line(metrics) + "\n").as_bytes()).map_err(unwritable)
    }

    /// Makes the lines so far last, then the state.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn checkpoint(&mut self, plan: &Plan, state: &State) -> Result<(), BadInput> {
        self.metrics.sync_all().map_err(unwritable)?;
        checkpoint::save(&self.path.join(CHECKPOINT), plan, state)
    }
}

fn unwritable(err: io::Error) -> BadInput {
    bad!("`{METRICS}` cannot be written: {err}")
}

/// The folder for this process alone. The system lets go of it when the process ends, however it does; where a
/// folder cannot be opened as a file there is no lock.
fn lock(path: &Path) -> Result<Option<File>, BadInput> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Err(TryLockError::WouldBlock) => Err(bad!("another run is writing into this folder")),
        _ => Ok(Some(folder)),
    }
}

/// Keeps the lines of the first `done` iterations; what follows was never part of a checkpoint.
fn cut_back(path: &Path, done: usize) -> Result<(), BadInput> {
    let bytes = match fs::read(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|err| bad!("`{METRICS}` cannot be read: {err}"))?,
    };
    let mut end = 0;
    for iteration in 1..=done {
        let rest = &bytes[end..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            let whole = iteration - 1;
            return Err(bad!(
                "`{METRICS}` has {whole} whole lines, and the checkpoint is of iteration {done}"
            ));
        };
        let object: Option<serde_json::Value> = serde_json::from_slice(&rest[..length]).ok();
        if object.and_then(|object| object["iteration"].as_u64()) != Some(iteration as u64) {
            return Err(bad!("`{METRICS}` line {iteration} is not that of iteration {iteration}"));
        }
        end += length + 1;
    }
    if end < bytes.len() { durable::replace(path, &bytes[..end]).map_err(unwritable) } else { Ok(()) }
}
