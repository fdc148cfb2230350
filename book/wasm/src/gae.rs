//! The widget of GAE: one row, with a gap and what it does.

use crate::{
    Answer, Reader,
    read::{flat, row},
};
use nalgebra::{DMatrix, DVector, dvector};
use reference::{
    Ends, Gap, Mask,
    gae::{gae as advantages, td_residual},
    returns::returns,
};

/// δ, Â and R of one row, and the weight of each δ in each Â.
///
/// In: `gap` (Skip, Decay, Cut), `gamma`, `lambda`, `v_last`, the lists `r`, `v`, `mask` of t_len entries.
/// Out: δ, Â, R, and t_len × t_len weights, row t holding how often each δ_s is in Â_t: (γλ)^l, or 0.
///
/// Under Decay a masked slot between two tokens is a step of its own, whose residual is summed though the reference
/// shows +0 for it. The list δ holds that residual, so that the weighted δ add up to Â under each convention.
///
/// # Errors
///
/// If the input is not that.
pub fn gae(mut input: Reader<'_>) -> Answer {
    let gap = input.choice("gap", &[Gap::Skip, Gap::Decay, Gap::Cut])?;
    let gamma = input.discount("gamma")?;
    let lambda = dvector![input.discount("lambda")?];
    let v_last = input.finite("v_last")?;
    let r = row(&input.list("r")?);
    let t_len = r.ncols();
    let v = row(&input.list_of("v", t_len, "r")?);
    let mask = input.mask("mask", t_len, "r")?;
    input.end()?;
    if t_len > 64 {
        return input.wrong(&format!("`r` has {t_len} entries, and a row here at most 64"));
    }

    let ends = Ends::after(dvector![v_last], t_len);
    let delta = match gap {
        Gap::Decay => {
            let stepped = stepped(&mask);
            td_residual(&mask.keep(&r), &mask.keep(&v), &stepped, &ends, gap, gamma)
        }
        _ => td_residual(&r, &v, &mask, &ends, gap, gamma),
    };
    let adv = advantages(&r, &v, &mask, &ends, gap, gamma, &lambda);
    let ret = returns(&adv, &v, &mask);
    Ok(vec![flat(&delta), flat(&adv), flat(&ret), weights(&mask, gap, gamma, &lambda)])
}

/// The mask with the slots between its first and its last token valid: the steps that Decay takes.
fn stepped(mask: &Mask) -> Mask {
    let tokens = mask.tokens_of(0);
    let between = |t: usize| tokens.first() <= Some(&t) && Some(&t) <= tokens.last();
    Mask::new(DMatrix::from_fn(1, mask.shape().1, |_, t| between(t)))
}

/// The reference says the weights itself: where V is 0 everywhere, r is δ, and Â of a single 1 is its weight.
fn weights(mask: &Mask, gap: Gap, gamma: f64, lambda: &DVector<f64>) -> Vec<f64> {
    let t_len = mask.shape().1;
    let steps = if gap == Gap::Decay { stepped(mask) } else { mask.clone() };
    let (nothing, ends) = (DMatrix::zeros(1, t_len), Ends::stop(1, t_len));
    let columns: Vec<DMatrix<f64>> = (0..t_len)
        .map(|s| {
            let one = DMatrix::from_fn(1, t_len, |_, t| f64::from(t == s));
            mask.keep(&advantages(&one, &nothing, &steps, &ends, gap, gamma, lambda))
        })
        .collect();
    (0..t_len).flat_map(|t| columns.iter().map(move |column| column[(0, t)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call;
    use nalgebra::dmatrix;

    fn input(gap: f64) -> Vec<f64> {
        let r = [5.0, 0.5, 0.0, 9.0, 0.0, 2.0];
        let v = [5.0, 0.25, 1.0, 9.0, -0.5, 0.75, 0.5];
        let mask = [5.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        [&[gap, 0.9, 0.8, v[6]][..], &r, &v[..6], &mask].concat()
    }

    #[test]
    fn the_numbers_are_the_reference_s_and_the_shares_add_up_to_them() {
        let (r, v) = (dmatrix![0.5, 0.0, f64::NAN, 0.0, 2.0], dmatrix![0.25, 1.0, f64::NAN, -0.5, 0.75]);
        let (mask, ends) = (Mask::from_rows(&[[1, 1, 0, 1, 1]]), Ends::after(dvector![0.5], 5));
        for (place, gap) in [Gap::Skip, Gap::Decay, Gap::Cut].into_iter().enumerate() {
            let got = call("gae", &input(place as f64)).unwrap();
            let [delta, adv, ret, weight] = got.try_into().unwrap();
            assert_eq!(adv, flat(&advantages(&r, &v, &mask, &ends, gap, 0.9, &dvector![0.8])), "{gap:?}");
            let shown = td_residual(&r, &v, &mask, &ends, gap, 0.9);
            assert_eq!(mask.keep(&row(&delta)), shown, "{gap:?}");
            assert_eq!(ret, flat(&returns(&row(&adv), &v, &mask)));
            for t in 0..5 {
                let shares = (0..5).map(|s| weight[5 * t + s] * delta[s]);
                assert_eq!(reference::written::sum(shares), adv[t], "{gap:?} {t}");
            }
        }
    }

    #[test]
    fn a_gap_that_decays_has_a_residual_of_its_own() {
        let delta = &call("gae", &input(1.0)).unwrap()[0];
        assert_eq!(delta[2], 0.9 * -0.5);
        assert_eq!(call("gae", &input(0.0)).unwrap()[0][2], 0.0);
    }
}
