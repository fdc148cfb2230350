//! What a work is, how it is timed, and the ceilings.

use conformance::cases::Rng;
use optimized::{
    Agg, Backend, Mask,
    cuda::{self, Batch, Buffer, Stream},
};
use ppo_benches::flag;
use std::{env, error::Error, time::Duration};

type Done = Result<(), optimized::Error>;

/// Numbers of the arrays that give the ceilings: a GiB.
const CEILING: usize = 1 << 28;

/// What a work is called, the bytes that it moves, and whether it writes more than a few of them; the bytes that it takes beside
/// its inputs: outputs and scratch; and the share of its ceiling that it is to reach.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) writes: bool,
    pub(crate) extra: usize,
    pub(crate) to_reach: Option<f64>,
}

/// Seeded numbers in [−1, 1), a stretch of which comes again and again.
pub(crate) fn numbers(rng: &mut Rng, n: usize) -> Vec<f32> {
    let stretch: Vec<f32> = (0..n.min(1 << 20)).map(|_| rng.uniform() as f32).collect();
    stretch.into_iter().cycle().take(n).collect()
}

/// The median of several device times, after one that does not count.
fn median(on: &Stream, rounds: usize, run: &mut dyn FnMut(&Stream) -> Done) -> Result<f64, optimized::Error> {
    on.time(&mut *run)?;
    let times: Result<Vec<Duration>, _> = (0..rounds.max(1)).map(|_| on.time(&mut *run)).collect();
    let mut times = times?;
    times.sort();
    Ok(times[times.len() / 2].as_secs_f64())
}

pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let given = |name: &str| env::args().any(|arg| arg == name);
    let (small, timed) = (given("--small"), given("--bench") && !given("--test"));
    let large = timed && !small;
    let on = match Backend::named("cuda") {
        Ok(on) => on,
        Err(why) if large => {
            println!("{why}");
            return Ok(());
        }
        Err(_) => match Backend::available().into_iter().find(|on| on.is_device()) {
            Some(on) => on,
            None => {
                println!("absent: cuda");
                return Ok(());
            }
        },
    };
    let rounds = if timed { flag("rounds", 15) } else { 0 };
    let stream = Stream::new(on)?;
    let mut table = Table { on: &stream, rounds, copy: 0.0, read: 0.0 };
    table.ceilings(if large { CEILING } else { 1 << 8 })?;
    let shapes: &[(usize, usize)] = if large {
        &[(1024, 2048), (8192, 512), (64, 16_384), (1, 131_072), (16_384, 4096)]
    } else {
        &[(3, 200), (1, 8200)]
    };
    for shape in shapes {
        table.of_tokens(*shape)?;
    }
    let (tokens, vocab) = if large { (8192, 128_256) } else { (2, 300) };
    table.of_logits::<f32>(tokens, vocab, [Some(0.92), Some(0.85)])?;
    table.of_logits::<half::bf16>(tokens, vocab, [Some(0.85), None])?;
    let (rows, vocab) = if large { ((4, 512), 128_256) } else { ((3, 5), 300) };
    table.of_step(rows, vocab)
}

pub(crate) struct Table<'a> {
    pub(crate) on: &'a Stream,
    rounds: usize,
    /// Bytes a second.
    copy: f64,
    read: f64,
}

impl Table<'_> {
    fn ceilings(&mut self, n: usize) -> Result<(), Box<dyn Error>> {
        let on = self.on;
        let valid = vec![true; n];
        let mask = Mask::padded(&valid, 1, n)?;
        let batch = Batch::new(on, &mask)?;
        let from = Buffer::new(on, &vec![1.0f32; n])?;
        let mut to = Buffer::<f32>::room(on, n)?;
        let mut sum = Buffer::<f32>::room(on, 1)?;
        let mut scratch = Buffer::room(on, batch.scratch_len())?;
        let copy = median(on, self.rounds, &mut |on| on.copy(from.view(), to.view_mut()))?;
        let read = median(on, self.rounds, &mut |on| {
            cuda::aggregate(on, from.view(), &batch, Agg::TokenSum, sum.view_mut(), scratch.view_mut())
        })?;
        if to.read(on)?.iter().any(|x| *x != 1.0) || sum.read(on)? != [n as f32] {
            return Err("a ceiling computed something else".into());
        }
        (self.copy, self.read) = (8.0 * n as f64 / copy, 4.0 * n as f64 / read);
        if self.rounds > 0 {
            println!("| work | ms | GB/s | of the ceiling | to reach | MiB beside the inputs |");
            println!("|---|---|---|---|---|---|");
            println!("| copy of {n} f32 by the driver | {:.4} | {:.0} | | | |", copy * 1e3, self.copy * 1e-9);
            println!("| sum of {n} f32 | {:.4} | {:.0} | | | |", read * 1e3, self.read * 1e-9);
        }
        Ok(())
    }

    /// Runs a work once, or several times where it is to be timed; its seconds.
    pub(crate) fn time(&self, run: &mut dyn FnMut(&Stream) -> Done) -> Result<Option<f64>, optimized::Error> {
        if self.rounds == 0 {
            return run(self.on).map(|()| None);
        }
        median(self.on, self.rounds, run).map(Some)
    }

    /// The line of a work that was timed, whose answer has been looked at.
    pub(crate) fn line(&self, work: &Work, seconds: Option<f64>) {
        let Some(seconds) = seconds else { return };
        let rate = work.bytes as f64 / seconds;
        let share = rate / if work.writes { self.copy } else { self.read };
        let target = work.to_reach.map_or(String::new(), |least| verdict(least, share >= least));
        let (name, extra) = (&work.name, work.extra as f64 / f64::from(1 << 20));
        let (ms, rate) = (seconds * 1e3, rate * 1e-9);
        println!("| {name} | {ms:.4} | {rate:.0} | {share:.3} | {target} | {extra:.2} |");
    }

    /// Times fmas of which each waits for the last, and sets a work that has so many of them against that: it may take at most
    /// twice as long.
    pub(crate) fn chain(&self, name: &str, n: u32, seconds: Option<f64>) -> Result<(), Box<dyn Error>> {
        let mut to = Buffer::<f32>::room(self.on, 1)?;
        let by @ [x, q, d] = [0.0f32, 1.0, 1.0];
        let chain = self.time(&mut |on| cuda::fma_chain(on, n, by, to.view_mut()))?;
        same_bits("fma_chain", &to.read(self.on)?, &[(0..n).fold(x, |x, _| q.mul_add(x, d))])?;
        if let (Some(work), Some(chain)) = (seconds, chain) {
            println!("| {n} dependent fmas, one thread | {:.4} | | | | 0.00 |", chain * 1e3);
            let times = work / chain;
            let target = verdict(2.0, times <= 2.0);
            println!("| {name}, in times of these fmas | | | {times:.3} times | at most {target} | |");
        }
        Ok(())
    }
}

/// A target, with a mark where it is missed.
fn verdict(target: f64, met: bool) -> String {
    format!("{target:.2}{}", if met { "" } else { ", **missed**" })
}

/// Refuses a work whose output differs from the CPU's in a bit.
pub(crate) fn same_bits(work: &str, got: &[f32], want: &[f32]) -> Result<(), Box<dyn Error>> {
    let differs = got.iter().zip(want).position(|(got, want)| got.to_bits() != want.to_bits());
    match differs {
        Some(i) => Err(format!("{work}: at {i} {:e}, and {:e} on the CPU", got[i], want[i]).into()),
        None if got.len() == want.len() => Ok(()),
        None => Err(format!("{work}: {} numbers, and {} on the CPU", got.len(), want.len()).into()),
    }
}
