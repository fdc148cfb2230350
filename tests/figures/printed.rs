//! When a number is the figure that was printed.

/// A figure is met if the number would be printed so: |got − figure| ≤ half a unit of the last printed
/// digit. The last 1e-8 of that is for a number half way between two prints, such as 5.25e-4.
pub(crate) fn printed(got: f64, figure: &str) {
    let (digits, exponent) = figure.split_once('e').unwrap_or((figure, "0"));
    let decimals = digits.split_once('.').map_or(0, |(_, after)| after.len());
    let unit: f64 = format!("1e{}", exponent.parse::<i32>().unwrap() - decimals as i32).parse().unwrap();
    let off = (got - figure.parse::<f64>().unwrap()).abs();
    assert!(off <= 0.5 * unit * (1.0 + 1e-8), "{got} is not printed as {figure}: off {off:e} of {unit:e}");
}

/// A list of figures, such as `".2581 .5251 _"`; `_` is a masked slot and +0.
pub(crate) fn printed_row<'a>(got: impl IntoIterator<Item = &'a f64>, figures: &str) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    let figures: Vec<&str> = figures.split_whitespace().collect();
    assert_eq!(got.len(), figures.len(), "{got:?} for {figures:?}");
    for (got, figure) in got.into_iter().zip(figures) {
        match figure {
            "_" => assert_eq!(got.to_bits(), 0, "{got} in a masked slot"),
            figure => printed(got, figure),
        }
    }
}

/// For numbers that a person gets exactly, as decimals: a few roundings of the numbers involved away.
pub(crate) fn exactly(got: f64, want: f64) {
    let allowed = 1e-14 * want.abs().max(1.0);
    assert!((got - want).abs() <= allowed, "{got} for {want}, which is exact");
}

/// [`exactly`] for each number of a row.
pub(crate) fn exactly_row<'a>(got: impl IntoIterator<Item = &'a f64>, want: &[f64]) {
    let got: Vec<f64> = got.into_iter().copied().collect();
    assert_eq!(got.len(), want.len(), "{got:?} for {want:?}");
    got.iter().zip(want).for_each(|(got, want)| exactly(*got, *want));
}

#[test]
fn a_figure_allows_half_a_unit_of_its_last_digit() {
    printed(0.25814, ".2581");
    printed(-0.03115, "-.0312");
    printed(5.58e-23, "5.6e-23");
    for (got, figure) in [(0.25816, ".2581"), (-0.0312, ".0312"), (5.66e-23, "5.6e-23"), (f64::NAN, ".5")] {
        assert!(std::panic::catch_unwind(|| printed(got, figure)).is_err(), "{got} passes for {figure}");
    }
}
