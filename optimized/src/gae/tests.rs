//! Every backend against the order as it is written, and what is refused.

use super::{spec::Case, *};
use crate::testing::{LAYOUTS, Laid, Random, SENTINEL, assert_rows, everywhere, lengths, masks, same};

const GAPS: [Gap; 3] = [Gap::Skip, Gap::Decay, Gap::Cut];

/// Runs rows in every layout on every backend and compares them with the written order.
fn check(rows: &[Case], gap: Gap) {
    let want_adv: Vec<_> = rows.iter().map(|row| row.adv(gap)).collect();
    let want_ret: Vec<_> = rows.iter().zip(&want_adv).map(|(row, adv)| row.ret(adv)).collect();
    let lambda: Vec<f32> = rows.iter().map(|row| row.lambda).collect();
    let v_last: Vec<f32> = rows.iter().map(|row| row.v_last).collect();
    let rows: Vec<Case> = rows.iter().cloned().map(Case::poisoned).collect();
    for layout in LAYOUTS {
        let laid = Laid::new(layout, &rows.iter().map(|row| row.valid.len()).collect::<Vec<_>>());
        let lay = |of: fn(&Case) -> &Vec<f32>| {
            laid.lay(&rows.iter().map(|c| of(c).clone()).collect::<Vec<_>>(), 7.0)
        };
        let flags = |of: fn(&Case) -> &Vec<bool>, fill| {
            laid.lay(&rows.iter().map(|c| of(c).clone()).collect::<Vec<_>>(), fill)
        };
        let (r, v, v_boot) = (lay(|c| &c.r), lay(|c| &c.v), lay(|c| &c.v_boot));
        let valid = flags(|c| &c.valid, false);
        let (terminated, truncated) = (flags(|c| &c.terminated, true), flags(|c| &c.truncated, true));
        let mask = laid.mask(&valid);
        let any = rows.iter().any(|row| row.terminated.contains(&true) || row.truncated.contains(&true));
        let ends = Ends {
            v_last: Some(&v_last),
            terminated: any.then_some(&terminated),
            truncated: any.then_some(Truncated { at: &truncated, v_boot: &v_boot }),
        };
        everywhere("gae", |on| {
            let (mut adv, mut ret) = (vec![SENTINEL; laid.slots], vec![SENTINEL; laid.slots]);
            let (gamma, lambda) = (rows[0].gamma.into(), Lambda::PerRow(&lambda));
            let out = GaeOut { adv: &mut adv, ret: Some(&mut ret) };
            gae(on, &r, &v, &mask, &ends, gap, gamma, lambda, out).unwrap();
            let what = format!("{on}, {layout:?}, {gap:?}, {} tokens, γ {gamma}", rows[0].valid.len());
            assert_rows(&format!("{what}: adv"), &mask, &adv, &want_adv);
            assert_rows(&format!("{what}: ret"), &mask, &ret, &want_ret);
        });
    }
}

#[test]
fn every_backend_follows_the_written_order() {
    for n in lengths() {
        for gap in GAPS {
            let rows = |masks: Vec<Vec<bool>>| -> Vec<Case> {
                let numbered = masks.iter().enumerate();
                numbered.map(|(k, valid)| Case::new(valid, (n * 8 + k) as u64, Random::uniform)).collect()
            };
            check(&rows(masks(n)), gap);
            let flagged = rows(masks(n)).into_iter().enumerate();
            check(&flagged.map(|(k, row)| row.with_flags(k as u64, 9)).collect::<Vec<_>>(), gap);
        }
    }
}

#[test]
fn a_decay_of_zero_or_that_underflows_or_of_one_follows_the_written_order() {
    for (gamma, lambda) in [(0.0, 1.0), (1.0, 0.0), (1.0, 1e-20), (0.9, 0.8), (1.0, 1.0), (1e-10, 1e-7)] {
        for number in [Random::uniform, Random::wild] {
            for n in [5, 8, 24, 61, 600] {
                let masks = masks(n).into_iter().enumerate();
                let rows = masks.map(|(k, valid)| Case {
                    gamma,
                    lambda,
                    ..Case::new(&valid, (n + k) as u64, number).with_flags(3, 30)
                });
                let rows: Vec<Case> = rows.collect();
                GAPS.iter().for_each(|gap| check(&rows, *gap));
            }
        }
    }
}

/// −0 is a λ, and not the one of the row before.
#[test]
fn a_lambda_of_minus_0_gives_a_row_the_bits_that_it_has_alone() {
    let of = |lambda: &[f32]| {
        let b = lambda.len();
        let (valid, r, v, v_last) = (vec![true; b], vec![-0.0f32; b], vec![0.0f32; b], vec![-0.0f32; b]);
        let mut adv = vec![f32::NAN; b];
        let (mask, out) = (Mask::padded(&valid, b, 1).unwrap(), GaeOut { adv: &mut adv, ret: None });
        let (ends, per_row) = (Ends::after(&v_last), Lambda::PerRow(lambda));
        gae(Backend::best(), &r, &v, &mask, &ends, Gap::Skip, 0.9, per_row, out).unwrap();
        adv[b - 1].to_bits()
    };
    assert_eq!(of(&[0.0, -0.0]), of(&[-0.0]));
    assert_ne!(of(&[0.0]), of(&[-0.0]), "or this shows nothing");
}

/// Rows of one batch may have a λ of their own, and rows of every length stand in one packed buffer.
#[test]
fn rows_of_many_lengths_with_their_own_lambda_follow_the_written_order() {
    let rows: Vec<Case> = (0..90)
        .map(|n| Case {
            lambda: n as f32 / 89.0,
            ..Case::new(&vec![true; n * 17 % 1400], n as u64, Random::uniform)
        })
        .collect();
    check(&rows, Gap::Skip);
}

fn one_row(row: &Case, gap: Gap) -> Vec<f32> {
    let mut adv = vec![0.0; row.r.len()];
    let mask = Mask::padded(&row.valid, 1, row.valid.len()).unwrap();
    let (v_last, lambda) = ([row.v_last], Lambda::One(row.lambda.into()));
    let ends = Ends {
        terminated: Some(&row.terminated),
        truncated: Some(Truncated { at: &row.truncated, v_boot: &row.v_boot }),
        ..Ends::after(&v_last)
    };
    let out = GaeOut { adv: &mut adv, ret: None };
    gae(Backend::best(), &row.r, &row.v, &mask, &ends, gap, row.gamma.into(), lambda, out).unwrap();
    adv
}

/// The double sum as it is printed, in f64, with the error bound of order Q beside each element.
#[test]
fn advantages_are_the_double_sum_within_the_bound_of_their_order() {
    let e = f64::from(f32::EPSILON) / 2.0;
    for n in [1, 7, 8, 9, 40, 61, 200] {
        for (k, valid) in masks(n).into_iter().enumerate() {
            for gap in GAPS {
                let row = Case::new(&valid, (n + k) as u64, Random::uniform).with_flags(k as u64, 12);
                let got = one_row(&row, gap);
                // A = Σ (product of q up to there) d, with |γ V + r| and |d| in the bound.
                let terms: Vec<(f64, f64)> = (0..n)
                    .map(|t| {
                        let (d, q) = row.d_and_q(gap, t);
                        (f64::from(d), f64::from(q))
                    })
                    .collect();
                for t in (0..n).filter(|t| valid[*t]) {
                    let (mut sum, mut bound, mut decay) = (0.0, 0.0, 1.0);
                    for (l, (d, q)) in terms[t..].iter().enumerate() {
                        sum += decay * d;
                        bound +=
                            decay * ((d.abs() + f64::from(row.v[t + l].abs())) + (l as f64 + 5.0) * d.abs());
                        decay *= q;
                    }
                    let off = (f64::from(got[t]) - sum).abs();
                    assert!(
                        off <= 1.001 * e * bound + 1e-12,
                        "{n} {k} {gap:?} {t}: {off:e} of {:e}",
                        e * bound
                    );
                }
            }
        }
    }
}

#[test]
fn a_nan_reaches_its_own_token_and_no_later_one() {
    for n in [3, 8, 40] {
        for at in 0..n {
            for of_r in [true, false] {
                let mut row = Case::new(&vec![true; n], 5, Random::uniform);
                let clean = one_row(&row, Gap::Skip);
                if of_r {
                    row.r[at] = f32::NAN
                } else {
                    row.v[at] = f32::NAN
                }
                let got = one_row(&row, Gap::Skip);
                assert!(got[..=at].iter().all(|x| x.is_nan()), "{n} {at}: {got:?}");
                assert_eq!(got[at + 1..], clean[at + 1..], "{n} {at}");
            }
        }
    }
}

#[test]
fn right_padding_changes_no_bit() {
    let row = Case::new(&[true; 600], 9, Random::uniform);
    let want = one_row(&row, Gap::Decay);
    for pad in [1, 7, 8, 500, 3000] {
        let mut row = row.clone();
        for (flags, value) in
            [(&mut row.valid, false), (&mut row.terminated, true), (&mut row.truncated, true)]
        {
            flags.resize(600 + pad, value);
        }
        for numbers in [&mut row.r, &mut row.v, &mut row.v_boot] {
            numbers.resize(600 + pad, f32::NAN);
        }
        let got = one_row(&row, Gap::Decay);
        assert!(got[..600].iter().zip(&want).all(|(got, want)| same(*got, *want)), "{pad}");
    }
}

#[test]
fn each_wrong_argument_is_refused_with_its_name_and_number() {
    let (x, valid) = ([0.0; 4], [true; 4]);
    let mask = Mask::padded(&valid, 2, 2).unwrap();
    let says = |r: &[f32], ends: Ends<'_>, gamma, lambda: Lambda<'_>, room: usize| {
        let (mut adv, mut ret) = ([0.0; 4], vec![0.0; room]);
        let out = GaeOut { adv: &mut adv, ret: Some(&mut ret) };
        gae(Backend::best(), r, &x, &mask, &ends, Gap::Skip, gamma, lambda, out).unwrap_err().to_string()
    };
    let (stop, one) = (Ends::default(), Lambda::One(0.5));
    assert_eq!(
        says(&x[1..], stop, 1.0, one, 4),
        "gae: `r` has 3 elements and must have 4, one per slot of the mask"
    );
    assert_eq!(
        says(&x, stop, 1.0, one, 5),
        "gae: `ret` has 5 elements and must have 4, one per slot of the mask"
    );
    assert_eq!(
        says(&x, Ends::after(&x), 1.0, one, 4),
        "gae: `v_last` has 4 elements and must have 2, one per row"
    );
    assert_eq!(says(&x, stop, 1.5, one, 4), "gae: `gamma` is 1.5 and must lie in [0, 1] (in f32)");
    assert_eq!(
        says(&x, stop, 1.0, Lambda::PerRow(&[0.0, -1.0]), 4),
        "gae: `lambda` is -1 and must lie in [0, 1] (in f32)"
    );
    let truncated = Some(Truncated { at: &valid, v_boot: &x[1..] });
    let ends = Ends { truncated, ..stop };
    assert_eq!(
        says(&x, ends, 1.0, one, 4),
        "gae: `v_boot` has 3 elements and must have 4, one per slot of the mask"
    );
}
