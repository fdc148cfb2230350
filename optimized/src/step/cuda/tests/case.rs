//! One step: its masks and settings, its inputs, and how it goes on the CPU.

use crate::{
    Agg, Backend, CountRows, Ends, Gap, Kl, KlEstimate, KlGrad, Logit, Logits, LogitsMut, Mask, ScoreAt,
    Settings, TokenOut, TokenStats, Truncated, ValueClip, Variance,
    step::{Gradients, Now, Rollout, Room, cases, logits_grad, losses, rollout_phase},
    testing::{Laid, Layout, Random, SENTINEL},
    token_pass,
};

pub(super) const VOCAB: usize = 37;

/// Rows, what stands in them and what is done with them.
pub(super) struct Case {
    laid: Laid,
    valid: Vec<bool>,
    attended: Vec<bool>,
    pub(super) settings: Settings,
    /// Whether there are a reference model, ends of episodes and weights.
    pub(super) full: bool,
}

impl Case {
    pub(super) fn new(layout: Layout, rows: &[Vec<bool>], settings: Settings, full: bool) -> Case {
        let laid = Laid::new(layout, &rows.iter().map(Vec::len).collect::<Vec<_>>());
        // A slot is attended where one of the two before it, or it, is valid.
        let attended = |row: &Vec<bool>| -> Vec<bool> {
            (0..row.len()).map(|t| row[t.saturating_sub(2)..=t].contains(&true)).collect()
        };
        let attended = laid.lay(&rows.iter().map(attended).collect::<Vec<_>>(), true);
        Case { valid: laid.lay(rows, false), attended, laid, settings, full }
    }

    pub(super) fn mask(&self) -> Mask<'_> {
        self.laid.mask(&self.valid)
    }

    pub(super) fn attended(&self) -> Mask<'_> {
        self.laid.mask(&self.attended)
    }
}

/// Settings in which everything is on, and what choices there are go round.
pub(super) fn settings(seed: usize) -> Settings {
    let (rows, scale) = (CountRows::WithTokens, 7.0);
    let modes = [
        Agg::TokenMean,
        Agg::TokenSum,
        Agg::SeqMeanTokenSum { rows },
        Agg::SeqMeanTokenMean { rows: CountRows::All },
        Agg::SeqMeanTokenSumNorm { rows, scale },
        Agg::TokenSumNorm { scale },
    ];
    let kind = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3][seed % 4];
    let estimate = KlEstimate { kind, clamp_in: 1.5, clamp_out: 1.0 };
    let mut s = Settings {
        agg: modes[seed % 6],
        gap: [Gap::Skip, Gap::Decay, Gap::Cut][seed % 3],
        gamma: 0.99,
        kl: estimate,
        kl_loss: estimate,
        kl_loss_grad: [KlGrad::Own, KlGrad::StraightThrough][seed % 2],
        value_clip: [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off][seed % 3],
        score_at: [ScoreAt::LastValid, ScoreAt::FirstPad, ScoreAt::LastAttended][seed % 3],
        score_clip: 2.0,
        ..cases::all_on()
    };
    s.tau_ent = [s.tau, 1.3][seed % 2];
    s.clip.c_dual = 1.5;
    s.clip.log_ratio_clamp = 0.25;
    s.clip.kl_kind = Kl::K3;
    if let Some(whitening) = &mut s.whitening {
        whitening.variance = [Variance::Sample, Variance::Population][seed % 2];
    }
    s
}

/// What a step is made of: NaN, and actions that there are not, in every slot that it may not read.
pub(super) struct Inputs {
    pub(super) logits: Vec<f32>,
    pub(super) actions: Vec<u32>,
    pub(super) scores: Vec<f32>,
    pub(super) v_last: Vec<f32>,
    /// log π_old, log π_ref, V_old, weights, V, V where a row is cut off.
    pub(super) tokens: [Vec<f32>; 6],
    pub(super) terminated: Vec<bool>,
    pub(super) truncated: Vec<bool>,
}

impl Inputs {
    pub(super) fn new(seed: u64, case: &Case) -> Inputs {
        let (mut random, mask, s) = (Random(seed), case.mask(), case.settings);
        let n = mask.valid().len();
        let valid: Vec<bool> = match s.listing.unmasked {
            true => (0..n).map(|slot| mask.holds(slot)).collect(),
            false => mask.valid().to_vec(),
        };
        let mask = mask.with_valid(&valid);
        let mut of_value = valid.clone();
        if s.score_at == ScoreAt::FirstPad {
            mask.with_first_pad(&mut of_value).unwrap();
        }
        let value_mask = mask.with_valid(&of_value);
        let mut numbers = |n: usize, scale: f32, is_read: &dyn Fn(usize) -> bool| -> Vec<f32> {
            let mut of = |i| if is_read(i) { scale * random.uniform() } else { f32::NAN };
            (0..n).map(&mut of).collect()
        };
        let (of_policy, of_value) = (|slot: usize| valid[slot], |slot: usize| of_value[slot]);
        let logits = numbers(n * VOCAB, 3.0, &|i| valid[i / VOCAB]);
        let [apart_old, apart_ref, weights] = [0.3, 0.6, 2.0].map(|scale| numbers(n, scale, &of_policy));
        let [v_old, v, v_boot] = [1.0; 3].map(|scale| numbers(n, scale, &of_value));
        let scores = match s.score_at {
            ScoreAt::PerToken => numbers(n, 3.0, &of_policy),
            _ => numbers(mask.b(), 3.0, &|row| s.listing.score_broadcast || mask.end(row) > 0),
        };
        let v_last = numbers(mask.b(), 1.0, &|row| value_mask.end(row) > 0);
        let mut index = |below| random.index(below) as u32;
        let actions: Vec<u32> =
            valid.iter().map(|valid| if *valid { index(VOCAB) } else { u32::MAX }).collect();
        let mut flags = || (0..n).map(|_| random.flag(9)).collect();
        let (terminated, truncated) = (flags(), flags());
        // log π_old and log π_ref stand near log π, so that some ratios are clipped and some are not.
        let mut logp = vec![f32::NAN; n];
        let out = TokenOut { logp: Some(&mut logp), ..TokenOut::default() };
        let of = Logits::new(&logits, VOCAB).unwrap();
        token_pass(Backend::best(), of, &actions, &mask, s.tau, s.tau, out).unwrap();
        let near = |apart: Vec<f32>| logp.iter().zip(apart).map(|(logp, apart)| logp + apart).collect();
        let tokens = [near(apart_old), near(apart_ref), v_old, weights, v, v_boot];
        Inputs { logits, actions, scores, v_last, tokens, terminated, truncated }
    }
}

/// The arrays of a step: first those that need not be asked for.
pub(super) const ARRAYS: [&str; 10] =
    ["kl", "token_rewards", "adv_raw", "logp", "ent", "grad_logp", "grad_ent", "adv", "ret", "grad_v"];

/// What a step leaves, the sentinel where it leaves alone what was there: between rows it may say anything.
pub(super) struct Left {
    pub(super) arrays: [Vec<f32>; ARRAYS.len()],
    pub(super) whitened: [f32; 2],
    pub(super) figures: [f32; super::super::FIGURES],
    pub(super) grad_logits: Vec<f32>,
}

/// Logits as another format has them.
pub(super) fn narrowed<X: Logit>(x: &[f32]) -> Vec<X> {
    x.iter().map(|x| X::narrow(*x)).collect()
}

/// The step on the CPU, of logits of a format.
pub(super) fn on_cpu<X: Logit>(case: &Case, x: &Inputs) -> Left {
    let (on, s, mask, attended) = (Backend::best(), &case.settings, case.mask(), case.attended());
    let [logp_old, logp_ref, v_old, weights, v, v_boot] = &x.tokens;
    let truncated = Truncated { at: &x.truncated, v_boot };
    let ends = Ends { v_last: Some(&x.v_last), terminated: Some(&x.terminated), truncated: Some(truncated) };
    let rollout = Rollout {
        mask,
        attended: Some(attended),
        scores: &x.scores,
        logp_old,
        logp_ref: case.full.then_some(logp_ref),
        v_old,
        ends: if case.full { ends } else { Ends::default() },
        weights: case.full.then_some(weights),
    };
    let mut room = Room::default();
    let rolled = rollout_phase(on, &rollout, s, &mut room).unwrap();
    let targets = rolled.targets;

    let mut said = [(); 6].map(|()| vec![SENTINEL; mask.valid().len()]);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = said.each_mut().map(|x| Some(&mut x[..]));
    let out = TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent };
    let mut grad_logits: Vec<X> = narrowed(&x.logits);
    let logits = grad_logits.clone();
    let logits = Logits::new(&logits, VOCAB).unwrap();
    token_pass(on, logits, &x.actions, &targets.mask, s.tau, s.tau_ent, out).unwrap();
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &said;
    let mut grads = Gradients::new(&mask);
    let got = losses(on, &targets, &Now { logp, ent, v }, s, &mut grads).unwrap();
    let to = LogitsMut::new(&mut grad_logits, VOCAB).unwrap();
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    logits_grad(on, logits, &x.actions, &targets, stats, &grads, s, to).unwrap();

    let (policy, value) = (got.policy, got.value);
    Left {
        whitened: rolled.whitened.map_or([SENTINEL; 2], |by| [by.mean, by.var]),
        figures: [
            policy.loss,
            policy.clip_frac,
            policy.clip_frac_lower,
            policy.approx_kl,
            value.loss,
            value.clip_frac,
            got.ent,
            got.l_kl.unwrap_or(SENTINEL),
            got.total,
        ],
        grad_logits: grad_logits.into_iter().map(X::widen).collect(),
        arrays: [
            rolled.kl.map_or_else(|| vec![SENTINEL; mask.valid().len()], <[f32]>::to_vec),
            rolled.token_rewards.to_vec(),
            rolled.adv_raw.to_vec(),
            logp.clone(),
            ent.clone(),
            grads.logp,
            grads.ent,
            targets.adv.to_vec(),
            targets.ret.to_vec(),
            grads.v,
        ],
    }
}
