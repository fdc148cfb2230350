//! Comparisons that keep a NaN. Outside the grid of terms, because every clip is made of them.
//!
//! `f64::max` and `f64::min` drop a NaN and `f64::clamp` panics on NaN bounds; a dead critic would report
//! a healthy loss. Here a NaN in either operand is the result.

/// The smaller of two numbers, the second of two equal ones; NaN if either is.
pub fn lesser(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

/// The larger of two numbers, the second of two equal ones; NaN if either is.
pub fn greater(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// clip(x, lo, hi) = greater(lesser(x, hi), lo); NaN if x or a bound is.
pub fn clamp(x: f64, lo: f64, hi: f64) -> f64 {
    greater(lesser(x, hi), lo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_survives_in_either_operand() {
        for (a, b) in [(f64::NAN, 1.0), (1.0, f64::NAN), (f64::NAN, f64::NAN)] {
            assert!(lesser(a, b).is_nan() && greater(a, b).is_nan());
        }
        for (x, lo, hi) in [(f64::NAN, 0.0, 1.0), (0.5, f64::NAN, 1.0), (0.5, 0.0, f64::NAN)] {
            assert!(clamp(x, lo, hi).is_nan());
        }
    }

    #[test]
    fn of_two_zeros_the_second_is_taken() {
        for (a, b) in [(0.0f64, -0.0f64), (-0.0, 0.0)] {
            assert_eq!((lesser(a, b).to_bits(), greater(a, b).to_bits()), (b.to_bits(), b.to_bits()));
        }
    }

    #[test]
    fn infinite_bounds_change_nothing() {
        for x in [-1e300, -0.0, 0.0, 3.5, f64::INFINITY] {
            assert_eq!(clamp(x, f64::NEG_INFINITY, f64::INFINITY).to_bits(), x.to_bits());
        }
    }
}
