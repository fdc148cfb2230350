//! Sums and powers as a person would write them out. Outside the grid of terms, because every Σ is one.
//!
//! A sum starts from a written 0.0 and goes in index order, a power is a loop, exp and ln come from `libm`:
//! so the same digits come out on every machine. (`iter().sum()` of nothing is −0.0, matrix products pick
//! kernels by CPU, and the C library's exp differs between CPUs.)

/// Σ over the terms in order, from 0.0.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().fold(0.0, |so_far, term| so_far + term)
}

/// x⁰, x¹, …, xⁿ⁻¹, each the one before times x; 0⁰ is 1.
pub fn powers(x: f64, n: usize) -> Vec<f64> {
    let mut power = 1.0;
    let mut all = Vec::with_capacity(n);
    for _ in 0..n {
        all.push(power);
        power *= x;
    }
    all
}

/// xⁿ as n multiplications.
pub fn power(x: f64, n: usize) -> f64 {
    (0..n).fold(1.0, |so_far, _| so_far * x)
}

/// x².
pub fn square(x: f64) -> f64 {
    x * x
}

/// A count as a number, exact below 2⁵³.
pub fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_sum_is_plus_zero() {
        assert_eq!(sum([]).to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn zero_to_the_zero_is_one() {
        assert_eq!(powers(0.0, 3), [1.0, 0.0, 0.0]);
        assert_eq!(power(0.5, 3), 0.125);
    }
}
