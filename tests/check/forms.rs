//! Every form of every trainer: what its code does that no setting says, under each estimator of the KL that it has.

use crate::scene::Scene;
use conformance::check::{
    Fit,
    bugs::{Bug, bugs},
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
};

/// What a user states where a trainer's own defaults would hide a form: at γ = λ = 1 a gap that is cut and one whose first V is
/// read are the same, and torchrl whitens nothing unless it is told.
const OF_USERS: [(&str, &str); 3] = [("gamma", "0.9"), ("lam", "0.8"), ("whiten", "on")];

/// Inputs of which every form finds some that show it.
fn scenes() -> Vec<Scene> {
    let flags =
        |ones: &[usize]| (0..32).map(|at| f64::from(u8::from(ones.contains(&at)))).collect::<Vec<_>>();
    let observed = flags(&(0..7).chain(8..16).chain(16..21).collect::<Vec<_>>());
    vec![
        Scene::rich(),
        Scene::rich().tensor("attention_mask", &[4, 8], &observed),
        Scene::sized(6, 5),
        Scene::square(),
        Scene::sized(4, 6).says("temperature", "0.7").unsays("entropy_temperature"),
    ]
}

/// A file whose output is the form's under the trainer's settings, of which nothing is said.
fn file_of(scene: &Scene, dialect: &Dialect, form: &Bug) -> Option<Scene> {
    let all = dialect.settings();
    let own = |key: &str| dialect.defaults.iter().any(|(of, _)| *of == key);
    let says = |scene: Scene, (key, value): &(&str, &str)| scene.says(key, value);
    let by_user = |scene: Scene| OF_USERS.iter().filter(|(key, _)| own(key)).fold(scene, says);
    let numbers = by_user(all.iter().fold(scene.clone(), says)).step(|step, s| (form.make)(step, s))?;
    let silent = all.iter().fold(scene.clone(), |scene, (key, _)| scene.unsays(key));
    Some(by_user(silent).with(form.of, &numbers))
}

#[test]
fn each_form_of_a_trainer_passes_under_its_name() {
    for dialect in DIALECTS {
        let forms: Vec<&Bug> = bugs().filter(|bug| dialect.has(bug)).collect();
        assert_eq!(forms.len(), dialect.forms.len(), "{}: a form is known once", dialect.name);
        for form in forms {
            let mut shown = 0;
            for file in scenes().iter().filter_map(|scene| file_of(scene, dialect, form)) {
                let finding = file.says("dialect", dialect.name).finding(form.of);
                assert!(!finding.failed(), "{} of {}: {:?}", form.name, dialect.name, finding.fits);
                if finding.compared.verdict == Verdict::Failed {
                    let is_it = |fit: &Fit| fit.mistakes.iter().any(|bug| bug.is(form));
                    let by_it = finding.fits.iter().any(is_it);
                    assert!(by_it, "{} of {}: {:?}", form.name, dialect.name, finding.fits);
                    shown += 1;
                }
            }
            assert!(shown > 0, "{} of {} does not show", form.name, dialect.name);
        }
    }
}

/// An estimator of the KL that a user states brings the clamps of the trainer's own code with it.
#[test]
fn each_estimator_of_a_trainer_passes_under_its_name() {
    for dialect in DIALECTS {
        for (kind, beside) in dialect.of_kl {
            let all: Vec<_> =
                dialect.settings().into_iter().filter(|(key, _)| !key.starts_with("kl_")).collect();
            let of_kind = [("kl_estimator", *kind)].into_iter().chain(beside.iter().copied());
            let far = Scene::rich().tensor("ref_log_probs", &[4, 8], &[-27.0; 32]);
            let stated = all
                .iter()
                .copied()
                .chain(of_kind)
                .fold(far.clone(), |scene, (key, value)| scene.says(key, value));
            let kl = stated.step(|step, s| step.output("kl", s)).unwrap();
            let file = far.with("kl", &kl).says("kl_estimator", kind).says("dialect", dialect.name);
            let finding = file.finding("kl");
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{kind} of {}: {finding:?}", dialect.name);
        }
    }
}

/// What a setting of its own name means in that version.
#[test]
fn each_setting_that_a_trainer_reads_otherwise_passes_under_its_name() {
    let mut seen = 0;
    for dialect in DIALECTS {
        for (key, theirs, ours) in dialect.means {
            let settings = dialect.settings();
            let made = settings.iter().copied().chain([(*key, *ours)]);
            let made = made.fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
            let loss = made.step(|step, s| step.output("pg_loss", s)).unwrap();
            let file = settings
                .iter()
                .fold(Scene::rich(), |scene, (key, _)| scene.unsays(key))
                .with("pg_loss", &loss);
            let finding = file.says(key, theirs).says("dialect", dialect.name).finding("pg_loss");
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{key} = {theirs} of {}", dialect.name);
            seen += 1;
        }
    }
    assert!(seen > 0);
}
