//! Whitening against its order, written down a second time.

use super::*;
use crate::{
    Counts,
    spec::{Batch, cut, row_sum, tree},
    testing::{LAYOUTS, Random, SENTINEL, assert_rows, everywhere, masks, same},
};

const EPS_AT: [EpsAt; 3] = [EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor];

fn choices() -> impl Iterator<Item = Whitening> {
    let of = |eps_at| {
        [(Variance::Sample, ShiftMean::Yes), (Variance::Population, ShiftMean::No)]
            .map(|(variance, shift_mean)| Whitening { variance, eps_at, eps_w: 1e-8, shift_mean })
    };
    let wide =
        |eps_at| Whitening { variance: Variance::Sample, eps_at, eps_w: 4.0, shift_mean: ShiftMean::Yes };
    EPS_AT.into_iter().flat_map(of).chain(EPS_AT.map(wide))
}

/// ORDER.md 5.5 once more.
fn written(batch: &Batch, adv: &[Vec<f32>], how: Whitening) -> (Whitened, Vec<Vec<f32>>) {
    let sum = |x: &[Vec<f32>]| tree(x.iter().zip(&batch.valid).map(|(x, valid)| row_sum(x, valid)).collect());
    let n = batch.counts().tokens;
    let mean = sum(adv) / n as f32;
    let squares = batch.each([adv], |_, [a]| (a - mean) * (a - mean));
    let var = match how.variance {
        Variance::Population => sum(&squares) / n as f32,
        Variance::Sample => sum(&squares) / (n - 1) as f32,
    };
    let eps = how.eps_w as f32;
    let rstd = match how.eps_at {
        EpsAt::Std => 1.0 / (var.sqrt() + eps),
        EpsAt::UnderRoot => 1.0 / (var + eps).sqrt(),
        EpsAt::VarFloor => 1.0 / crate::spec::greater(var, eps).sqrt(),
    };
    let out = batch.each([adv], |_, [a]| match how.shift_mean {
        ShiftMean::Yes => (a - mean) * rstd,
        ShiftMean::No => (a - mean).mul_add(rstd, mean),
    });
    (Whitened { mean, var }, out)
}

#[test]
fn every_choice_follows_the_written_order() {
    for (seed, batch) in Batch::all().into_iter().enumerate() {
        for wild in [false, true] {
            let mut random = Random(seed as u64);
            let adv = batch.rows(|| if wild { random.wild() } else { random.uniform() + 0.5 });
            let (laid, mask) = (batch.lay(&adv), batch.mask());
            for how in choices() {
                let (want, want_out) = written(&batch, &adv, how);
                everywhere("whiten", |on| {
                    let mut out = vec![SENTINEL; laid.len()];
                    let got = whiten(on, &laid, &mask, how, &mut out).unwrap();
                    let what = format!("{on}, batch {seed}, {how:?}: {got:?}, not {want:?}");
                    assert!(same(got.mean, want.mean) && same(got.var, want.var), "{what}");
                    assert_rows(&what, &mask, &out, &want_out);
                });
            }
        }
    }
}

#[test]
fn a_batch_in_parts_gives_the_bits_of_the_whole_one() {
    let how = choices().next().unwrap();
    for layout in LAYOUTS {
        let rows: Vec<Vec<bool>> = masks(2500).into_iter().chain(masks(2500)).collect();
        let batch = Batch::new(layout, rows.clone());
        let mut random = Random(3);
        let adv = batch.rows(|| random.uniform());
        let (laid, mask, on) = (batch.lay(&adv), batch.mask(), Backend::best());
        let mut want = vec![0.0; laid.len()];
        let by = whiten(on, &laid, &mask, how, &mut want).unwrap();
        for parts in [1, 2, 3, 8] {
            let parts: Vec<_> = cut(rows.len(), parts)
                .into_iter()
                .map(|part| (part.start, Batch::new(layout, rows[part.clone()].to_vec()), adv[part].to_vec()))
                .collect();
            let each = |of: &dyn Fn(&[f32], &Mask<'_>) -> String| -> Vec<String> {
                let one = |(first, batch, adv): &(usize, Batch, Vec<Vec<f32>>)| {
                    of(&batch.lay(adv), &batch.mask().part_of(*first as u64, mask.counts()))
                };
                parts.iter().map(one).collect()
            };
            // Each part crosses over as text, as it would between processes.
            let of = |x: &[f32], mask: &Mask<'_>| aggregate_sums(on, x, mask, Agg::TokenMean).unwrap();
            let sums = each(&|x, mask| serde_json::to_string(&of(x, mask)).unwrap());
            let sums = sums.iter().map(|sum| serde_json::from_str::<AggregateSums>(sum).unwrap());
            let mean = sums.reduce(|a, b| a.merge(b).unwrap()).unwrap().finish(Agg::TokenMean).unwrap();
            assert_eq!(mean.to_bits(), by.mean.to_bits());
            let squares =
                each(&|x, mask| serde_json::to_string(&square_sum(on, x, mask, mean).unwrap()).unwrap());
            let squares = squares.iter().map(|sum| serde_json::from_str::<SquareSum>(sum).unwrap());
            let var = squares.reduce(|a, b| a.merge(b).unwrap()).unwrap().var(how.variance).unwrap();
            assert_eq!(var.to_bits(), by.var.to_bits());
        }
        let mut got = vec![0.0; laid.len()];
        whiten_by(on, &laid, &mask, by, how, &mut got).unwrap();
        assert_eq!(got, want);
    }
}

#[test]
fn one_token_is_nan_by_the_sample_variance_and_zero_by_the_population_s() {
    let (mask, mut out) = (Mask::padded(&[true], 1, 1).unwrap(), [0.0]);
    let sample = choices().next().unwrap();
    let got = whiten(Backend::best(), &[2.0], &mask, sample, &mut out).unwrap();
    assert_eq!((got.mean, got.var.to_bits()), (2.0, 0x7fc0_0000));
    assert!(out[0].is_nan());
    let population = Whitening { variance: Variance::Population, ..sample };
    whiten(Backend::best(), &[2.0], &mask, population, &mut out).unwrap();
    assert_eq!(out, [0.0]);
}

#[test]
fn an_empty_mask_a_negative_epsilon_and_a_part_are_refused() {
    let (how, mut out) = (choices().next().unwrap(), [0.0]);
    let mut says =
        |mask: Mask<'_>, how| whiten(Backend::best(), &[2.0], &mask, how, &mut out).unwrap_err().to_string();
    let none = Mask::padded(&[false], 1, 1).unwrap();
    assert_eq!(says(none, how), "whiten: `mask` has no valid token to take a mean over");
    let one = Mask::padded(&[true], 1, 1).unwrap();
    let negative = Whitening { eps_w: -1.0, ..how };
    assert_eq!(says(one, negative), "whiten: `eps_w` is -1 and must be ≥ 0 (in f32)");
    assert!(says(one.part_of(1, Counts { rows: 2, ..one.counts() }), how).contains("sum the parts"));
}
