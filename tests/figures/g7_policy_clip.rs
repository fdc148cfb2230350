//! G7: the policy loss of one token, A = ±1, ε = .2, dual clip c = 3, and what each clip fraction counts.

use crate::{
    fixtures::{SUM, post_clip},
    printed::exactly,
};
use nalgebra::dmatrix;
use reference::{
    ClipFrac, Mask, PolicyClip,
    policy_loss::{PolicyLoss, policy_loss, policy_loss_grad},
};

const RATIOS: [f64; 3] = [0.5, 1.5, 4.0];

fn of(adv: f64, ratio: f64, clip: PolicyClip) -> PolicyLoss {
    let (logp, old, mask) = (dmatrix![ratio.ln()], dmatrix![0.0], Mask::full(1, 1));
    policy_loss(&logp, &old, &dmatrix![adv], &mask, None, &clip, SUM)
}

fn dual() -> PolicyClip {
    PolicyClip { c_dual: 3.0, ..post_clip() }
}

#[test]
fn a_good_token_is_paid_up_to_the_clip_and_no_further() {
    exactly(of(1.0, 0.5, post_clip()).loss, -0.5);
    exactly(of(1.0, 1.5, post_clip()).loss, -1.2);
}

#[test]
fn a_bad_token_costs_more_the_likelier_it_becomes_without_limit() {
    exactly(of(-1.0, 0.5, post_clip()).loss, 0.8);
    exactly(of(-1.0, 1.5, post_clip()).loss, 1.5);
    exactly(of(-1.0, 4.0, post_clip()).loss, 4.0);
}

#[test]
fn the_dual_clip_is_that_limit() {
    let got = of(-1.0, 4.0, dual());
    exactly(got.loss, 3.0);
    assert_eq!(got.clip_frac_lower, 1.0);
    assert_eq!(of(-1.0, 1.5, dual()).clip_frac_lower, 0.0);
    exactly(of(-1.0, 1.5, dual()).loss, 1.5);
}

/// B64, tianshou #433: the dual clip must not touch a positive advantage.
#[test]
fn the_dual_clip_leaves_a_good_token_alone() {
    for ratio in [0.5, 1.5, 5.0] {
        assert_eq!(of(1.0, ratio, dual()).loss, of(1.0, ratio, post_clip()).loss);
        assert_eq!(of(1.0, ratio, dual()).clip_frac_lower, 0.0);
    }
}

#[test]
fn the_effective_clip_fraction_counts_tokens_whose_gradient_is_gone() {
    let flags = |adv| RATIOS.map(|ratio| of(adv, ratio, post_clip()).clip_frac);
    assert_eq!(flags(1.0), [0.0, 1.0, 1.0]);
    assert_eq!(flags(-1.0), [1.0, 0.0, 0.0]);
    for adv in [1.0, -1.0] {
        for ratio in RATIOS {
            let (logp, old, adv) = (dmatrix![ratio.ln()], dmatrix![0.0], dmatrix![adv]);
            let mask = Mask::full(1, 1);
            let grad = policy_loss_grad(&logp, &old, &adv, &mask, None, &post_clip(), SUM)[0];
            let counted = of(adv[0], ratio, post_clip()).clip_frac == 1.0;
            exactly(grad, if counted { 0.0 } else { -ratio * adv[0] });
        }
    }
}

#[test]
fn the_sign_blind_clip_fraction_counts_every_ratio_outside_its_range() {
    let blind = PolicyClip { clip_frac: ClipFrac::SignBlind, ..post_clip() };
    for adv in [1.0, -1.0] {
        assert_eq!(RATIOS.map(|ratio| of(adv, ratio, blind).clip_frac), [1.0, 1.0, 1.0]);
        assert_eq!(of(adv, 1.1, blind).clip_frac, 0.0);
    }
}

/// Liger's signed fraction is the effective one, said by ratio and sign.
#[test]
fn the_signed_clip_fraction_agrees_with_the_effective_one() {
    let signed = PolicyClip { clip_frac: ClipFrac::Signed, ..post_clip() };
    for adv in [1.0, -1.0] {
        for ratio in [0.5, 0.79, 0.81, 1.19, 1.21, 1.5, 4.0] {
            assert_eq!(of(adv, ratio, signed).clip_frac, of(adv, ratio, post_clip()).clip_frac);
        }
    }
    for ratio in RATIOS {
        assert_eq!(of(0.0, ratio, signed).clip_frac, 0.0, "an advantage of 0 has no sign");
    }
}

/// The range of a ratio has its bounds in it. 1 − (1 − ρ) and 1 + (ρ − 1) are ρ to the bit within a factor of two
/// of 1.
#[test]
fn a_ratio_on_a_bound_is_not_outside() {
    for kind in [ClipFrac::Effective, ClipFrac::SignBlind, ClipFrac::Signed] {
        for (adv, ratio) in [(1.0, 1.25), (1.0, 0.75), (-1.0, 1.25), (-1.0, 0.75)] {
            let ratio = of(adv, ratio, post_clip()).ratio[0];
            let eps = (ratio - 1.0).abs();
            let on_it = PolicyClip { eps_lo: eps, eps_hi: eps, clip_frac: kind, ..post_clip() };
            assert_eq!(of(adv, ratio, on_it).ratio[0], ratio);
            assert_eq!(of(adv, ratio, on_it).clip_frac, 0.0, "{kind:?}, {adv}, {ratio}");
        }
    }
}
