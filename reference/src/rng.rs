//! Random numbers that are the same on every machine. Outside the grid of terms: a start and a sample need
//! them, no equation does.
//!
//! The generator is integer arithmetic and a normal variate is a sum of uniform ones, so nothing here asks
//! the system's mathematics library, whose last digits differ by CPU.

use nalgebra::DMatrix;

/// A generator of 64 bits (splitmix64): every seed is good, and equal seeds give equal numbers for ever.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of one seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The sequence that belongs to several numbers together, such as (seed, iteration, row): each is mixed
    /// into the state of a generator before it. So a row draws the same numbers whoever draws before it.
    pub fn of(numbers: &[u64]) -> Rng {
        Rng(numbers.iter().fold(0, |state, number| Rng(state ^ number).bits()))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in [lo, hi).
    pub fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.uniform()
    }

    /// Mean 0 and variance 1, never beyond ±6: the sum of twelve uniform numbers less 6.
    pub fn normal(&mut self) -> f64 {
        (0..12).fold(-6.0, |so_far, _| so_far + self.uniform())
    }

    /// A whole number below `n`.
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// b × t_len normal variates times `size`, drawn row by row.
    pub fn matrix(&mut self, b: usize, t_len: usize, size: f64) -> DMatrix<f64> {
        let rows: Vec<f64> = (0..b * t_len).map(|_| size * self.normal()).collect();
        DMatrix::from_row_slice(b, t_len, &rows)
    }

    /// b × t_len whole numbers below `n`: sampled token ids.
    ///
    /// # Panics
    ///
    /// If `n` is 0 and one is asked for.
    pub fn ids(&mut self, b: usize, t_len: usize, n: usize) -> DMatrix<usize> {
        let rows: Vec<usize> = (0..b * t_len).map(|_| self.below(n)).collect();
        DMatrix::from_row_slice(b, t_len, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::sum;

    /// The first outputs of splitmix64 for seed 0, as its authors print them.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut rng = Rng::new(0);
        assert_eq!([rng.bits(), rng.bits()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    /// The mean of n variates is off by 1/√n in one of three draws, and by five times that never here.
    #[test]
    fn normal_variates_have_mean_zero_and_variance_one() {
        let n = 100_000;
        let x = Rng::new(7).matrix(1, n, 1.0);
        let mean = sum(x.iter().copied()) / n as f64;
        let var = sum(x.iter().map(|x| x * x)) / n as f64;
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{mean}");
        assert!((var - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{var}");
    }

    /// (1, 2) and (2, 1) are two streams, and so are (1) and (1, 0).
    #[test]
    fn streams_of_other_numbers_are_other_streams() {
        let first = |numbers: &[u64]| Rng::of(numbers).bits();
        let all = [first(&[1]), first(&[1, 0]), first(&[1, 2]), first(&[2, 1]), first(&[0, 1]), first(&[])];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| one != other), "stream {i} occurs twice");
        }
    }
}
