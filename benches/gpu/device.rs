//! The works, and how they are timed.

use conformance::cases::Rng;
use optimized::{
    Agg, Backend, Gap, Grad, Half, Mask, PolicyOut, Settings, TokenOut, ValueClip, ValueOut,
    cuda::{self, Batch, Buffer, Logits, LogitsMut, Stream},
};
use ppo_benches::flag;
use std::{env, error::Error, time::Duration};

type Done = Result<(), optimized::Error>;

/// Numbers of the arrays that give the ceilings: a GiB.
const CEILING: usize = 1 << 28;
const EPS_V: f64 = 0.2;

/// What a work is called, the bytes that it moves, and whether it writes more than a few of them.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) bytes: usize,
    pub(crate) writes: bool,
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
    let timed = given("--bench") && !given("--test");
    let on = match Backend::named("cuda") {
        Ok(on) => on,
        Err(why) if timed => {
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
    table.ceilings(if timed { CEILING } else { 1 << 8 })?;
    let shapes: &[(usize, usize)] = if timed {
        &[(1024, 2048), (8192, 512), (64, 16_384), (1, 131_072), (16_384, 4096)]
    } else {
        &[(3, 200), (1, 8200)]
    };
    for shape in shapes {
        table.of_tokens(*shape)?;
    }
    let (tokens, vocab) = if timed { (8192, 128_256) } else { (2, 300) };
    table.of_logits(tokens, vocab)?;
    let (rows, vocab) = if timed { ((4, 512), 128_256) } else { ((3, 5), 300) };
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
            println!("| work | ms | GB/s | of the ceiling |\n|---|---|---|---|");
            println!("| copy of {n} f32 by the driver | {:.4} | {:.0} | |", copy * 1e3, self.copy * 1e-9);
            println!("| sum of {n} f32 | {:.4} | {:.0} | |", read * 1e3, self.read * 1e-9);
        }
        Ok(())
    }

    /// Runs a work once, and times it where that is asked for.
    pub(crate) fn line(
        &self,
        work: &Work,
        run: &mut dyn FnMut(&Stream) -> Done,
    ) -> Result<(), Box<dyn Error>> {
        run(self.on)?;
        if self.rounds == 0 {
            return Ok(());
        }
        let seconds = median(self.on, self.rounds, run)?;
        let rate = work.bytes as f64 / seconds;
        let share = rate / if work.writes { self.copy } else { self.read };
        println!("| {} | {:.4} | {:.0} | {share:.2} |", work.name, seconds * 1e3, rate * 1e-9);
        Ok(())
    }

    /// GAE with returns and the losses with their gradients.
    fn of_tokens(&self, (b, t_len): (usize, usize)) -> Result<(), Box<dyn Error>> {
        let (on, best, n) = (self.on, Backend::best(), b * t_len);
        let valid: Vec<bool> = (0..n).map(|slot| slot % t_len + slot / t_len % 8 < t_len).collect();
        let mask = Mask::padded(&valid, b, t_len)?;
        let batch = Batch::new(on, &mask)?;
        let mut rng = Rng::new(5);
        let host = [numbers(&mut rng, n), numbers(&mut rng, n), numbers(&mut rng, n)];
        let x = host.iter().map(|x| Buffer::new(on, x)).collect::<Result<Vec<_>, _>>()?;
        let [x0, x1, x2] = [x[0].view(), x[1].view(), x[2].view()];
        let mut first = Buffer::<f32>::room(on, n)?;
        let mut second = Buffer::<f32>::room(on, n)?;
        let (mut two, mut four) = (Buffer::<f32>::room(on, 2)?, Buffer::<f32>::room(on, 4)?);
        let mut scratch = Buffer::<f32>::room(on, batch.scratch_len())?;
        let clip = Settings::default().clip;
        let (form, agg, half, gap) = (ValueClip::Max, Agg::TokenMean, Half::Yes, Gap::Skip);
        // Two or three arrays read, two or one written.
        let work = |term: &str| Work { name: format!("{term}, {b} × {t_len}"), bytes: 16 * n, writes: true };

        let name = work("gae with returns");
        self.line(&name, &mut |on| {
            let out = cuda::GaeOut { adv: first.view_mut(), ret: Some(second.view_mut()) };
            let (ends, lambda) = (cuda::Ends::default(), cuda::Lambda::One(0.95));
            cuda::gae(on, x0, x1, &batch, &ends, gap, 0.99, lambda, out, scratch.view_mut())
        })?;
        let (mut adv, mut ret) = (vec![0.0; n], vec![0.0; n]);
        let out = optimized::GaeOut { adv: &mut adv, ret: Some(&mut ret) };
        let (ends, lambda) = (optimized::Ends::default(), optimized::Lambda::One(0.95));
        optimized::gae(best, &host[0], &host[1], &mask, &ends, gap, 0.99, lambda, out)?;
        same_bits(&name.name, &first.read(on)?, &adv)?;
        same_bits(&name.name, &second.read(on)?, &ret)?;

        let name = work("value_loss with gradient");
        self.line(&name, &mut |on| {
            let grad = Some(cuda::Grad { c: 1.0, to: first.view_mut() });
            let out = cuda::ValueOut { per_token: None, grad, figures: two.view_mut() };
            cuda::value_loss(on, x0, x1, x2, &batch, EPS_V, form, agg, half, out, scratch.view_mut())
        })?;
        let grad = Some(Grad { c: 1.0, to: &mut adv });
        let out = ValueOut { grad, ..ValueOut::default() };
        let [v, v_old, returns] = &host;
        let said = optimized::value_loss(best, v, v_old, returns, &mask, EPS_V, form, agg, half, out)?;
        same_bits(&name.name, &first.read(on)?, &adv)?;
        same_bits(&name.name, &two.read(on)?, &[said.loss, said.clip_frac])?;

        let name = work("policy_loss with gradient");
        self.line(&name, &mut |on| {
            let grad = Some(cuda::Grad { c: 1.0, to: first.view_mut() });
            let out = cuda::PolicyOut { per_token: None, ratio: None, grad, figures: four.view_mut() };
            cuda::policy_loss(on, x0, x1, x2, &batch, None, &clip, agg, out, scratch.view_mut())
        })?;
        let grad = Some(Grad { c: 1.0, to: &mut adv });
        let out = PolicyOut { grad, ..PolicyOut::default() };
        let said = optimized::policy_loss(best, v, v_old, returns, &mask, None, &clip, agg, out)?;
        same_bits(&name.name, &first.read(on)?, &adv)?;
        let said = [said.loss, said.clip_frac, said.clip_frac_lower, said.approx_kl];
        same_bits(&name.name, &four.read(on)?, &said)
    }

    /// Log-prob and entropy of logits, and their gradient in place.
    fn of_logits(&self, n: usize, vocab: usize) -> Result<(), Box<dyn Error>> {
        let (on, valid) = (self.on, vec![true; n]);
        let mask = Mask::padded(&valid, 1, n)?;
        let batch = Batch::new(on, &mask)?;
        let mut rng = Rng::new(6);
        let host = numbers(&mut rng, n * vocab);
        let actions: Vec<u32> = (0..n).map(|i| (i * 7919 % vocab) as u32).collect();
        let (mut logits, on_actions) = (Buffer::new(on, &host)?, Buffer::new(on, &actions)?);
        let [logp, ent, max, ln_sum] = [(); 4].map(|()| Buffer::<f32>::room(on, n));
        let (mut logp, mut ent, mut max, mut ln_sum) = (logp?, ent?, max?, ln_sum?);
        let g = Buffer::new(on, &numbers(&mut rng, n))?;
        let name = format!("token_pass f32, {n} × {vocab}");
        let work = Work { name, bytes: 4 * n * vocab, writes: false };
        self.line(&work, &mut |on| {
            let out = cuda::TokenOut {
                logp: Some(logp.view_mut()),
                ent: Some(ent.view_mut()),
                max: Some(max.view_mut()),
                ln_sum: Some(ln_sum.view_mut()),
                ..cuda::TokenOut::default()
            };
            let x = Logits::strided(logits.view(), vocab, vocab)?;
            cuda::token_pass(on, x, on_actions.view(), &batch, 1.0, 1.0, out)
        })?;
        let (mut want, mut want_ent) = (vec![0.0; n], vec![0.0; n]);
        let out = TokenOut { logp: Some(&mut want), ent: Some(&mut want_ent), ..TokenOut::default() };
        let x = optimized::Logits::new(&host, vocab)?;
        optimized::token_pass(Backend::best(), x, &actions, &mask, 1.0, 1.0, out)?;
        same_bits(&work.name, &logp.read(on)?, &want)?;
        same_bits(&work.name, &ent.read(on)?, &want_ent)?;
        // Each run replaces what the one before left: after the first numbers of no meaning, of the same cost.
        let name = format!("token_pass gradient in place f32, {n} × {vocab}");
        self.line(&Work { name, bytes: 8 * n * vocab, writes: true }, &mut |on| {
            let stats =
                cuda::TokenStats { ent: ent.view(), max: max.view(), ln_sum: ln_sum.view(), of_ent: None };
            let place = LogitsMut::strided(logits.view_mut(), vocab, vocab)?;
            let (actions, g) = (on_actions.view(), g.view());
            cuda::token_pass_grad_in_place(on, place, actions, &batch, 1.0, 1.0, stats, g, g)
        })
    }
}

/// Refuses a work whose output differs from the CPU's in a bit.
pub(crate) fn same_bits(work: &str, got: &[f32], want: &[f32]) -> Result<(), Box<dyn Error>> {
    let differs = got.iter().zip(want).position(|(got, want)| got.to_bits() != want.to_bits());
    match differs {
        Some(i) => Err(format!("{work}: at {i} {:e}, and {:e} on the CPU", got[i], want[i]).into()),
        None => Ok(()),
    }
}
