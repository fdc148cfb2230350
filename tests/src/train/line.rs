//! One iteration's metrics as a line of JSON.

use super::Metrics;

/// The version of the layout; it changes when a reader of the old one would break.
const SCHEMA: u32 = 1;

/// One object without its line's end. A number reads back to the same bits; what is none is one of the
/// strings "NaN", "Infinity", "-Infinity".
pub fn line(m: &Metrics) -> String {
    let numbers = [
        ("score", m.score),
        ("l_policy", m.l_policy),
        ("l_value", m.l_value),
        ("entropy", m.ent),
        ("approx_kl", m.approx_kl),
        ("clip_frac", m.clip_frac),
        ("value_clip_frac", m.value_clip_frac),
        ("grad_norm", m.grad_norm),
        ("grad_norm_clipped", m.grad_norm_clipped),
        ("mean_return", m.mean_ret),
        ("mean_value", m.mean_v),
        ("length", m.length),
        ("cut", m.cut),
        ("flops", m.cost.flops),
        ("flops_so_far", m.flops_so_far),
    ];
    let mut text = format!("{{\"schema\":{SCHEMA},\"iteration\":{}", m.iteration);
    for (name, x) in numbers.into_iter().chain(m.kl_ref.map(|kl| ("kl_ref", kl))) {
        text.push_str(&format!(",\"{name}\":{}", number(x)));
    }
    text + "}"
}

fn number(x: f64) -> String {
    match x {
        x if x.is_nan() => "\"NaN\"".to_owned(),
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        x => format!("{x:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_to_the_same_bits_and_what_is_none_is_a_word() {
        for x in [0.1, -0.0, 5e-324, f64::MAX, 1.0 / 3.0, 1e22, 123456789.0] {
            assert_eq!(number(x).parse::<f64>().unwrap().to_bits(), x.to_bits());
            assert!(serde_json::from_str::<serde_json::Value>(&number(x)).unwrap().is_number());
        }
        let words = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(number);
        assert_eq!(words, ["\"NaN\"", "\"Infinity\"", "\"-Infinity\""]);
    }
}
