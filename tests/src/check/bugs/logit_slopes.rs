//! Mistakes of the gradient of the logits itself: one token's row, from the slopes of its log π and of its H.
//!
//! What is wrong in those slopes, a clip or a mean, shows in `grad_log_probs` too and is one of `slopes`.

use super::{Bug, bug};
use crate::budget::{self, Approx, Precision};

/// One token, and what the gradient of its logits is made of.
pub(in crate::check) struct Row<'z> {
    pub(in crate::check) p: Precision,
    /// Its logits, before the temperatures.
    pub(in crate::check) z: &'z [f64],
    pub(in crate::check) action: usize,
    /// τ and τ_ent.
    pub(in crate::check) tau: (f64, f64),
    /// ∂L/∂log π and ∂L/∂H.
    pub(in crate::check) slopes: (Approx, Approx),
    /// What the token weighs in a loss.
    pub(in crate::check) share: Approx,
}

/// The gradient of one row with a mistake in it.
pub(in crate::check) type OfRow = fn(&Row) -> Vec<Approx>;

macro_rules! of_logits {
    ($name:literal, $says:literal, $seen:literal, $of_row:expr) => {
        Bug {
            row: Some($of_row),
            ..bug($name, "grad_logits", $says, $seen, |step, s| step.grad_logits_by(s, $of_row))
        }
    };
}

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_logits!(
        "EntropyAdded",
        "the entropy's part has the other sign, as in a loss that the entropy is added to",
        "the post (S10), DLR-RM/stable-baselines3#127, rlworkgroup/garage#628 (B79)",
        |row| sum(row.through_logp(), row.through_ent().into_iter().map(|x| -x))
    ),
    of_logits!(
        "EntropyDetached",
        "the entropy's part is missing: it was not added, or nothing is derived through it",
        "Toni-SM/skrl#357 (B81)",
        |row| row.through_logp()
    ),
    of_logits!(
        "EntropyNotCentred",
        "−π (log π + 1) and not −π (log π + H): the softmax is not derived",
        "",
        not_centred
    ),
    of_logits!(
        "TemperatureForgotten",
        "the factor 1/τ is missing: the gradient is that of z / τ",
        "",
        |row| {
            let times =
                |x: Vec<Approx>, tau: f64| x.into_iter().map(|x| row.p.setting(tau) * x).collect::<Vec<_>>();
            sum(times(row.through_logp(), row.tau.0), times(row.through_ent(), row.tau.1))
        }
    ),
    of_logits!(
        "OneHotForgotten",
        "−π and not [v = a] − π: the sampled token is pushed down as all are",
        "",
        |row| {
            let g = row.slopes.0;
            row.by_log_prob(|v, x| if v == row.action { x - g / row.p.setting(row.tau.0) } else { x })
        }
    ),
    of_logits!("OneHotAlone", "[v = a] and not [v = a] − π: the log-sum-exp is detached", "", |row| {
        let g = row.slopes.0;
        row.by_log_prob(|v, _| if v == row.action { g / row.p.setting(row.tau.0) } else { row.p.given(0.0) })
    }),
    of_logits!(
        "MeanForgotten",
        "the gradient of the sum over tokens: it is not divided as the loss is",
        "",
        |row| { row.right().into_iter().map(|x| x / row.share).collect() }
    ),
    of_logits!("MeanTwice", "divided by the number of tokens twice", "", |row| {
        row.right().into_iter().map(|x| x * row.share).collect()
    }),
    of_logits!("Ascent", "the sign is turned", "", |row| row.right().into_iter().map(|x| -x).collect()),
    of_logits!("NoGradient", "0 everywhere: the logits are detached", "", |row| {
        row.z.iter().map(|_| row.p.given(0.0)).collect()
    }),
];

impl Row<'_> {
    /// ∂L/∂z as it is.
    pub(in crate::check) fn right(&self) -> Vec<Approx> {
        budget::grad_logits_row(self.p, self.z, self.action, self.tau, self.slopes)
    }

    /// The part through log π.
    fn through_logp(&self) -> Vec<Approx> {
        let slopes = (self.slopes.0, self.p.given(0.0));
        budget::grad_logits_row(self.p, self.z, self.action, self.tau, slopes)
    }

    /// The part through H.
    fn through_ent(&self) -> Vec<Approx> {
        let slopes = (self.p.given(0.0), self.slopes.1);
        budget::grad_logits_row(self.p, self.z, self.action, self.tau, slopes)
    }

    /// The part through log π changed word by word, beside the other as it is.
    fn by_log_prob(&self, of: impl Fn(usize, Approx) -> Approx) -> Vec<Approx> {
        let changed = self.through_logp().into_iter().enumerate().map(|(v, x)| of(v, x));
        sum(changed.collect(), self.through_ent())
    }
}

fn sum(one: Vec<Approx>, other: impl IntoIterator<Item = Approx>) -> Vec<Approx> {
    one.into_iter().zip(other).map(|(a, b)| a + b).collect()
}

fn not_centred(row: &Row) -> Vec<Approx> {
    let (p, tau) = (row.p, row.tau.1);
    let g = row.slopes.1 / p.setting(tau);
    let logp = budget::log_softmax_row(p, row.z, tau);
    let of_word = |logp: Approx| match logp.value {
        f64::NEG_INFINITY => p.given(0.0),
        _ => -g * (logp.exp() * (logp + p.given(1.0))),
    };
    sum(row.through_logp(), logp.into_iter().map(of_word))
}
