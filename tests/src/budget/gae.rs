//! The budget of `eq:gae-recursion` in the order of `optimized/ORDER.md`, section 5.3, operation by operation.
//!
//! Three strides in a group of 8 and one carry a group: so a residual l tokens on meets l / 8 + 3 roundings, and
//! the powers of γλ that it is multiplied by l of theirs, none where γλ is 1. (The closed form of that, Σ (γλ)ˡ
//! times (2 l + 5) e |δ| and e |γ V + r|, knows neither.)

use super::{Approx, Grid, Precision};
use nalgebra::DMatrix;
use reference::{Ends, Gap, Mask};

const GROUP: usize = 8;

/// A_t = d_t + q_t A_{t+1}, with one λ per row.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn gae_in_order(
    p: Precision,
    r: &Grid,
    v: &Grid,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    gamma: f64,
    lambda: &[Approx],
) -> Grid {
    let (b, t_len) = mask.shape();
    let (zero, gamma) = (p.given(0.0), p.setting(gamma));
    let mut adv = DMatrix::from_element(b, t_len, zero);
    for row in 0..b {
        let gl = gamma * lambda[row];
        let end = mask.end(row);
        let mut steps = vec![(zero, zero); end.next_multiple_of(GROUP)];
        let mut v_next = p.given(ends.v_last[row]);
        for t in (0..end).rev() {
            let slot = (row, t);
            let continues = t + 1 < end && !mask.has((row, t + 1));
            steps[t] = if mask.has(slot) {
                let (vn, q) = match gap {
                    _ if ends.truncated[slot] => (p.given(ends.v_boot[slot]), zero),
                    _ if ends.terminated[slot] => (zero, zero),
                    Gap::Cut if continues => (zero, zero),
                    Gap::Decay if continues => (zero, gl),
                    _ => (v_next, gl),
                };
                v_next = v[slot];
                (gamma.times_plus(vn, r[slot]) - v[slot], q)
            } else {
                match gap {
                    Gap::Skip => (zero, p.given(1.0)),
                    Gap::Decay if mask.has((row, t + 1)) => (gamma * v[(row, t + 1)], gl),
                    Gap::Decay => (zero, gl),
                    Gap::Cut => (zero, zero),
                }
            };
        }
        let mut carry = zero;
        for (group, steps) in steps.chunks_mut(GROUP).enumerate().rev() {
            in_group(steps, zero);
            for (at, (d, q)) in steps.iter_mut().enumerate() {
                *d = linked(*d, *q, carry);
                let t = group * GROUP + at;
                if t < end && mask.has((row, t)) {
                    adv[(row, t)] = *d;
                }
            }
            carry = steps[0].0;
        }
    }
    adv
}

/// d + q next, where q lets anything through.
fn linked(d: Approx, q: Approx, next: Approx) -> Approx {
    if q.value == 0.0 { d } else { q.times_plus(next, d) }
}

/// The strides 1, 2 and 4, each from the old values.
fn in_group(steps: &mut [(Approx, Approx)], zero: Approx) {
    for stride in [1, 2, 4] {
        let old = steps.to_vec();
        for (t, (d, q)) in old.iter().enumerate() {
            let next = old.get(t + stride).map_or(zero, |next| next.0);
            steps[t].0 = linked(*d, *q, next);
            steps[t].1 =
                old.get(t + stride).map_or(*q, |next| if q.value == 0.0 { zero } else { *q * next.1 });
        }
    }
}
