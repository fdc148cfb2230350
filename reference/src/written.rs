//! Sums and powers as a person would write them out. Outside the grid of terms, because every Σ is one.
//!
//! A sum starts from a written 0.0 and goes in index order, a power is a loop, exp and ln come from `libm`:
//! so the same digits come out on every machine. (`iter().sum()` of nothing is −0.0, matrix products pick
//! kernels by CPU, and the C library's exp differs between CPUs.)

use nalgebra::DMatrix;

/// Σ over the terms in order, from 0.0.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().fold(0.0, |so_far, term| so_far + term)
}

/// The matrix product: out_ij = Σ_k a_ik b_kj, k in order from 0.0.
///
/// The loop over k stands outside the one over i only because a column lies together in memory: every
/// entry is still its own sum in the order of k.
///
/// # Panics
///
/// If `a` has not as many columns as `b` has rows.
pub fn product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let (rows, inner) = a.shape();
    assert!(inner == b.nrows(), "product: {rows} × {inner} times {} × {}", b.nrows(), b.ncols());
    let mut out = DMatrix::zeros(rows, b.ncols());
    for j in 0..b.ncols() {
        let out = &mut out.as_mut_slice()[j * rows..(j + 1) * rows];
        for k in 0..inner {
            let (a, b) = (&a.as_slice()[k * rows..(k + 1) * rows], b[(k, j)]);
            for (out, a) in out.iter_mut().zip(a) {
                *out += a * b;
            }
        }
    }
    out
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

    /// Every entry by its own written sum, bit for bit; 1/3 and its like make every rounding show.
    #[test]
    fn a_product_is_its_sums_in_order() {
        let fill = |i: usize, j: usize| 1.0 / number(3 + 7 * i + 5 * j) - 0.1;
        let (a, b) = (DMatrix::from_fn(4, 9, fill), DMatrix::from_fn(9, 3, fill));
        let want = DMatrix::from_fn(4, 3, |i, j| sum((0..9).map(|k| a[(i, k)] * b[(k, j)])));
        assert_eq!(product(&a, &b), want);
        let nothing = product(&DMatrix::zeros(1, 0), &DMatrix::zeros(0, 1));
        assert_eq!(nothing[0].to_bits(), 0.0f64.to_bits());
    }

    #[test]
    #[should_panic(expected = "product: 1 × 2 times 3 × 1")]
    fn a_product_of_shapes_that_do_not_meet_is_refused() {
        product(&DMatrix::zeros(1, 2), &DMatrix::zeros(3, 1));
    }

    #[test]
    fn zero_to_the_zero_is_one() {
        assert_eq!(powers(0.0, 3), [1.0, 0.0, 0.0]);
        assert_eq!(power(0.5, 3), 0.125);
    }
}
