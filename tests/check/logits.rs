//! Mistakes of the gradient of the logits: each written here word by word, and named from its dump.

use crate::scene::{Scene, named};
use conformance::{
    check::{bugs::bugs, compare::Verdict, step::Numbers},
    outputs::GRAD_LOGITS,
};
use std::collections::BTreeSet;

/// What one word of a row is made of.
struct Word {
    /// [v = a].
    hit: f64,
    pi: f64,
    logp: f64,
    /// H of the row.
    ent: f64,
    /// ∂L/∂log π and ∂L/∂H of the token.
    slopes: [f64; 2],
    tau: f64,
    /// 1 / n.
    share: f64,
}

impl Word {
    fn through_logp(&self) -> f64 {
        self.slopes[0] * (self.hit - self.pi) / self.tau
    }

    fn through_ent(&self) -> f64 {
        -self.slopes[1] * self.pi * (self.logp + self.ent) / self.tau
    }

    fn right(&self) -> f64 {
        self.through_logp() + self.through_ent()
    }
}

type OfWord = fn(&Word) -> f64;

const WRONG: [(&str, OfWord); 10] = [
    ("EntropyAdded", |w| w.through_logp() - w.through_ent()),
    ("EntropyDetached", Word::through_logp),
    ("EntropyNotCentred", |w| w.through_logp() - w.slopes[1] * w.pi * (w.logp + 1.0) / w.tau),
    ("TemperatureForgotten", |w| w.right() * w.tau),
    ("OneHotForgotten", |w| w.through_ent() - w.slopes[0] * w.pi / w.tau),
    ("OneHotAlone", |w| w.through_ent() + w.slopes[0] * w.hit / w.tau),
    ("MeanForgotten", |w| w.right() / w.share),
    ("MeanTwice", |w| w.right() * w.share),
    ("Ascent", |w| -w.right()),
    ("NoGradient", |_| 0.0),
];

/// The gradient of every token by a formula for one word; what masked slots hold is given.
fn gradient(scene: &Scene, masked: f64, of_word: OfWord) -> Vec<f64> {
    scene.step(|step, s| {
        let Some(Numbers::PerToken(slopes)) = step.output("grad_log_probs", s) else { panic!("no slopes") };
        let (mask, actions) = (&step.inputs.mask, step.inputs.actions.as_ref().unwrap());
        let (b, t_len) = mask.shape();
        let mut all = vec![masked; b * t_len * 6];
        let mut at = (0..b).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)));
        step.each_row(|z, _| {
            let slot = at.next()?;
            let logp = reference::log_prob::log_softmax_row(z, s.tau);
            let ent = -logp.iter().map(|logp| logp.exp() * logp).sum::<f64>();
            let share = 1.0 / mask.count() as f64;
            for (v, logp) in logp.iter().enumerate() {
                let word = Word {
                    hit: f64::from(u8::from(actions[slot] == v)),
                    pi: logp.exp(),
                    logp: *logp,
                    ent,
                    slopes: [slopes[slot].value, -s.coefficients.c_h * share],
                    tau: s.tau,
                    share,
                };
                all[(slot.0 * t_len + slot.1) * 6 + v] = of_word(&word);
            }
            Some(step.p.given(0.0))
        });
        all
    })
}

/// One temperature, an entropy that counts, and the slopes of log π beside it.
fn scene() -> Scene {
    let scene =
        Scene::rich().says("temperature", "0.7").says("entropy_coef", "0.5").unsays("entropy_temperature");
    let slopes = scene.step(|step, s| step.output("grad_log_probs", s)).unwrap();
    scene.with("grad_log_probs", &slopes)
}

#[test]
fn every_mistake_of_the_gradient_of_the_logits_is_named_from_a_file_that_is_right_otherwise() {
    let scene = scene();
    let file = |x: &[f64]| scene.clone().tensor("grad_logits", &[4, 8, 6], x);
    let right = file(&gradient(&scene, 0.0, Word::right)).finding("grad_logits");
    assert_eq!(right.compared.verdict, Verdict::Passed, "{right:?}");
    for (name, of_word) in WRONG {
        let finding = file(&gradient(&scene, 0.0, of_word)).finding("grad_logits");
        assert!(finding.failed(), "{name}: {finding:?}");
        assert_eq!(named(&finding), [name], "{:?}", finding.fits);
    }
    let known: BTreeSet<&str> = bugs().filter(|bug| bug.of == GRAD_LOGITS.name).map(|bug| bug.name).collect();
    assert_eq!(known, WRONG.iter().map(|(name, _)| *name).collect(), "one is not tried here");
}

/// Found on four tokens, and then held to all: one that another token does not have is no explanation.
#[test]
fn a_mistake_that_one_token_does_not_have_is_not_named() {
    let scene = scene();
    let mut x = gradient(&scene, 0.0, |w| -w.right());
    x[(8 + 7) * 6 + 3] += 1e-6;
    let finding = scene.tensor("grad_logits", &[4, 8, 6], &x).finding("grad_logits");
    assert!(finding.failed() && finding.fits.is_empty(), "{:?}", finding.fits);
}

/// A coefficient of 0 has the same numbers as an entropy that nothing is derived through, unless it is stated.
#[test]
fn an_entropy_that_is_left_out_is_a_convention_where_its_coefficient_is_not_stated() {
    let x = gradient(&scene(), 0.0, Word::through_logp);
    let finding = scene().unsays("entropy_coef").tensor("grad_logits", &[4, 8, 6], &x).finding("grad_logits");
    assert!(!finding.failed(), "{:?}", finding.fits);
}

#[test]
fn a_gradient_in_masked_slots_is_said_apart() {
    let scene = scene();
    let report = |masked: f64| {
        scene.clone().tensor("grad_logits", &[4, 8, 6], &gradient(&scene, masked, Word::right)).report()
    };
    let of = |masked: f64| {
        let report = report(masked);
        assert!(report.findings.iter().all(|finding| !finding.failed()));
        report.masked.iter().find(|(name, ..)| *name == "grad_logits").copied()
    };
    assert_eq!(of(0.0), None);
    assert_eq!(of(0.25), Some(("grad_logits", 15, 15)));
    assert_eq!(of(f64::NAN), Some(("grad_logits", 15, 15)));
}
