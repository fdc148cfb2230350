//! The value loss against its order, written down a second time.

use super::*;
use crate::{
    spec::{AGGS, Batch, clamp, coarse, cut, greater},
    testing::{Random, SENTINEL, assert_rows, everywhere, same},
};

const FORMS: [ValueClip; 3] = [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off];

struct Spec {
    loss: f32,
    slope: f32,
    clipped: bool,
}

fn token([v, v_old, ret]: [f32; 3], eps_v: f32, form: ValueClip) -> Spec {
    let e = v - ret;
    let p = e * e;
    let v_clip = clamp(v, v_old - eps_v, v_old + eps_v);
    let f = v_clip - ret;
    let c = f * f;
    let (loss, slope) = match form {
        ValueClip::Max if c > p => (greater(p, c), 0.0),
        ValueClip::Max => (greater(p, c), if c.is_nan() { c } else { 2.0 * e }),
        ValueClip::ClippedOnly if c.is_nan() => (c, c),
        ValueClip::ClippedOnly => (c, if v_clip != v { 0.0 } else { 2.0 * e }),
        ValueClip::Off => (p, 2.0 * e),
    };
    Spec { loss, slope, clipped: c > p }
}

fn operands(batch: &Batch, seed: u64) -> [Vec<Vec<f32>>; 3] {
    let mut random = Random(seed);
    [(); 3].map(|()| batch.rows(|| coarse(&mut random)))
}

#[test]
fn every_backend_follows_the_order() {
    for (i, batch) in Batch::all().iter().enumerate() {
        let (form, agg) = (FORMS[i % 3], AGGS[i % 8]);
        let (half, c) = (if i % 2 == 0 { Half::Yes } else { Half::No }, 0.3);
        let eps_v = if i % 5 == 4 { f32::INFINITY } else { 0.25 };
        let x = operands(batch, i as u64);
        let x = [&x[0][..], &x[1], &x[2]];
        let per_token = batch.each(x, |_, x| token(x, eps_v, form).loss);
        let scale = |row| (batch.weight(row, agg) * c) * half.factor() as f32;
        let grad = batch.each(x, |row, x| token(x, eps_v, form).slope * scale(row));
        let clipped = batch.each(x, |_, x| f32::from(u8::from(token(x, eps_v, form).clipped)));
        let loss = half.factor() as f32 * batch.aggregate(&per_token, agg);
        let clip_frac = clipped.iter().flatten().sum::<f32>() / batch.counts().tokens as f32;
        let laid = x.map(|x| batch.lay(x));
        let mask = batch.mask();
        everywhere("value_loss", |on| {
            let mut room = [(); 2].map(|()| vec![SENTINEL; mask.valid().len()]);
            let [to_loss, to_grad] = &mut room;
            let grad_room = Grad { c: c.into(), to: to_grad };
            let out = ValueOut { per_token: Some(to_loss), grad: Some(grad_room) };
            let got = value_loss(on, &laid[0], &laid[1], &laid[2], &mask, eps_v.into(), form, agg, half, out);
            let got = got.unwrap();
            assert_rows(&format!("{on}, batch {i}, loss"), &mask, &room[0], &per_token);
            assert_rows(&format!("{on}, batch {i}, gradient"), &mask, &room[1], &grad);
            assert!(same(got.loss, loss), "{on}, batch {i}: {} for {loss}", got.loss);
            assert_eq!(got.clip_frac, clip_frac, "{on}, batch {i}");
        });
    }
}

#[test]
fn a_nan_in_any_operand_reaches_the_loss_and_its_own_gradient_alone() {
    let valid = vec![true; 700];
    let mask = Mask::padded(&valid, 1, 700).unwrap();
    everywhere("value_loss", |on| {
        for (form, operand) in FORMS.into_iter().flat_map(|form| (0..3).map(move |operand| (form, operand))) {
            let mut x = [vec![0.5; 700], vec![0.4; 700], vec![0.1; 700]];
            x[operand][600] = f32::NAN;
            let mut grad = vec![SENTINEL; 700];
            let out = ValueOut { grad: Some(Grad { c: 1.0, to: &mut grad }), ..ValueOut::default() };
            let (agg, half) = (Agg::TokenMean, Half::No);
            let got = value_loss(on, &x[0], &x[1], &x[2], &mask, 0.25, form, agg, half, out).unwrap();
            let is_operand = form != ValueClip::Off || operand != 1;
            assert_eq!(got.loss.is_nan(), is_operand, "{on}, {form:?}, operand {operand}: {}", got.loss);
            let nans: Vec<usize> = (0..700).filter(|slot| grad[*slot].is_nan()).collect();
            let want: &[usize] = if is_operand { &[600] } else { &[] };
            assert_eq!(nans, want, "{on}, {form:?}, operand {operand}");
        }
    });
}

#[test]
fn a_batch_cut_into_parts_gives_the_bits_of_the_whole() {
    let (b, t_len) = (19, 150);
    let mut random = Random(5);
    let valid: Vec<bool> = (0..b * t_len).map(|_| !random.flag(3)).collect();
    let x = [(); 3].map(|()| (0..b * t_len).map(|_| random.uniform()).collect::<Vec<f32>>());
    let (form, half) = (ValueClip::Max, Half::Yes);
    for agg in AGGS {
        let run = |rows: core::ops::Range<usize>, whole, grad: &mut [f32]| {
            let at = rows.start * t_len..rows.end * t_len;
            let mask = Mask::padded(&valid[at.clone()], rows.len(), t_len).unwrap();
            let mask = mask.part_of(rows.start as u64, whole);
            let out = ValueOut { grad: Some(Grad { c: 0.5, to: &mut grad[at.clone()] }), per_token: None };
            let [v, v_old, ret] = [0, 1, 2].map(|i| &x[i][at.clone()]);
            value_sums(Backend::best(), v, v_old, ret, &mask, 0.2, form, agg, half, out).unwrap()
        };
        let whole = Mask::padded(&valid, b, t_len).unwrap().counts();
        let mut want_grad = vec![0.0; b * t_len];
        let want = run(0..b, whole, &mut want_grad).finish(agg, half).unwrap();
        for parts in [1, 2, 3, 8] {
            let mut grad = vec![SENTINEL; b * t_len];
            let sums = cut(b, parts).into_iter().map(|rows| run(rows, whole, &mut grad));
            let sums = sums.reduce(|sums, next| sums.merge(next).unwrap()).unwrap();
            let got = sums.finish(agg, half).unwrap();
            assert_eq!(got, want, "{agg:?} in {parts} parts");
            assert_eq!(grad, want_grad, "{agg:?} in {parts} parts");
        }
    }
}

#[test]
fn what_cannot_be_computed_is_refused_in_a_sentence() {
    let on = Backend::best();
    let says = |v: &[f32], valid: &[bool], eps_v: f64| {
        let mask = Mask::padded(valid, 1, 2).unwrap();
        let (form, agg, half) = (ValueClip::Max, Agg::TokenSum, Half::No);
        value_loss(on, v, &[0.0; 2], &[0.0; 2], &mask, eps_v, form, agg, half, ValueOut::default())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        says(&[0.0], &[true; 2], 0.2),
        "value_loss: `v` has 1 elements and must have 2, one per slot of the mask"
    );
    assert_eq!(says(&[0.0; 2], &[true; 2], 0.0), "value_loss: `eps_v` is 0 and must be > 0 (in f32)");
    assert_eq!(
        says(&[0.0; 2], &[false; 2], 0.2),
        "value_loss: `mask` has no valid token to take a mean over"
    );
}
