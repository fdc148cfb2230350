//! Advantages and returns written another way than the reference's: slot by slot, each asking what follows
//! it, without stretches and without the double sum. Beside each number goes its size, the same sum with
//! every part positive: what its rounding is measured by.

use crate::case::Episode;
use reference::Gap;

/// Half a unit in the last place of 1.
pub(crate) const U: f64 = f64::EPSILON / 2.0;

/// What n roundings may do to a number, relative to its size: n u / (1 − n u).
pub(crate) fn roundings(n: usize) -> f64 {
    let nu = n as f64 * U;
    nu / (1.0 - nu)
}

/// A number and its size.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sized {
    pub(crate) x: f64,
    pub(crate) size: f64,
}

/// Â of one row's slots by a backward walk that carries V and Â of what follows, as verl's loop does; a
/// masked slot is `None`.
pub(crate) fn advantages(e: &Episode, row: usize, gap: Gap, gamma: f64) -> Vec<Option<Sized>> {
    let decay = gamma * e.lambda[row];
    let mut all = vec![None; e.mask.shape().1];
    let (mut v_next, mut next) = (e.ends.v_last[row], Sized::default());
    let mut inside = false;
    for t in (0..all.len()).rev() {
        let slot = (row, t);
        if !e.mask.has(slot) {
            if inside && gap == Gap::Decay {
                // A step that earns 0 and is worth 0.
                next.x = gamma * v_next + decay * next.x;
                next.size = gamma * v_next.abs() + decay * next.size;
            } else if inside && gap == Gap::Cut {
                next = Sized::default();
            }
            if inside && gap != Gap::Skip {
                v_next = 0.0;
            }
            continue;
        }
        inside = true;
        if e.ends.truncated[slot] || e.ends.terminated[slot] {
            v_next = if e.ends.truncated[slot] { e.ends.v_boot[slot] } else { 0.0 };
            next = Sized::default();
        }
        let (r, v) = (e.r[slot], e.v[slot]);
        next.x = (r + gamma * v_next - v) + decay * next.x;
        next.size = (r.abs() + gamma * v_next.abs() + v.abs()) + decay * next.size;
        v_next = v;
        all[t] = Some(next);
    }
    all
}

/// What follows a token, discounted: Σ γ^j r plus γ^T V_T, by a forward walk. No advantage and no λ in it.
pub(crate) fn discounted_return(e: &Episode, row: usize, t: usize, gap: Gap, gamma: f64) -> f64 {
    let (mut g, mut weight) = (0.0, 1.0);
    let last = e.mask.end(row) - 1;
    for t in t..=last {
        let slot = (row, t);
        if e.mask.has(slot) {
            g += weight * e.r[slot];
            weight *= gamma;
            if e.ends.truncated[slot] {
                return g + weight * e.ends.v_boot[slot];
            } else if e.ends.terminated[slot] {
                return g;
            } else if t == last {
                return g + weight * e.ends.v_last[row];
            }
        } else if gap == Gap::Decay {
            weight *= gamma;
        } else if gap == Gap::Cut {
            return g;
        }
    }
    g
}
