//! exp and ln over every input, against an oracle: CORE-MATH's exp and log, correctly rounded in f64.
//!
//!     cargo test --release -p ppo-optimized --features oracle exhaustive -- --nocapture
//!
//! The errors are those of the best backend; every backend must give the fallback's bits, so they are all's.
//! Prints the worst errors and the table of `hardest.rs`, and fails if that file has another. Needs a C compiler
//! for CORE-MATH. Of the time most goes into the levels without FMA, where a multiply-add is a library call:
//! some 700 seconds of one core, divided by the cores, against 200 for the errors.

use super::{
    TAME,
    accuracy::{Function, each, mark, ulp, unit_24},
    exp_full, exp_tame,
    hardest::{self, Case, WORST},
};
use crate::{Backend, testing::same};
use rayon::prelude::*;
use std::time::Instant;

/// Inputs that are computed at once.
const BLOCK: usize = 1 << 14;

/// What a sweep found so far.
#[derive(Default)]
struct Found {
    inputs: u64,
    /// The sum of the marks of inputs and results.
    marks: u64,
    /// Largest errors of normal results in 2⁻²⁴ of the truth, of subnormal ones in units of 2⁻¹⁴⁹, and of all
    /// in units in the last place.
    relative: f64,
    subnormal: f64,
    ulps: f64,
    /// Largest error over its bound.
    use_of_bound: f64,
    /// Inputs whose error uses most of its bound, worst first.
    hardest: Vec<(f64, Case)>,
}

impl Found {
    fn add(&mut self, function: Function, x: f32, got: f32, truth: f64) {
        let used = function.error(x, got, truth) / function.bound(x);
        assert!(used < 1.0, "{function:?}({x:e}, {:#010x}) = {got:e}, and it is {truth:e}", x.to_bits());
        self.inputs += 1;
        self.marks = self.marks.wrapping_add(mark(x, got));
        self.use_of_bound = self.use_of_bound.max(used);
        if got.is_finite() && got != 0.0 {
            let off = (f64::from(got) - truth).abs();
            self.ulps = self.ulps.max(off / ulp(truth));
            if truth.abs() >= f64::from(f32::MIN_POSITIVE) {
                self.relative = self.relative.max(off / unit_24(truth));
            } else {
                self.subnormal = self.subnormal.max(off / ulp(truth));
            }
        }
        if self.hardest.len() < WORST || used > self.hardest[WORST - 1].0 {
            self.hardest.push((used, (x.to_bits(), got.to_bits())));
            self.sort();
        }
    }

    fn merge(mut self, other: Found) -> Found {
        self.inputs += other.inputs;
        self.marks = self.marks.wrapping_add(other.marks);
        self.relative = self.relative.max(other.relative);
        self.subnormal = self.subnormal.max(other.subnormal);
        self.ulps = self.ulps.max(other.ulps);
        self.use_of_bound = self.use_of_bound.max(other.use_of_bound);
        self.hardest.extend(other.hardest);
        self.sort();
        self
    }

    /// Worst first; of equal ones the smaller bit pattern, so that the table does not depend on threads.
    fn sort(&mut self) {
        self.hardest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.hardest.truncate(WORST);
    }
}

/// What `of_block` finds in every block of a function's inputs, merged.
fn over_inputs<F: Send>(
    function: Function,
    nothing: impl Fn() -> F + Sync + Send,
    of_block: impl Fn(&[f32]) -> F + Sync + Send,
    merge: impl Fn(F, F) -> F + Sync + Send,
) -> F {
    let starts: Vec<(u32, u32)> = function
        .patterns()
        .into_iter()
        .flat_map(|patterns| {
            let last = *patterns.end();
            patterns.step_by(BLOCK).map(move |first| (first, (last - first).min(BLOCK as u32 - 1)))
        })
        .collect();
    let block = |(first, more): (u32, u32)| {
        let x: Vec<f32> = (0..=more).map(|i| f32::from_bits(first + i)).collect();
        of_block(&x)
    };
    starts.into_par_iter().map(block).reduce(nothing, merge)
}

/// Every input on the best backend against the oracle.
fn errors(function: Function, oracle: impl Fn(f64) -> f64 + Sync + Send, recorded: &[Case]) -> Found {
    let start = Instant::now();
    let on = Backend::best();
    let of_block = |x: &[f32]| {
        let mut got = vec![0.0; x.len()];
        function.run(on, x, &mut got);
        let mut found = Found::default();
        for (x, got) in x.iter().zip(got) {
            found.add(function, *x, got, oracle(f64::from(*x)));
        }
        found
    };
    let found = over_inputs(function, Found::default, of_block, Found::merge);
    println!(
        "{function:?}: {} inputs on {on}, worst {:.4} ULP ({:.4} among subnormal results), {:.4} in 2^-24 \
         relative, {:.4} of its bound, marks {:#018x}; {:.0} s",
        found.inputs,
        found.ulps,
        found.subnormal,
        found.relative,
        found.use_of_bound,
        found.marks,
        start.elapsed().as_secs_f64(),
    );
    let cases: Vec<Case> = found.hardest.iter().map(|(_, case)| *case).collect();
    if cases != recorded {
        for (x, got) in cases {
            println!("    ({x:#010x}, {got:#010x}),");
        }
        panic!("the table of `hardest.rs` for {function:?} is not the one above");
    }
    found
}

/// Every input on every backend against the fallback.
fn equal_bits(function: Function) {
    let start = Instant::now();
    let backends = Backend::with("lanes");
    let of_block = |x: &[f32]| {
        let mut want = vec![0.0; x.len()];
        let mut got = vec![0.0; x.len()];
        function.run(backends[0], x, &mut want);
        for on in &backends[1..] {
            function.run(*on, x, &mut got);
            if let Some(i) = (0..x.len()).find(|i| !same(want[*i], got[*i])) {
                panic!("{function:?}({:e}) is {:e}, on {on} {:e}", x[i], want[i], got[i]);
            }
        }
        x.len() as u64
    };
    let inputs = over_inputs(function, || 0, of_block, |a, b| a + b);
    let names: Vec<&str> = backends.iter().map(|on| on.name()).collect();
    println!(
        "{function:?}: {inputs} inputs, equal bits on {}; {:.0} s",
        names.join(", "),
        start.elapsed().as_secs_f64(),
    );
}

#[test]
fn exp_softmax_is_within_its_bound_for_every_u() {
    let found = errors(Function::ExpSoftmax, core_math::exp, &hardest::EXP_SOFTMAX);
    let inputs = 2 + u64::from(super::LO.to_bits() & 0x7fff_ffff);
    assert_eq!((found.inputs, found.marks), (inputs, hardest::ALL[0]));
}

#[test]
fn exp_full_is_within_a_unit_in_the_last_place_for_every_f32() {
    let found = errors(Function::ExpFull, core_math::exp, &hardest::EXP_FULL);
    assert_eq!((found.inputs, found.marks), (1 << 32, hardest::ALL[1]));
    assert!(found.ulps < 0.8914 && found.subnormal < 0.859, "worse than its documentation says");
}

#[test]
fn ln_is_within_a_unit_in_the_last_place_for_every_positive_f32() {
    let found = errors(Function::Ln, core_math::log, &hardest::LN);
    assert_eq!((found.inputs, found.marks), (0x7f7f_ffff, hardest::ALL[2]));
    assert!(found.ulps < 0.9339, "worse than its documentation says");
}

#[test]
fn exp_tame_has_the_bits_of_exp_full_for_every_tame_x() {
    let last = TAME.to_bits();
    let starts = (0..=last).step_by(BLOCK).flat_map(|first| [first, first | 1 << 31]);
    starts.par_bridge().for_each(|first| {
        let end = (first & !(1 << 31)).saturating_add(BLOCK as u32 - 1).min(last) | (first & 1 << 31);
        let x: Vec<f32> = (first..=end).map(f32::from_bits).collect();
        let (mut full, mut tame) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        each(Backend::best(), &x, &mut full, exp_full);
        each(Backend::best(), &x, &mut tame, exp_tame);
        let differs = (0..x.len()).find(|i| !same(full[*i], tame[*i]));
        assert_eq!(differs.map(|i| (x[i], full[i], tame[i])), None);
    });
}

#[test]
fn every_backend_gives_the_fallbacks_bits_for_every_input() {
    for function in [Function::ExpSoftmax, Function::ExpFull, Function::Ln] {
        equal_bits(function);
    }
}
