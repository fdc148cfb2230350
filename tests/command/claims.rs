//! `ppo claims`, with runs cut short: the wiring, not what a whole run shows.

use crate::ppo;

/// The cells of a run's row after its name.
fn row(text: &str, name: &str) -> Vec<f64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.split_whitespace().filter_map(|cell| cell.parse().ok()).collect()
}

/// The mean target less the mean value is 0 up to a rounding of each token, at every iteration, while the
/// run as it is has a pull from the first on.
#[test]
fn nothing_pulls_the_critic_s_level_where_returns_come_from_whitened_advantages() {
    let text = ppo(["claims", "critic-level", "--iterations", "3"]).fine();
    // after, score, mean R, mean V, widest |R − V|, …: "0.9 at" is never reached and no number.
    let [as_it_is, whitened] = ["as it is", "returns-from-whitened"].map(|name| row(&text, name)[4]);
    assert!(whitened < 1e-12 && as_it_is > 1e-3, "{text}");
}

/// The two whose clips do not act so early are left out; `figures` holds what they change.
#[test]
fn every_variant_changes_the_run() {
    let text = ppo(["claims", "--iterations", "2"]).fine();
    let as_it_is = row(&text, "as it is");
    for name in ["returns-from-whitened", "as-printed", "λ = 0", "λ = 1", "no entropy bonus", "1 inner epoch"]
    {
        assert_ne!(row(&text, name), as_it_is, "{name} changes nothing");
    }
    assert!(text.contains("14 units of a forward pass, 4.7 SFT steps"), "{text}");
}

#[test]
fn an_unknown_claim_is_refused_with_those_there_are() {
    let ran = ppo(["claims", "lamda"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("critic-level, lambda, value-clip, entropy, epochs, norm-clip, cost"),
        "{}",
        ran.err
    );
}
