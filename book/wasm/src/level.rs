//! The widget of the returns: a critic that is fitted to them, round after round.

use crate::{Answer, Reader};
use nalgebra::DMatrix;
use reference::{
    Agg, Ends, Listing, Mask, Settings,
    aggregate::aggregate,
    step::{Rollout, rollout_phase},
};

/// Tokens of each response.
const T_LEN: usize = 4;

/// Mean V and mean target of a critic that moves a share of the way to its targets each round, with returns from the
/// raw advantages, and from the whitened ones as the post's listing has it.
///
/// In: `rounds`, `share` in \[0, 1\], `gamma`, `lambda`, `v_0` (what the critic says at first, everywhere), and the
/// list of `scores`, one for each response of four tokens.
/// Out: \[mean score\]; mean V and mean R of each round from the raw advantages; the same from the whitened.
///
/// # Errors
///
/// If the input is not that.
pub fn level(mut input: Reader<'_>) -> Answer {
    let rounds = input.count("rounds", 1, 200)?;
    let share = input.discount("share")?;
    let (gamma, lambda) = (input.discount("gamma")?, input.discount("lambda")?);
    let v_0 = input.finite("v_0")?;
    let scores = input.list("scores")?;
    input.end()?;
    if scores.len() > 64 {
        return input.wrong(&format!("`scores` has {} entries, and a batch here at most 64", scores.len()));
    }

    let b = scores.len();
    let scores = DMatrix::from_column_slice(b, 1, &scores);
    let mean_score = aggregate(&scores, &Mask::full(b, 1), Agg::TokenMean);
    let fit = |returns_from_whitened: bool| {
        let listing = Listing { returns_from_whitened, ..Listing::CORRECTED };
        let settings = Settings { gamma, lambda, listing, ..Settings::default() };
        fitted(&scores, v_0, share, rounds, &settings)
    };
    let ((v, ret), (v_whitened, ret_whitened)) = (fit(false), fit(true));
    Ok(vec![vec![mean_score], v, ret, v_whitened, ret_whitened])
}

/// Mean V and mean R of each round.
fn fitted(
    scores: &DMatrix<f64>,
    v_0: f64,
    share: f64,
    rounds: usize,
    settings: &Settings,
) -> (Vec<f64>, Vec<f64>) {
    let b = scores.nrows();
    let (mask, zeros) = (Mask::full(b, T_LEN), DMatrix::zeros(b, T_LEN));
    let mut v = DMatrix::from_element(b, T_LEN, v_0);
    let (mut means, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let rollout = Rollout {
            mask: mask.clone(),
            attended: None,
            scores: scores.clone(),
            logp_old: zeros.clone(),
            logp_ref: None,
            v_old: v.clone(),
            ends: Ends::stop(b, T_LEN),
            weights: None,
        };
        let ret = rollout_phase(&rollout, settings).ret;
        means.push(aggregate(&v, &mask, Agg::TokenMean));
        targets.push(aggregate(&ret, &mask, Agg::TokenMean));
        v = v.zip_map(&ret, |v, ret| v + share * (ret - v));
    }
    (means, targets)
}

#[cfg(test)]
mod tests {
    use crate::call;

    #[test]
    fn nothing_pulls_the_level_of_a_critic_whose_targets_are_whitened() {
        let input = [60.0, 0.5, 1.0, 0.95, 0.25, 4.0, 1.0, 0.5, 0.75, 0.0];
        let [score, v, ret, v_whitened, ret_whitened] = call("level", &input).unwrap().try_into().unwrap();
        assert_eq!((score[0], v.len(), ret.len()), (0.5625, 60, 60));
        assert_eq!((v[0], v_whitened[0]), (0.25, 0.25));
        assert_eq!(v[1], 0.5 * (v[0] + ret[0]), "half of the way in a round");
        assert!((v[59] - score[0]).abs() < 1e-6, "{v:?}");
        for round in 0..60 {
            // Whitened advantages have mean 0: 16 of them, each at most 4, sum to it within their roundings.
            assert!((v_whitened[round] - 0.25).abs() < 1e-12 && (ret_whitened[round] - 0.25).abs() < 1e-12);
        }
    }
}
