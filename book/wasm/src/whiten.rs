//! The widget of whitening.

use crate::{
    Answer, Reader,
    read::{flat, row},
};
use reference::{
    EpsAt, Mask, ShiftMean, Variance, Whitening,
    whiten::{Whitened, whiten as whitened},
};

/// Advantages before and after whitening, over the valid tokens and over every slot.
///
/// In: `variance` (Population, Sample), `eps_at` (Std, UnderRoot, VarFloor), `eps_w`, the lists `adv` and `mask`.
/// Out: \[μ, σ²\], Âʷ, \[mean, variance\] of Âʷ over the valid tokens; then Âʷ if padding were counted.
///
/// # Errors
///
/// If the input is not that.
pub fn whiten(mut input: Reader<'_>) -> Answer {
    let how = Whitening {
        variance: input.choice("variance", &[Variance::Population, Variance::Sample])?,
        eps_at: input.choice("eps_at", &[EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor])?,
        eps_w: input.not_negative("eps_w")?,
        shift_mean: ShiftMean::Yes,
    };
    let adv = row(&input.list("adv")?);
    let mask = input.mask("mask", adv.ncols(), "adv")?;
    input.end()?;

    let Whitened { adv: after, mean, var } = whitened(&adv, &mask, how);
    let again = whitened(&after, &mask, how);
    let unmasked = whitened(&adv, &Mask::full(1, adv.ncols()), how);
    Ok(vec![vec![mean, var], flat(&after), vec![again.mean, again.var], flat(&unmasked.adv)])
}

#[cfg(test)]
mod tests {
    use crate::call;

    /// 1, 3, 5 with a slot of padding: μ = 3, σ² = 8/2, and 9.0 is not seen.
    #[test]
    fn worked_example() {
        let got = call("whiten", &[1.0, 0.0, 0.0, 4.0, 1.0, 3.0, 5.0, 9.0, 4.0, 1.0, 1.0, 1.0, 0.0]).unwrap();
        assert_eq!(got[..3], [vec![3.0, 4.0], vec![-1.0, 0.0, 1.0, 0.0], vec![0.0, 1.0]]);
        assert!(got[3][3] > 1.0, "counted as a token, the padding is the largest: {:?}", got[3]);
    }

    /// One token and n − 1 is 0/0: a NaN and no trap.
    #[test]
    fn one_token_has_no_sample_variance() {
        let got = call("whiten", &[1.0, 0.0, 0.0, 2.0, 1.0, 3.0, 2.0, 1.0, 0.0]).unwrap();
        assert!(got[0][1].is_nan() && got[1][0].is_nan());
    }
}
