//! What the critic is fitted to: `eq:return`.

use crate::{Mask, check};
use nalgebra::DMatrix;

/// The return of each token: raw advantage plus the value it was measured against.
///
/// ```text
/// R_t = Â_t + V_old,t                                                      eq:return
/// ```
///
/// | symbol | argument  | shape     | is                                                                              |
/// |--------|-----------|-----------|---------------------------------------------------------------------------------|
/// | Â      | `adv_raw` | b × t_len | `eq:gae` *before* whitening, with λ_critic where the returns have their own     |
/// | V_old  | `v_old`   | b × t_len | what the critic said in the rollout                                             |
/// | m      | `mask`    | b × t_len | 1 where a response token is                                                     |
/// | R      | result    | b × t_len | unit of the reward, +0 in masked slots; the λ-return, Monte Carlo only at λ = 1 |
///
/// The post's listing adds the *whitened* advantages, so that the mean of the critic's target is its own
/// mean and nothing pulls its level; see `Listing::returns_from_whitened`. Every trainer with a critic
/// that we read uses the raw ones.
///
/// Source: Roy, "The Full PPO Training Step", § The value loss ("empirical return"), and the listing
/// (`advantages + old_values`).
/// Book: `returns.md`. Fast: `optimized::returns`.
///
/// # Panics
///
/// If the shapes differ.
#[doc(alias = "eq:return")]
// ANCHOR: returns
pub fn returns(adv_raw: &DMatrix<f64>, v_old: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    check::shapes("returns", mask.shape(), &[("adv_raw", adv_raw.shape()), ("v_old", v_old.shape())]);
    mask.each(|slot| adv_raw[slot] + v_old[slot])
}
// ANCHOR_END: returns
