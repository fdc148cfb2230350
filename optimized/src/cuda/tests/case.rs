//! One step: its inputs, its choices, and how it goes on the CPU.

use crate::{
    Agg, Backend, Coefficients, CountRows, Ends, Error, GaeOut, Gap, Grad, Half, Kl, KlEstimate, KlGrad,
    KlOut, Lambda, Logits, LogitsMut, Mask, PolicyClip, PolicyOut, Put, ScoreAt, Settings, TokenOut,
    TokenStats, Truncated, ValueClip, ValueOut, Variance, Whitening, aggregate, aggregate_grad, gae, kl,
    kl_loss, place_scores, policy_loss, returns, reward,
    testing::{Random, SENTINEL},
    token_pass, token_pass_grad_in_place, total_loss, value_loss, whiten,
};

pub(super) const VOCAB: usize = 37;

/// What a step is made of: arrays of the mask's layout, NaN in masked slots.
pub(super) struct Inputs {
    pub(super) logits: Vec<f32>,
    pub(super) actions: Vec<u32>,
    pub(super) scores: Vec<f32>,
    pub(super) v_last: Vec<f32>,
    /// log π_ref, V_old, V, weights, log π_old − log π, V where a row is cut off.
    pub(super) tokens: [Vec<f32>; 6],
    pub(super) terminated: Vec<bool>,
    pub(super) truncated: Vec<bool>,
}

impl Inputs {
    pub(super) fn new(seed: u64, mask: &Mask<'_>) -> Inputs {
        let (mut random, valid) = (Random(seed), mask.valid());
        let n = valid.len();
        let mut of = |scale: f32| -> Vec<f32> {
            let all = valid.iter();
            all.map(|valid| if *valid { scale * random.uniform() } else { f32::NAN }).collect()
        };
        let tokens = [of(2.0), of(1.0), of(1.0), of(0.5), of(0.3), of(1.0)];
        let mut numbers = |n: usize| (0..n).map(|_| 3.0 * random.uniform()).collect::<Vec<f32>>();
        let (logits, scores, v_last) = (numbers(n * VOCAB), numbers(mask.b()), numbers(mask.b()));
        let actions = (0..n).map(|_| random.index(VOCAB) as u32).collect();
        let mut flags = || (0..n).map(|_| random.flag(9)).collect();
        let (terminated, truncated) = (flags(), flags());
        Inputs { logits, actions, scores, v_last, tokens, terminated, truncated }
    }
}

/// The choices that differ from case to case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choices {
    pub(super) agg: Agg,
    pub(super) gap: Gap,
    pub(super) kind: Kl,
    pub(super) slope: KlGrad,
    pub(super) form: ValueClip,
    pub(super) half: Half,
    pub(super) whitening: Whitening,
    pub(super) tau_ent: f64,
    pub(super) coefficients: Coefficients,
    pub(super) score_at: ScoreAt,
}

pub(super) const KLS: [Kl; 4] = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3];

impl Choices {
    pub(super) fn new(seed: usize) -> Choices {
        let (rows, scale) = (CountRows::WithTokens, 7.0);
        let modes = [
            Agg::TokenMean,
            Agg::TokenSum,
            Agg::SeqMeanTokenSum { rows },
            Agg::SeqMeanTokenMean { rows: CountRows::All },
            Agg::SeqMeanTokenSumNorm { rows, scale },
            Agg::TokenSumNorm { scale },
        ];
        let whitening = Settings::default().whitening.unwrap();
        let variance = [Variance::Sample, Variance::Population][seed % 2];
        let [c_v, beta_loss] = [[0.5, 0.1], [0.0, 0.0]][usize::from(seed % 4 == 3)];
        Choices {
            agg: modes[seed % 6],
            gap: [Gap::Skip, Gap::Decay, Gap::Cut][seed % 3],
            kind: KLS[seed % 4],
            slope: [KlGrad::Own, KlGrad::StraightThrough][seed % 2],
            form: [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off][seed % 3],
            half: [Half::Yes, Half::No][seed % 2],
            whitening: Whitening { variance, ..whitening },
            tau_ent: [0.8, 1.0][seed % 2],
            coefficients: Coefficients { c_v, c_h: 0.01, beta_loss },
            score_at: [ScoreAt::LastValid, ScoreAt::FirstPad, ScoreAt::LastAttended][seed % 3],
        }
    }

    pub(super) fn estimate(&self) -> KlEstimate {
        KlEstimate { kind: self.kind, clamp_in: 1.5, clamp_out: 1.0 }
    }
}

pub(super) const TAU: f64 = 0.8;
pub(super) const GAMMA: f64 = 0.99;
pub(super) const EPS_V: f64 = 0.2;
/// What stands in order: the arrays per token, then figures.
pub(super) const ARRAYS: [&str; 19] = [
    "logp",
    "ent",
    "max",
    "ln_sum",
    "max_ent",
    "ln_sum_ent",
    "logp_old",
    "k",
    "placed",
    "r",
    "adv",
    "ret",
    "white",
    "again",
    "g_logp",
    "g_ent",
    "g_v",
    "per_token",
    "ratio",
];
pub(super) const FIGURES: usize = 2 + 4 + 2 + 3;

/// What a step leaves: the arrays, the figures, and the logits with their gradient in place.
pub(super) type Left = (Vec<Vec<f32>>, Vec<f32>, Vec<f32>);

/// The step on the CPU.
pub(super) fn on_cpu(x: &Inputs, mask: &Mask<'_>, by: &Choices) -> Result<Left, Error> {
    let on = Backend::best();
    let mut logits = x.logits.clone();
    let mut all = vec![vec![SENTINEL; mask.valid().len()]; ARRAYS.len()];
    let [
        logp,
        ent,
        max,
        ln_sum,
        max_ent,
        ln_sum_ent,
        logp_old,
        k,
        placed,
        r,
        adv,
        ret,
        white,
        again,
        g_logp,
        g_ent,
        g_v,
        per_token,
        ratio,
    ] = all.get_disjoint_mut(core::array::from_fn::<_, 19, _>(|i| i)).unwrap();
    let out = TokenOut {
        logp: Some(logp),
        ent: Some(ent),
        max: Some(max),
        ln_sum: Some(ln_sum),
        max_ent: Some(max_ent),
        ln_sum_ent: Some(ln_sum_ent),
    };
    token_pass(on, Logits::new(&logits, VOCAB)?, &x.actions, mask, TAU, by.tau_ent, out)?;
    let [logp_ref, v_old, v, weights, apart, v_boot] = &x.tokens;
    returns(on, logp, apart, mask, logp_old)?;
    kl(on, logp_old, logp_ref, mask, by.estimate(), k)?;
    place_scores(on, &x.scores, by.score_at, 2.0, mask, Some(mask), placed)?;
    reward(on, placed, Some(k), 0.05, mask, r)?;
    let truncated = Truncated { at: &x.truncated, v_boot };
    let ends = Ends { v_last: Some(&x.v_last), terminated: Some(&x.terminated), truncated: Some(truncated) };
    let out = GaeOut { adv, ret: Some(ret) };
    gae(on, r, v_old, mask, &ends, by.gap, GAMMA, Lambda::One(0.95), out)?;
    let whitened = whiten(on, adv, mask, by.whitening, white)?;
    returns(on, adv, v_old, mask, again)?;
    let out =
        PolicyOut { per_token: Some(per_token), ratio: Some(ratio), grad: Some(Grad { c: 1.0, to: g_logp }) };
    let policy = policy_loss(on, logp, logp_old, white, mask, Some(weights), &clip(), by.agg, out)?;
    let out = ValueOut { per_token: None, grad: Some(Grad { c: by.coefficients.c_v, to: g_v }) };
    let value = value_loss(on, v, v_old, ret, mask, EPS_V, by.form, by.agg, by.half, out)?;
    let l_ent = aggregate(on, ent, mask, by.agg)?;
    aggregate_grad(mask, by.agg, -by.coefficients.c_h, g_ent)?;
    let out = KlOut { grad: Some(Grad { c: by.coefficients.beta_loss, to: g_logp }), put: Put::Add };
    let l_kl = kl_loss(on, logp, logp_ref, mask, by.estimate(), by.slope, by.agg, out)?;
    let total = total_loss(policy.loss, value.loss, l_ent, l_kl, by.coefficients);
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    let place = LogitsMut::new(&mut logits, VOCAB)?;
    token_pass_grad_in_place(on, place, &x.actions, mask, TAU, by.tau_ent, stats, g_logp, g_ent)?;
    let figures = vec![
        whitened.mean,
        whitened.var,
        policy.loss,
        policy.clip_frac,
        policy.clip_frac_lower,
        policy.approx_kl,
        value.loss,
        value.clip_frac,
        l_ent,
        l_kl,
        total,
    ];
    Ok((all, figures, logits))
}

pub(super) fn clip() -> PolicyClip {
    PolicyClip { c_dual: 1.5, kl_kind: Kl::K3, log_ratio_clamp: 0.25, ..Settings::default().clip }
}
