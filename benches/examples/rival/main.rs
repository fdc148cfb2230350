//! Our side of `peers/speed.py`: reads a work's arrays from a folder and answers line by line.
//!
//! `rival FOLDER KIND ROWS COLUMNS`, then on the standard input, each answered by a line of JSON:
//!
//! ```text
//! levels                          {"best": "avx512"}
//! ceilings                        {"ceilings": [["copy_3_1", "plain", bytes], …]}
//! write PHASE LEVEL THREADS       {"wrote": ["out_grad.f32", …]} into the folder, for the answer to be looked at
//! time PHASE LEVEL THREADS        {"ns": […], "threads": …} of a turn
//! ceiling STREAMS STORE THREADS   the same, of what the memory allows
//! ```
//!
//! What a turn is, [`turn`] says.
#![deny(unsafe_code)]

mod arrays;
mod free;
mod terms;
mod tokens;

use arrays::{Arrays, Element};
use half::bf16;
use optimized::Backend;
use ppo_benches::{
    ceiling::{self, Store},
    turn,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, hash_map::Entry},
    env,
    error::Error,
    io,
    path::PathBuf,
    time::Instant,
};
use terms::Term;

type Answer = Result<Value, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [folder, kind, rows, columns] = &args[..] else {
        return Err("rival FOLDER KIND ROWS COLUMNS".into());
    };
    let term = Term::named(kind).ok_or_else(|| format!("{kind} is no kind of work"))?;
    let size = (rows.parse()?, columns.parse()?);
    if kind.ends_with("bf16") {
        serve::<bf16>(folder.into(), term, size)
    } else {
        serve::<f32>(folder.into(), term, size)
    }
}

/// Answers until the input ends.
fn serve<T: Element>(folder: PathBuf, term: Term, size: (usize, usize)) -> Result<(), Box<dyn Error>> {
    let arrays = Arrays::<T>::read(&folder, &term, size)?;
    let mut side = Side { folder, term, arrays, pools: HashMap::new() };
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        println!("{}", side.answer(&words).unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    Ok(())
}

/// A work with its arrays, and a pool for each thread count that was asked for.
struct Side<T> {
    folder: PathBuf,
    term: Term,
    arrays: Arrays<T>,
    pools: HashMap<usize, ThreadPool>,
}

impl<T: Element> Side<T> {
    fn answer(&mut self, words: &[&str]) -> Answer {
        match *words {
            ["levels"] => Ok(json!({ "best": Backend::best().name() })),
            ["ceilings"] => Ok(json!({ "ceilings": self.arrays.ceilings() })),
            ["write", phase, level, threads] => {
                let (term, on) = (self.term, Backend::named(level)?);
                let (pool, arrays) = self.pool(threads)?;
                arrays.forget();
                let Some(numbers) = pool.install(|| term.run(phase, on, arrays)) else {
                    return Ok(json!({ "absent": format!("{} {phase}", term.kind) }));
                };
                let numbers = numbers?;
                Ok(json!({ "wrote": self.arrays.write(&self.folder, &self.term, phase, &numbers)? }))
            }
            ["time", phase, level, threads] => {
                let (term, on) = (self.term, Backend::named(level)?);
                let (pool, arrays) = self.pool(threads)?;
                timed(pool, || match term.run(phase, on, arrays) {
                    Some(done) => done.map(drop).map_err(|error| error.to_string()),
                    None => Err("the term is absent".to_owned()),
                })
            }
            ["ceiling", "read", _, threads] => {
                let (pool, arrays) = self.pool(threads)?;
                timed(pool, || {
                    ceiling::read(&arrays.reads[0]);
                    Ok(())
                })
            }
            ["ceiling", _, store, threads] => {
                let store = Store::named(store).ok_or_else(|| format!("{store} is no way to store"))?;
                let (pool, arrays) = self.pool(threads)?;
                timed(pool, || {
                    arrays.copy(store);
                    Ok(())
                })
            }
            _ => Err(format!("not understood: {}", words.join(" ")).into()),
        }
    }

    /// The pool of that many threads, made once; with the arrays, since both are asked for together.
    fn pool(&mut self, threads: &str) -> Result<(&ThreadPool, &mut Arrays<T>), Box<dyn Error>> {
        let threads = threads.parse()?;
        let pool = match self.pools.entry(threads) {
            Entry::Occupied(pool) => pool.into_mut(),
            Entry::Vacant(place) => place.insert(ThreadPoolBuilder::new().num_threads(threads).build()?),
        };
        Ok((pool, &mut self.arrays))
    }
}

/// A turn inside the pool, with its nanoseconds.
fn timed(pool: &ThreadPool, mut run: impl FnMut() -> Result<(), String> + Send) -> Answer {
    let once = || {
        let started = Instant::now();
        run().map(|()| started.elapsed())
    };
    let (took, threads) = pool.install(|| (turn(once), rayon::current_num_threads()));
    let ns: Vec<u64> = took?.iter().map(|took| took.as_nanos() as u64).collect();
    Ok(json!({ "ns": ns, "threads": threads }))
}
