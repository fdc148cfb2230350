//! G2: whitening G1's skip advantages, with each choice of statistics.

use crate::{
    fixtures::{VERL_WHITENING, g1, g1_adv, g1_settings, listed, plain_whitening},
    printed::{printed, printed_row},
};
use reference::{
    Gap, Listing, Mask, ScoreAt, Settings, Variance, Whitening,
    step::{Rollout, rollout_phase},
    whiten::{Whitened, whiten},
};

fn over_valid(how: Whitening) -> Whitened {
    whiten(&g1_adv(Gap::Skip), &g1().mask, how)
}

#[test]
fn the_sample_variance_over_valid_tokens() {
    let got = over_valid(plain_whitening(Variance::Sample));
    printed(got.mean, "-.079621");
    printed(got.var, ".458527");
    printed_row(got.adv.row(0).iter(), ".4987 .8930 .6203 1.1439 _ _");
}

#[test]
fn the_population_variance_over_valid_tokens() {
    let got = over_valid(plain_whitening(Variance::Population));
    printed(got.mean, "-.079621");
    printed(got.var, ".401212");
    printed_row(got.adv.row(0).iter(), ".5331 .9547 .6631 1.2229 _ _");
}

/// verl's loop blends its carry instead of its output, so a masked slot is left holding the advantage of
/// the token after it: 0 in the tail, −.4938 in the gap. Statistics without a mask then count it.
#[test]
fn unmasked_statistics_with_the_carry_left_in_masked_slots() {
    let mut adv = g1_adv(Gap::Skip);
    let carry = adv[(1, 4)];
    printed(carry, "-.4938");
    (adv[(1, 2)], adv[(1, 3)]) = (carry, carry);
    let got = whiten(&adv, &Mask::full(2, 6), VERL_WHITENING);
    printed(got.mean, "-.135381");
    printed(got.var, ".320741");
    printed_row(got.adv.row(0).iter().take(4), ".6947 1.1662 .8401 1.4662");
}

#[test]
fn unmasked_statistics_with_zeros_in_masked_slots() {
    let got = whiten(&g1_adv(Gap::Skip), &Mask::full(2, 6), VERL_WHITENING);
    printed(got.mean, "-.053081");
    printed(got.var, ".293327");
    printed_row(got.adv.row(0).iter().take(4), ".5745 1.0675 .7265 1.3813");
}

/// GAE over every slot with the junk values, then statistics over every slot. The rewards are G1's, given
/// per token: where the listing's scalar lands in a padded row, the post does not say.
#[test]
fn the_post_read_literally() {
    let per_token = rollout_phase(&g1(), &g1_settings()).token_rewards;
    let rollout = Rollout { scores: per_token, ..g1() };
    let settings = Settings { score_at: ScoreAt::PerToken, beta_kl: 0.0, ..g1_settings() };
    let unmasked = Listing { unmasked: true, ..Listing::CORRECTED };
    let got = rollout_phase(&rollout, &listed(settings, unmasked));
    let (mean, var) = got.whitened.unwrap();
    printed(mean, "-.2714");
    printed(var, "19.149");
    printed_row(got.adv.row(0).iter().take(4), ".1879 .2749 .2688 .4000");
}

/// The step uses the same statistics as the term: its ε of 1e-8 is below the print.
#[test]
fn the_step_whitens_over_valid_tokens() {
    let got = rollout_phase(&g1(), &g1_settings());
    let (mean, var) = got.whitened.unwrap();
    printed(mean, "-.079621");
    printed(var, ".458527");
    printed_row(got.adv.row(0).iter(), ".4987 .8930 .6203 1.1439 _ _");
}
