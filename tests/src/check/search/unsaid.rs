//! What of an output's radii and coefficients the file says: by its metadata, by a flag, or by its other outputs.

use super::{
    Search,
    changes::{Changes, Number},
    under::Under,
};
use crate::{
    check::{compare::Compared, dialects::Dialect, finding::COUNTS},
    dump::{Chosen, KEYS, Source},
    report::Place,
};

impl Search<'_> {
    /// Keeps that an output was met with what is settled of its radii and coefficients, or the default.
    pub(super) fn confirm(&self, output: &str) {
        if COUNTS.contains(&output) {
            return;
        }
        let unclipped = |changes: &Changes| changes.value("value_clip_form", self.chosen) == Some("off");
        let unclipped = unclipped(&self.settled.borrow()) || self.others.borrow().iter().any(unclipped);
        if output != "vf_loss" || !unclipped {
            self.confirmed.borrow_mut().extend(free_in(output));
        }
    }

    /// The radii and coefficients of one number that are neither stated nor settled: a right number may be made by
    /// another value of theirs, beside more choices than are tried, and has no other number beside it that would tell.
    pub(super) fn unstated(&self, output: &'static str, compared: &Compared) -> Vec<&'static str> {
        if compared.place != Place::Scalar || !compared.expected.is_finite() || !compared.got.is_finite() {
            return Vec::new();
        }
        self.unsaid(output)
    }

    /// The radii and coefficients that an output is made by and that nothing says: no flag, no metadata, no other output.
    pub(super) fn unsaid(&self, output: &'static str) -> Vec<&'static str> {
        let confirmed = self.confirmed.borrow();
        let others = self.others.borrow();
        let in_all = |key: &&str| others.iter().all(|other| other.keys().any(|of| of == *key));
        let settled = self.settled.borrow();
        let pinned = |key: &&'static str| !COUNTS.contains(&output) || self.is_pinned(key);
        let settled: Vec<&str> = settled.keys().filter(in_all).collect();
        let both_radii =
            |key: &str| ["cliprange_low", "cliprange_high"].contains(&key) && settled.contains(&"cliprange");
        let known = |key: &&'static str| {
            let found = settled.contains(key) || both_radii(key) || confirmed.contains(key);
            self.states(key) || (found && pinned(key))
        };
        self.terms_of(output)
            .iter()
            .flat_map(|term| free_in(term))
            .copied()
            .filter(|key| !known(key))
            .collect()
    }

    /// Whether a loss that a radius has been settled by says more of it than between which ratios it lies: it is not what it
    /// is under a tenth less or more.
    fn is_pinned(&self, key: &'static str) -> bool {
        let settled = self.settled.borrow();
        let Some(radius) = settled.value(key, self.chosen).and_then(|value| value.parse::<f64>().ok()) else {
            return true;
        };
        let passes = |changes: &Changes| {
            let under = Under::changed(self, changes);
            let met = |output| under.as_ref().is_some_and(|under| under.passes(output) == Some(true));
            ["pg_loss", "vf_loss"].map(met)
        };
        let here = passes(&settled);
        let beside = |by: f64| settled.with_number(Number { key, value: format!("{}", by * radius) });
        [0.9, 1.1].iter().all(|by| passes(&beside(*by)) != here)
    }

    /// Whether a value of that key is a claim; one of both radii is where either is stated.
    pub(super) fn states(&self, key: &str) -> bool {
        let radii: &[&str] = &["cliprange", "cliprange_low", "cliprange_high"];
        let also = if key == "cliprange" { radii } else { &[] };
        self.stated.iter().any(|of| *of == key || also.contains(of))
    }
}

/// What the losses are multiplied by in the total.
pub(super) const COEFFICIENTS: &[&str] = &["vf_coef", "entropy_coef", "kl_loss_coef"];

/// The radii and coefficients that one number is made by, and that may have any value.
fn free_in(term: &str) -> &'static [&'static str] {
    match term {
        "pg_loss" => &["cliprange_low", "cliprange_high", "clip_ratio_c"],
        "pg_clipfrac" => &["cliprange_low", "cliprange_high"],
        "pg_clipfrac_lower" => &["clip_ratio_c"],
        "vf_loss" | "vf_clipfrac" => &["cliprange_value"],
        "total_loss" => COEFFICIENTS,
        _ => &[],
    }
}

/// The keys that a flag or the metadata gives, and what the code of a dialect does. `cliprange` gives both
/// radii; what else follows another key does so by our default alone.
pub(in crate::check) fn stated(said: &Chosen, dialect: Option<&Dialect>) -> Vec<&'static str> {
    // The padded width is no claim of anybody's.
    let by_nobody = |from| from == Source::Default || from == Source::Shape;
    let given = |key: &str| {
        said.setting(key)
            .is_some_and(|of| !by_nobody(of.from) || (key == "score_at" && of.from == Source::Shape))
    };
    let radius = |key: &str| ["cliprange_low", "cliprange_high"].contains(&key) && given("cliprange");
    let does = |key: &str| dialect.is_some_and(|dialect| dialect.does.iter().any(|(of, _)| *of == key));
    let keys = KEYS.iter().map(|key| key.name);
    keys.filter(|key| given(key) || radius(key) || does(key)).collect()
}
