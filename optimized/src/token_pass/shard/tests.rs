//! A vocabulary in shards against the whole row.

use super::*;
use crate::{
    Logits, Mask, TokenOut, token_pass,
    token_pass::cases::{KINDS, Rng, row},
};
use core::ops::Range;

fn whole(on: Backend, x: &[f32], a: u32, tau: f64) -> [u32; 4] {
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    let [mut logp, mut ent, mut max, mut ln_sum] = [[0.0f32]; 4];
    let out = TokenOut {
        logp: Some(&mut logp),
        ent: Some(&mut ent),
        max: Some(&mut max),
        ln_sum: Some(&mut ln_sum),
        ..TokenOut::default()
    };
    token_pass(on, Logits::new(x, x.len()).unwrap(), &[a], &mask, tau, tau, out).unwrap();
    [logp, ent, max, ln_sum].map(|x| x[0].to_bits())
}

fn bits(stat: TokenStat) -> [u32; 4] {
    [stat.logp, stat.ent, stat.max, stat.ln_sum].map(f32::to_bits)
}

/// The vocabulary in nearly equal parts, and what they become once the ends of tiles were handed on.
fn cut(vocab: usize, parts: usize) -> Vec<Range<usize>> {
    let at = |part: usize| {
        let cut = part * vocab / parts;
        if part == parts { cut } else { cut - LogSumExp::handed_on(cut) }
    };
    (0..parts).map(|part| at(part)..at(part + 1)).collect()
}

#[test]
fn a_vocabulary_in_1_2_3_and_8_shards_gives_the_bits_of_the_whole() {
    let rng = &mut Rng(3);
    for (n, vocab) in [1, 2047, 2048, 2049, 4097, 20_000, 70_001].into_iter().enumerate() {
        for kind in 0..KINDS {
            let (x, tau) = (row(rng, kind, vocab), [1.0, 0.7, 1.6][kind % 3]);
            let a = rng.below(vocab) as u32;
            let on = Backend::with("log_sum_exp")[(n + kind) % Backend::with("log_sum_exp").len()];
            let want = whole(on, &x, a, tau);
            for parts in [1, 2, 3, 8] {
                let shards = cut(vocab, parts).into_iter().map(|at| {
                    let shard = LogSumExp::of_shard(on, &x[at.clone()], at.start, a, tau).unwrap();
                    let Form { start, end, action, inv_tau, tiles, x_a } = shard.into();
                    Form { start, end, action, inv_tau, tiles, x_a }.try_into().unwrap()
                });
                let from_left = shards.clone().reduce(|left: LogSumExp, right| left.merge(right).unwrap());
                let right: Vec<LogSumExp> = shards.collect();
                let from_right = right.into_iter().rev().reduce(|right, left| left.merge(right).unwrap());
                for merged in [from_left, from_right] {
                    let got = bits(merged.unwrap().finish().unwrap());
                    assert_eq!(got, want, "{on}, kind {kind}, vocabulary {vocab} in {parts}");
                }
            }
        }
    }
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let (x, on) = (vec![0.5f32; 4096], Backend::best());
    let shard = |at: Range<usize>, a, tau| LogSumExp::of_shard(on, &x[at.clone()], at.start, a, tau);
    let says = |merged: Result<LogSumExp, Error>| merged.unwrap_err().to_string();
    let first = shard(0..2048, 5, 1.0).unwrap();
    assert_eq!(
        says(shard(0..2000, 5, 1.0).unwrap().merge(shard(2048..4096, 5, 1.0).unwrap())),
        "log_sum_exp: one shard ends before logit 2000 and the next begins with logit 2048"
    );
    assert!(first.clone().merge(shard(2048..4096, 6, 1.0).unwrap()).is_err());
    assert!(first.clone().merge(shard(2048..4096, 5, 0.5).unwrap()).is_err());
    assert_eq!(
        says(shard(1..2, 5, 1.0)),
        "log_sum_exp: a shard begins with logit 1 and must begin at a multiple of 2048"
    );
    assert_eq!(
        says(LogSumExp::of_shard(on, &x, 522_240, 5, 1.0)),
        "log_sum_exp: the vocabulary has 526336 logits and must have 1 to 524288"
    );
    assert!(shard(2048..4096, 2050, 1.0).unwrap().finish().is_err());
    assert_eq!(
        shard(2048..4096, 5, 1.0).unwrap().finish().unwrap_err().to_string(),
        "log_sum_exp: logits 2048 to 4096 are not the whole vocabulary that action 5 is in"
    );
}

/// Which zero comes first in a row is not in its log-sum-exp.
#[test]
fn the_maximum_of_a_tile_is_never_minus_0() {
    for on in Backend::with("log_sum_exp") {
        let form = Form::from(LogSumExp::of_shard(on, &[-0.0f32; 3], 0, 1, 1.0).unwrap());
        assert_eq!(form.tiles[0][0], 0.0f32.to_bits(), "{on}");
    }
}

#[test]
fn a_serialized_shard_that_is_none_is_refused() {
    let good = || Form::from(LogSumExp::of_shard(Backend::best(), &[0.5f32; 3000], 2048, 2050, 1.0).unwrap());
    assert!(LogSumExp::try_from(good()).is_ok());
    let spoilt: [fn(&mut Form); 6] = [
        |form| form.start = 2047,
        |form| form.end = 2000,
        |form| form.tiles.push([0; 3]),
        |form| form.x_a = None,
        |form| form.inv_tau = f32::NAN.to_bits(),
        |form| (form.start, form.end) = (524_288, 524_288 + 3000),
    ];
    for (n, spoil) in spoilt.into_iter().enumerate() {
        let mut form = good();
        spoil(&mut form);
        assert!(LogSumExp::try_from(form).is_err(), "{n}");
    }
}
