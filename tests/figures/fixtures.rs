//! The inputs that several figures share.

use nalgebra::{DMatrix, DVector, dmatrix};
use reference::{
    Agg, Ends, EpsAt, Gap, KlEstimate, Listing, Mask, PolicyClip, Settings, ShiftMean, Variance, Whitening,
    gae::gae,
    step::{Losses, Now, Rollout, Targets, losses, rollout_phase},
};

/// G1: row A is four tokens and two pads, row B two tokens, a tool's two and two tokens. V holds junk in
/// masked slots, and so do the log-probs.
pub(crate) fn g1() -> Rollout {
    let mask = Mask::from_rows(&[[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]]);
    let k1 = dmatrix![0.1, -0.2, 0.3, 0.05, 7.0, -7.0; 0.2, 0.1, 7.0, -7.0, -0.1, 0.4];
    let logp_ref = DMatrix::from_element(2, 6, -1.0);
    Rollout {
        attended: None,
        scores: dmatrix![1.0; -0.5],
        logp_old: &logp_ref + k1,
        logp_ref: Some(logp_ref),
        v_old: dmatrix![0.2, 0.1, 0.4, 0.3, 9.9, -7.7; 0.0, 0.5, 3.3, -2.2, 0.25, 0.75],
        ends: Ends::stop(2, 6),
        weights: None,
        mask,
    }
}

/// G1: γ = .9, λ = .8, β = .1 with k1; the rest is the post's.
pub(crate) fn g1_settings() -> Settings {
    Settings { gamma: 0.9, lambda: 0.8, beta_kl: 0.1, ..Settings::default() }
}

/// The settings with departures of the listing.
pub(crate) fn listed(settings: Settings, listing: Listing) -> Settings {
    Settings { listing, ..settings }
}

/// G1's raw advantages under a convention of gaps.
pub(crate) fn g1_adv(gap: Gap) -> DMatrix<f64> {
    rollout_phase(&g1(), &Settings { gap, ..g1_settings() }).adv_raw
}

/// GAE of one row without padding: rewards, values, V after the last token, γ, λ.
pub(crate) fn one_row(r: &[f64], v: &[f64], v_last: f64, gamma: f64, lambda: f64) -> Vec<f64> {
    let row = |x: &[f64]| DMatrix::from_row_slice(1, x.len(), x);
    let (mask, ends) = (Mask::full(1, r.len()), Ends::after(DVector::from_element(1, v_last), r.len()));
    let lambda = DVector::from_element(1, lambda);
    gae(&row(r), &row(v), &mask, &ends, Gap::Skip, gamma, &lambda).iter().copied().collect()
}

/// A rollout without padding and without a reference model.
pub(crate) fn every_slot(scores: DMatrix<f64>, v_old: DMatrix<f64>) -> Rollout {
    let (b, t_len) = v_old.shape();
    Rollout {
        mask: Mask::full(b, t_len),
        attended: None,
        scores,
        logp_old: DMatrix::from_element(b, t_len, -1.0),
        logp_ref: None,
        v_old,
        ends: Ends::stop(b, t_len),
        weights: None,
    }
}

/// The first inner step: policy and critic still say what they said in the rollout. H is 1 nat.
pub(crate) fn first_step(rollout: &Rollout, settings: &Settings) -> (Targets, Losses) {
    let targets = rollout_phase(rollout, settings);
    let (b, t_len) = rollout.mask.shape();
    let now = Now {
        logp: rollout.logp_old.clone(),
        ent: DMatrix::from_element(b, t_len, 1.0),
        v: rollout.v_old.clone(),
    };
    let losses = losses(rollout, &targets, &now, settings);
    (targets, losses)
}

/// Whitening without ε, so that a figure depends on the variance alone.
pub(crate) const fn plain_whitening(variance: Variance) -> Whitening {
    Whitening { variance, eps_at: EpsAt::Std, eps_w: 0.0, shift_mean: ShiftMean::Yes }
}

/// verl's and TRL's: the sample variance, 1e-8 under the root.
pub(crate) const VERL_WHITENING: Whitening = Whitening {
    variance: Variance::Sample,
    eps_at: EpsAt::UnderRoot,
    eps_w: 1e-8,
    shift_mean: ShiftMean::Yes,
};

/// For figures of single tokens: a sum leaves them as they are.
pub(crate) const SUM: Agg = Agg::TokenSum;

/// The post's clip: ε = .2 on both sides, no dual clip.
pub(crate) fn post_clip() -> PolicyClip {
    Settings::default().clip
}

/// An estimator without clamps.
pub(crate) const K3: KlEstimate = KlEstimate::plain(reference::Kl::K3);

/// The plain mean over every slot, in whatever order.
pub(crate) fn mean_of(x: &DMatrix<f64>) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// The plain mean over valid slots.
pub(crate) fn mean_over(x: &DMatrix<f64>, mask: &Mask) -> f64 {
    let (b, t_len) = mask.shape();
    let slots = (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t)));
    let valid: Vec<f64> = slots.filter(|slot| mask.has(*slot)).map(|slot| x[slot]).collect();
    valid.iter().sum::<f64>() / valid.len() as f64
}
