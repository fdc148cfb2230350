//! Inputs that the suites share: seeded, the same on every machine, each with the reason it is there.
//!
//! Nothing here calls the system's mathematics library, whose last digits differ by CPU: the generator is
//! integer arithmetic and a normal variate is a sum of uniform ones. So a snapshot of what follows from
//! these inputs can be compared to the last digit anywhere.

use nalgebra::DMatrix;
use reference::Mask;

/// A generator of 64 bits (splitmix64): every seed is good, and equal seeds give equal numbers for ever.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of one seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
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
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// b × t_len normal variates times `size`, drawn row by row.
    pub fn matrix(&mut self, b: usize, t_len: usize, size: f64) -> DMatrix<f64> {
        let rows: Vec<f64> = (0..b * t_len).map(|_| size * self.normal()).collect();
        DMatrix::from_row_slice(b, t_len, &rows)
    }

    /// b × t_len whole numbers below `n`: sampled token ids.
    pub fn ids(&mut self, b: usize, t_len: usize, n: usize) -> DMatrix<usize> {
        let rows: Vec<usize> = (0..b * t_len).map(|_| self.below(n)).collect();
        DMatrix::from_row_slice(b, t_len, &rows)
    }
}

/// x moved to a multiple of 2⁻³⁰, so that x ± h is exact for every power of two h ≥ 2⁻³⁰.
pub fn on_grid(x: f64) -> f64 {
    const GRID: f64 = (1u64 << 30) as f64;
    (x * GRID).round() / GRID
}

/// Row lengths, each with its reason.
pub const LENGTHS: [(usize, &str); 12] = [
    (1, "one token: no tail, no variance, nothing to recur to"),
    (2, "the shortest row with a token after the first"),
    (7, "one less than eight lanes: only a remainder"),
    (8, "exactly eight lanes"),
    (9, "eight lanes and one"),
    (31, "one less than a tile of four vectors"),
    (32, "exactly a tile"),
    (33, "a tile and one"),
    (255, "one less than a block"),
    (256, "exactly a block"),
    (257, "a block and one"),
    (4099, "many blocks and a prime number of tokens"),
];

/// Masks as text, a row for each `/`, with their reasons.
pub const MASKS: [(&str, &str); 11] = [
    ("1", "one token in all"),
    ("0", "nothing at all: sums are 0, means are refused"),
    ("1111", "one full row"),
    ("111/110/100", "right padding, b = L: where a missing token axis goes unseen"),
    ("1110/1000", "right padding, b ≠ L"),
    ("0111/0011", "left padding"),
    ("11011/10001", "a tool's output inside the row"),
    ("01010110", "gaps everywhere, first and last slot masked"),
    ("110/000/111", "an empty row between two others"),
    ("0001", "only the last slot"),
    ("1000", "only the first slot"),
];

/// A mask from its text: 0 and 1, a row for each `/`.
///
/// # Panics
///
/// If rows differ in length or hold anything else.
pub fn mask(text: &str) -> Mask {
    let rows: Vec<Vec<bool>> = text.split('/').map(|row| row.chars().map(valid).collect()).collect();
    let t_len = rows[0].len();
    for row in &rows {
        assert!(row.len() == t_len, "mask: `{text}` has rows of {t_len} and of {} slots", row.len());
    }
    Mask::new(DMatrix::from_fn(rows.len(), t_len, |row, t| rows[row][t]))
}

fn valid(slot: char) -> bool {
    match slot {
        '0' => false,
        '1' => true,
        other => panic!("mask: `{other}` is neither 0 nor 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mean = x.iter().sum::<f64>() / n as f64;
        let var = x.iter().map(|x| x * x).sum::<f64>() / n as f64;
        assert!(mean.abs() < 5.0 / (n as f64).sqrt(), "{mean}");
        assert!((var - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt(), "{var}");
    }

    #[test]
    fn every_mask_reads_back_as_its_text() {
        for (text, _) in MASKS {
            let mask = mask(text);
            let (b, t_len) = mask.shape();
            let row = |row| (0..t_len).map(|t| if mask.has((row, t)) { '1' } else { '0' }).collect();
            let rows: Vec<String> = (0..b).map(row).collect();
            assert_eq!(rows.join("/"), text);
        }
    }

    #[test]
    #[should_panic(expected = "mask: `11/1` has rows of 2 and of 1 slots")]
    fn a_mask_with_a_short_row_is_refused() {
        mask("11/1");
    }
}
