//! The KL loss and the total against their order, written down a second time.

use super::*;
use crate::{
    Kl,
    lanes::exp_full,
    spec::{AGGS, Batch, clamp, coarse, cut},
    testing::{Random, SENTINEL, assert_rows, everywhere, same},
};

/// Every estimator, without clamps and with two that numbers on a grid of ¼ meet exactly.
fn estimates() -> impl Iterator<Item = (KlEstimate, KlGrad)> {
    let kinds = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3].into_iter();
    let clamps = [(f64::INFINITY, f64::INFINITY), (0.75, 0.25), (f64::INFINITY, 0.5)];
    kinds.enumerate().flat_map(move |(i, kind)| {
        clamps.into_iter().enumerate().map(move |(j, (clamp_in, clamp_out))| {
            let how = if (i + j) % 3 == 1 { KlGrad::StraightThrough } else { KlGrad::Own };
            (KlEstimate { kind, clamp_in, clamp_out }, how)
        })
    })
}

/// The estimate and its slope.
fn token(k1: f32, estimate: KlEstimate, how: KlGrad) -> (f32, f32) {
    let (c_in, c_out) = (estimate.clamp_in as f32, estimate.clamp_out as f32);
    let within = clamp(k1, -c_in, c_in);
    let kl = match estimate.kind {
        Kl::K1 => within,
        Kl::Abs => within.abs(),
        Kl::K2 => (within * within) * 0.5,
        Kl::K3 => (exp_full(-within) - 1.0) + within,
    };
    let slope = if k1.is_nan() || how == KlGrad::StraightThrough {
        k1
    } else if k1 > c_in || k1 < -c_in || kl > c_out || kl < -c_out {
        0.0
    } else {
        match estimate.kind {
            Kl::K1 => 1.0,
            Kl::Abs if k1 > 0.0 => 1.0,
            Kl::Abs if k1 < 0.0 => -1.0,
            Kl::Abs => 0.0,
            Kl::K2 => k1,
            Kl::K3 => 1.0 - exp_full(-k1),
        }
    };
    (clamp(kl, -c_out, c_out), slope)
}

#[test]
fn every_backend_follows_the_order_of_the_kl_loss() {
    for (i, batch) in Batch::all().iter().enumerate() {
        for (j, (estimate, how)) in estimates().enumerate().filter(|(j, _)| (i + j) % 3 == 0) {
            let (agg, c) = (AGGS[(i + j) % 8], 0.3);
            let mut random = Random((i * 12 + j) as u64);
            let x = [(); 3].map(|()| batch.rows(|| coarse(&mut random)));
            let x = [&x[0][..], &x[1], &x[2]];
            let token = |[logp, logp_ref, _]: [f32; 3]| token(logp - logp_ref, estimate, how);
            let loss = batch.aggregate(&batch.each(x, |_, x| token(x).0), agg);
            let alone = batch.each(x, |row, x| token(x).1 * (batch.weight(row, agg) * c));
            let added = batch.each(x, |row, x| x[2] + token(x).1 * (batch.weight(row, agg) * c));
            let (laid, mask) = (x.map(|x| batch.lay(x)), batch.mask());
            everywhere("total_loss", |on| {
                for (put, want) in [(Put::Replace, &alone), (Put::Add, &added)] {
                    let mut room = vec![SENTINEL; mask.valid().len()];
                    if put == Put::Add {
                        (0..mask.b())
                            .for_each(|row| room[mask.row(row)].copy_from_slice(&laid[2][mask.row(row)]));
                    }
                    let out = KlOut { grad: Some(Grad { c: c.into(), to: &mut room }), put };
                    let got = kl_loss(on, &laid[0], &laid[1], &mask, estimate, how, agg, out).unwrap();
                    let what = format!("{on}, batch {i}, {estimate:?}, {how:?}, {put:?}");
                    assert_rows(&what, &mask, &room, want);
                    assert!(same(got, loss), "{what}: {got} for {loss}");
                }
            });
        }
    }
}

#[test]
fn a_nan_in_either_operand_reaches_the_kl_loss_and_its_own_gradient_alone() {
    let valid = vec![true; 700];
    let mask = Mask::padded(&valid, 1, 700).unwrap();
    everywhere("total_loss", |on| {
        for ((estimate, how), operand) in estimates().flat_map(|which| [(which, 0), (which, 1)]) {
            let mut x = [vec![0.5; 700], vec![0.4; 700]];
            x[operand][600] = f32::NAN;
            let mut grad = vec![SENTINEL; 700];
            let out = KlOut { grad: Some(Grad { c: 1.0, to: &mut grad }), put: Put::Replace };
            let got = kl_loss(on, &x[0], &x[1], &mask, estimate, how, Agg::TokenMean, out).unwrap();
            let nans: Vec<usize> = (0..700).filter(|slot| grad[*slot].is_nan()).collect();
            assert!(got.is_nan() && nans == [600], "{on}, {estimate:?}, {how:?}: {got}, {nans:?}");
        }
    });
}

#[test]
fn a_kl_loss_cut_into_parts_gives_the_bits_of_the_whole() {
    let (b, t_len) = (19, 150);
    let mut random = Random(5);
    let valid: Vec<bool> = (0..b * t_len).map(|_| !random.flag(3)).collect();
    let x = [(); 2].map(|()| (0..b * t_len).map(|_| random.uniform()).collect::<Vec<f32>>());
    let whole = Mask::padded(&valid, b, t_len).unwrap().counts();
    for agg in AGGS {
        let run = |rows: core::ops::Range<usize>, grad: &mut [f32]| {
            let at = rows.start * t_len..rows.end * t_len;
            let mask = Mask::padded(&valid[at.clone()], rows.len(), t_len).unwrap();
            let mask = mask.part_of(rows.start as u64, whole);
            let out = KlOut { grad: Some(Grad { c: 0.5, to: &mut grad[at.clone()] }), put: Put::Replace };
            let (estimate, how) = (KlEstimate::plain(Kl::K3), KlGrad::Own);
            let (logp, logp_ref) = (&x[0][at.clone()], &x[1][at]);
            kl_loss_sums(Backend::best(), logp, logp_ref, &mask, estimate, how, agg, out).unwrap()
        };
        let mut want_grad = vec![0.0; b * t_len];
        let want = run(0..b, &mut want_grad).finish(agg);
        for parts in [1, 2, 3, 8] {
            let mut grad = vec![SENTINEL; b * t_len];
            let sums = cut(b, parts).into_iter().map(|rows| run(rows, &mut grad));
            let sums = sums.reduce(|sums, next| sums.merge(next).unwrap()).unwrap();
            assert_eq!(sums.finish(agg), want, "{agg:?} in {parts} parts");
            assert_eq!(grad, want_grad, "{agg:?} in {parts} parts");
        }
    }
}

#[test]
fn the_terms_are_added_one_after_the_other_each_with_one_rounding() {
    let c = Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.3 };
    let (l_policy, l_v, ent, l_kl) = (0.1f32, 7.7, 3.3, 0.9);
    let with_v = 0.5f32.mul_add(l_v, l_policy);
    let with_ent = (-0.01f32).mul_add(ent, with_v);
    let want = 0.3f32.mul_add(l_kl, with_ent);
    assert_eq!(total_loss(l_policy, l_v, ent, l_kl, c).to_bits(), want.to_bits());
    assert_eq!(total_loss(-f32::NAN, l_v, ent, l_kl, c).to_bits(), 0x7fc0_0000);
}

#[test]
fn a_term_that_is_off_is_no_operand() {
    let off = Coefficients { c_v: 0.0, c_h: -0.0, beta_loss: 1e-60 };
    assert_eq!(total_loss(1.0, f32::NAN, f32::INFINITY, f32::NAN, off), 1.0);
}
