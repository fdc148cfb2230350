//! The settings while they are being read, and how each kind of value is.

use super::{GradOf, WhitenOver};
use reference::{
    Agg, ClipFrac, CountRows, DoneAt, EpsAt, Gap, Kl, KlGrad, KlOf, Listing, ScoreAt, Settings, ShiftMean,
    ValueClip, Variance, Whitening,
};

/// Settings of which some parts are still apart; every key of the table writes into it once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) settings: Settings,
    pub(super) whiten: bool,
    pub(super) whitening: Whitening,
    pub(super) agg: Mode,
    pub(super) rows: CountRows,
    pub(super) loss_scale_factor: f64,
    pub(super) done_at: DoneAt,
    pub(super) whiten_over: WhitenOver,
    pub(super) dialect: Option<String>,
    pub(super) grad_of: GradOf,
}

/// `Agg` without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    TokenMean,
    TokenSum,
    SeqMeanTokenSum,
    SeqMeanTokenMean,
    SeqMeanTokenSumNorm,
    TokenSumNorm,
}

impl Draft {
    /// Every part at some value; the table's defaults are what is written over it.
    pub(super) fn new() -> Draft {
        Draft {
            settings: Settings::default(),
            whiten: true,
            whitening: Whitening {
                variance: Variance::Sample,
                eps_at: EpsAt::Std,
                eps_w: 1e-8,
                shift_mean: ShiftMean::Yes,
            },
            agg: Mode::TokenMean,
            rows: CountRows::WithTokens,
            loss_scale_factor: 1.0,
            done_at: DoneAt::Transition,
            whiten_over: WhitenOver::Batch,
            dialect: None,
            grad_of: GradOf::TotalLoss,
        }
    }

    /// The parts together. A λ of the returns that equals λ is none.
    pub(super) fn settings(&self) -> Settings {
        let (rows, scale) = (self.rows, self.loss_scale_factor);
        let lambda = self.settings.lambda;
        Settings {
            lambda_critic: self.settings.lambda_critic.filter(|own| *own != lambda),
            whitening: self.whiten.then_some(self.whitening),
            agg: match self.agg {
                Mode::TokenMean => Agg::TokenMean,
                Mode::TokenSum => Agg::TokenSum,
                Mode::SeqMeanTokenSum => Agg::SeqMeanTokenSum { rows },
                Mode::SeqMeanTokenMean => Agg::SeqMeanTokenMean { rows },
                Mode::SeqMeanTokenSumNorm => Agg::SeqMeanTokenSumNorm { rows, scale },
                Mode::TokenSumNorm => Agg::TokenSumNorm { scale },
            },
            ..self.settings
        }
    }
}

fn off(x: &str) -> bool {
    x.eq_ignore_ascii_case("off") || x.eq_ignore_ascii_case("none")
}

pub(crate) fn within(x: &str, legal: impl Fn(f64) -> bool) -> Option<f64> {
    x.parse().ok().filter(|x| legal(*x))
}

pub(super) fn unit(x: &str) -> Option<f64> {
    within(x, |x| (0.0..=1.0).contains(&x))
}

pub(super) fn finite(x: &str) -> Option<f64> {
    within(x, f64::is_finite)
}

pub(crate) fn positive(x: &str) -> Option<f64> {
    within(x, |x| x > 0.0 && x.is_finite())
}

pub(crate) fn at_least_zero(x: &str) -> Option<f64> {
    within(x, |x| x >= 0.0 && x.is_finite())
}

/// A bound; ∞ where it is off.
pub(super) fn or_off(x: &str, legal: impl Fn(f64) -> bool) -> Option<f64> {
    if off(x) { Some(f64::INFINITY) } else { within(x, legal) }
}

pub(super) fn radius(x: &str) -> Option<f64> {
    or_off(x, |x| x > 0.0)
}

/// true, on; false, off, none.
pub(super) fn switch(x: &str) -> Option<bool> {
    match () {
        () if off(x) || x.eq_ignore_ascii_case("false") => Some(false),
        () if x.eq_ignore_ascii_case("on") || x.eq_ignore_ascii_case("true") => Some(true),
        () => None,
    }
}

/// A short name of letters, digits, - _ and dots; none where it is off.
pub(super) fn name_or_off(x: &str) -> Option<Option<String>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match x {
        x if off(x) => Some(None),
        x if (1..=40).contains(&x.len()) && x.chars().all(plain) => Some(Some(x.to_string())),
        _ => None,
    }
}

macro_rules! words {
    ($name:ident -> $of:ty { $($word:literal => $value:expr),* $(,)? }) => {
        pub(super) fn $name(x: &str) -> Option<$of> {
            match x {
                $($word => Some($value),)*
                _ => None,
            }
        }
    };
}

words!(clip_frac -> ClipFrac {
    "effective" => ClipFrac::Effective, "sign-blind" => ClipFrac::SignBlind, "signed" => ClipFrac::Signed,
});
words!(kl -> Kl { "k1" => Kl::K1, "abs" => Kl::Abs, "k2" => Kl::K2, "k3" => Kl::K3 });
words!(kl_of -> KlOf { "raw" => KlOf::Raw, "clamped" => KlOf::Clamped });
words!(score_at -> ScoreAt {
    "last-valid" => ScoreAt::LastValid, "last-attended" => ScoreAt::LastAttended,
    "first-pad" => ScoreAt::FirstPad, "per-token" => ScoreAt::PerToken,
});
words!(gap -> Gap { "skip" => Gap::Skip, "decay" => Gap::Decay, "cut" => Gap::Cut });
words!(done_at -> DoneAt { "transition" => DoneAt::Transition, "next-start" => DoneAt::NextStart });
words!(whiten_over -> WhitenOver { "batch" => WhitenOver::Batch, "rank" => WhitenOver::Rank });
words!(variance -> Variance { "sample" => Variance::Sample, "population" => Variance::Population });
words!(eps_at -> EpsAt {
    "std" => EpsAt::Std, "under-root" => EpsAt::UnderRoot, "var-floor" => EpsAt::VarFloor,
});
words!(agg -> Mode {
    "token-mean" => Mode::TokenMean, "token-sum" => Mode::TokenSum,
    "seq-mean-token-sum" => Mode::SeqMeanTokenSum, "seq-mean-token-mean" => Mode::SeqMeanTokenMean,
    "seq-mean-token-sum-norm" => Mode::SeqMeanTokenSumNorm, "token-sum-norm" => Mode::TokenSumNorm,
});
words!(grad_of -> GradOf {
    "total_loss" => GradOf::TotalLoss, "pg_loss" => GradOf::PgLoss, "vf_loss" => GradOf::VfLoss,
    "entropy_loss" => GradOf::EntropyLoss, "kl_loss" => GradOf::KlLoss,
});

pub(super) fn value_clip(x: &str) -> Option<ValueClip> {
    match x {
        "max" => Some(ValueClip::Max),
        "clipped-only" => Some(ValueClip::ClippedOnly),
        x if off(x) => Some(ValueClip::Off),
        _ => None,
    }
}

/// The estimator, and k2's gradient under it where a + follows.
pub(super) fn kl_loss(x: &str) -> Option<(Kl, KlGrad)> {
    match x.strip_suffix('+') {
        Some(kind) => Some((kl(kind)?, KlGrad::StraightThrough)),
        None => Some((kl(x)?, KlGrad::Own)),
    }
}

pub(super) fn listing(x: &str) -> Option<Listing> {
    match x {
        "corrected" => return Some(Listing::CORRECTED),
        "as-printed" => return Some(Listing::AS_PRINTED),
        _ => {}
    }
    let mut listing = Listing::CORRECTED;
    for departure in x.split(',') {
        *match departure.trim() {
            "returns-from-whitened" => &mut listing.returns_from_whitened,
            "unmasked" => &mut listing.unmasked,
            "score-broadcast" => &mut listing.score_broadcast,
            "unshaped-reward" => &mut listing.unshaped_reward,
            "entropy-added" => &mut listing.entropy_added,
            "shared-clip-radius" => &mut listing.shared_clip_radius,
            _ => return None,
        } = true;
    }
    Some(listing)
}
