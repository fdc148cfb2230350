//! The gradient of the logits, rows of a batch, and the arithmetic that a file's numbers were made in.

use crate::scene::{Scene, followed};
use conformance::{
    budget::Precision,
    check::{Asked, Finding, Report, check_as, compare::Verdict},
    dump::Inputs,
    engine::Engine,
    evaluate::{evaluate, grad_logits_row},
    report::Place,
};

/// A scene with the gradient of its logits, by the reference, under these settings, of which nothing is said.
fn with_gradient(settings: &[(&str, &str)]) -> (Scene, Vec<f64>) {
    let made = settings.iter().fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
    let gradient = made.open(|dump| {
        let chosen = dump.choose(&[]).unwrap();
        let s = chosen.settings.as_listed();
        let mut inputs = Inputs::load(&dump, &chosen).unwrap();
        let e = evaluate(Engine::Reference, &mut inputs, &chosen).unwrap();
        let mut logits = inputs.logits.take().unwrap();
        let (b, t_len) = inputs.mask.shape();
        let (mut all, mut z) = (vec![0.0; b * t_len * logits.vocab()], Vec::new());
        for row in 0..b {
            for t in inputs.mask.tokens_of(row) {
                logits.row((row, t), None, &mut z).unwrap();
                let of_row =
                    grad_logits_row(Engine::Reference, &e, &inputs, &s, (row, t), &z).unwrap().unwrap();
                let at = (row * t_len + t) * z.len();
                all[at..at + z.len()].copy_from_slice(&of_row);
            }
        }
        all
    });
    let silent = settings.iter().fold(Scene::rich(), |scene, (key, _)| scene.unsays(key));
    (silent.tensor("grad_logits", &[4, 8, 6], &gradient), gradient)
}

fn asked(scene: &Scene, asked: &Asked) -> Report {
    scene.open(|dump| check_as(&dump, &[], asked).unwrap())
}

fn gradient(scene: &Scene) -> Finding {
    scene.finding("grad_logits")
}

#[test]
fn the_gradient_of_the_logits_is_right_and_one_wrong_number_is_found_by_its_place() {
    let (scene, mut numbers) = with_gradient(&[]);
    assert_eq!(gradient(&scene).compared.verdict, Verdict::Passed);
    numbers[(8 + 3) * 6 + 2] += 1e-6;
    let wrong = gradient(&scene.tensor("grad_logits", &[4, 8, 6], &numbers));
    assert!(wrong.failed() && wrong.fits.is_empty(), "{wrong:?}");
    assert_eq!(wrong.compared.place, Place::Logit(1, 3, 2));
}

#[test]
fn what_stands_in_masked_slots_of_the_gradient_is_never_read() {
    let (scene, mut numbers) = with_gradient(&[]);
    numbers[2 * 6..4 * 6].fill(f64::NAN);
    assert_eq!(
        gradient(&scene.tensor("grad_logits", &[4, 8, 6], &numbers)).compared.verdict,
        Verdict::Passed
    );
}

#[test]
fn the_gradient_of_the_logits_is_recognised_by_choice_by_number_and_by_mistake() {
    for (key, value) in [
        ("loss_agg_mode", "seq-mean-token-mean"),
        ("entropy_coef", "0"),
        ("entropy_coef", "0.037"),
        ("cliprange_high", "0.28"),
    ] {
        let finding = gradient(&with_gradient(&[(key, value)]).0);
        let said = format!("{key} = {value}");
        if finding.compared.verdict == Verdict::Passed {
            panic!("{said} does not show");
        }
        assert!(!finding.failed(), "{said}: {finding:?}");
        assert!(followed(&finding).contains(&vec![said.clone()]), "{said}: {:?}", followed(&finding));
    }
}

#[test]
fn a_gradient_downstream_of_a_wrong_one_is_checked_from_the_file_s_own() {
    let (scene, _) = with_gradient(&[]);
    let own = scene.step(|step, s| step.output("grad_log_probs", s)).unwrap();
    let conformance::check::step::Numbers::PerToken(own) = own else { panic!("a slope is per token") };
    let twice = conformance::check::step::Numbers::PerToken(own.map(|x| x.at(2.0 * x.value)));
    let finding = gradient(&scene.with("grad_log_probs", &twice));
    assert!(finding.failed());
}

#[test]
fn rows_that_are_not_asked_for_are_not_compared() {
    let (scene, mut numbers) = with_gradient(&[]);
    numbers[(8 + 3) * 6 + 2] += 1e-6;
    let scene = scene.tensor("grad_logits", &[4, 8, 6], &numbers);
    let rows = |rows| asked(&scene, &Asked { rows: Some(rows), computed_in: None }).findings[0].failed();
    assert!(rows(1..2) && rows(0..4));
    assert!(!rows(0..1) && !rows(2..4));
    #[expect(clippy::reversed_empty_ranges, reason = "as somebody may type it")]
    for rows in [2..2, 3..1, 0..5] {
        let said = format!("`rows` is {}..{}", rows.start, rows.end);
        let asked = Asked { rows: Some(rows), computed_in: None };
        let err = scene.open(|dump| check_as(&dump, &[], &asked).unwrap_err().to_string());
        assert!(err.starts_with(&said) && err.contains("b ≤ 4"), "{err}");
    }
}

/// Numbers that are off by what f32 rounds.
#[test]
fn the_arithmetic_that_is_asked_for_is_the_one_that_is_allowed() {
    let scene = Scene::rich().complete();
    let conformance::check::step::Numbers::PerToken(ret) =
        Scene::rich().step(|step, s| step.output("returns", s)).unwrap()
    else {
        panic!("returns are per token")
    };
    let x: Vec<f64> = ret.transpose().iter().map(|x| f64::from(x.value as f32)).collect();
    let scene = scene.tensor("returns", &[4, 8], &x);
    let verdict = |computed_in| {
        let report = asked(&scene, &Asked { rows: None, computed_in });
        let finding = report.findings.into_iter().find(|finding| finding.output == "returns").unwrap();
        (finding.compared.verdict, finding.p)
    };
    assert_eq!(verdict(None), (Verdict::Failed, Precision::F64));
    assert_eq!(verdict(Some(Precision::F64)), (Verdict::Failed, Precision::F64));
    for p in [Precision::F32, Precision::F16, Precision::BF16] {
        assert_eq!(verdict(Some(p)), (Verdict::Passed, p));
    }
}

/// n · u is 1/4 at 64 tokens of bf16.
#[test]
fn a_budget_that_is_too_wide_determines_nothing() {
    for (t_len, wide) in [(7, false), (8, true)] {
        let scene = Scene::sized(9, t_len).complete();
        let report = asked(&scene, &Asked { rows: None, computed_in: Some(Precision::BF16) });
        let loss = report.findings.iter().find(|finding| finding.output == "vf_loss").unwrap();
        assert_eq!(loss.compared.verdict == Verdict::Undetermined, wide, "{loss:?}");
    }
}
