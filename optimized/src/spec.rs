//! ORDER.md's sums and aggregates as one would write them down, for the tests of the terms made of them: rows
//! of numbers with their masks, one token after the other.

use crate::{
    Agg, CountRows, Counts, Mask,
    testing::{LAYOUTS, Laid, Layout, Random, lengths, masks},
};

/// The first of two numbers that is smaller; a NaN of either.
pub(crate) fn lesser(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() {
        f32::NAN
    } else if a < b {
        a
    } else {
        b
    }
}

/// The first of two numbers that is larger; a NaN of either.
pub(crate) fn greater(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() {
        f32::NAN
    } else if a > b {
        a
    } else {
        b
    }
}

pub(crate) fn clamp(x: f32, lo: f32, hi: f32) -> f32 {
    greater(lesser(x, hi), lo)
}

fn fold(mut lanes: Vec<f32>) -> f32 {
    while lanes.len() > 1 {
        let half = lanes.len() / 2;
        lanes = (0..half).map(|l| lanes[l] + lanes[l + half]).collect();
    }
    lanes[0]
}

/// A row's sum: tiles of 2048 on 128 lanes, the tiles on 32; masked tokens are skipped.
pub(crate) fn row_sum(x: &[f32], valid: &[bool]) -> f32 {
    let mut tiles = vec![0.0f32; 32];
    for (t, (x, valid)) in x.chunks(2048).zip(valid.chunks(2048)).enumerate() {
        let mut lanes = vec![0.0f32; 128];
        for i in (0..x.len()).filter(|i| valid[*i]) {
            lanes[i % 128] += x[i];
        }
        tiles[t % 32] += fold(lanes);
    }
    fold(tiles)
}

/// Rows, level by level: pairs of neighbours; an odd last moves up.
pub(crate) fn tree(mut level: Vec<f32>) -> f32 {
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| if let [a, b] = pair { a + b } else { pair[0] }).collect();
    }
    level.first().copied().unwrap_or(0.0)
}

/// Some rows with their masks, and where they stand.
pub(crate) struct Batch {
    pub(crate) valid: Vec<Vec<bool>>,
    pub(crate) laid: Laid,
    pub(crate) slots: Vec<bool>,
}

impl Batch {
    pub(crate) fn new(layout: Layout, valid: Vec<Vec<bool>>) -> Batch {
        let laid = Laid::new(layout, &valid.iter().map(Vec::len).collect::<Vec<_>>());
        let slots = laid.lay(&valid, false);
        Batch { valid, laid, slots }
    }

    /// Each length with every kind of mask, in one of the layouts; and rows of all lengths, packed.
    pub(crate) fn all() -> Vec<Batch> {
        let edges = lengths().filter(|n| *n < 10 || *n > 64).chain([127, 128, 129, 511, 512, 513]);
        let alike = edges.enumerate().map(|(i, t_len)| Batch::new(LAYOUTS[i % 3], masks(t_len)));
        let ragged = [3, 0, 513, 129, 2049, 1].into_iter().map(|n| (0..n).map(|t| t % 7 != 3).collect());
        alike.chain([Batch::new(Layout::Packed, ragged.collect())]).collect()
    }

    pub(crate) fn mask(&self) -> Mask<'_> {
        self.laid.mask(&self.slots)
    }

    /// A number for each slot of each row: `of` where a token is, NaN where none is.
    pub(crate) fn rows(&self, mut of: impl FnMut() -> f32) -> Vec<Vec<f32>> {
        let mut number = |valid: &bool| if *valid { of() } else { f32::NAN };
        self.valid.iter().map(|row| row.iter().map(&mut number).collect()).collect()
    }

    /// The same, laid out; NaN between rows.
    pub(crate) fn lay(&self, rows: &[Vec<f32>]) -> Vec<f32> {
        self.laid.lay(rows, f32::NAN)
    }

    /// One number of each token from three, +0 in masked slots.
    pub(crate) fn each<const N: usize>(
        &self,
        x: [&[Vec<f32>]; N],
        of: impl Fn(usize, [f32; N]) -> f32,
    ) -> Vec<Vec<f32>> {
        let token = |row: usize, t: usize| {
            if self.valid[row][t] { of(row, x.map(|x| x[row][t])) } else { 0.0 }
        };
        (0..self.valid.len()).map(|row| (0..self.valid[row].len()).map(|t| token(row, t)).collect()).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        let of = |row: &Vec<bool>| row.iter().filter(|valid| **valid).count() as u64;
        Counts {
            rows: self.valid.len() as u64,
            rows_with_tokens: self.valid.iter().filter(|row| of(row) > 0).count() as u64,
            tokens: self.valid.iter().map(of).sum(),
        }
    }

    fn tokens(&self, row: usize) -> f32 {
        self.valid[row].iter().filter(|valid| **valid).count() as f32
    }

    fn sequences(&self, rows: CountRows) -> f32 {
        match rows {
            CountRows::All => self.counts().rows as f32,
            CountRows::WithTokens => self.counts().rows_with_tokens as f32,
        }
    }

    pub(crate) fn aggregate(&self, x: &[Vec<f32>], agg: Agg) -> f32 {
        let sums = (0..self.valid.len()).map(|row| row_sum(&x[row], &self.valid[row]));
        let mean_of =
            |(row, sum): (usize, f32)| if self.tokens(row) > 0.0 { sum / self.tokens(row) } else { 0.0 };
        match agg {
            Agg::TokenMean => tree(sums.collect()) / self.counts().tokens as f32,
            Agg::TokenSum => tree(sums.collect()),
            Agg::SeqMeanTokenSum { rows } => tree(sums.collect()) / self.sequences(rows),
            Agg::SeqMeanTokenMean { rows } => {
                tree(sums.enumerate().map(mean_of).collect()) / self.sequences(rows)
            }
            Agg::SeqMeanTokenSumNorm { rows, scale } => {
                (tree(sums.collect()) / self.sequences(rows)) / scale as f32
            }
            Agg::TokenSumNorm { scale } => tree(sums.collect()) / scale as f32,
        }
    }

    pub(crate) fn weight(&self, row: usize, agg: Agg) -> f32 {
        match agg {
            Agg::TokenMean => 1.0 / self.counts().tokens as f32,
            Agg::TokenSum => 1.0,
            Agg::SeqMeanTokenSum { rows } => 1.0 / self.sequences(rows),
            Agg::SeqMeanTokenMean { rows } => (1.0 / self.tokens(row)) / self.sequences(rows),
            Agg::SeqMeanTokenSumNorm { rows, scale } => (1.0 / self.sequences(rows)) / scale as f32,
            Agg::TokenSumNorm { scale } => 1.0 / scale as f32,
        }
    }
}

/// Every mode.
pub(crate) const AGGS: [Agg; 8] = [
    Agg::TokenMean,
    Agg::TokenSum,
    Agg::SeqMeanTokenSum { rows: CountRows::WithTokens },
    Agg::SeqMeanTokenSum { rows: CountRows::All },
    Agg::SeqMeanTokenMean { rows: CountRows::WithTokens },
    Agg::SeqMeanTokenMean { rows: CountRows::All },
    Agg::SeqMeanTokenSumNorm { rows: CountRows::All, scale: 7.3 },
    Agg::TokenSumNorm { scale: 7.3 },
];

/// Numbers of which a good part are multiples of ¼, so that ties and bounds occur.
pub(crate) fn coarse(random: &mut Random) -> f32 {
    match random.index(8) {
        0 => random.wild(),
        1..4 => random.uniform(),
        _ => random.index(9) as f32 * 0.25 - 1.0,
    }
}

/// b rows in that many parts, of nearly as many rows each.
pub(crate) fn cut(b: usize, parts: usize) -> Vec<core::ops::Range<usize>> {
    (0..parts).map(|part| part * b / parts..(part + 1) * b / parts).collect()
}
