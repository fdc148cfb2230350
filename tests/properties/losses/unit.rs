//! What another unit of reward does to the value loss.

use crate::case::Case;
use reference::{Agg, Ends, Half, ValueClip, gae::gae, returns::returns, value_loss::value_loss};

/// Rewards, values and ε_v times `scale`, from rewards to value loss.
fn scaled(case: &Case, scale: f64, eps_v: f64) -> reference::value_loss::ValueLoss {
    let e = case.episode();
    let [r, v, v_boot] = [&e.r, &e.v, &e.ends.v_boot].map(|x| x * scale);
    let ends = Ends { v_last: &e.ends.v_last * scale, v_boot, ..e.ends };
    let adv = gae(&r, &v, &e.mask, &ends, case.gap, case.gamma, &e.lambda);
    let ret = returns(&adv, &v, &e.mask);
    let now = &v + case.matrix(7) * (0.5 * scale);
    value_loss(&now, &v, &ret, &e.mask, eps_v, ValueClip::Max, Agg::TokenMean, Half::No)
}

property! {
    /// In units of 1/8 or of 16 of the reward, powers of two, every step is exact: L_V goes with the square
    /// and no clip flag moves, to the last bit.
    fn a_new_unit_of_reward_scales_the_value_loss_by_its_square(case) {
        for unit in [0.125, 16.0].into_iter().filter(|_| case.m().count() > 0) {
            let (a, b) = (scaled(case, 1.0, 0.25), scaled(case, unit, 0.25 * unit));
            ensure!(a.loss * unit * unit == b.loss, "L_V {:e} becomes {:e}", a.loss, b.loss);
            ensure!(a.clip_frac == b.clip_frac, "flags {} become {}", a.clip_frac, b.clip_frac);
        }
    }
}

/// The ratio's radius taken for the value's is a radius in the wrong unit: with rewards in cents it clips
/// nearly everything.
#[test]
fn a_radius_left_in_the_old_unit_clips_other_tokens() {
    let text =
        "b=2 t=8 mask=11111111/11111111 ends=......../........ seed=3 gap=skip gamma=0.9 lambda=0.8/0.8 k=0";
    let case: Case = text.parse().unwrap();
    let (a, b) = (scaled(&case, 1.0, 0.25), scaled(&case, 128.0, 0.25));
    assert!(b.clip_frac > a.clip_frac, "{} {}", a.clip_frac, b.clip_frac);
    assert!(a.loss * 128.0 * 128.0 != b.loss);
}
