//! Advantages on one scale: `eq:whiten`.

use crate::{
    Mask, check,
    nan::greater,
    written::{number, square},
};
use nalgebra::DMatrix;

/// What the squared deviations are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variance {
    /// n: OpenRLHF, open-instruct.
    Population,
    /// n − 1, torch's `std`: the post, verl, TRL, NeMo-RL, CleanRL, SB3. The sample variance becomes 1, not the
    /// population's.
    Sample,
}

/// Where ε_w keeps the division from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpsAt {
    /// σ + ε_w: the post, CleanRL, SB3.
    Std,
    /// √(σ² + ε_w): verl, TRL, NeMo-RL.
    UnderRoot,
    /// √max(σ², ε_w): OpenRLHF.
    VarFloor,
}

/// Whether the mean is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShiftMean {
    /// The result has mean 0.
    Yes,
    /// The mean is added back (rewards keep their sign, TRL's `whiten_rewards`).
    No,
}

/// The choices of [`whiten`]; unmasked whitening is `whiten` with [`Mask::full`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whitening {
    /// n or n − 1.
    pub variance: Variance,
    /// Where ε_w goes.
    pub eps_at: EpsAt,
    /// ε_w ≥ 0.
    pub eps_w: f64,
    /// Whether the mean is taken away.
    pub shift_mean: ShiftMean,
}

/// Whitened advantages with the statistics they were made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitened {
    /// b × t_len, dimensionless; +0 in masked slots.
    pub adv: DMatrix<f64>,
    /// μ over the valid tokens.
    pub mean: f64,
    /// σ² over the valid tokens.
    pub var: f64,
}

/// Advantages with mean 0 and variance 1 over the valid tokens of the whole batch.
///
/// ```text
/// Âʷ_t = (Â_t − μ) / (σ + ε_w)                                             eq:whiten
/// μ = Σ_b Σ_t Â_t / n        σ² = Σ_b Σ_t (Â_t − μ)² / (n − 1)
/// ```
///
/// | symbol | argument | shape     | is                                                                              |
/// |--------|----------|-----------|---------------------------------------------------------------------------------|
/// | Â      | `adv`    | b × t_len | `eq:gae`                                                                        |
/// | m, n   | `mask`   | b × t_len | 1 where a response token is; n = Σ m                                            |
/// | ε_w    | `how`    |           | its size and place, n or n − 1, mean shifted or kept: [`Whitening`]             |
/// | Âʷ     | result   | b × t_len | no unit; +0 in masked slots; beside it μ and σ² in the unit of Â and its square |
///
/// The sums run over the valid tokens of the whole batch; the post's run over every slot, and CleanRL and SB3 whiten
/// each minibatch alone. n = 1 with the sample variance is 0/0: NaN, as in torch; with the population variance it
/// is 0 where ε_w > 0.
///
/// Source: Roy, "The Full PPO Training Step", § GAE: where the advantages come from, and the listing
/// (`(advantages - advantages.mean()) / (advantages.std() + 1e-8)`).
/// Book: `whiten.md`. Fast: `optimized::whiten`.
///
/// # Panics
///
/// If the shapes differ, no token is valid, or ε_w is not ≥ 0.
#[doc(alias = "eq:whiten")]
// ANCHOR: whiten
pub fn whiten(adv: &DMatrix<f64>, mask: &Mask, how: Whitening) -> Whitened {
    check_inputs(adv, mask, how);
    let n = number(mask.count());
    let mean = mask.sum(adv) / n;
    let squares = mask.sum(&mask.each(|slot| square(adv[slot] - mean)));
    let var = match how.variance {
        Variance::Population => squares / n,
        Variance::Sample => squares / (n - 1.0),
    };
    let scale = match how.eps_at {
        EpsAt::Std => var.sqrt() + how.eps_w,
        EpsAt::UnderRoot => (var + how.eps_w).sqrt(),
        EpsAt::VarFloor => greater(var, how.eps_w).sqrt(),
    };
    let kept = match how.shift_mean {
        ShiftMean::Yes => 0.0,
        ShiftMean::No => mean,
    };
    Whitened { adv: mask.each(|slot| (adv[slot] - mean) / scale + kept), mean, var }
}
// ANCHOR_END: whiten

fn check_inputs(adv: &DMatrix<f64>, mask: &Mask, how: Whitening) {
    check::shapes("whiten", mask.shape(), &[("adv", adv.shape())]);
    assert!(mask.count() > 0, "whiten: `mask` has no valid token to take a mean over");
    assert!(how.eps_w >= 0.0, "whiten: `eps_w` is {} and must be ≥ 0", how.eps_w);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    const POST: Whitening =
        Whitening { variance: Variance::Sample, eps_at: EpsAt::Std, eps_w: 0.0, shift_mean: ShiftMean::Yes };

    /// 1, 3, 5: mean 3, squares 8, sample variance 4.
    #[test]
    fn worked_example() {
        let (adv, mask) = (dmatrix![1.0, 3.0, 5.0, f64::NAN], Mask::from_rows(&[[1, 1, 1, 0]]));
        let got = whiten(&adv, &mask, POST);
        assert_eq!((got.mean, got.var), (3.0, 4.0));
        assert_eq!(got.adv, dmatrix![-1.0, 0.0, 1.0, 0.0]);
        let kept = whiten(&adv, &mask, Whitening { shift_mean: ShiftMean::No, ..POST });
        assert_eq!(kept.adv, dmatrix![2.0, 3.0, 4.0, 0.0]);
    }

    #[test]
    fn each_place_of_epsilon_gives_its_own_scale() {
        let (adv, mask) = (dmatrix![0.0, 2.0], Mask::full(1, 2)); // population variance 1
        let scaled = |eps_at, eps_w| {
            let how = Whitening { variance: Variance::Population, eps_at, eps_w, ..POST };
            whiten(&adv, &mask, how).adv[1]
        };
        assert_eq!(scaled(EpsAt::Std, 1.0), 0.5);
        assert_eq!(scaled(EpsAt::UnderRoot, 3.0), 0.5);
        assert_eq!(scaled(EpsAt::VarFloor, 4.0), 0.5);
        assert_eq!(scaled(EpsAt::VarFloor, 0.25), 1.0);
    }

    #[test]
    fn one_token_is_nan_by_the_sample_variance_and_zero_by_the_population_s() {
        let (adv, mask) = (dmatrix![2.0], Mask::full(1, 1));
        assert!(whiten(&adv, &mask, POST).adv[0].is_nan());
        let population = Whitening { variance: Variance::Population, eps_w: 1e-8, ..POST };
        assert_eq!(whiten(&adv, &mask, population).adv[0], 0.0);
    }

    #[test]
    #[should_panic(expected = "whiten: `mask` has no valid token to take a mean over")]
    fn an_empty_mask_is_refused() {
        whiten(&dmatrix![2.0], &Mask::from_rows(&[[0]]), POST);
    }
}
