//! G4: TRL 0.11's `whiten_rewards` does not mask again, so padding pays.

use crate::{
    fixtures::VERL_WHITENING,
    printed::{printed, printed_row},
};
use nalgebra::{DMatrix, DVector, dmatrix};
use reference::{
    Ends, Gap, Mask, ShiftMean, Whitening,
    gae::gae,
    whiten::{Whitened, whiten},
};

fn rewards() -> (DMatrix<f64>, Mask, Whitened) {
    let (r, mask) =
        (dmatrix![0.0, 1.0, 0.0, 0.0; 0.0, 0.0, 0.0, 3.0], Mask::from_rows(&[[1, 1, 0, 0], [1, 1, 1, 1]]));
    let whitened = whiten(&r, &mask, Whitening { shift_mean: ShiftMean::No, ..VERL_WHITENING });
    (r, mask, whitened)
}

fn advantages(r: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    let v = DMatrix::zeros(2, 4);
    gae(r, &v, mask, &Ends::stop(2, 4), Gap::Decay, 1.0, &DVector::from_element(2, 0.95))
}

#[test]
fn whitened_rewards_that_are_masked_again_give_the_right_advantages() {
    let (_, mask, whitened) = rewards();
    printed_row(advantages(&whitened.adv, &mask).row(0).iter(), "1.0110 .9419 _ _");
}

/// A reward of 0 whitened with its mean kept is (0 − μ)·rstd + μ = μ (1 − rstd). μ = 4/6, rstd = .8257,
/// so each pad pays .1162, and TRL's loop over the whole row carries it back to the tokens.
#[test]
fn whitened_rewards_that_are_not_masked_again_leak_into_the_tokens_before() {
    let (r, mask, Whitened { adv, mean, var }) = rewards();
    let whitened_too = |slot| (r[slot] - mean) / f64::sqrt(var + 1e-8) + mean;
    printed(whitened_too((0, 2)), ".1162");
    let leaked =
        DMatrix::from_fn(
            2,
            4,
            |row, t| {
                if mask.has((row, t)) { adv[(row, t)] } else { whitened_too((row, t)) }
            },
        );
    printed_row(advantages(&leaked, &Mask::full(2, 4)).row(0).iter().take(2), "1.2155 1.1571");
}
