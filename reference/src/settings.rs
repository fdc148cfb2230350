//! Every choice of the step in one place. Outside the grid of terms: it holds no equation.

use crate::{
    aggregate::Agg,
    kl::{Kl, KlEstimate, KlGrad},
    policy_loss::{ClipFrac, KlOf, PolicyClip},
    reward::ScoreAt,
    segments::Gap,
    total_loss::Coefficients,
    value_loss::{Half, ValueClip},
    whiten::{EpsAt, ShiftMean, Variance, Whitening},
};

/// Where the post's text or code departs from what its equations need, each by a name.
///
/// All off is [`Listing::CORRECTED`], the default. [`Listing::AS_PRINTED`] is the listing as it stands on
/// the page. Each can be set alone, so that its effect can be seen alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listing {
    /// R = Âʷ + V_old: the mean of the critic's target is then its own mean. (Listing, `returns = advantages +
    /// old_values`.)
    pub returns_from_whitened: bool,
    /// Every slot is valid, padding too: no mask anywhere. (Listing, every `.mean()` and `.std()`.)
    pub unmasked: bool,
    /// The (B,) scores meet the (B, L) values without a token axis, so that score t is paid at token t of
    /// every row; possible only where b = t_len. (Listing, `compute_gae(rewards, old_values)`.)
    pub score_broadcast: bool,
    /// No KL in the reward, though it is called shaped: "zero everywhere except the final token". (§ GAE.)
    pub unshaped_reward: bool,
    /// + c_H H in a loss that is minimised: a step then lowers the entropy. (§ The entropy bonus.)
    pub entropy_added: bool,
    /// ε_v is the ratio's ε_hi, "the same clip radius", whatever the unit of the return. (§ The value loss.)
    pub shared_clip_radius: bool,
}

impl Listing {
    /// The equations.
    pub const CORRECTED: Listing = Listing {
        returns_from_whitened: false,
        unmasked: false,
        score_broadcast: false,
        unshaped_reward: false,
        entropy_added: false,
        shared_clip_radius: false,
    };

    /// The code on the page.
    pub const AS_PRINTED: Listing =
        Listing { returns_from_whitened: true, unmasked: true, ..Listing::CORRECTED };
}

/// Every choice of the step; the defaults are the post's where it says one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// γ in [0, 1].
    pub gamma: f64,
    /// λ in [0, 1].
    pub lambda: f64,
    /// λ_critic in [0, 1], the returns' own λ; the advantages' where none.
    pub lambda_critic: Option<f64>,
    /// Where a completion's score lands.
    pub score_at: ScoreAt,
    /// Bound > 0 on the score; ∞ is off.
    pub score_clip: f64,
    /// β_kl, of the KL inside the reward.
    pub beta_kl: f64,
    /// Its estimator.
    pub kl: KlEstimate,
    /// What a masked stretch inside a row does.
    pub gap: Gap,
    /// How advantages are whitened; none leaves them raw.
    pub whitening: Option<Whitening>,
    /// The policy loss.
    pub clip: PolicyClip,
    /// ε_v > 0, units of the return.
    pub eps_v: f64,
    /// The form of the value loss.
    pub value_clip: ValueClip,
    /// Whether ½ stands in front of it.
    pub half: Half,
    /// c_V, c_H and β_loss.
    pub coefficients: Coefficients,
    /// The KL loss's estimator.
    pub kl_loss: KlEstimate,
    /// And its gradient.
    pub kl_loss_grad: KlGrad,
    /// How tokens become one number, in every loss.
    pub agg: Agg,
    /// τ > 0, of the log-probs.
    pub tau: f64,
    /// τ_ent > 0, of the entropy.
    pub tau_ent: f64,
    /// Departures of the post that are on.
    pub listing: Listing,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            gamma: 1.0,
            lambda: 0.95,
            lambda_critic: None,
            score_at: ScoreAt::LastValid,
            score_clip: f64::INFINITY,
            beta_kl: 0.0,
            kl: KlEstimate::plain(Kl::K1),
            gap: Gap::Skip,
            whitening: Some(Whitening {
                variance: Variance::Sample,
                eps_at: EpsAt::Std,
                eps_w: 1e-8,
                shift_mean: ShiftMean::Yes,
            }),
            clip: PolicyClip {
                eps_lo: 0.2,
                eps_hi: 0.2,
                c_dual: f64::INFINITY,
                log_ratio_clamp: f64::INFINITY,
                clip_frac: ClipFrac::Effective,
                kl_kind: Kl::K1,
                kl_of: KlOf::Raw,
            },
            eps_v: 0.2,
            value_clip: ValueClip::Max,
            half: Half::No,
            coefficients: Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.0 },
            kl_loss: KlEstimate::plain(Kl::K3),
            kl_loss_grad: KlGrad::Own,
            agg: Agg::TokenMean,
            tau: 1.0,
            tau_ent: 1.0,
            listing: Listing::CORRECTED,
        }
    }
}

impl Settings {
    /// The settings with those departures applied, and switched off, that are a choice of a setting:
    /// `unshaped_reward`, `entropy_added` and `shared_clip_radius`. The step does this first.
    pub fn as_listed(&self) -> Settings {
        let mut listed = *self;
        if std::mem::take(&mut listed.listing.unshaped_reward) {
            listed.beta_kl = 0.0;
        }
        if std::mem::take(&mut listed.listing.entropy_added) {
            listed.coefficients.c_h = -self.coefficients.c_h;
        }
        if std::mem::take(&mut listed.listing.shared_clip_radius) {
            listed.eps_v = self.clip.eps_hi;
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_departure_is_applied_once() {
        let listing = Listing { entropy_added: true, ..Listing::AS_PRINTED };
        let once = Settings { listing, ..Settings::default() }.as_listed();
        assert_eq!(once.coefficients.c_h, -0.01);
        assert_eq!(once.as_listed(), once);
        assert_eq!(once.listing, Listing::AS_PRINTED);
    }
}
