//! Inputs that the suites share: seeded, the same on every machine, each with the reason it is there.
//!
//! Nothing here calls the system's mathematics library, whose last digits differ by CPU: the generator is
//! integer arithmetic and a normal variate is a sum of uniform ones. So a snapshot of what follows from
//! these inputs can be compared to the last digit anywhere.

use nalgebra::DMatrix;
use reference::Mask;
pub use reference::rng::Rng;

/// x moved to a multiple of 2⁻³⁰, so that x ± h is exact for every power of two h ≥ 2⁻³⁰.
pub fn on_grid(x: f64) -> f64 {
    const GRID: f64 = (1u64 << 30) as f64;
    (x * GRID).round() / GRID
}

/// Row lengths round every edge that the fast path's order and its blocks have, each with its reason. A stage of GAE
/// is a tile.
pub const EDGES: [(usize, &str); 17] = [
    (1, "one token"),
    (7, "one less than a group of GAE"),
    (8, "a group"),
    (9, "a group and one"),
    (15, "one less than the widest vector"),
    (16, "the widest vector"),
    (17, "a vector and one"),
    (127, "one less than the lanes of a tile"),
    (128, "the lanes of a tile, one step"),
    (129, "the second step begins"),
    (511, "one less than two stages"),
    (512, "two stages"),
    (513, "two stages and one"),
    (2047, "one less than a tile"),
    (2048, "a tile"),
    (2049, "a tile and one"),
    (4099, "two tiles and a prime number of tokens"),
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
