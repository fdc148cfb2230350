//! GAE as ORDER.md 5.3 says it, one number at a time, and rows to try it on.

use crate::{Gap, testing::Random};

/// One row of a batch, and what may end inside it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) r: Vec<f32>,
    pub(super) v: Vec<f32>,
    pub(super) valid: Vec<bool>,
    pub(super) terminated: Vec<bool>,
    pub(super) truncated: Vec<bool>,
    pub(super) v_boot: Vec<f32>,
    pub(super) v_last: f32,
    pub(super) gamma: f32,
    pub(super) lambda: f32,
}

impl Case {
    pub(super) fn new(valid: &[bool], seed: u64, number: fn(&mut Random) -> f32) -> Case {
        let (mut random, n) = (Random(seed), valid.len());
        let mut numbers = || (0..n).map(|_| number(&mut random)).collect::<Vec<f32>>();
        let (r, v, v_boot) = (numbers(), numbers(), numbers());
        let none = vec![false; n];
        let (terminated, truncated) = (none.clone(), none);
        let valid = valid.to_vec();
        Case { r, v, valid, terminated, truncated, v_boot, v_last: 0.5, gamma: 0.9, lambda: 0.8 }
    }

    pub(super) fn with_flags(mut self, seed: u64, one_in: usize) -> Case {
        let mut random = Random(seed);
        self.terminated.iter_mut().for_each(|flag| *flag = random.flag(one_in));
        self.truncated.iter_mut().for_each(|flag| *flag = random.flag(one_in));
        self
    }

    /// d and q of slot t, read off the table of ORDER.md 5.3.
    pub(super) fn d_and_q(&self, gap: Gap, t: usize) -> (f32, f32) {
        let gl = self.gamma * self.lambda;
        let end = self.valid.iter().rposition(|valid| *valid).map_or(0, |last| last + 1);
        if t >= end {
            return (0.0, 0.0);
        }
        let next_is_valid = t + 1 < end && self.valid[t + 1];
        if !self.valid[t] {
            return match gap {
                Gap::Skip => (0.0, 1.0),
                Gap::Decay if next_is_valid => (self.gamma.mul_add(self.v[t + 1], 0.0), gl),
                Gap::Decay => (0.0, gl),
                Gap::Cut => (0.0, 0.0),
            };
        }
        let next_valid = (t + 1..end).find(|next| self.valid[*next]);
        let (vn, q) = match (next_valid, gap) {
            _ if self.truncated[t] => (self.v_boot[t], 0.0),
            _ if self.terminated[t] => (0.0, 0.0),
            (None, _) => (self.v_last, gl),
            (Some(next), Gap::Skip) => (self.v[next], gl),
            (Some(next), _) if next == t + 1 => (self.v[next], gl),
            (Some(_), Gap::Decay) => (0.0, gl),
            (Some(_), _) => (0.0, 0.0),
        };
        (self.gamma.mul_add(vn, self.r[t]) - self.v[t], q)
    }

    /// A by the text of ORDER.md 5.3, one number at a time; +0 in masked slots.
    pub(super) fn adv(&self, gap: Gap) -> Vec<f32> {
        let n = self.valid.len();
        let mut adv = vec![0.0; n];
        let mut carry = 0.0;
        for first in (0..n).step_by(8).rev() {
            let in_group = |t: usize| t < 8 && first + t < n;
            let at = |t| if in_group(t) { self.d_and_q(gap, first + t) } else { (0.0, 0.0) };
            let mut d: [f32; 8] = std::array::from_fn(|t| at(t).0);
            let mut q: [f32; 8] = std::array::from_fn(|t| at(t).1);
            for s in [1, 2, 4] {
                let (old_d, old_q) = (d, q);
                for t in (0..8).filter(|t| in_group(*t)) {
                    let an = if in_group(t + s) && old_q[t] != 0.0 { old_d[t + s] } else { 0.0 };
                    d[t] = old_q[t].mul_add(an, old_d[t]);
                    q[t] = if in_group(t + s) { old_q[t] * old_q[t + s] } else { old_q[t] };
                }
            }
            for t in (0..8).filter(|t| in_group(*t)) {
                let a = q[t].mul_add(if q[t] != 0.0 { carry } else { 0.0 }, d[t]);
                adv[first + t] = if self.valid[first + t] { a } else { 0.0 };
                d[t] = a;
            }
            carry = d[0];
        }
        adv
    }

    pub(super) fn ret(&self, adv: &[f32]) -> Vec<f32> {
        (0..adv.len()).map(|t| if self.valid[t] { adv[t] + self.v[t] } else { 0.0 }).collect()
    }

    /// The row with anything at all in its masked slots.
    pub(super) fn poisoned(mut self) -> Case {
        for t in (0..self.valid.len()).filter(|t| !self.valid[*t]) {
            (self.r[t], self.v[t], self.v_boot[t]) = (f32::NAN, f32::INFINITY, 1e30);
            (self.terminated[t], self.truncated[t]) = (true, true);
        }
        self
    }
}
