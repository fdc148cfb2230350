//! Rounds in which every contender has a turn, so that what else the machine does hits all alike; each round in
//! another order, so that no one always follows the same.

use crate::{Measured, answers::Answer, table::Table, work::Work};
use conformance::cases::Rng;
use optimized::{Backend, Error};
use ppo_benches::{
    ceiling::{self, Element, Store},
    turn,
};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::time::{Duration, Instant};

/// Threads to run on.
pub(crate) const THREADS: [usize; 2] = [1, 2];
/// No more turns for a contender that has been timed for so long: it is one of those that are a hundred times
/// slower.
const ENOUGH: Duration = Duration::from_secs(4);

/// Rows and columns of the works.
pub(crate) struct Sizes {
    /// Of what has a number a token.
    pub(crate) tokens: (usize, usize),
    /// The same, of many short rows.
    pub(crate) short_rows: (usize, usize),
    /// Tokens and vocabulary of logits.
    pub(crate) logits: (usize, usize),
}

impl Sizes {
    /// Those that results are given for.
    pub(crate) const WHOLE: Sizes =
        Sizes { tokens: (1024, 2048), short_rows: (8192, 512), logits: (512, 128_256) };
    /// Those that show in seconds that everything runs.
    pub(crate) const SMALL: Sizes = Sizes { tokens: (64, 2048), short_rows: (512, 256), logits: (8, 32_064) };
    /// Those for answers alone.
    pub(crate) const TINY: Sizes = Sizes { tokens: (5, 2130), short_rows: (67, 33), logits: (3, 4099) };
}

/// How everything is measured.
pub(crate) struct Plan {
    /// Sizes of the works.
    pub(crate) sizes: Sizes,
    /// Turns of each contender; none: nothing is timed.
    pub(crate) rounds: usize,
    /// One for each of `THREADS`.
    pub(crate) pools: [ThreadPool; 2],
}

impl Plan {
    /// With a pool for each number of threads.
    pub(crate) fn new(sizes: Sizes, rounds: usize) -> Result<Plan, ThreadPoolBuildError> {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Plan { sizes, rounds, pools: [pool(THREADS[0])?, pool(THREADS[1])?] })
    }
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Runner {
    /// The work itself.
    Level(Backend),
    /// A sum of its inputs.
    Read,
    /// A copy with its streams.
    Copy(Store),
    /// A negation in place.
    InPlace,
}

/// A runner on a number of threads, with what it took.
pub(crate) struct Contender {
    pub(crate) runner: Runner,
    /// Index in `THREADS`.
    pub(crate) pool: usize,
    pub(crate) times: Vec<Duration>,
}

impl Contender {
    /// Nanoseconds, the median.
    pub(crate) fn ns(&self) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort();
        sorted[sorted.len() / 2].as_nanos() as f64
    }
}

/// Asserts that every backend on every number of threads gives the fallback's bits, then times all of them
/// and the ceilings.
pub(crate) fn measure<T: Element>(mut work: Work<T>, plan: &Plan) -> Measured {
    let mut all = contenders(&work);
    let fallback = plan.pools[0].install(|| Answer::of(&mut work, Backend::available()[0]))?;
    for contender in &mut all {
        let Runner::Level(on) = contender.runner else { continue };
        work.forget();
        let (took, numbers) = plan.pools[contender.pool].install(|| once(&mut work, contender.runner))?;
        if let Some(difference) = fallback.difference(&numbers, &work.writes) {
            let threads = THREADS[contender.pool];
            panic!("{} on {on}, {threads} threads, is not the fallback's: {difference}", work.what);
        }
        // What takes so long has no need to be warm.
        contender.times.extend((took > ENOUGH).then_some(took));
    }
    if plan.rounds == 0 {
        return Ok(None);
    }
    let (mut rng, mut order) = (Rng::new(7), (0..all.len()).collect::<Vec<_>>());
    for _ in 0..plan.rounds {
        for left in (1..order.len()).rev() {
            order.swap(left, rng.below(left + 1));
        }
        for place in &order {
            let contender = &mut all[*place];
            if contender.times.iter().sum::<Duration>() < ENOUGH {
                take_turn(&mut work, contender, plan)?;
            }
        }
    }
    Ok(Some(Table::new(&work, &all)))
}

fn take_turn<T: Element>(work: &mut Work<T>, contender: &mut Contender, plan: &Plan) -> Result<(), Error> {
    let took =
        plan.pools[contender.pool].install(|| turn(|| Ok::<_, Error>(once(work, contender.runner)?.0)))?;
    contender.times.extend(took);
    Ok(())
}

/// One run, and the numbers of the work.
fn once<T: Element>(work: &mut Work<T>, runner: Runner) -> Result<(Duration, Vec<f32>), Error> {
    work.prepare();
    let started = Instant::now();
    let numbers = match runner {
        Runner::Level(on) => work.run(on)?,
        Runner::Read => {
            work.reads.iter().for_each(|x| ceiling::read(x));
            Vec::new()
        }
        Runner::Copy(store) => {
            let reads: Vec<&[T]> = work.reads.iter().map(Vec::as_slice).collect();
            let mut writes: Vec<&mut [T]> = work.writes.iter_mut().map(Vec::as_mut_slice).collect();
            ceiling::copy(&reads, &mut writes, store);
            Vec::new()
        }
        Runner::InPlace => {
            ceiling::in_place(&mut work.writes[0]);
            Vec::new()
        }
    };
    Ok((started.elapsed(), numbers))
}

/// The ceilings of a work, then its backends; each on one thread before two.
fn contenders<T: Element>(work: &Work<T>) -> Vec<Contender> {
    let ceilings = match work.writes.len() {
        0 => vec![Runner::Read],
        _ if work.in_place => vec![Runner::InPlace],
        _ => Store::ALL.map(Runner::Copy).to_vec(),
    };
    let levels = Backend::available().into_iter().map(Runner::Level);
    let on_each = |runner| (0..THREADS.len()).map(move |pool| Contender { runner, pool, times: Vec::new() });
    ceilings.into_iter().chain(levels).flat_map(on_each).collect()
}
