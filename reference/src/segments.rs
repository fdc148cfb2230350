//! Where a stretch of tokens begins and ends, so that `gae.rs` can stay the printed formula.
//!
//! Outside the grid of terms: it holds no equation, only the conventions that the equation leaves open.
//! A row with gaps or several episodes becomes a list of unbroken stretches, and the sum of the post
//! applies to each as printed.

use crate::{Mask, check};
use nalgebra::{DMatrix, DVector};

/// What a masked stretch inside a row (a tool's output) does to credit that passes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It is not there: the next valid token is the next step. verl, NeMo-RL.
    Skip,
    /// It is steps without reward and value, so credit decays by γλ for each. OpenRLHF, TRL 0.11.
    Decay,
    /// Credit stops: each stretch of valid tokens is an episode of its own with V = 0 after it.
    Cut,
}

/// In which slot a stored `done` flag stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoneAt {
    /// The flag at t says that the episode ended with token t. torchrl.
    Transition,
    /// The flag at t says that slot t starts an episode, so it ended with t − 1. CleanRL, SB3.
    NextStart,
}

/// What follows the last token of a row, and where episodes end inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ends {
    /// b: V after the last valid token; 0 where the response ended, a bootstrap where it was cut off.
    pub v_last: DVector<f64>,
    /// b × t_len: the episode ended with token t; V after it is 0. A token with both flags is truncated.
    pub terminated: DMatrix<bool>,
    /// b × t_len: the episode was cut off after token t; V after it is `v_boot`.
    pub truncated: DMatrix<bool>,
    /// b × t_len: V after token t, read where `truncated`.
    pub v_boot: DMatrix<f64>,
}

impl Ends {
    /// Every row ends with its last token, V after it is 0: what nearly all LLM trainers do.
    pub fn stop(b: usize, t_len: usize) -> Ends {
        Ends::after(DVector::zeros(b), t_len)
    }

    /// V after the last token of each row; no episode ends inside a row.
    pub fn after(v_last: DVector<f64>, t_len: usize) -> Ends {
        let b = v_last.len();
        let none = DMatrix::from_element(b, t_len, false);
        Ends { v_last, terminated: none.clone(), truncated: none, v_boot: DMatrix::zeros(b, t_len) }
    }

    /// Panics with a sentence unless every part has the shape of the mask.
    pub(crate) fn check(&self, mask: (usize, usize)) {
        check::per_row("gae", "v_last", self.v_last.len(), mask.0);
        let parts = [
            ("terminated", self.terminated.shape()),
            ("truncated", self.truncated.shape()),
            ("v_boot", self.v_boot.shape()),
        ];
        check::shapes("gae", mask, &parts);
    }
}

/// Stored `done` flags as flags of the transitions, b × t_len.
///
/// With `NextStart` the flag of a token stands at the next *valid* token of its row, since what stands in a
/// masked slot is never read, and `last_dones` (b) is the flag after the last one.
///
/// # Panics
///
/// If `dones` is not of the shape of the mask, or `last_dones` is not one flag per row.
pub fn dones_of_transitions(
    dones: &DMatrix<bool>,
    last_dones: &DVector<bool>,
    done_at: DoneAt,
    mask: &Mask,
) -> DMatrix<bool> {
    let (b, t_len) = mask.shape();
    check::shapes("dones_of_transitions", (b, t_len), &[("dones", dones.shape())]);
    check::per_row("dones_of_transitions", "last_dones", last_dones.len(), b);
    let mut ended = DMatrix::from_element(b, t_len, false);
    for row in 0..b {
        let tokens = mask.tokens_of(row);
        for (k, t) in tokens.iter().enumerate() {
            ended[(row, *t)] = match (done_at, tokens.get(k + 1)) {
                (DoneAt::Transition, _) => dones[(row, *t)],
                (DoneAt::NextStart, Some(next)) => dones[(row, *next)],
                (DoneAt::NextStart, None) => last_dones[row],
            };
        }
    }
    ended
}

/// An unbroken stretch of T steps.
#[derive(Debug, PartialEq)]
pub(crate) struct Segment {
    /// T slots of the row.
    pub(crate) slots: Vec<usize>,
    /// T rewards.
    pub(crate) r: Vec<f64>,
    /// T + 1 values: the last is V after the last step.
    pub(crate) v: Vec<f64>,
}

/// The stretches of one row, in order.
pub(crate) fn segments(
    row: usize,
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
) -> Vec<Segment> {
    let end = mask.end(row);
    let valid = |t: usize| mask.has((row, t));
    let mut all = Vec::new();
    let mut slots = Vec::new();
    for t in 0..end {
        if valid(t) || gap == Gap::Decay {
            slots.push(t);
        }
        if let Some(v_after) = value_after(row, t, end, mask, ends, gap) {
            let slots = std::mem::take(&mut slots);
            let of = |x: &DMatrix<f64>, t: usize| if valid(t) { x[(row, t)] } else { 0.0 };
            let r = slots.iter().map(|t| of(r, *t)).collect();
            let v = slots.iter().map(|t| of(v, *t)).chain([v_after]).collect();
            all.push(Segment { slots, r, v });
        }
    }
    all
}

/// V after token t if a stretch ends with it, else none. Flags on masked tokens are not read.
fn value_after(row: usize, t: usize, end: usize, mask: &Mask, ends: &Ends, gap: Gap) -> Option<f64> {
    let slot = (row, t);
    if !mask.has(slot) {
        None
    } else if ends.truncated[slot] {
        Some(ends.v_boot[slot])
    } else if ends.terminated[slot] {
        Some(0.0)
    } else if t + 1 == end {
        Some(ends.v_last[row])
    } else if gap == Gap::Cut && !mask.has((row, t + 1)) {
        Some(0.0)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    fn slots(mask: &Mask, ends: &Ends, gap: Gap) -> Vec<(Vec<usize>, f64)> {
        let x = DMatrix::zeros(1, mask.shape().1);
        let of = |s: Segment| (s.slots, *s.v.last().unwrap());
        segments(0, &x, &x, mask, ends, gap).into_iter().map(of).collect()
    }

    #[test]
    fn each_convention_cuts_a_gap_its_own_way() {
        let mask = Mask::from_rows(&[[0, 1, 0, 1, 1, 0]]);
        let ends = Ends::after(dvector![7.0], 6);
        assert_eq!(slots(&mask, &ends, Gap::Skip), [(vec![1, 3, 4], 7.0)]);
        assert_eq!(slots(&mask, &ends, Gap::Decay), [(vec![0, 1, 2, 3, 4], 7.0)]);
        assert_eq!(slots(&mask, &ends, Gap::Cut), [(vec![1], 0.0), (vec![3, 4], 7.0)]);
    }

    #[test]
    fn an_episode_that_ends_inside_a_row_takes_its_own_value_after() {
        let mut ends = Ends::after(dvector![7.0], 4);
        ends.terminated[(0, 0)] = true;
        ends.truncated[(0, 2)] = true;
        ends.v_boot[(0, 2)] = 5.0;
        let mask = Mask::full(1, 4);
        let got = slots(&mask, &ends, Gap::Skip);
        assert_eq!(got, [(vec![0], 0.0), (vec![1, 2], 5.0), (vec![3], 7.0)]);
    }

    #[test]
    fn both_conventions_of_done_describe_one_trajectory() {
        let at_transition = dmatrix![false, true, false, true];
        let at_next_start = dmatrix![true, false, true, false];
        let last = dvector![true];
        let from = |dones, done_at| dones_of_transitions(dones, &last, done_at, &Mask::full(1, 4));
        assert_eq!(from(&at_next_start, DoneAt::NextStart), from(&at_transition, DoneAt::Transition));
    }

    #[test]
    fn a_flag_in_a_gap_belongs_to_nobody() {
        let mask = Mask::from_rows(&[[1, 0, 1, 0]]);
        let ended = |dones, last| dones_of_transitions(&dones, &dvector![last], DoneAt::NextStart, &mask);
        assert_eq!(ended(dmatrix![false, true, false, true], false), dmatrix![false, false, false, false]);
        assert_eq!(ended(dmatrix![false, false, true, false], true), dmatrix![true, false, true, false]);
    }
}
