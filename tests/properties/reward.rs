//! `eq:score-at` and `eq:shaped-reward`: where the score lands, and what the KL takes from every token.

use nalgebra::DMatrix;
use reference::{
    Mask, ScoreAt,
    reward::{place_scores, reward},
};

property! {
    /// Written out token by token: −β k everywhere, and the clipped score on the last valid token on top. A
    /// row without a token is paid nothing, wherever its score would have landed.
    fn the_last_token_is_paid_the_score_and_every_token_its_kl(case) {
        let (mask, kl, scores) = (case.m(), case.matrix(1), case.rng(2).matrix(case.b(), 1, 1.0));
        let placed = place_scores(&scores, ScoreAt::LastValid, 0.5, &mask, None);
        let r = reward(&placed, Some(&kl), 0.25, &mask);
        for row in 0..case.b() {
            let last = case.mask[row].iter().rposition(|valid| *valid);
            for t in 0..case.t_len() {
                let score = if Some(t) == last { scores[row].clamp(-0.5, 0.5) } else { 0.0 };
                let want = if case.mask[row][t] { score - 0.25 * kl[(row, t)] } else { 0.0 };
                ensure!(r[(row, t)] == want, "[{row}, {t}] is paid {:e} and not {want:e}", r[(row, t)]);
            }
        }
    }
}

property! {
    /// The first pad is one slot on where there is one; the last attended slot is that of the other mask.
    fn other_conventions_pay_another_slot(case) {
        let (mask, scores) = (case.m(), case.rng(2).matrix(case.b(), 1, 1.0));
        let attended = Mask::new(DMatrix::from_fn(case.b(), case.t_len(), |row, t| t <= row || mask.has((row, t))));
        let first_pad = place_scores(&scores, ScoreAt::FirstPad, f64::INFINITY, &mask, None);
        let seen = place_scores(&scores, ScoreAt::LastAttended, f64::INFINITY, &mask, Some(&attended));
        for row in 0..case.b() {
            let last = case.mask[row].iter().rposition(|valid| *valid);
            let pad = last.map(|last| (last + 1).min(case.t_len() - 1));
            let end = last.max(Some(row.min(case.t_len() - 1)));
            for t in 0..case.t_len() {
                let paid = |slot| if Some(t) == slot { scores[row] } else { 0.0 };
                ensure!(first_pad[(row, t)] == paid(pad), "[{row}, {t}] is no first pad");
                ensure!(seen[(row, t)] == paid(end), "[{row}, {t}] is not the last attended");
            }
        }
    }
}
