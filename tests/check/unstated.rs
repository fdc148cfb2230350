//! One number that nothing explains, and a radius or a coefficient that nobody states.

use crate::scene::Scene;

#[test]
fn a_radius_that_is_not_stated_is_said_beside_a_number_that_nothing_explains() {
    let file = Scene::rich().tensor("vf_loss", &[], &[0.123_456_789]);
    let finding = file.finding("vf_loss");
    assert!(finding.failed());
    assert_eq!(finding.unstated, ["cliprange_value"]);
    let finding = file.says("cliprange_value", "0.2").finding("vf_loss");
    assert!(finding.failed() && finding.unstated.is_empty(), "{finding:?}");
}

#[test]
fn a_nan_for_a_number_is_wrong_whatever_is_stated() {
    let finding = Scene::rich().tensor("total_loss", &[], &[f64::NAN]).finding("total_loss");
    assert!(finding.failed() && finding.unstated.is_empty(), "{finding:?}");
}

/// The loss has found the radius, so that the fraction beside it has nothing left to be free.
#[test]
fn what_another_output_has_settled_is_not_open() {
    let right = Scene::rich().says("cliprange_value", "0.37");
    let loss = right.step(|step, s| step.output("vf_loss", s)).unwrap();
    let file = Scene::rich().with("vf_loss", &loss).tensor("vf_clipfrac", &[], &[0.4321]);
    let report = file.report();
    let of = |name: &str| report.findings.iter().find(|finding| finding.output == name).unwrap();
    assert!(of("vf_loss").is_convention(), "{:?}", of("vf_loss"));
    assert!(of("vf_clipfrac").failed() && of("vf_clipfrac").unstated.is_empty(), "{:?}", of("vf_clipfrac"));
}

/// Every number is a total by some pair of coefficients, so none is wrong while two are open.
#[test]
fn a_total_is_wrong_only_where_all_but_one_of_its_coefficients_are_known() {
    let file = Scene::rich().tensor("total_loss", &[], &[0.123_456_789]);
    let open = file.clone().finding("total_loss");
    assert!(open.is_open() && !open.failed(), "{open:?}");
    assert!(open.pattern.is_some(), "it is still said how it differs");
    for (key, value) in [("vf_coef", "0.5"), ("entropy_coef", "0.01")] {
        let one = file.clone().says(key, value);
        assert!(one.finding("total_loss").is_open(), "{key} and nothing of the KL loss");
        let known = one.says("kl_loss_coef", "0").finding("total_loss");
        assert!(known.failed(), "{key}: {known:?}");
    }
}
