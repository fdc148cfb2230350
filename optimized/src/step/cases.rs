//! A batch to step with, and settings that each change one choice.

use super::Rollout;
use crate::{
    Coefficients, Ends, Gap, Kl, KlEstimate, Listing, ScoreAt, Settings, Truncated, ValueClip,
    testing::{Laid, Layout, Random},
};

/// As many rows as slots, so that scores can be broadcast.
pub(super) const B: usize = 21;
pub(super) const VOCAB: usize = 9;
const C: Coefficients = Coefficients { c_v: 0.7, c_h: 0.03, beta_loss: 0.2 };

pub(super) struct Batch {
    pub(super) laid: Laid,
    pub(super) valid: Vec<bool>,
    pub(super) attended: Vec<bool>,
    pub(super) flags: [Vec<bool>; 2],
    /// log π_old, log π_ref, V_old, weights, V and V after a cut, scores: one per slot.
    pub(super) x: [Vec<f32>; 7],
    pub(super) logits: Vec<f32>,
    pub(super) actions: Vec<u32>,
}

impl Batch {
    pub(super) fn new(layout: Layout) -> Batch {
        let laid = Laid::new(layout, &[B; B]);
        let mut random = Random(11);
        let ends: Vec<usize> = (0..B).map(|row| if row == 4 { 0 } else { random.index(B) + 1 }).collect();
        let of = |has: &mut dyn FnMut(usize, usize) -> bool| {
            let rows: Vec<Vec<bool>> = (0..B).map(|row| (0..B).map(|t| has(row, t)).collect()).collect();
            laid.lay(&rows, true)
        };
        let valid = of(&mut |row, t| t < ends[row] && (row + t) % 7 != 3);
        let attended = of(&mut |row, t| t < ends[row] + 2);
        let flags = [5, 7].map(|one_in| (0..laid.slots).map(|_| random.flag(one_in)).collect());
        let x = [(); 7].map(|()| (0..laid.slots).map(|_| random.uniform()).collect());
        let logits = (0..laid.slots * VOCAB).map(|_| 4.0 * random.uniform()).collect();
        let actions = (0..laid.slots).map(|_| random.index(VOCAB) as u32).collect();
        Batch { laid, valid, attended, flags, x, logits, actions }
    }

    pub(super) fn rollout(&self, s: &Settings, with_ref: bool) -> Rollout<'_> {
        let [logp_old, logp_ref, v_old, weights, _, v_boot, scores] = &self.x;
        let [terminated, truncated] = &self.flags;
        Rollout {
            mask: self.laid.mask(&self.valid),
            attended: Some(self.laid.mask(&self.attended)),
            scores: if s.score_at == ScoreAt::PerToken { scores } else { &scores[..B] },
            logp_old,
            logp_ref: with_ref.then_some(logp_ref),
            v_old,
            ends: Ends {
                v_last: Some(&v_boot[..B]),
                terminated: Some(terminated),
                truncated: Some(Truncated { at: truncated, v_boot }),
            },
            weights: Some(weights),
        }
    }
}

/// Everything on, with radii and temperatures that tell each other apart.
pub(super) fn all_on() -> Settings {
    let mut s =
        Settings { coefficients: C, beta_kl: 0.1, eps_v: 0.5, tau: 0.7, tau_ent: 1.3, ..Settings::default() };
    s.clip.eps_hi = 0.28;
    s
}

/// [`all_on`] with one choice changed, by the name of the choice; and whether there is a reference model.
pub(super) fn choices() -> Vec<(&'static str, Settings, bool)> {
    let s = all_on();
    let listed = |listing| Settings { listing, ..s };
    let as_printed = Listing::AS_PRINTED;
    let off = Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 };
    let plain = Listing::CORRECTED;
    vec![
        ("unshaped_reward", listed(Listing { unshaped_reward: true, ..plain }), true),
        ("entropy_added", listed(Listing { entropy_added: true, ..plain }), true),
        ("shared_clip_radius", listed(Listing { shared_clip_radius: true, ..plain }), true),
        ("unmasked", listed(Listing { unmasked: true, ..plain }), true),
        ("score_broadcast", listed(Listing { score_broadcast: true, ..plain }), true),
        ("returns_from_whitened", listed(Listing { returns_from_whitened: true, ..plain }), true),
        (
            "as printed, λ of the returns unused",
            Settings { lambda_critic: Some(0.3), ..listed(as_printed) },
            true,
        ),
        ("first pad", Settings { score_at: ScoreAt::FirstPad, ..s }, true),
        ("first pad, unmasked", Settings { score_at: ScoreAt::FirstPad, ..listed(as_printed) }, true),
        ("last attended", Settings { score_at: ScoreAt::LastAttended, ..s }, true),
        ("per token, clipped", Settings { score_at: ScoreAt::PerToken, score_clip: 0.4, ..s }, true),
        ("λ of the returns", Settings { lambda_critic: Some(0.3), ..s }, true),
        ("not whitened", Settings { whitening: None, ..s }, true),
        (
            "first pad, returns from what was not whitened",
            Settings {
                whitening: None,
                score_at: ScoreAt::FirstPad,
                ..listed(Listing { returns_from_whitened: true, ..plain })
            },
            true,
        ),
        ("no reference model", Settings { beta_kl: 0.0, ..s }, false),
        ("coefficients of 0", Settings { coefficients: off, ..s }, true),
        ("values not clipped", Settings { value_clip: ValueClip::Off, ..s }, true),
        ("k3, decay", Settings { kl: KlEstimate::plain(Kl::K3), gap: Gap::Decay, gamma: 0.9, ..s }, true),
    ]
}
