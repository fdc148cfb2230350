//! The step is its terms, one after the other, to the bit.

use super::*;
use crate::{
    Coefficients, Ends, GaeOut, Lambda, ScoreAt, TokenOut, Truncated, ValueClip, Whitened, broadcast_scores,
    gae, kl, place_scores, returns, reward,
    testing::{LAYOUTS, Laid, Layout, Random, everywhere},
    token_pass, whiten,
};
use reference::{Gap, Kl, KlEstimate, Listing};

/// As many rows as slots, so that scores can be broadcast.
const B: usize = 21;
const VOCAB: usize = 9;
const C: Coefficients = Coefficients { c_v: 0.7, c_h: 0.03, beta_loss: 0.2 };

struct Batch {
    laid: Laid,
    valid: Vec<bool>,
    attended: Vec<bool>,
    flags: [Vec<bool>; 2],
    /// log π_old, log π_ref, V_old, weights, V and V after a cut, scores: one per slot.
    x: [Vec<f32>; 7],
    logits: Vec<f32>,
    actions: Vec<u32>,
}

impl Batch {
    fn new(layout: Layout) -> Batch {
        let laid = Laid::new(layout, &[B; B]);
        let mut random = Random(11);
        let ends: Vec<usize> = (0..B).map(|row| if row == 4 { 0 } else { random.index(B) + 1 }).collect();
        let of = |has: &mut dyn FnMut(usize, usize) -> bool| {
            let rows: Vec<Vec<bool>> = (0..B).map(|row| (0..B).map(|t| has(row, t)).collect()).collect();
            laid.lay(&rows, true)
        };
        let valid = of(&mut |row, t| t < ends[row] && (row + t) % 7 != 3);
        let attended = of(&mut |row, t| t < ends[row] + 2);
        let flags = [5, 7].map(|one_in| (0..laid.slots).map(|_| random.flag(one_in)).collect());
        let x = [(); 7].map(|()| (0..laid.slots).map(|_| random.uniform()).collect());
        let logits = (0..laid.slots * VOCAB).map(|_| 4.0 * random.uniform()).collect();
        let actions = (0..laid.slots).map(|_| random.index(VOCAB) as u32).collect();
        Batch { laid, valid, attended, flags, x, logits, actions }
    }

    fn rollout(&self, s: &Settings, with_ref: bool) -> Rollout<'_> {
        let [logp_old, logp_ref, v_old, weights, _, v_boot, scores] = &self.x;
        let [terminated, truncated] = &self.flags;
        Rollout {
            mask: self.laid.mask(&self.valid),
            attended: Some(self.laid.mask(&self.attended)),
            scores: if s.score_at == ScoreAt::PerToken { scores } else { &scores[..B] },
            logp_old,
            logp_ref: with_ref.then_some(logp_ref),
            v_old,
            ends: Ends {
                v_last: Some(&v_boot[..B]),
                terminated: Some(terminated),
                truncated: Some(Truncated { at: truncated, v_boot }),
            },
            weights: Some(weights),
        }
    }
}

/// Everything on, with radii and temperatures that tell each other apart.
fn all_on() -> Settings {
    let mut s =
        Settings { coefficients: C, beta_kl: 0.1, eps_v: 0.5, tau: 0.7, tau_ent: 1.3, ..Settings::default() };
    s.clip.eps_hi = 0.28;
    s
}

/// [`all_on`] with one choice changed, by the name of the choice; and whether there is a reference model.
fn choices() -> Vec<(&'static str, Settings, bool)> {
    let s = all_on();
    let listed = |listing| Settings { listing, ..s };
    let as_printed = Listing::AS_PRINTED;
    let off = Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 };
    let plain = Listing::CORRECTED;
    vec![
        ("unshaped_reward", listed(Listing { unshaped_reward: true, ..plain }), true),
        ("entropy_added", listed(Listing { entropy_added: true, ..plain }), true),
        ("shared_clip_radius", listed(Listing { shared_clip_radius: true, ..plain }), true),
        ("unmasked", listed(Listing { unmasked: true, ..plain }), true),
        ("score_broadcast", listed(Listing { score_broadcast: true, ..plain }), true),
        ("returns_from_whitened", listed(Listing { returns_from_whitened: true, ..plain }), true),
        (
            "as printed, λ of the returns unused",
            Settings { lambda_critic: Some(0.3), ..listed(as_printed) },
            true,
        ),
        ("first pad", Settings { score_at: ScoreAt::FirstPad, ..s }, true),
        ("first pad, unmasked", Settings { score_at: ScoreAt::FirstPad, ..listed(as_printed) }, true),
        ("last attended", Settings { score_at: ScoreAt::LastAttended, ..s }, true),
        ("per token, clipped", Settings { score_at: ScoreAt::PerToken, score_clip: 0.4, ..s }, true),
        ("λ of the returns", Settings { lambda_critic: Some(0.3), ..s }, true),
        ("not whitened", Settings { whitening: None, ..s }, true),
        (
            "first pad, returns from what was not whitened",
            Settings {
                whitening: None,
                score_at: ScoreAt::FirstPad,
                ..listed(Listing { returns_from_whitened: true, ..plain })
            },
            true,
        ),
        ("no reference model", Settings { beta_kl: 0.0, ..s }, false),
        ("coefficients of 0", Settings { coefficients: off, ..s }, true),
        ("values not clipped", Settings { value_clip: ValueClip::Off, ..s }, true),
        ("k3, decay", Settings { kl: KlEstimate::plain(Kl::K3), gap: Gap::Decay, gamma: 0.9, ..s }, true),
    ]
}

/// Every number of a step by name, those between rows left out.
type Numbers = Vec<(&'static str, Vec<u32>)>;

/// The rows' numbers, any NaN as one.
fn rows(mask: &Mask<'_>, x: &[f32]) -> Vec<u32> {
    let width = x.len() / mask.valid().len();
    let slots = (0..mask.b()).flat_map(|row| mask.row(row));
    slots.flat_map(|slot| &x[slot * width..(slot + 1) * width]).map(|x| x.to_bits()).collect()
}

fn of_losses(got: &Losses) -> Vec<u32> {
    let Losses { policy, value, ent, l_kl, total } = *got;
    let policy = [policy.loss, policy.clip_frac, policy.clip_frac_lower, policy.approx_kl];
    let rest = [value.loss, value.clip_frac, ent, l_kl.unwrap_or(f32::MIN), total];
    policy.into_iter().chain(rest).map(f32::to_bits).collect()
}

fn of_rolled(rolled: &Rolled<'_>) -> Numbers {
    let Rolled { targets, kl, token_rewards, adv_raw, whitened } = *rolled;
    let mask = &targets.mask;
    let by = whitened.map_or(Vec::new(), |Whitened { mean, var }| vec![mean.to_bits(), var.to_bits()]);
    vec![
        ("kl", kl.map_or(Vec::new(), |kl| rows(mask, kl))),
        ("token_rewards", rows(mask, token_rewards)),
        ("adv_raw", rows(mask, adv_raw)),
        ("adv", rows(mask, targets.adv)),
        ("ret", rows(mask, targets.ret)),
        ("whitened", by),
    ]
}

/// What the model says now: log π, H, and what else the pass over the logits leaves behind.
fn say(on: Backend, batch: &Batch, mask: &Mask<'_>, s: &Settings) -> [Vec<f32>; 6] {
    let mut said = [(); 6].map(|()| vec![0.0f32; batch.laid.slots]);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = said.each_mut().map(|x| Some(&mut x[..]));
    let out = TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent };
    let logits = Logits::new(&batch.logits, VOCAB).unwrap();
    token_pass(on, logits, &batch.actions, mask, s.tau, s.tau_ent, out).unwrap();
    said
}

/// The step as it stands in this crate, in a room that was used before.
fn step(on: Backend, batch: &Batch, settings: &Settings, with_ref: bool, room: &mut Room) -> Numbers {
    let rollout = batch.rollout(settings, with_ref);
    let rolled = rollout_phase(on, &rollout, settings, room).unwrap();
    let (mut numbers, targets) = (of_rolled(&rolled), rolled.targets);
    let mask = &targets.mask;
    let said = say(on, batch, mask, settings);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &said;
    let mut grads = Gradients::new(mask);
    for room in [&mut grads.logp, &mut grads.ent, &mut grads.v] {
        room.fill(f32::NAN);
    }
    let got = losses(on, &targets, &Now { logp, ent, v: &batch.x[4] }, settings, &mut grads).unwrap();

    let mut dz = vec![f32::NAN; batch.logits.len()];
    let (logits, to) = (Logits::new(&batch.logits, VOCAB).unwrap(), LogitsMut::new(&mut dz, VOCAB).unwrap());
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    logits_grad(on, logits, &batch.actions, &targets, stats, &grads, settings, to).unwrap();
    numbers.push(("losses", of_losses(&got)));
    for (name, x) in [("logp", &grads.logp), ("ent", &grads.ent), ("v", &grads.v), ("logits", &dz)] {
        numbers.push((name, rows(mask, x)));
    }
    numbers
}

/// The same, each term called by hand.
fn term_by_term(on: Backend, batch: &Batch, settings: &Settings, with_ref: bool) -> Numbers {
    let (rollout, s) = (batch.rollout(settings, with_ref), settings.as_listed());
    let all = vec![true; batch.laid.slots];
    let mask = if s.listing.unmasked { batch.laid.mask(&all) } else { rollout.mask };
    let mut value_valid = mask.valid().to_vec();
    if s.score_at == ScoreAt::FirstPad {
        mask.with_first_pad(&mut value_valid).unwrap();
    }
    let value_mask = batch.laid.mask(&value_valid);
    let new = || vec![f32::NAN; batch.laid.slots];
    let (mut of_kl, mut placed, mut r, mut adv_raw, mut adv, mut ret) =
        (new(), new(), new(), new(), new(), new());

    if s.listing.score_broadcast {
        broadcast_scores(rollout.scores, s.score_clip, &mask, &mut placed).unwrap();
    } else {
        let attended = rollout.attended.as_ref();
        place_scores(on, rollout.scores, s.score_at, s.score_clip, &mask, attended, &mut placed).unwrap();
    }
    if let Some(logp_ref) = rollout.logp_ref {
        kl(on, rollout.logp_old, logp_ref, &mask, s.kl, &mut of_kl).unwrap();
    }
    let of_kl = with_ref.then_some(&of_kl[..]);
    reward(on, &placed, of_kl, s.beta_kl, &value_mask, &mut r).unwrap();
    let gae = |lambda, adv: &mut [f32]| {
        let (lambda, out) = (Lambda::One(lambda), GaeOut { adv, ret: None });
        gae(on, &r, rollout.v_old, &value_mask, &rollout.ends, s.gap, s.gamma, lambda, out).unwrap();
    };
    gae(s.lambda, &mut adv_raw);
    let whitened = s.whitening.map(|how| whiten(on, &adv_raw, &mask, how, &mut adv).unwrap());
    if whitened.is_none() {
        adv = mask.valid().iter().zip(&adv_raw).map(|(valid, x)| if *valid { *x } else { 0.0 }).collect();
    }
    let mut from = if s.listing.returns_from_whitened { adv.clone() } else { adv_raw.clone() };
    if let (Some(lambda), false) = (s.lambda_critic, s.listing.returns_from_whitened) {
        gae(lambda, &mut from);
    }
    returns(on, &from, rollout.v_old, &value_mask, &mut ret).unwrap();

    let Rollout { logp_old, logp_ref, v_old, weights, .. } = rollout;
    let (adv, ret, token_rewards, adv_raw) = (&adv, &ret, &r, &adv_raw);
    let targets = Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights };
    let mut numbers = of_rolled(&Rolled { targets, kl: of_kl, token_rewards, adv_raw, whitened });
    numbers.extend(inner(on, batch, &targets, &s));
    numbers
}

/// The inner epoch of [`term_by_term`]; `s` has its departures applied.
fn inner(on: Backend, batch: &Batch, targets: &Targets<'_>, s: &Settings) -> Numbers {
    let Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights } = *targets;
    let said = say(on, batch, &mask, s);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &said;
    let mut want = Gradients::new(&mask);
    let c = s.coefficients;
    let out = PolicyOut { grad: Some(Grad { c: 1.0, to: &mut want.logp }), ..PolicyOut::default() };
    let policy = policy_loss(on, logp, logp_old, adv, &mask, weights, &s.clip, s.agg, out).unwrap();
    let out = ValueOut { grad: Some(Grad { c: c.c_v, to: &mut want.v }), ..ValueOut::default() };
    let (v, form, half) = (&batch.x[4], s.value_clip, s.half);
    let value = value_loss(on, v, v_old, ret, &value_mask, s.eps_v, form, s.agg, half, out).unwrap();
    want.v.iter_mut().for_each(|x| *x = if c.c_v == 0.0 { 0.0 } else { *x });
    let mean_ent = aggregate(on, ent, &mask, s.agg).unwrap();
    aggregate_grad(&mask, s.agg, -c.c_h, &mut want.ent).unwrap();
    let l_kl = logp_ref.map(|logp_ref| {
        let mut apart = vec![0.0; batch.laid.slots];
        let (grad, how) = (Some(Grad { c: c.beta_loss, to: &mut apart }), s.kl_loss_grad);
        let out = KlOut { grad, put: Put::Replace };
        let l_kl = kl_loss(on, logp, logp_ref, &mask, s.kl_loss, how, s.agg, out).unwrap();
        if c.beta_loss != 0.0 {
            want.logp.iter_mut().zip(&apart).for_each(|(x, kl)| *x += *kl);
        }
        l_kl
    });
    let total = total_loss(policy.loss, value.loss, mean_ent, l_kl.unwrap_or(0.0), c);
    let mut dz = vec![f32::NAN; batch.logits.len()];
    let (logits, to) = (Logits::new(&batch.logits, VOCAB).unwrap(), LogitsMut::new(&mut dz, VOCAB).unwrap());
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    let (tau, tau_ent) = (s.tau, s.tau_ent);
    token_pass_grad(on, logits, &batch.actions, &mask, tau, tau_ent, stats, &want.logp, &want.ent, to)
        .unwrap();
    let mut numbers = vec![("losses", of_losses(&Losses { policy, value, ent: mean_ent, l_kl, total }))];
    for (name, x) in [("logp", &want.logp), ("ent", &want.ent), ("v", &want.v), ("logits", &dz)] {
        numbers.push((name, rows(&mask, x)));
    }
    numbers
}

#[test]
fn the_step_is_its_terms_one_after_the_other() {
    let mut all = choices();
    all.extend([("everything on", all_on(), true), ("the defaults", Settings::default(), false)]);
    for layout in LAYOUTS {
        let batch = Batch::new(layout);
        everywhere(|on| {
            let mut room = Room::default();
            for (name, settings, with_ref) in &all {
                let got = step(on, &batch, settings, *with_ref, &mut room);
                for (got, want) in got.iter().zip(term_by_term(on, &batch, settings, *with_ref)) {
                    assert!(*got == want, "{name}: {} on {on}, {layout:?}", got.0);
                }
            }
        });
    }
}

#[test]
fn each_choice_changes_a_number() {
    let (batch, on) = (Batch::new(Layout::Strided), Backend::best());
    let run = |s: &Settings, with_ref| step(on, &batch, s, with_ref, &mut Room::default());
    let plain = run(&all_on(), true);
    for (name, settings, with_ref) in choices() {
        assert_ne!(run(&settings, with_ref), plain, "{name}");
    }
}

#[test]
fn the_first_pad_is_no_token_of_the_policy() {
    let batch = Batch::new(Layout::Padded);
    let settings = Settings { score_at: ScoreAt::FirstPad, ..all_on() };
    let rollout = batch.rollout(&settings, true);
    let mut room = Room::default();
    let Rolled { targets, token_rewards, .. } =
        rollout_phase(Backend::best(), &rollout, &settings, &mut room).unwrap();
    let (mask, value_mask) = (targets.mask, targets.value_mask);
    let added: Vec<usize> =
        (0..batch.laid.slots).filter(|slot| value_mask.valid()[*slot] && !mask.valid()[*slot]).collect();
    assert!(!added.is_empty());
    assert!(added.iter().all(|slot| targets.adv[*slot] == 0.0 && targets.ret[*slot] != 0.0));
    assert!(added.iter().all(|slot| token_rewards[*slot] == rollout.scores[*slot / B]));
}

#[test]
fn a_part_of_a_batch_and_a_missing_reference_are_refused() {
    let batch = Batch::new(Layout::Padded);
    let says = |rollout: &Rollout<'_>| {
        let got = rollout_phase(Backend::best(), rollout, &all_on(), &mut Room::default()).map(drop);
        got.unwrap_err().to_string()
    };
    let rollout = batch.rollout(&all_on(), false);
    assert_eq!(says(&rollout), "reward: `kl` is missing and `beta_kl` other than 0 needs it");
    let whole = Mask::padded(&[true; 50], 50, 1).unwrap().counts();
    let part = Rollout { mask: rollout.mask.part_of(2, whole), ..rollout };
    let want =
        "rollout_phase: `mask` holds 21 rows from row 2 of a batch of 50: sum the parts and merge them";
    assert_eq!(says(&part), want);
}

#[test]
fn a_term_that_is_off_is_no_operand() {
    let batch = Batch::new(Layout::Padded);
    let settings =
        Settings { coefficients: Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 }, ..Settings::default() };
    let (rollout, mut room) = (batch.rollout(&settings, true), Room::default());
    let targets = rollout_phase(Backend::best(), &rollout, &settings, &mut room).unwrap().targets;
    let nan = vec![f32::NAN; batch.laid.slots];
    let now = Now { logp: &batch.x[0], ent: &nan, v: &nan };
    let mut grads = Gradients::new(&targets.mask);
    let got = losses(Backend::best(), &targets, &now, &settings, &mut grads).unwrap();
    assert_eq!(got.total, got.policy.loss);
    assert!(grads.v.iter().chain(&grads.ent).all(|x| x.to_bits() == 0));
}
