//! `eq:td-residual`, `eq:gae`, `eq:gae-recursion`: the sum against the recursion against an oracle, in
//! every convention of gaps, with episodes that end inside rows and V after the last token that is not 0.

use crate::{
    case::{Case, End, Episode, moved},
    oracle::{advantages, discounted_return, roundings},
    runner::Outcome,
};
use conformance::cases::EDGES;
use nalgebra::{DMatrix, DVector};
use reference::{
    Gap,
    gae::{gae, gae_recursion, td_residual},
};

fn sum(e: &Episode, gap: Gap, gamma: f64) -> DMatrix<f64> {
    gae(&e.r, &e.v, &e.mask, &e.ends, gap, gamma, &e.lambda)
}

fn recursion(e: &Episode, gap: Gap, gamma: f64) -> DMatrix<f64> {
    gae_recursion(&e.r, &e.v, &e.mask, &e.ends, gap, gamma, &e.lambda)
}

fn residual(e: &Episode, gap: Gap, gamma: f64) -> DMatrix<f64> {
    td_residual(&e.r, &e.v, &e.mask, &e.ends, gap, gamma)
}

/// Both forms and the residual, for what must not change a bit of any of them.
fn all_three(e: &Episode, gap: Gap, gamma: f64) -> [DMatrix<f64>; 3] {
    [sum(e, gap, gamma), recursion(e, gap, gamma), residual(e, gap, gamma)]
}

/// Each pair of slots holds the same bits.
fn same_bits(
    a: &DMatrix<f64>,
    b: &DMatrix<f64>,
    pairs: impl Iterator<Item = [(usize, usize); 2]>,
) -> Outcome {
    for [at, other] in pairs {
        let (x, y) = (a[at], b[other]);
        ensure!(x.to_bits() == y.to_bits(), "{at:?} is {x:e} and {other:?} is {y:e}");
    }
    Ok(())
}

property! {
    /// δ is three roundings of its size; a term l steps on passes l products and l + 1 sums in the recursion,
    /// and l products and at most n sums in the double sum: 2 n + 3 in either, twice that between two.
    fn gae_is_its_recursion(case) {
        let e = case.episode();
        let (sum, recursion) = (sum(&e, case.gap, case.gamma), recursion(&e, case.gap, case.gamma));
        for row in 0..case.b() {
            for (t, want) in advantages(&e, row, case.gap, case.gamma).into_iter().enumerate() {
                let (a, b) = (sum[(row, t)], recursion[(row, t)]);
                let Some(want) = want else {
                    ensure!(a.to_bits() == 0 && b.to_bits() == 0, "masked [{row}, {t}] is {a}, {b} and not +0");
                    continue;
                };
                let allowed = 2.0 * roundings(2 * case.t_len() + 3) * want.size;
                ensure!((a - b).abs() <= allowed, "[{row}, {t}]: sum {a:e}, recursion {b:e}, allowed {allowed:e}");
                ensure!((a - want.x).abs() <= allowed, "[{row}, {t}]: sum {a:e}, oracle {:e}, allowed {allowed:e}", want.x);
            }
        }
    }
}

/// Long rows, where a small error of the decay has room to grow: every length that a fast path may stumble
/// over, one full row each.
#[test]
fn at_every_length_the_sum_is_its_recursion() {
    for (t_len, reason) in EDGES {
        let case = Case {
            mask: vec![vec![true; t_len]],
            ends: vec![vec![End::No; t_len]],
            seed: t_len as u64,
            gap: Gap::Skip,
            gamma: 0.9,
            lambda: vec![0.8],
            k: 0,
        };
        let e = case.episode();
        let (sum, recursion) = (sum(&e, case.gap, case.gamma), recursion(&e, case.gap, case.gamma));
        for (t, want) in advantages(&e, 0, case.gap, case.gamma).into_iter().enumerate() {
            let want = want.unwrap();
            let (a, b, allowed) = (sum[t], recursion[t], 2.0 * roundings(2 * t_len + 3) * want.size);
            assert!((a - b).abs() <= allowed, "T = {t_len} ({reason}), {t}: sum {a:e}, recursion {b:e}");
            assert!(
                (a - want.x).abs() <= allowed,
                "T = {t_len} ({reason}), {t}: sum {a:e}, oracle {:e}",
                want.x
            );
        }
    }
}

property! {
    /// λ = 1: the values between cancel, and Â + V is the discounted return with the last V in it. A carry
    /// that starts from the bootstrap, which δ already holds, shows here.
    fn at_lambda_one_advantage_and_value_are_the_discounted_return(case) {
        let mut e = case.episode();
        e.lambda.fill(1.0);
        let adv = sum(&e, case.gap, case.gamma);
        for row in 0..case.b() {
            for (t, size) in advantages(&e, row, case.gap, case.gamma).into_iter().enumerate() {
                let Some(size) = size else { continue };
                let (got, want) = (
                    adv[(row, t)] + e.v[(row, t)],
                    discounted_return(&e, row, t, case.gap, case.gamma),
                );
                // Â as above; the return has as many products and sums; one sum more for Â + V.
                let allowed = 2.0 * roundings(2 * case.t_len() + 4) * (size.size + e.v[(row, t)].abs());
                ensure!((got - want).abs() <= allowed, "[{row}, {t}]: {got:e}, return {want:e}, allowed {allowed:e}");
            }
        }
    }
}

property! {
    fn at_lambda_zero_the_advantage_is_the_td_residual(case) {
        let mut e = case.episode();
        e.lambda.fill(0.0);
        let delta = residual(&e, case.gap, case.gamma);
        ensure!(sum(&e, case.gap, case.gamma) == delta, "the sum is not δ");
        ensure!(recursion(&e, case.gap, case.gamma) == delta, "the recursion is not δ");
        for row in 0..case.b() {
            for (t, want) in advantages(&e, row, case.gap, case.gamma).into_iter().enumerate() {
                let (got, want) = (delta[(row, t)], want.unwrap_or_default().x);
                ensure!(got == want, "[{row}, {t}]: δ is {got:e}, oracle {want:e}");
            }
        }
    }
}

property! {
    /// Each row has its own λ: what it is in one row says nothing about another.
    fn a_row_does_not_see_the_lambda_of_another(case) {
        let e = case.episode();
        let adv = sum(&e, case.gap, case.gamma);
        for row in 0..case.b() {
            let same = Episode { lambda: DVector::from_element(case.b(), case.lambda[row]), ..e.clone() };
            same_bits(&adv, &sum(&same, case.gap, case.gamma), (0..case.t_len()).map(|t| [(row, t); 2]))?;
        }
    }
}

property! {
    fn padding_on_the_right_changes_no_bit(case) {
        let e = case.episode();
        let padded = e.with_gap(&vec![case.t_len(); case.b()], case.k);
        let (short, long) = (all_three(&e, case.gap, case.gamma), all_three(&padded, case.gap, case.gamma));
        for (short, long) in short.iter().zip(&long) {
            same_bits(short, long, slots(case).map(|slot| [slot; 2]))?;
        }
    }
}

property! {
    /// Junk in front of a row, in all three conventions: nothing comes before its first token.
    fn padding_on_the_left_changes_no_bit(case) {
        let e = case.episode();
        let padded = e.with_gap(&vec![0; case.b()], case.k);
        let (short, long) = (all_three(&e, case.gap, case.gamma), all_three(&padded, case.gap, case.gamma));
        for (short, long) in short.iter().zip(&long) {
            same_bits(short, long, slots(case).map(|(row, t)| [(row, t), (row, t + case.k)]))?;
        }
    }
}

property! {
    fn under_skip_masked_slots_anywhere_change_no_bit(case) {
        let e = case.episode();
        let mut rng = case.rng(9);
        let at: Vec<usize> = (0..case.b()).map(|_| rng.below(case.t_len() + 1)).collect();
        let wider = e.with_gap(&at, case.k);
        let (short, long) = (all_three(&e, Gap::Skip, case.gamma), all_three(&wider, Gap::Skip, case.gamma));
        for (short, long) in short.iter().zip(&long) {
            same_bits(short, long, slots(case).map(|(row, t)| [(row, t), (row, moved(t, at[row], case.k))]))?;
        }
    }
}

property! {
    /// Two neighbours t and u of one episode with k masked slots between: the tail γ V_u + γλ Â_u of Â_t is
    /// multiplied by (γλ)ᵏ under decay, and gone under cut.
    fn a_gap_decays_or_cuts_the_tail(case) {
        let e = case.episode();
        for (row, t) in slots(case).filter(|slot| followed(case, *slot)) {
            let at = vec![t + 1; case.b()];
            let wider = e.with_gap(&at, case.k + 1);
            let (gamma, decay) = (case.gamma, case.gamma * case.lambda[row]);
            let (r, v, u) = (e.r[(row, t)], e.v[(row, t)], (row, t + 1));
            let cut = sum(&wider, Gap::Cut, gamma)[(row, t)];
            ensure!(cut == r - v, "[{row}, {t}]: {cut:e} is not r − V = {:e}", r - v);

            let adv_u = sum(&e, Gap::Decay, gamma)[u];
            let size = advantages(&e, row, Gap::Decay, gamma)[t].unwrap().size;
            let faded = (0..=case.k).fold(1.0, |power, _| power * decay);
            let want = r - v + faded * (gamma * e.v[u] + decay * adv_u);
            let got = sum(&wider, Gap::Decay, gamma)[(row, t)];
            // The sum over t_len + k + 1 slots as above, Â_u the same, and the line of `want`: k + 6.
            let allowed = (2.0 * roundings(2 * (case.t_len() + case.k) + 5) + roundings(case.k + 6)) * size;
            ensure!((got - want).abs() <= allowed, "[{row}, {t}]: {got:e}, by hand {want:e}, allowed {allowed:e}");
        }
    }
}

property! {
    /// An episode that ends inside a row is a row that ends there: what comes after it is not read, and V
    /// after it is 0 or its bootstrap, as if it were the row's own.
    fn an_episode_that_ends_inside_a_row_is_a_row_that_ends_there(case) {
        let e = case.episode();
        let whole = all_three(&e, case.gap, case.gamma);
        for (row, t) in slots(case).filter(|(row, t)| case.ends[*row][*t] != End::No) {
            let mut short = case.clone();
            short.mask[row][t + 1..].fill(false);
            short.ends[row][t] = End::No;
            let mut first = short.episode();
            first.ends.v_last[row] =
                if case.ends[row][t] == End::CutOff { e.ends.v_boot[(row, t)] } else { 0.0 };
            for (whole, first) in whole.iter().zip(&all_three(&first, case.gap, case.gamma)) {
                let earlier = slots(case).filter(|slot| slot.0 == row && slot.1 <= t);
                same_bits(whole, first, earlier.map(|slot| [slot; 2]))?;
            }
        }
    }
}

property! {
    fn rows_in_another_order_give_the_same_rows(case) {
        let e = case.episode();
        let order: Vec<usize> = (0..case.b()).map(|row| (row + case.k) % case.b()).collect();
        let turned = e.permuted(&order);
        let (before, after) = (all_three(&e, case.gap, case.gamma), all_three(&turned, case.gap, case.gamma));
        for (before, after) in before.iter().zip(&after) {
            let pairs = (0..case.b()).flat_map(|row| (0..case.t_len()).map(move |t| (row, t)));
            same_bits(before, after, pairs.map(|(row, t)| [(order[row], t), (row, t)]))?;
        }
    }
}

/// The valid slots of a case.
fn slots(case: &Case) -> impl Iterator<Item = (usize, usize)> {
    let all = (0..case.b()).flat_map(|row| (0..case.t_len()).map(move |t| (row, t)));
    all.filter(|(row, t)| case.mask[*row][*t])
}

/// Whether the next slot is the next token of the same episode.
fn followed(case: &Case, (row, t): (usize, usize)) -> bool {
    case.ends[row][t] == End::No && t + 1 < case.t_len() && case.mask[row][t + 1]
}
