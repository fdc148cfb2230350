//! A page may send anything: the answer is numbers or one sentence, and never a panic.

use live::{CALLS, call, shown};

/// A sound input of each call.
const SOUND: [(&str, &[f64]); 7] = [
    ("gae", &[1.0, 0.9, 0.8, 0.5, 2.0, 0.0, 1.0, 2.0, 0.5, 0.25, 2.0, 1.0, 1.0]),
    ("whiten", &[1.0, 0.0, 1e-8, 3.0, 1.0, 3.0, 5.0, 3.0, 1.0, 1.0, 0.0]),
    ("policy_clip", &[1.0, 0.5, 0.2, 0.2, 3.0, -1.0, 1.0, 5.0]),
    ("value_clip", &[0.75, 0.25, 1.0, 0.25, 0.0, 1.0, 0.0, 1.0, 5.0]),
    ("entropy", &[0.5, 3.0, 1.0, 0.0, -1.0, 0.5, 2.0, 4.0]),
    ("step", &[3.0, 0.1, 0.2, 0.2, 0.5, 0.01, 0.9, 0.8, 2.0, 1.0, -0.5]),
    ("level", &[5.0, 0.5, 1.0, 0.95, 0.25, 2.0, 1.0, 0.5]),
];

/// What a page should never send, and might.
const ODD: [f64; 16] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    -0.0,
    0.0,
    0.5,
    1.0,
    -1.0,
    2.0,
    3.5,
    64.0,
    2049.0,
    1e18,
    1e308,
    -1e308,
    5e-324,
];

#[test]
fn every_call_has_a_sound_input_here() {
    let names: Vec<&str> = SOUND.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, CALLS.map(|(name, _)| name));
    for (name, input) in SOUND {
        assert!(call(name, input).is_ok(), "{name}: {:?}", call(name, input));
    }
}

#[test]
fn an_odd_number_anywhere_is_computed_with_or_refused_and_never_panics() {
    for (name, input) in SOUND {
        for place in 0..input.len() {
            for odd in ODD {
                let mut bad = input.to_vec();
                bad[place] = odd;
                if let Err(sentence) = call(name, &bad) {
                    assert!(sentence.starts_with(&format!("{name}: ")), "{sentence}");
                }
                // And two at once, in every other place.
                for second in 0..input.len() {
                    let mut worse = bad.clone();
                    worse[second] = ODD[(second * 7 + place) % ODD.len()];
                    let _ = call(name, &worse);
                }
            }
        }
    }
}

#[test]
fn an_input_that_is_cut_short_or_goes_on_is_refused() {
    for (name, input) in SOUND {
        for end in 0..input.len() {
            assert!(call(name, &input[..end]).is_err(), "{name} took {end} of {} numbers", input.len());
        }
        let more = [input, &[1.0]].concat();
        assert_eq!(call(name, &more).unwrap_err(), format!("{name}: 1 numbers are left over"));
    }
    assert_eq!(call("gea", &[]).unwrap_err(), "gea is no call of the page");
}

#[test]
fn the_sentence_names_the_argument_and_the_number() {
    let cases: [(&str, usize, f64, &str); 10] = [
        ("gae", 0, 3.0, "gae: `gap` is 3 and must be a whole number from 0 to 2"),
        ("gae", 0, 0.5, "gae: `gap` is 0.5 and must be a whole number from 0 to 2"),
        ("gae", 1, 1.5, "gae: `gamma` is 1.5 and must lie in [0, 1]"),
        ("gae", 5, f64::NAN, "gae: `r[0]` is NaN and must be finite"),
        ("gae", 7, 1.0, "gae: `v` has 1 entries and `r` 2"),
        ("gae", 11, 0.5, "gae: `mask` holds 0.5, and a mask holds 0 and 1"),
        ("policy_clip", 2, 0.0, "policy_clip: `eps_lo` is 0 and must be > 0"),
        ("policy_clip", 4, 1.0, "policy_clip: `c_dual` is 1 and must be > 1"),
        ("whiten", 2, -1.0, "whiten: `eps_w` is -1 and must be ≥ 0 and finite"),
        ("step", 0, 0.0, "step: `epochs` is 0 and must be a whole number from 1 to 20"),
    ];
    for (name, place, odd, sentence) in cases {
        let mut bad = SOUND.iter().find(|(known, _)| *known == name).unwrap().1.to_vec();
        bad[place] = odd;
        assert_eq!(call(name, &bad).unwrap_err(), sentence);
    }
    let long =
        [&[0.0, 0.9, 0.8, 0.0][..], &[65.0], &[0.0; 65], &[65.0], &[0.0; 65], &[65.0], &[1.0; 65]].concat();
    assert_eq!(call("gae", &long).unwrap_err(), "gae: `r` has 65 entries, and a row here at most 64");
    let many = [&[5.0, 0.5, 1.0, 0.95, 0.25, 65.0][..], &[1.0; 65]].concat();
    assert_eq!(
        call("level", &many).unwrap_err(),
        "level: `scores` has 65 entries, and a batch here at most 64"
    );
    let none = [1.0, 0.0, 1e-8, 1.0, 3.0, 1.0, 0.0];
    assert_eq!(call("whiten", &none).unwrap_err(), "whiten: `mask` has no valid token");
}

#[test]
fn a_number_is_shown_as_the_listings_show_it() {
    assert_eq!((shown(0.15625, 4), shown(-2.0, 2)), ("0.1562".into(), "-2.00".into()));
    assert_eq!((shown(f64::NAN, 3), shown(f64::INFINITY, 3)), ("NaN".into(), "inf".into()));
    assert_eq!(shown(0.1, u32::MAX).len(), 19);
}
