//! Gradients where two branches meet: each framework's rule passes and is named.

use crate::scene::Scene;
use conformance::check::Report;

/// V at both bounds of ε_v = ¼, R beyond them or between; the whole slope is V − R at two tokens.
fn values(form: &str, slopes: [f64; 2]) -> Report {
    let file = Scene::default()
        .row("values", &[0.75, 0.25])
        .row("old_values", &[0.5, 0.5])
        .row("returns", &[2.0, -1.0])
        .says("grad_of", "vf_loss")
        .says("cliprange_value", "0.25")
        .says("value_clip_form", form);
    file.row("grad_values", &slopes).report()
}

/// ρ at both bounds of ε = ¼, Â such that the clip would bite beyond them; the whole slope is −ρ Â / 2.
fn policy(share: f64) -> Report {
    let file = Scene::default()
        .row("log_probs", &[0.75f64.ln(), 1.25f64.ln()])
        .row("old_log_probs", &[0.0, 0.0])
        .row("advantages", &[-1.0, 2.0])
        .says("grad_of", "pg_loss")
        .says("cliprange", "0.25");
    file.row("grad_log_probs", &[share * 0.375, share * -1.25]).report()
}

fn failed(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.failed())
}

#[test]
fn a_framework_s_own_rule_is_named_at_a_tie_and_passes() {
    for (share, rule) in [
        (1.0, "at 2 ties NAME is all of the unclipped branch: torch.clamp up to 2.13, "),
        (0.75, "at 2 ties NAME is ¾ of the unclipped branch: "),
        (0.5, "at 2 ties NAME is ½ of the unclipped branch: "),
        (0.0, "at 2 ties NAME is the clipped branch: nothing"),
        (0.3, "at 2 ties NAME is between the two branches, by no rule that is known"),
    ] {
        let of_values = values("max", [share * -1.25, share * 1.25]);
        for (report, name) in [(of_values, "grad_values"), (policy(share), "grad_log_probs")] {
            assert!(!failed(&report), "{share} of {name}");
            let [said] = report.ties.as_slice() else { panic!("{share} of {name}: {:?}", report.ties) };
            assert!(said.starts_with(&rule.replace("NAME", name)), "{said}");
        }
    }
}

#[test]
fn two_rules_in_one_file_are_both_said() {
    let report = values("clipped-only", [-1.25, 0.625]);
    assert_eq!(report.ties.len(), 2, "{:?}", report.ties);
    assert!(report.ties.iter().all(|said| said.starts_with("at 1 tie grad_values is ")), "{:?}", report.ties);
}

/// A third token inside its range says that ½ stands before the loss; the tie is read under that.
#[test]
fn a_tie_is_read_by_the_convention_that_the_file_follows() {
    let file = Scene::default()
        .row("values", &[0.75, 0.25, 0.5])
        .row("old_values", &[0.5, 0.5, 0.5])
        .row("returns", &[2.0, -1.0, -19.5])
        .says("grad_of", "vf_loss")
        .says("cliprange_value", "0.25")
        .says("value_clip_form", "max");
    let slopes = [-1.25, 1.25, 20.0].map(|whole| whole / 3.0);
    let report = file.row("grad_values", &[0.75 * slopes[0], 0.75 * slopes[1], slopes[2]]).report();
    assert!(!failed(&report));
    let [said] = report.ties.as_slice() else { panic!("{:?}", report.ties) };
    assert!(said.starts_with("at 2 ties grad_values is ¾ of the unclipped branch: "), "{said}");
}

/// What a tie may be off is a whole branch, more than a small token away from it has to explain.
#[test]
fn a_convention_is_found_beside_ties_that_are_larger_than_what_it_explains() {
    let file = Scene::default()
        .row("values", &[0.75, 0.25, 0.5])
        .row("old_values", &[0.5, 0.5, 0.5])
        .row("returns", &[2.0, -1.0, 1.0])
        .says("grad_of", "vf_loss")
        .says("cliprange_value", "0.25")
        .says("value_clip_form", "max");
    let slopes = [0.75 * -1.25, 0.75 * 1.25, -0.5].map(|whole| whole / 3.0);
    let finding = file.row("grad_values", &slopes).finding("grad_values");
    assert!(finding.is_convention(), "{:?}", finding.fits);
}

/// Inside the range both errors are one number, and every rule gives its whole slope: no tie that a gradient could show.
#[test]
fn away_from_its_bounds_a_clip_has_no_tie() {
    let report = Scene::rich().complete().report();
    assert!(report.findings.iter().any(|finding| finding.output == "grad_values"));
    assert!(report.ties.is_empty(), "{:?}", report.ties);
}

/// Beyond the bound by 2⁻⁴⁰ the clip bites, and half a slope is wrong.
#[test]
fn beside_a_tie_half_a_slope_is_wrong() {
    let beyond = 0.75 + 2f64.powi(-40);
    let file = Scene::default()
        .row("values", &[beyond, 0.5])
        .row("old_values", &[0.5, 0.5])
        .row("returns", &[2.0, 1.0])
        .says("grad_of", "vf_loss")
        .says("cliprange_value", "0.25")
        .says("value_clip_form", "max");
    let report = file.row("grad_values", &[-0.625, -0.5]).report();
    assert!(failed(&report) && report.ties.is_empty(), "{:?}", report.ties);
}
