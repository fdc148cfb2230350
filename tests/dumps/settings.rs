//! Flags over metadata over defaults, and what no run can be meant with.

use conformance::dump::{Chosen, Facts, Fallback, GradOf, KEYS, Key, Scores, Source, choose};
use reference::{Agg, CountRows, DoneAt, KlGrad, KlOf, Listing, ScoreAt, Settings};
use std::collections::{BTreeMap, BTreeSet};

const FACTS: Facts = Facts { t_len: 7, scores: Scores::PerRow };

fn try_choose(flags: &[(&str, &str)], metadata: &[(&str, &str)], facts: Facts) -> Result<Chosen, String> {
    let text = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
    let flags: Vec<_> = flags.iter().map(text).collect();
    let metadata: BTreeMap<_, _> = metadata.iter().map(text).collect();
    choose(&flags, &metadata, facts).map_err(|err| err.to_string())
}

fn with(flags: &[(&str, &str)], metadata: &[(&str, &str)]) -> Chosen {
    try_choose(flags, metadata, FACTS).unwrap()
}

fn refusal(flags: &[(&str, &str)], metadata: &[(&str, &str)]) -> String {
    try_choose(flags, metadata, FACTS).unwrap_err()
}

fn source(chosen: &Chosen, key: &str) -> (String, Source) {
    let setting = chosen.setting(key).unwrap();
    (setting.value.clone(), setting.from)
}

#[test]
fn the_defaults_of_the_table_are_those_of_the_reference() {
    let chosen = with(&[], &[]);
    assert_eq!(chosen.settings, Settings::default());
    assert_eq!(chosen.done_at, DoneAt::Transition);
    assert_eq!((chosen.dialect, chosen.grad_of), (None, GradOf::TotalLoss));
    assert_eq!(chosen.sources.len(), KEYS.len());
}

#[test]
fn the_scale_is_the_padded_width_unless_it_is_said() {
    let chosen = with(&[("loss-agg-mode", "token-sum-norm")], &[]);
    assert_eq!(chosen.settings.agg, Agg::TokenSumNorm { scale: 7.0 });
    assert_eq!(source(&chosen, "loss_scale_factor"), ("7".to_string(), Source::Shape));
    let said = with(&[("loss-agg-mode", "seq-mean-token-sum-norm")], &[("loss_scale_factor", "4096")]);
    let rows = CountRows::WithTokens;
    assert_eq!(said.settings.agg, Agg::SeqMeanTokenSumNorm { rows, scale: 4096.0 });
    assert_eq!(said.loss_scale_factor, 4096.0);
}

#[test]
fn a_flag_wins_over_metadata_and_metadata_over_the_default() {
    let chosen = with(&[("gamma", "0.5")], &[("gamma", "0.9"), ("lambda", "0.8")]);
    assert_eq!((chosen.settings.gamma, chosen.settings.lambda), (0.5, 0.8));
    assert_eq!(source(&chosen, "gamma"), ("0.5".to_string(), Source::Flag));
    assert_eq!(source(&chosen, "lam"), ("0.8".to_string(), Source::Metadata));
    assert_eq!(source(&chosen, "eps"), ("1e-8".to_string(), Source::Default));
}

#[test]
fn a_flag_is_read_in_kebab_case_and_snake_case_under_every_spelling() {
    for key in KEYS {
        let legal = match key.default {
            Fallback::Value(value) => value,
            Fallback::Of(_) | Fallback::Width => "0.5",
        };
        for spelling in key.spellings() {
            for flag in [spelling.to_string(), spelling.replace('_', "-")] {
                assert_eq!(
                    source(&with(&[(&flag, legal)], &[]), key.name),
                    (legal.to_string(), Source::Flag)
                );
            }
            assert_eq!(source(&with(&[], &[(spelling, legal)]), key.name).1, Source::Metadata, "{spelling}");
        }
    }
    assert_eq!(refusal(&[("gama", "1")], &[]), "`gama` is no setting");
}

#[test]
fn no_spelling_stands_twice_in_the_table() {
    let all: Vec<_> = KEYS.iter().flat_map(Key::spellings).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn unknown_metadata_is_listed_and_ignored() {
    let chosen = with(&[], &[("made_by", "x"), ("kl-coef", "0.1"), ("a\tb", "")]);
    assert_eq!(chosen.unknown, ["a\\tb", "kl-coef", "made_by"]);
    assert_eq!(chosen.settings, Settings::default());
}

#[test]
fn two_spellings_of_one_key_must_agree() {
    let want = "`c_v` is 0.5 and `vf_coef` is 0.1 (metadata), but they are one setting: keep one of them";
    assert_eq!(refusal(&[], &[("vf_coef", "0.1"), ("c_v", "0.5")]), want);
    let want = "`lam` is 0.9 and `lambda` is 0.8 (flag), but they are one setting: keep one of them";
    assert_eq!(refusal(&[("lam", "0.9"), ("lambda", "0.8")], &[("lam", "0.9")]), want);
    assert_eq!(with(&[], &[("vf_coef", "0.10"), ("c_v", " 1e-1")]).settings.coefficients.c_v, 0.1);
    assert_eq!(with(&[("lam", "0.5")], &[("lambda", "0.8")]).settings.lambda, 0.5);
}

#[test]
fn cliprange_sets_both_radii_and_each_can_be_set_over_it() {
    let radii = |flags: &[(&str, &str)], metadata: &[(&str, &str)]| {
        let clip = with(flags, metadata).settings.clip;
        (clip.eps_lo, clip.eps_hi)
    };
    assert_eq!(radii(&[("clip-ratio", "0.3")], &[]), (0.3, 0.3));
    assert_eq!(radii(&[], &[("cliprange", "0.3"), ("cliprange_high", "0.4")]), (0.3, 0.4));
    assert_eq!(radii(&[("clip-ratio-low", "0.1")], &[("cliprange", "0.3")]), (0.1, 0.3));
    assert_eq!(radii(&[("cliprange", "0.3")], &[("cliprange_low", "0.1")]), (0.3, 0.3));
    assert_eq!(radii(&[("cliprange", "off")], &[]), (f64::INFINITY, f64::INFINITY));
}

#[test]
fn what_follows_another_key_is_a_default_and_is_not_written_down() {
    let chosen = with(&[("temperature", "0.7")], &[("lam", "0.9"), ("cliprange", "0.3")]);
    assert_eq!(source(&chosen, "entropy_temperature"), ("0.7".to_string(), Source::Default));
    assert_eq!(source(&chosen, "lam_critic"), ("0.9".to_string(), Source::Default));
    assert_eq!(source(&chosen, "cliprange_low"), ("0.3".to_string(), Source::Default));
    let written = chosen.metadata();
    assert!(written.contains_key("temperature") && !written.contains_key("entropy_temperature"));
    assert!(with(&[("lam-critic", "1")], &[]).metadata().contains_key("lam_critic"));
    assert_eq!((chosen.settings.tau_ent, chosen.settings.lambda_critic), (0.7, None));
    assert_eq!(with(&[("lam-critic", "1")], &[]).settings.lambda_critic, Some(1.0));
}

/// Every value beyond a range, so that no assertion of the reference can fire.
#[test]
fn a_value_out_of_range_is_refused_with_the_legal_ones() {
    for (keys, values) in [
        (&["gamma", "lam", "lam_critic"][..], &["-0.1", "1.1", "NaN", "inf", "", "x", "off"][..]),
        (&["cliprange", "cliprange_low", "cliprange_high"], &["0", "-1", "NaN", "x"]),
        (&["cliprange_value", "log_ratio_clamp"], &["0", "-1", "NaN", "x"]),
        (&["kl_clamp_in", "kl_clamp_out", "score_clip"], &["0", "-1", "NaN", "-inf"]),
        (&["clip_ratio_c"], &["1", "0.5", "NaN", "-inf"]),
        (&["kl_coef", "kl_loss_coef", "vf_coef", "entropy_coef"], &["NaN", "inf", "off", "1e999", "1,5"]),
        (&["eps"], &["-1e-9", "NaN", "inf"]),
        (&["temperature", "entropy_temperature", "loss_scale_factor"], &["0", "-1", "NaN", "inf", "off"]),
        (&["whiten", "shift_mean", "vf_half", "count_empty_rows"], &["yes", "1", "0", ""]),
        (&["kl_estimator", "ppo_kl_kind"], &["kl", "K1", "k1+", "k4"]),
        (&["kl_loss_kind"], &["low_var_kl", "k3++", "+", "full"]),
        (&["loss_agg_mode"], &["token_mean", "mean", "Token-Mean"]),
        (&["listing"], &["", "printed", "unmasked,", "as-printed,unmasked", "Corrected"]),
        (&["score_at", "gap", "done_at", "variance", "eps_at", "clipfrac"], &["", "last", "Skip", "off"]),
        (&["value_clip_form", "ppo_kl_of", "grad_of"], &["", "min", "Raw", "total-loss"]),
        (&["dialect"], &["", "a\u{1b}b", "two words"]),
    ] {
        for key in keys {
            for value in values {
                let (legal, shown) = (Key::find(key).unwrap().legal, value.replace('\u{1b}', "\\u{1b}"));
                let want = format!("`{key}` is `{shown}` (metadata), and must be {legal}");
                assert_eq!(refusal(&[], &[(key, value)]), want);
                let flagged = refusal(&[(key, value)], &[(key, "ignored")]);
                assert_eq!(flagged, want.replace("metadata", "flag"));
            }
        }
    }
}

#[test]
fn booleans_are_read_in_any_case_and_off_means_not_used() {
    for (value, on) in [("TRUE", true), ("On", true), ("False", false), ("off", false), ("None", false)] {
        assert_eq!(with(&[("whiten", value)], &[]).settings.whitening.is_some(), on, "{value}");
    }
    for off in ["off", "Off", "none", "None", "inf"] {
        let clip = with(&[("dual-clip", off), ("log-ratio-clamp", off)], &[]).settings.clip;
        assert_eq!((clip.c_dual, clip.log_ratio_clamp), (f64::INFINITY, f64::INFINITY));
    }
}

#[test]
fn every_choice_can_be_made() {
    let settings = |key: &str, value: &str| with(&[(key, value)], &[]).settings;
    let loss = settings("kl-loss-kind", "k2+");
    assert_eq!((loss.kl_loss.kind, loss.kl_loss_grad), (reference::Kl::K2, KlGrad::StraightThrough));
    assert_eq!(settings("kl-loss-kind", "abs").kl_loss_grad, KlGrad::Own);
    assert_eq!(settings("ppo-kl-of", "clamped").clip.kl_of, KlOf::Clamped);
    assert_eq!(settings("score-at", "first-pad").score_at, ScoreAt::FirstPad);
    assert_eq!(settings("listing", "as-printed").listing, Listing::AS_PRINTED);
    let some = Listing { unmasked: true, entropy_added: true, ..Listing::CORRECTED };
    assert_eq!(settings("listing", "unmasked, entropy-added").listing, some);
    let chosen = with(&[("peer", "verl"), ("grad-of", "kl_loss"), ("done-at", "next-start")], &[]);
    assert_eq!((chosen.dialect.as_deref(), chosen.grad_of), (Some("verl"), GradOf::KlLoss));
    assert_eq!(chosen.done_at, DoneAt::NextStart);
    let all = with(&[("loss-agg-mode", "seq-mean-token-sum"), ("count-empty-rows", "True")], &[]);
    assert_eq!(all.settings.agg, Agg::SeqMeanTokenSum { rows: CountRows::All });
}

/// Each word that a sentence calls legal must be, or the sentence sends its reader in a circle.
#[test]
fn every_word_that_is_called_legal_is_legal() {
    for key in KEYS.iter().filter(|key| !key.legal.starts_with("a ") && key.name != "kl_loss_kind") {
        let words = key.legal.trim_end_matches(", separated by commas").replace("or some of ", "");
        for word in words.split(", ").flat_map(|part| part.split(" or ")).flat_map(|part| part.split(" and "))
        {
            let facts = Facts { scores: Scores::Absent, ..FACTS };
            try_choose(&[(key.name, word)], &[], facts).unwrap_or_else(|err| panic!("{word}: {err}"));
        }
    }
}

#[test]
fn scores_per_token_say_where_they_land() {
    let per_token = Facts { scores: Scores::PerToken, ..FACTS };
    let chosen = try_choose(&[], &[], per_token).unwrap();
    assert_eq!(chosen.settings.score_at, ScoreAt::PerToken);
    assert_eq!(source(&chosen, "score_at"), ("per-token".to_string(), Source::Shape));
    let got = try_choose(&[], &[("score_at", "last-valid")], per_token).unwrap_err();
    assert_eq!(got, "`score_at` is last-valid (metadata), but `scores` is (B, L): per token already");
    let got = refusal(&[("score-at", "per-token")], &[]);
    assert_eq!(got, "`score_at` is per-token (flag), but `scores` is (B): one a sequence");
}

#[test]
fn the_printed_listing_has_one_lambda() {
    let got = refusal(&[("listing", "as-printed")], &[("lam_critic", "1"), ("lam", "0.8")]);
    let want =
        "`lam_critic` is 1 (metadata) and `lam` 0.8, but the listing with returns-from-whitened has one λ";
    assert_eq!(got, want);
    let same = with(&[("listing", "as-printed")], &[("lam_critic", "0.80"), ("lam", "0.8")]);
    assert_eq!(same.settings.lambda_critic, None);
}

#[test]
fn the_settings_written_are_the_settings_read() {
    let flags = [("lam-critic", "1"), ("temperature", "0.7"), ("cliprange-low", "0.1"), ("peer", "trl")];
    let chosen = with(&flags, &[("listing", "unmasked"), ("kl_loss_kind", "k3+"), ("c_h", "0")]);
    let metadata = chosen.metadata();
    let again = choose(&[], &metadata, Facts { t_len: 99, ..FACTS }).unwrap();
    assert_eq!(again.settings, chosen.settings);
    assert_eq!(again.metadata(), metadata);
    assert_eq!((again.dialect, again.loss_scale_factor), (chosen.dialect, 7.0));
}
