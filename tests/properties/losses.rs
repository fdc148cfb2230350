//! The losses: what a clip of ∞ leaves, what scaling does, how batches add up, and the first inner step.

mod batches;
mod clips;
mod first_step;
mod unit;

use reference::{ClipFrac, Kl, KlOf, PolicyClip};

const INF: f64 = f64::INFINITY;

fn clip(eps: f64, clip_frac: ClipFrac) -> PolicyClip {
    let (kl_kind, kl_of) = (Kl::K3, KlOf::Raw);
    PolicyClip { eps_lo: eps, eps_hi: eps, c_dual: INF, log_ratio_clamp: INF, clip_frac, kl_kind, kl_of }
}
