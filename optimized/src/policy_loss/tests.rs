//! The policy loss against its order, written down a second time.

use super::*;
use crate::{
    ClipFrac, Kl, KlOf,
    lanes::exp_full,
    spec::{AGGS, Batch, clamp, coarse, cut, lesser},
    testing::{Random, SENTINEL, assert_rows, everywhere, same},
};

const PLAIN: PolicyClip = PolicyClip {
    eps_lo: 0.2,
    eps_hi: 0.28,
    c_dual: f64::INFINITY,
    log_ratio_clamp: f64::INFINITY,
    clip_frac: ClipFrac::Effective,
    kl_kind: Kl::K1,
    kl_of: KlOf::Raw,
};

/// Every choice at least once; the second has bounds that ratios of ¼, ½ and 1 meet exactly.
fn clips() -> Vec<PolicyClip> {
    let on_the_bounds = PolicyClip {
        eps_lo: f64::from(1.0 - exp_full(-0.25)),
        eps_hi: f64::from(exp_full(0.25) - 1.0),
        c_dual: f64::from(exp_full(0.5)),
        log_ratio_clamp: 0.75,
        ..PLAIN
    };
    let verl = PolicyClip { c_dual: 3.0, log_ratio_clamp: 20.0, ..PLAIN };
    vec![
        PLAIN,
        on_the_bounds,
        verl,
        PolicyClip { kl_kind: Kl::K3, kl_of: KlOf::Clamped, ..verl },
        PolicyClip { kl_kind: Kl::K3, kl_of: KlOf::Raw, ..on_the_bounds },
        PolicyClip { kl_kind: Kl::K2, kl_of: KlOf::Clamped, clip_frac: ClipFrac::SignBlind, ..on_the_bounds },
        PolicyClip { kl_kind: Kl::Abs, clip_frac: ClipFrac::Signed, ..on_the_bounds },
        PolicyClip { eps_lo: 1.0, eps_hi: f64::INFINITY, kl_kind: Kl::K3, ..PLAIN },
        PolicyClip { eps_lo: 2.5, log_ratio_clamp: 200.0, clip_frac: ClipFrac::Signed, ..verl },
    ]
}

#[derive(Clone, Copy)]
struct Spec {
    loss: f32,
    ratio: f32,
    slope: f32,
    kl: f32,
    clipped: bool,
    lower: bool,
}

fn token([logp, logp_old, adv]: [f32; 3], clip: &PolicyClip) -> Spec {
    let [eps_lo, eps_hi, c_dual, bound] =
        [clip.eps_lo, clip.eps_hi, clip.c_dual, clip.log_ratio_clamp].map(|x| x as f32);
    let (lo, hi) = (1.0 - eps_lo, 1.0 + eps_hi);
    let d = logp - logp_old;
    let clamped = d > bound || d < -bound;
    let within = clamp(d, -bound, bound);
    let ratio = exp_full(within);
    let (s1, s2) = (ratio * adv, clamp(ratio, lo, hi) * adv);
    let mut loss = -lesser(s1, s2);
    let mut lower = false;
    if adv < 0.0 {
        let b = -(adv * c_dual);
        lower = b < loss;
        loss = lesser(loss, b);
    }
    let k1 = if clip.kl_of == KlOf::Raw { -d } else { -within };
    Spec {
        loss,
        ratio,
        slope: if !s1.is_nan() && (s2 < s1 || lower || clamped) { 0.0 } else { -s1 },
        kl: match clip.kl_kind {
            Kl::K1 => k1,
            Kl::Abs => k1.abs(),
            Kl::K2 => (k1 * k1) * 0.5,
            Kl::K3 => (exp_full(-k1) - 1.0) + k1,
        },
        clipped: match clip.clip_frac {
            ClipFrac::Effective => s2 < s1,
            ClipFrac::SignBlind => ratio < lo || ratio > hi,
            ClipFrac::Signed => (ratio < lo && adv < 0.0) || (ratio > hi && adv > 0.0),
        },
        lower,
    }
}

/// log π, log π_old, Â and w; in every third batch the log-ratios stay where the shorter exp is used, and in
/// every other third they leave it now and then.
fn operands(batch: &Batch, seed: u64) -> [Vec<Vec<f32>>; 4] {
    let mut random = Random(seed);
    let logp = |random: &mut Random| match seed % 3 {
        0 => random.index(9) as f32 * 0.25 - 1.0,
        1 if random.flag(300) => 150.0 * random.uniform(),
        1 => random.uniform(),
        _ => coarse(random),
    };
    let first = [(); 2].map(|()| batch.rows(|| logp(&mut random)));
    let [logp, logp_old] = first;
    let [adv, weights] = [(); 2].map(|()| batch.rows(|| coarse(&mut random)));
    [logp, logp_old, adv, weights]
}

#[test]
fn every_backend_follows_the_order() {
    let clips = clips();
    for (i, batch) in Batch::all().iter().enumerate() {
        for (j, clip) in clips.iter().enumerate().filter(|(j, _)| (i + j) % 3 != 0) {
            follows_the_order(batch, clip, AGGS[(i + j) % 8], (i * 9 + j) as u64, j % 2 == 0);
        }
    }
}

fn follows_the_order(batch: &Batch, clip: &PolicyClip, agg: Agg, seed: u64, weighted: bool) {
    let x = operands(batch, seed);
    let x = [&x[0][..], &x[1], &x[2], &x[3]];
    let c = -0.7;
    let of = |[logp, logp_old, adv, w]: [f32; 4]| (token([logp, logp_old, adv], clip), w);
    let per_token = batch.each(x, |_, x| if weighted { of(x).0.loss * of(x).1 } else { of(x).0.loss });
    let ratio = batch.each(x, |_, x| of(x).0.ratio);
    let grad = batch.each(x, |row, x| {
        let grad = of(x).0.slope * (batch.weight(row, agg) * c);
        if weighted { grad * of(x).1 } else { grad }
    });
    let share = |counts: &dyn Fn(Spec) -> bool| {
        let ones = batch.each(x, |_, x| f32::from(u8::from(counts(of(x).0))));
        ones.iter().flatten().sum::<f32>() / batch.counts().tokens as f32
    };
    let shares = (share(&|token| token.clipped), share(&|token| token.lower));
    let loss = batch.aggregate(&per_token, agg);
    let kl = batch.aggregate(&batch.each(x, |_, x| of(x).0.kl), Agg::TokenMean);
    let laid = x.map(|x| batch.lay(x));
    let mask = batch.mask();
    everywhere("policy_loss", |on| {
        let mut room = [(); 3].map(|()| vec![SENTINEL; mask.valid().len()]);
        let [to_loss, to_ratio, to_grad] = &mut room;
        let grad_room = Some(Grad { c: c.into(), to: to_grad });
        let out = PolicyOut { per_token: Some(to_loss), ratio: Some(to_ratio), grad: grad_room };
        let weights = weighted.then_some(&laid[3][..]);
        let got = policy_loss(on, &laid[0], &laid[1], &laid[2], &mask, weights, clip, agg, out).unwrap();
        let what = format!("{on}, seed {seed}, {clip:?}");
        assert_rows(&format!("{what}, loss"), &mask, &room[0], &per_token);
        assert_rows(&format!("{what}, ratio"), &mask, &room[1], &ratio);
        assert_rows(&format!("{what}, gradient"), &mask, &room[2], &grad);
        assert!(same(got.loss, loss), "{what}: {} for {loss}", got.loss);
        assert!(same(got.approx_kl, kl), "{what}: {} for {kl}", got.approx_kl);
        assert_eq!((got.clip_frac, got.clip_frac_lower), shares, "{what}");
    });
}

#[test]
fn a_nan_in_any_operand_reaches_the_loss_and_its_own_gradient_alone() {
    let valid = vec![true; 700];
    let mask = Mask::padded(&valid, 1, 700).unwrap();
    everywhere("policy_loss", |on| {
        for (clip, operand) in clips().iter().flat_map(|clip| (0..4).map(move |operand| (clip, operand))) {
            let mut x = [vec![0.5; 700], vec![0.4; 700], vec![0.1; 700], vec![1.0; 700]];
            x[operand][600] = f32::NAN;
            let mut grad = vec![SENTINEL; 700];
            let out = PolicyOut { grad: Some(Grad { c: 1.0, to: &mut grad }), ..PolicyOut::default() };
            let agg = Agg::TokenMean;
            let got = policy_loss(on, &x[0], &x[1], &x[2], &mask, Some(&x[3]), clip, agg, out).unwrap();
            assert!(got.loss.is_nan(), "{on}, operand {operand}, {clip:?}: {}", got.loss);
            assert_eq!(got.approx_kl.is_nan(), operand < 2, "{on}, operand {operand}, {clip:?}");
            let nans: Vec<usize> = (0..700).filter(|slot| grad[*slot].is_nan()).collect();
            assert_eq!(nans, [600], "{on}, operand {operand}, {clip:?}");
        }
    });
}

#[test]
fn a_batch_cut_into_parts_gives_the_bits_of_the_whole() {
    let (b, t_len) = (19, 150);
    let mut random = Random(5);
    let valid: Vec<bool> = (0..b * t_len).map(|_| !random.flag(3)).collect();
    let x = [(); 4].map(|()| (0..b * t_len).map(|_| random.uniform()).collect::<Vec<f32>>());
    let clip = PolicyClip { c_dual: 1.5, kl_kind: Kl::K3, ..PLAIN };
    for agg in AGGS {
        let run = |rows: core::ops::Range<usize>, whole, grad: &mut [f32]| {
            let at = rows.start * t_len..rows.end * t_len;
            let mask = Mask::padded(&valid[at.clone()], rows.len(), t_len).unwrap();
            let mask = mask.part_of(rows.start as u64, whole);
            let grad = Some(Grad { c: 0.5, to: &mut grad[at.clone()] });
            let out = PolicyOut { grad, ..PolicyOut::default() };
            let [logp, logp_old, adv, w] = [0, 1, 2, 3].map(|i| &x[i][at.clone()]);
            let on = Backend::best();
            let sums = policy_sums(on, logp, logp_old, adv, &mask, Some(w), &clip, agg, out).unwrap();
            let bits = serde_json::to_string(&sums).unwrap();
            serde_json::from_str::<PolicySums>(&bits).unwrap()
        };
        let whole = Mask::padded(&valid, b, t_len).unwrap().counts();
        let mut want_grad = vec![0.0; b * t_len];
        let want = run(0..b, whole, &mut want_grad).finish(agg).unwrap();
        assert!(want.clip_frac > 0.0 && want.clip_frac_lower > 0.0, "{want:?}");
        for parts in [1, 2, 3, 8] {
            let mut grad = vec![SENTINEL; b * t_len];
            let sums = cut(b, parts).into_iter().map(|rows| run(rows, whole, &mut grad));
            let sums = sums.reduce(|sums, next| sums.merge(next).unwrap()).unwrap();
            assert_eq!(sums.finish(agg).unwrap(), want, "{agg:?} in {parts} parts");
            assert_eq!(grad, want_grad, "{agg:?} in {parts} parts");
        }
    }
}

#[test]
fn a_radius_that_is_nothing_in_f32_is_refused() {
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    let says = |clip: PolicyClip| {
        let out = PolicyOut::default();
        policy_loss(Backend::best(), &[0.0], &[0.0], &[0.0], &mask, None, &clip, Agg::TokenMean, out)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        says(PolicyClip { eps_lo: 0.0, ..PLAIN }),
        "policy_loss: `eps_lo` is 0 and must be > 0 (in f32)"
    );
    assert_eq!(
        says(PolicyClip { c_dual: 1.000_000_001, ..PLAIN }),
        "policy_loss: `c_dual` is 1.000000001 and must be > 1 (in f32)"
    );
}
