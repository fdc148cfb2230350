//! Every backend against the specification, bit for bit.

use super::{
    cases::{B, Batch, STRIDE, T_LEN},
    *,
};
use crate::{entropy, lanes::LO, log_prob};
use half::bf16;

/// Around every edge of a step, a tile and a burst, and sizes of real models.
const VOCABS: [usize; 14] = [1, 2, 3, 100, 127, 128, 129, 300, 511, 2047, 2048, 2049, 4097, 6500];

/// Equal, away from 1, and apart.
const TAUS: [[f64; 2]; 4] = [[1.0, 1.0], [0.7, 0.7], [1.0, 0.5], [1.3, 1.0]];

fn on_threads<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// What must come out of a batch: six numbers a slot, and a gradient laid out as the logits over `grad`.
fn expected<X: Logit>(batch: &Batch<X>, tau: [f64; 2], mut grad: Vec<X>) -> ([Vec<f32>; 6], Vec<X>) {
    let mut said: [Vec<f32>; 6] = core::array::from_fn(|_| vec![SENTINEL; batch.valid.len()]);
    for slot in (0..batch.valid.len()).filter(|slot| slot % STRIDE < T_LEN) {
        let at = slot * batch.stride..slot * batch.stride + batch.vocab;
        let (stats, dx) = if batch.valid[slot] {
            let x: Vec<f32> = batch.logits[at.clone()].iter().map(|x| x.widen()).collect();
            let (a, g) = (batch.actions[slot] as usize, [batch.g_logp[slot], batch.g_ent[slot]]);
            spec::token(&x, a, tau.map(|tau| tau as f32), g)
        } else {
            ([0.0; 6], vec![0.0; batch.vocab])
        };
        said.iter_mut().zip(stats).for_each(|(said, stat)| said[slot] = stat);
        grad[at].iter_mut().zip(dx).for_each(|(to, dx)| *to = X::narrow(dx));
    }
    (said, grad)
}

const SENTINEL: f32 = -7.25;

/// Outputs between sentinels: a slice of a larger array.
const FENCE: usize = 5;

fn fenced<T: Copy>(n: usize, filled: T) -> Vec<T> {
    vec![filled; FENCE + n + FENCE]
}

/// The inside, if the sentinels stand.
fn within<X: Logit>(fenced: &[X]) -> &[X] {
    let (inside, n) = (&fenced[FENCE..fenced.len() - FENCE], fenced.len());
    assert!(fenced[..FENCE].iter().chain(&fenced[n - FENCE..]).all(|x| x.widen() == SENTINEL));
    inside
}

fn forward_of<X: Logit>(on: Backend, batch: &Batch<X>, tau: [f64; 2]) -> [Vec<f32>; 6] {
    let slots = batch.valid.len();
    let mut rooms: [Vec<f32>; 6] = core::array::from_fn(|_| fenced(slots, SENTINEL));
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] =
        rooms.each_mut().map(|room| Some(&mut room[FENCE..FENCE + slots]));
    let mask = Mask::strided(&batch.valid, B, T_LEN, STRIDE).unwrap();
    let logits = Logits::strided(&batch.logits, batch.vocab, batch.stride).unwrap();
    let out = TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent };
    token_pass(on, logits, &batch.actions, &mask, tau[0], tau[1], out).unwrap();
    rooms.map(|room| within(&room).to_vec())
}

/// The gradient in another array with rows further apart, and in place.
fn gradients_of<X: Logit>(on: Backend, batch: &Batch<X>, tau: [f64; 2], said: &[Vec<f32>; 6]) -> [Vec<X>; 2] {
    let [_, ent, max, ln_sum, max_ent, ln_sum_ent] = said;
    let of_ent = (tau[0] != tau[1]).then_some((max_ent.as_slice(), ln_sum_ent.as_slice()));
    let stats = TokenStats { ent, max, ln_sum, of_ent };
    let (vocab, stride, slots) = (batch.vocab, batch.stride, batch.valid.len());
    let mask = Mask::strided(&batch.valid, B, T_LEN, STRIDE).unwrap();
    let (actions, g_logp, g_ent) = (&batch.actions, &batch.g_logp, &batch.g_ent);
    let logits = Logits::strided(&batch.logits, vocab, stride).unwrap();

    let mut apart = fenced(slots * (stride + 3), X::narrow(SENTINEL));
    let to = LogitsMut::strided(&mut apart[FENCE..][..slots * (stride + 3)], vocab, stride + 3).unwrap();
    token_pass_grad(on, logits, actions, &mask, tau[0], tau[1], stats, g_logp, g_ent, to).unwrap();
    let rows = within(&apart).chunks(stride + 3);
    assert!(rows.clone().all(|row| row[vocab..].iter().all(|x| x.widen() == SENTINEL)));
    let packed = rows.flat_map(|row| &row[..stride]).copied().collect();

    let mut place = batch.logits.clone();
    let there = LogitsMut::strided(&mut place, vocab, stride).unwrap();
    token_pass_grad_in_place(on, there, actions, &mask, tau[0], tau[1], stats, g_logp, g_ent).unwrap();
    [packed, place]
}

/// The same bits, or both NaN.
fn same<X: Logit>(got: &[X], want: &[X]) -> Option<usize> {
    assert_eq!(got.len(), want.len());
    let pairs = got.iter().zip(want).map(|(got, want)| (got.widen(), want.widen()));
    pairs.enumerate().find_map(|(i, (got, want))| {
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        (!same).then_some(i)
    })
}

fn every_backend_gives_the_specification<X: Logit>(vocabs: &[usize], rounds: u64) {
    for (n, vocab) in vocabs.iter().enumerate() {
        for seed in 0..rounds {
            let batch = Batch::<X>::new(seed * 5 + n as u64, *vocab, [0, 1, 3][n % 3]);
            let tau = TAUS[(n + seed as usize) % TAUS.len()];
            let (said, place) = expected(&batch, tau, batch.logits.clone());
            let (_, apart) = expected(&batch, tau, vec![X::narrow(SENTINEL); batch.logits.len()]);
            for (threads, on) in Backend::with("token_pass").into_iter().enumerate() {
                on_threads(threads % 3 + 1, || {
                    let got = forward_of(on, &batch, tau);
                    let bits = |said: &[Vec<f32>; 6]| {
                        said.each_ref().map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                    };
                    assert_eq!(bits(&got), bits(&said), "{on}, vocabulary {vocab}, τ {tau:?}, seed {seed}");
                    let grads = gradients_of(on, &batch, tau, &said);
                    for (grad, want) in grads.iter().zip([&apart, &place]) {
                        let off = same(grad, want).map(|i| (i / batch.stride, i % batch.stride));
                        assert_eq!(
                            off, None,
                            "{on}, vocabulary {vocab}, τ {tau:?}, seed {seed}: slot, logit"
                        );
                    }
                });
            }
        }
    }
}

#[test]
fn every_backend_gives_the_specification_in_f32() {
    every_backend_gives_the_specification::<f32>(&VOCABS, 8);
}

#[test]
fn every_backend_gives_the_specification_in_bf16() {
    every_backend_gives_the_specification::<bf16>(&VOCABS, 8);
}

/// More tiles than a row has lanes, and the largest vocabulary.
#[test]
fn every_backend_gives_the_specification_of_long_rows() {
    every_backend_gives_the_specification::<f32>(&[32_001, 70_001], 1);
    every_backend_gives_the_specification::<bf16>(&[32_001], 1);
    let x: Vec<f32> = (0..524_288).map(|i: u64| (i * 7919 % 10_007) as f32 * 1e-3).collect();
    let (want, _) = spec::token(&x, 524_287, [1.0; 2], [0.0; 2]);
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    for on in Backend::with("token_pass") {
        let (mut logp, mut ent) = ([SENTINEL], [SENTINEL]);
        let logits = Logits::new(&x, x.len()).unwrap();
        log_prob(on, logits, &[524_287], &mask, 1.0, &mut logp).unwrap();
        entropy(on, logits, &mask, 1.0, &mut ent).unwrap();
        assert_eq!([logp, ent].map(|x| x[0].to_bits()), [want[0], want[1]].map(f32::to_bits), "{on}");
    }
}

/// A tile in which nothing is to be lifted may be summed without asking each logit. One stands just below LO, at each step
/// and each place of a four in some lane; what it counts is seen in H, since the other logits count as little.
fn what_is_lifted_is_found<X: Logit>(below: f32) {
    let places: Vec<usize> = (0..64).map(|i| i / 4 * 128 + (7 * i + 3) % 32 * 4 + i % 4).collect();
    let mut x = vec![X::narrow(-86.5); places.len() * 2048];
    for (row, place) in x.chunks_mut(2048).zip(&places) {
        (row[*place], row[(place + 1) % 2048]) = (X::narrow(below), X::narrow(0.0));
    }
    let mask = Mask::padded(&[true; 64], 1, places.len()).unwrap();
    for on in Backend::with("token_pass") {
        let mut ent = vec![SENTINEL; places.len()];
        entropy(on, Logits::new(&x, 2048).unwrap(), &mask, 1.0, &mut ent).unwrap();
        for ((row, place), ent) in x.chunks(2048).zip(&places).zip(ent) {
            let row: Vec<f32> = row.iter().map(|x| x.widen()).collect();
            let ([_, want, ..], _) = spec::token(&row, 0, [1.0; 2], [0.0; 2]);
            assert_eq!(ent.to_bits(), want.to_bits(), "{on}: {below} at {place}");
        }
    }
}

#[test]
fn what_is_lifted_is_found_wherever_it_stands_in_a_tile() {
    for below in [LO, LO - 1e-3, -88.0] {
        what_is_lifted_is_found::<f32>(below);
    }
    for below in [-87.0, -88.0] {
        what_is_lifted_is_found::<bf16>(below);
    }
}

fn refused<X: Logit>(batch: &Batch<X>, actions: &[u32]) -> String {
    let mask = Mask::strided(&batch.valid, B, T_LEN, STRIDE).unwrap();
    let logits = Logits::strided(&batch.logits, batch.vocab, batch.stride).unwrap();
    let mut logp = vec![SENTINEL; batch.valid.len()];
    let out = TokenOut { logp: Some(&mut logp), ..TokenOut::default() };
    let refused = token_pass(Backend::best(), logits, actions, &mask, 1.0, 1.0, out).unwrap_err();
    assert!(logp.iter().all(|x| *x == SENTINEL), "{refused}, and something was written");
    let (zeros, mut place) = (vec![0.0; batch.valid.len()], batch.logits.clone());
    let stats = TokenStats { ent: &zeros, max: &zeros, ln_sum: &zeros, of_ent: None };
    let there = LogitsMut::strided(&mut place, batch.vocab, batch.stride).unwrap();
    let grad =
        token_pass_grad_in_place(Backend::best(), there, actions, &mask, 1.0, 1.0, stats, &zeros, &zeros);
    assert!(grad.is_err() && same(&place, &batch.logits).is_none(), "{grad:?}");
    refused.to_string()
}

/// The last valid slot's is wrong, and nothing was written to the first.
#[test]
fn an_action_outside_the_vocabulary_is_refused_before_anything_is_written() {
    let batch = Batch::<f32>::new(1, 300, 1);
    let mut actions = batch.actions.clone();
    let last = (0..batch.valid.len()).rev().find(|slot| batch.used(*slot)).unwrap();
    actions[last] = 300;
    let says = format!("token_pass: `actions[{last}]` is 300 and must be below the vocabulary of 300");
    assert_eq!(refused(&batch, &actions), says);
    let says = "token_pass: `actions` has 23 elements and must have 24, one per slot of the mask";
    assert_eq!(refused(&batch, &actions[1..]), says);
}

#[test]
fn two_temperatures_need_the_statistics_of_both() {
    let (x, one, mask) = ([0.5f32, 1.0], [0.0], Mask::padded(&[true], 1, 1).unwrap());
    let stats = TokenStats { ent: &one, max: &one, ln_sum: &one, of_ent: None };
    let grad = |vocab, tau_ent| {
        let (mut grad, logits) = (vec![0.0; vocab], Logits::new(&x, 2)?);
        let to = LogitsMut::new(&mut grad, vocab)?;
        token_pass_grad(Backend::best(), logits, &[1], &mask, 1.0, tau_ent, stats, &one, &one, to)
    };
    let says = "token_pass_grad: `stats.of_ent` is absent and needed, since `tau` is 1 and `tau_ent` 0.5";
    assert_eq!(grad(2, 0.5).unwrap_err().to_string(), says);
    let says = "token_pass_grad: `grad` has a vocabulary of 3 and `logits` one of 2";
    assert_eq!(grad(3, 1.0).unwrap_err().to_string(), says);
    assert!(grad(2, 1.0).is_ok() && grad(2, 0.0).is_err());
    let says = "token_pass_grad: `tau_ent` is inf and must be > 0 and finite (in f32)";
    assert_eq!(grad(2, f64::INFINITY).unwrap_err().to_string(), says);
}

/// A forbidden token counts nothing, and a sure one leaves nothing to decide.
#[test]
fn one_hot_has_a_log_probability_of_0_and_no_gradient_elsewhere() {
    let mut x = vec![f32::NEG_INFINITY; 5000];
    x[4321] = 3.0;
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    for on in Backend::with("token_pass") {
        let [mut logp, mut ent, mut max, mut ln_sum] = [[SENTINEL]; 4];
        let out = TokenOut {
            logp: Some(&mut logp),
            ent: Some(&mut ent),
            max: Some(&mut max),
            ln_sum: Some(&mut ln_sum),
            ..TokenOut::default()
        };
        token_pass(on, Logits::new(&x, 5000).unwrap(), &[4321], &mask, 1.0, 1.0, out).unwrap();
        assert_eq!((logp, max, ln_sum), ([0.0], [3.0], [0.0]), "{on}");
        // What is missing and what is forbidden each count 2^-125.
        assert!((0.0..1e-30).contains(&ent[0]), "{on}: {ent:?}");
        let stats = TokenStats { ent: &ent, max: &max, ln_sum: &ln_sum, of_ent: None };
        let mut grad = x.clone();
        let there = LogitsMut::new(&mut grad, 5000).unwrap();
        token_pass_grad_in_place(on, there, &[4321], &mask, 1.0, 1.0, stats, &[2.0], &[0.5]).unwrap();
        assert!(grad.iter().all(|dx| dx.abs() < 1e-30), "{on}");
    }
}
