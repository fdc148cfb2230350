//! How the critic is fitted: `eq:value-clip`, `eq:value-loss`.

use crate::{
    Mask,
    aggregate::{Agg, aggregate, aggregate_grad},
    check,
    nan::{clamp, greater},
    written::square,
};
use nalgebra::DMatrix;

/// Which squared error counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueClip {
    /// The larger of the plain and the clipped one: the post, verl, TRL, OpenRLHF, CleanRL.
    Max,
    /// The clipped one alone, no max: SB3 where a range is set. A value that left the range on the far
    /// side of R has no gradient and stays there.
    ClippedOnly,
    /// The plain one: SB3's default.
    Off,
}

/// Whether ½ stands in front of the value loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// No factor: the post, which leaves it to c_V.
    No,
    /// ½: verl's page, CleanRL, TRL, OpenRLHF.
    Yes,
}

impl Half {
    /// 1 or ½.
    pub fn factor(self) -> f64 {
        match self {
            Half::No => 1.0,
            Half::Yes => 0.5,
        }
    }
}

/// The value loss with what a trainer logs beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueLoss {
    /// L_V, in squared units of the return.
    pub loss: f64,
    /// Share of valid tokens whose clipped error is strictly the larger; always a mean over tokens.
    pub clip_frac: f64,
    /// b × t_len: the squared error of each token, before ½ and aggregation.
    pub per_token: DMatrix<f64>,
}

/// Clipped value loss: per token the worse of two squared errors, then aggregated.
///
/// ```text
/// V_clip,t  = clip(V_t, V_old,t − ε_v, V_old,t + ε_v)                      eq:value-clip
/// L_V       = agg_t max( (V_t − R_t)², (V_clip,t − R_t)² )                 eq:value-loss
///             the first or the second square alone by `ValueClip`; all of it times ½ by `Half::Yes`
/// clip_frac = Σ_b Σ_t [(V_clip,t − R_t)² > (V_t − R_t)²] / n               whatever `form` and `agg` are
/// ```
///
/// | symbol | argument | shape     | is                                                              |
/// |--------|----------|-----------|-----------------------------------------------------------------|
/// | V      | `v`      | b × t_len | what the critic says now                                        |
/// | V_old  | `v_old`  | b × t_len | what it said when the rollout was made; frozen                  |
/// | R      | `ret`    | b × t_len | return, `eq:return`; same unit as the reward                    |
/// | m, n   | `mask`   | b × t_len | 1 where a response token is; n = Σ m                            |
/// | ε_v    | `eps_v`  | 1         | clip radius > 0, in units of the return, *not* the ratio's      |
/// |        | `form`   |           | which squared error counts                                      |
/// |        | `agg`    |           | how tokens become one number, `eq:aggregate`                    |
/// |        | `half`   |           | whether ½ stands in front                                       |
/// | L_V    | result   | 1         | unit of the return, squared; with each token's error, clip_frac |
///
/// The post has no ½ here and leaves it to c_V in `eq:total-loss`: `Half::No`. verl's page and CleanRL
/// put one in front: `Half::Yes`. The page's `vf_clipfrac` is `clip_frac` here, strictly larger, so that
/// a value inside the range, a tie, is not counted. The max does not bound V: it only removes the gradient
/// where V has already moved towards R past the clip. Written as V_old + clip(V − V_old, −ε_v, ε_v), as the post's
/// listing has it, V_clip is the same number rounded elsewhere.
///
/// Source: Roy, "The Full PPO Training Step", § The value loss; Leeroopedia, "Volcengine Verl Compute
/// Value Loss".
/// Book: `value-loss.md`. Fast: `optimized::value_loss`.
///
/// # Panics
///
/// If the shapes differ, `eps_v` is not > 0, no token is valid (`clip_frac` is a mean whatever `agg` is), or as
/// [`aggregate`].
#[doc(alias = "eq:value-clip")]
#[doc(alias = "eq:value-loss")]
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
// ANCHOR: value_loss
pub fn value_loss(
    v: &DMatrix<f64>,
    v_old: &DMatrix<f64>,
    ret: &DMatrix<f64>,
    mask: &Mask,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
) -> ValueLoss {
    check_inputs(v, v_old, ret, mask, eps_v);
    let v_clip = mask.each(|slot| clamp(v[slot], v_old[slot] - eps_v, v_old[slot] + eps_v));
    let plain = mask.each(|slot| square(v[slot] - ret[slot]));
    let clipped = mask.each(|slot| square(v_clip[slot] - ret[slot]));
    let per_token = match form {
        ValueClip::Max => mask.each(|slot| greater(plain[slot], clipped[slot])),
        ValueClip::ClippedOnly => clipped.clone(),
        ValueClip::Off => plain.clone(),
    };
    let taken = mask.each(|slot| f64::from(clipped[slot] > plain[slot]));
    ValueLoss {
        loss: half.factor() * aggregate(&per_token, mask, agg),
        clip_frac: aggregate(&taken, mask, Agg::TokenMean),
        per_token,
    }
}
// ANCHOR_END: value_loss

/// ∂L_V/∂V, b × t_len.
///
/// ```text
/// ∂L_V/∂V_t = ∂agg/∂q_t · slope_t, times ½ by `Half::Yes`
/// max:          slope = 2 (V − R), or 0 where the clipped error is strictly the larger
/// clipped only: slope = 2 (V − R), or 0 where V is strictly outside its range
/// off:          slope = 2 (V − R)
/// ```
///
/// A tie keeps the plain branch: at the bound itself the gradient is 2 (V − R). Arguments as [`value_loss`].
///
/// # Panics
///
/// If the shapes differ, `eps_v` is not > 0, or as [`aggregate_grad`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
// ANCHOR: value_loss_grad
pub fn value_loss_grad(
    v: &DMatrix<f64>,
    v_old: &DMatrix<f64>,
    ret: &DMatrix<f64>,
    mask: &Mask,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
) -> DMatrix<f64> {
    check_inputs(v, v_old, ret, mask, eps_v);
    let share = aggregate_grad(mask, agg);
    mask.each(|slot| {
        let v_clip = clamp(v[slot], v_old[slot] - eps_v, v_old[slot] + eps_v);
        let (err, clip_err) = (v[slot] - ret[slot], v_clip - ret[slot]);
        let flat = match form {
            ValueClip::Max => square(clip_err) > square(err),
            ValueClip::ClippedOnly => v_clip != v[slot],
            ValueClip::Off => false,
        };
        let slope = match form {
            ValueClip::Off => 2.0 * err,
            _ if clip_err.is_nan() => clip_err,
            _ if flat => 0.0,
            _ => 2.0 * err,
        };
        half.factor() * share[slot] * slope
    })
}
// ANCHOR_END: value_loss_grad

fn check_inputs(v: &DMatrix<f64>, v_old: &DMatrix<f64>, ret: &DMatrix<f64>, mask: &Mask, eps_v: f64) {
    let shapes = [("v", v.shape()), ("v_old", v_old.shape()), ("ret", ret.shape())];
    check::shapes("value_loss", mask.shape(), &shapes);
    check::positive("value_loss", "eps_v", eps_v);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// The chapter's two tokens, worked by hand. ε_v = ¼ keeps every number exact.
    #[test]
    fn worked_example() {
        // Token 0 ran 0.5 towards R = 1: plain (0.75−1)² = 1/16, clipped (0.5−1)² = 1/4.
        // Token 1 stayed inside the clip: both are (0.5−0.25)² = 1/16, a tie, not counted.
        // Token 2 is masked: its NaN must not be seen.
        let (v, v_old) = (dmatrix![0.75, 0.5, f64::NAN], dmatrix![0.25, 0.5, 0.0]);
        let (ret, mask) = (dmatrix![1.0, 0.25, 0.0], Mask::from_rows(&[[1, 1, 0]]));
        let form = ValueClip::Max;
        let got = value_loss(&v, &v_old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::No);
        assert_eq!(got.loss, (1.0 / 4.0 + 1.0 / 16.0) / 2.0);
        assert_eq!(got.clip_frac, 0.5);
        let grad = value_loss_grad(&v, &v_old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::Yes);
        assert_eq!(grad, dmatrix![0.0, 0.125, 0.0]);
    }

    /// `f64::max` would drop the NaN of a dead critic and report a healthy loss.
    #[test]
    fn a_nan_in_a_valid_slot_reaches_the_loss_and_its_gradient() {
        let (one, nan, mask) = (dmatrix![1.0], dmatrix![f64::NAN], Mask::full(1, 1));
        for form in [ValueClip::Max, ValueClip::ClippedOnly] {
            for (v, v_old, ret) in [(&nan, &one, &one), (&one, &nan, &one), (&one, &one, &nan)] {
                let loss = value_loss(v, v_old, ret, &mask, 0.2, form, Agg::TokenMean, Half::No).loss;
                let grad = value_loss_grad(v, v_old, ret, &mask, 0.2, form, Agg::TokenMean, Half::No);
                assert!(loss.is_nan() && grad[0].is_nan(), "{form:?}: {loss} {grad}");
            }
        }
    }

    #[test]
    fn without_a_clip_the_old_value_is_no_operand() {
        let (v, ret, mask) = (dmatrix![2.0], dmatrix![1.0], Mask::full(1, 1));
        let v_old = dmatrix![f64::NAN];
        let form = ValueClip::Off;
        assert_eq!(value_loss(&v, &v_old, &ret, &mask, 0.2, form, Agg::TokenMean, Half::Yes).loss, 0.5);
        let grad = value_loss_grad(&v, &v_old, &ret, &mask, 0.2, form, Agg::TokenMean, Half::Yes);
        assert_eq!(grad[0], 1.0);
    }
}
