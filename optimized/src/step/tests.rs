//! The step is its terms, one after the other, to the bit.

use super::{
    cases::{B, Batch, VOCAB, all_on, choices},
    spec::{Numbers, of_losses, of_rolled, rows, say, term_by_term},
    *,
};
use crate::{
    Coefficients, ScoreAt,
    testing::{LAYOUTS, Layout, everywhere},
};

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

#[test]
fn the_step_is_its_terms_one_after_the_other() {
    let mut all = choices();
    all.extend([("everything on", all_on(), true), ("the defaults", Settings::default(), false)]);
    for layout in LAYOUTS {
        let batch = Batch::new(layout);
        everywhere("step", |on| {
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
