//! The widget of the value loss: one token, and the curve that it lies on.

use crate::{
    Answer, Reader,
    read::{flat, row},
};
use reference::{
    Agg, Half, Mask, ValueClip,
    nan::clamp,
    value_loss::{value_loss, value_loss_grad},
};

/// Loss and gradient of one token, and along a range of V.
///
/// In: `v`, `v_old`, `ret`, `eps_v`, `form` (Max, ClippedOnly, Off), `half` (No, Yes), and the range of V as `from`,
/// `to`, `points`.
/// Out: \[loss, ∂loss/∂V, clipped, V_clip, (V − R)², (V_clip − R)²\] of the token, clipped being 0 or 1; then V, loss
/// and ∂loss/∂V along the range.
///
/// # Errors
///
/// If the input is not that.
pub fn value_clip(mut input: Reader<'_>) -> Answer {
    let (v, v_old, ret) = (input.finite("v")?, input.finite("v_old")?, input.finite("ret")?);
    let eps_v = input.positive("eps_v")?;
    let form = input.choice("form", &[ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off])?;
    let half = input.choice("half", &[Half::No, Half::Yes])?;
    let range = input.range("v")?;
    input.end()?;

    let at = |v: &[f64], form: ValueClip| {
        let (n, v) = (v.len(), row(v));
        let (old, ret, mask) = (v.map(|_| v_old), v.map(|_| ret), Mask::full(1, n));
        let loss = value_loss(&v, &old, &ret, &mask, eps_v, form, Agg::TokenSum, half);
        let grad = value_loss_grad(&v, &old, &ret, &mask, eps_v, form, Agg::TokenSum, half);
        (loss, flat(&grad))
    };
    let (one, one_grad) = at(&[v], form);
    let square = |form| at(&[v], form).0.per_token[(0, 0)];
    let (curve, curve_grad) = at(&range, form);
    Ok(vec![
        vec![
            one.loss,
            one_grad[0],
            one.clip_frac,
            clamp(v, v_old - eps_v, v_old + eps_v),
            square(ValueClip::Off),
            square(ValueClip::ClippedOnly),
        ],
        range,
        curve.per_token.iter().map(|error| half.factor() * error).collect(),
        curve_grad,
    ])
}

#[cfg(test)]
mod tests {
    use crate::call;

    /// The chapter's token: V_old = ¼, R = 1, ε_v = ¼, and V has run to ¾.
    fn token(form: f64, half: f64) -> Vec<f64> {
        call("value_clip", &[0.75, 0.25, 1.0, 0.25, form, half, 0.0, 1.0, 5.0]).unwrap().swap_remove(0)
    }

    #[test]
    fn worked_example() {
        assert_eq!(token(0.0, 0.0), [0.25, 0.0, 1.0, 0.5, 0.0625, 0.25]);
        assert_eq!(token(1.0, 0.0)[..2], [0.25, 0.0]);
        assert_eq!(token(2.0, 0.0)[..2], [0.0625, -0.5]);
        assert_eq!(token(2.0, 1.0)[..2], [0.03125, -0.25]);
    }

    #[test]
    fn the_curve_goes_through_its_tokens() {
        let got = call("value_clip", &[0.75, 0.25, 1.0, 0.25, 0.0, 1.0, 0.0, 1.0, 5.0]).unwrap();
        assert_eq!(got[1], [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!((got[2][3], got[3][3]), (token(0.0, 1.0)[0], token(0.0, 1.0)[1]));
    }
}
