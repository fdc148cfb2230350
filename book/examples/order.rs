//! One sum in six orders, and one order on every backend: `cargo run -p ppo-book --example order`.

use book::Transcript;
use optimized::{Agg, Backend, Half, LogSumExp, Mask, Sum, ValueClip, ValueOut, value_loss, value_sums};
use rayon::ThreadPoolBuilder;
use reference::rng::Rng;

type Wrong = Box<dyn std::error::Error>;

fn main() -> Result<(), Wrong> {
    print!("{}", listing()?);
    Ok(())
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Result<Transcript, Wrong> {
    let mut text = Transcript::new();
    orders(&mut text);
    tree(&mut text)?;
    backends(&mut text)?;
    parts(&mut text)?;
    vocabulary(&mut text)?;
    Ok(text)
}

/// Squared errors of a critic, as a value loss sums them.
fn squares(n: usize) -> Vec<f32> {
    let mut rng = Rng::of(&[7]);
    (0..n).map(|_| rng.normal() as f32).map(|err| err * err).collect()
}

/// The sum of so many lanes: number i goes to lane i mod lanes, and the lanes are added from left to right.
fn by_lanes(x: &[f32], lanes: usize) -> f32 {
    let mut sums = vec![0.0; lanes];
    x.iter().enumerate().for_each(|(i, x)| sums[i % lanes] += x);
    sums.iter().sum()
}

fn orders(text: &mut Transcript) {
    let x = squares(100_000);
    let exact: f64 = x.iter().map(|x| f64::from(*x)).sum();
    let halves = x.len() / 2;
    let mut rising = x.clone();
    rising.sort_by(f32::total_cmp);
    text.section("orders");
    text.line(format!("100,000 squared errors, in f64: {exact:.4}"));
    for (label, sum) in [
        ("one after the other", by_lanes(&x, 1)),
        ("from the smallest up", by_lanes(&rising, 1)),
        ("8 lanes, as AVX2 would", by_lanes(&x, 8)),
        ("16 lanes, as AVX-512 would", by_lanes(&x, 16)),
        ("two threads, a half each", by_lanes(&x[..halves], 8) + by_lanes(&x[halves..], 8)),
        ("128 lanes, then folded", folded(&x)),
    ] {
        text.line(format!("{label:<28}{sum:>12}   {:#010x}", sum.to_bits()));
    }
}

/// Tiles of 2048 as `ORDER.md` has them: 128 lanes, folded by halves.
fn folded(x: &[f32]) -> f32 {
    let tile = |tile: &[f32]| {
        let mut lanes = [0.0f32; 128];
        tile.iter().enumerate().for_each(|(i, x)| lanes[i % 128] += x);
        fold(&mut lanes)
    };
    let mut row = [0.0f32; 32];
    x.chunks(2048).enumerate().for_each(|(t, x)| row[t % 32] += tile(x));
    fold(&mut row)
}

fn fold(lanes: &mut [f32]) -> f32 {
    let mut stride = lanes.len() / 2;
    while stride > 0 {
        (0..stride).for_each(|lane| lanes[lane] += lanes[lane + stride]);
        stride /= 2;
    }
    lanes[0]
}

/// Five rows as a tree, cut after the third.
fn tree(text: &mut Transcript) -> Result<(), Wrong> {
    text.section("tree");
    let rows = [1.0f32, 1e8, -1e8, 3.0, 0.1];
    let sum = |range: std::ops::Range<usize>| {
        range.map(|row| Sum::of_row(row as u64, rows[row])).try_fold(Sum::default(), Sum::merge)
    };
    let straight: f32 = rows.iter().sum();
    text.line(format!("rows 1, 1e8, −1e8, 3, 0.1, one after the other:  {straight}"));
    text.line(format!("as a tree:                                       {}", sum(0..5)?.finish()));
    text.line(format!(
        "as a tree, rows 0–2 here and 3–4 elsewhere:      {}",
        sum(0..3)?.merge(sum(3..5)?)?.finish()
    ));
    Ok(())
}

/// A critic on 64 rows of 300 tokens.
struct Critic {
    valid: Vec<bool>,
    v: Vec<f32>,
    v_old: Vec<f32>,
    ret: Vec<f32>,
}

const ROWS: usize = 64;
const TOKENS: usize = 300;

fn critic() -> Critic {
    let mut rng = Rng::of(&[11]);
    let mut draw = || (0..ROWS * TOKENS).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
    let valid = (0..ROWS * TOKENS).map(|slot| slot % TOKENS < 300 - 4 * (slot / TOKENS)).collect();
    Critic { valid, v: draw(), v_old: draw(), ret: draw() }
}

fn loss(on: Backend, of: &Critic) -> Result<f32, optimized::Error> {
    let mask = Mask::padded(&of.valid, ROWS, TOKENS)?;
    let (form, agg, out) = (ValueClip::Max, Agg::TokenMean, ValueOut::default());
    Ok(value_loss(on, &of.v, &of.v_old, &of.ret, &mask, 0.2, form, agg, Half::Yes, out)?.loss)
}

fn backends(text: &mut Transcript) -> Result<(), Wrong> {
    text.section("backends");
    let critic = critic();
    let mut bits = Vec::new();
    for on in Backend::available() {
        for threads in [1, 2, 3] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            bits.push(pool.install(|| loss(on, &critic))?.to_bits());
        }
    }
    bits.dedup();
    text.line("value loss of 64 rows, every backend of this machine, 1, 2 and 3 threads");
    bits.iter().for_each(|bits| text.line(format!("{} = {bits:#010x}", f32::from_bits(*bits))));
    Ok(())
}

fn parts(text: &mut Transcript) -> Result<(), Wrong> {
    text.section("parts");
    let (of, form, agg, half) = (critic(), ValueClip::Max, Agg::TokenMean, Half::Yes);
    let whole = Mask::padded(&of.valid, ROWS, TOKENS)?.counts();
    let part = |rows: std::ops::Range<usize>| {
        let at = rows.start * TOKENS..rows.end * TOKENS;
        let mask = Mask::padded(&of.valid[at.clone()], rows.len(), TOKENS)?.part_of(rows.start as u64, whole);
        let [v, v_old, ret] = [&of.v, &of.v_old, &of.ret].map(|x| &x[at.clone()]);
        value_sums(Backend::best(), v, v_old, ret, &mask, 0.2, form, agg, half, ValueOut::default())
    };
    let merged = part(0..17)?.merge(part(17..18)?)?.merge(part(18..64)?)?.finish(agg, half)?.loss;
    text.line("the same batch in parts of 17, 1 and 46 rows, merged");
    text.line(format!("{merged} = {:#010x}", merged.to_bits()));
    Ok(())
}

fn vocabulary(text: &mut Transcript) -> Result<(), Wrong> {
    text.section("vocabulary");
    let (on, mut rng) = (Backend::best(), Rng::of(&[13]));
    let logits: Vec<f32> = (0..10_000).map(|_| 3.0 * rng.normal() as f32).collect();
    let shard = |range: std::ops::Range<usize>| {
        LogSumExp::of_shard(on, &logits[range.clone()], range.start, 1234, 1.0)
    };
    let whole = shard(0..10_000)?.finish()?;
    let cut = shard(0..2048)?.merge(shard(2048..8192)?)?.merge(shard(8192..10_000)?)?.finish()?;
    text.line("one token, 10,000 logits          log π                       H");
    for (label, stat) in [("on one device", whole), ("in shards of 2048, 6144, 1808", cut)] {
        let cell = |x: f32| format!("{x:.6} = {:#010x}", x.to_bits());
        text.line(format!("{label:<31}{}   {}", cell(stat.logp), cell(stat.ent)));
    }
    Ok(())
}
