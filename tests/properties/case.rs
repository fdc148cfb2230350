//! One case: a mask with everything that a property may want to vary, as a value and as text.

use conformance::cases::Rng;
use nalgebra::{DMatrix, DVector};
use proptest::{collection::vec, prelude::*};
use reference::{Ends, Gap, Mask};
use std::{fmt, str::FromStr};

/// What a property is a function of. Numbers are drawn from the seed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// b rows of t_len slots, true where a token is.
    pub(crate) mask: Vec<Vec<bool>>,
    /// The same shape: whether an episode ends with that slot.
    pub(crate) ends: Vec<Vec<End>>,
    /// What the numbers are drawn from.
    pub(crate) seed: u64,
    /// What a gap does.
    pub(crate) gap: Gap,
    /// γ.
    pub(crate) gamma: f64,
    /// λ of each row.
    pub(crate) lambda: Vec<f64>,
    /// A small count: slots inserted or appended, rows rotated, whatever the property says.
    pub(crate) k: usize,
}

/// Whether an episode ends with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not: `.`.
    No,
    /// It ended, V after it is 0: `t`.
    Terminated,
    /// It was cut off, V after it is a bootstrap: `c`.
    CutOff,
}

/// The numbers of a case as GAE takes them. Masked slots hold NaN: no property may depend on them.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    pub(crate) mask: Mask,
    pub(crate) r: DMatrix<f64>,
    pub(crate) v: DMatrix<f64>,
    pub(crate) ends: Ends,
    pub(crate) lambda: DVector<f64>,
}

impl Case {
    pub(crate) fn b(&self) -> usize {
        self.mask.len()
    }

    pub(crate) fn t_len(&self) -> usize {
        self.mask[0].len()
    }

    pub(crate) fn m(&self) -> Mask {
        Mask::new(DMatrix::from_fn(self.b(), self.t_len(), |row, t| self.mask[row][t]))
    }

    /// A generator for one purpose of a property, another for another.
    pub(crate) fn rng(&self, purpose: u64) -> Rng {
        Rng::new(self.seed ^ (purpose << 32))
    }

    /// b × t_len normal variates, NaN in masked slots. They are drawn for every slot, so that the numbers
    /// of a valid slot do not move when proptest shrinks the mask.
    pub(crate) fn matrix(&self, purpose: u64) -> DMatrix<f64> {
        let x = self.rng(purpose).matrix(self.b(), self.t_len(), 1.0);
        DMatrix::from_fn(
            self.b(),
            self.t_len(),
            |row, t| {
                if self.mask[row][t] { x[(row, t)] } else { f64::NAN }
            },
        )
    }

    /// Rewards, values, V after the last token ≠ 0, and episodes that end inside rows.
    pub(crate) fn episode(&self) -> Episode {
        let (b, t_len) = (self.b(), self.t_len());
        let at = |end| DMatrix::from_fn(b, t_len, |row, t| self.ends[row][t] == end);
        let mut rng = self.rng(4);
        let ends = Ends {
            v_last: DVector::from_fn(b, |_, _| 1.0 + rng.uniform()),
            terminated: at(End::Terminated),
            truncated: at(End::CutOff),
            v_boot: self.matrix(3),
        };
        let (mask, r, v) = (self.m(), self.matrix(1), self.matrix(2));
        Episode { mask, r, v, ends, lambda: DVector::from_row_slice(&self.lambda) }
    }
}

impl Episode {
    /// The same episodes with `k` masked slots of junk before slot `at[row]` of each row. The slot of every
    /// old one is given by [`moved`].
    pub(crate) fn with_gap(&self, at: &[usize], k: usize) -> Episode {
        let (b, t_len) = self.mask.shape();
        let old = |row: usize, t: usize| match t {
            t if t < at[row] => Some(t),
            t if t < at[row] + k => None,
            t => Some(t - k),
        };
        let wider = |x: &DMatrix<f64>| {
            DMatrix::from_fn(b, t_len + k, |row, t| old(row, t).map_or(1e30, |t| x[(row, t)]))
        };
        // Flags on masked slots are junk as well.
        let flags = |x: &DMatrix<bool>| {
            DMatrix::from_fn(b, t_len + k, |row, t| old(row, t).is_none_or(|t| x[(row, t)]))
        };
        Episode {
            mask: Mask::new(DMatrix::from_fn(b, t_len + k, |row, t| {
                old(row, t).is_some_and(|t| self.mask.has((row, t)))
            })),
            r: wider(&self.r),
            v: wider(&self.v),
            ends: Ends {
                v_last: self.ends.v_last.clone(),
                terminated: flags(&self.ends.terminated),
                truncated: flags(&self.ends.truncated),
                v_boot: wider(&self.ends.v_boot),
            },
            lambda: self.lambda.clone(),
        }
    }

    /// The rows in another order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Episode {
        let mask = Mask::new(DMatrix::from_fn(order.len(), self.mask.shape().1, |row, t| {
            self.mask.has((order[row], t))
        }));
        Episode {
            mask,
            r: self.r.select_rows(order),
            v: self.v.select_rows(order),
            ends: Ends {
                v_last: self.ends.v_last.select_rows(order),
                terminated: self.ends.terminated.select_rows(order),
                truncated: self.ends.truncated.select_rows(order),
                v_boot: self.ends.v_boot.select_rows(order),
            },
            lambda: self.lambda.select_rows(order),
        }
    }
}

/// The valid slots, row by row.
pub(crate) fn tokens(mask: &Mask) -> impl Iterator<Item = (usize, usize)> {
    (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)))
}

/// Where a slot is after k slots went in before slot `at`.
pub(crate) fn moved(t: usize, at: usize, k: usize) -> usize {
    if t < at { t } else { t + k }
}

/// Any case: ragged masks with gaps inside and in front, padded rows, full rows and empty ones, up to 4 × 12.
pub(crate) fn any_case() -> impl Strategy<Value = Case> {
    (1..=4usize, 1..=12usize).prop_flat_map(|(b, t_len)| {
        let end = prop_oneof![6 => Just(End::No), 1 => Just(End::Terminated), 1 => Just(End::CutOff)];
        let gap = prop_oneof![Just(Gap::Skip), Just(Gap::Decay), Just(Gap::Cut)];
        // γ = λ = 1 hides half of all mistakes: 0.9 and 0.8 come first, and shrinking goes there.
        let gamma = prop_oneof![4 => Just(0.9), 1 => Just(0.5), 1 => Just(1.0), 1 => Just(0.0)];
        let lambda = prop_oneof![4 => Just(0.8), 2 => Just(0.35), 1 => Just(1.0), 1 => Just(0.0)];
        let rows = vec(any_row(t_len), b);
        (rows, vec(vec(end, t_len), b), 0..1000u64, gap, gamma, vec(lambda, b), 0..=3usize).prop_map(
            |(mask, ends, seed, gap, gamma, lambda, k)| Case { mask, ends, seed, gap, gamma, lambda, k },
        )
    })
}

fn any_row(t_len: usize) -> impl Strategy<Value = Vec<bool>> {
    let slots = move |valid: fn(usize, usize) -> bool| {
        (0..=t_len).prop_map(move |n| (0..t_len).map(|t| valid(t, n)).collect::<Vec<bool>>())
    };
    prop_oneof![
        4 => vec(any::<bool>(), t_len),
        2 => slots(|t, n| t < n),
        1 => slots(|t, n| t >= n),
        1 => Just(vec![true; t_len]),
    ]
}

const GAPS: [(Gap, &str); 3] = [(Gap::Skip, "skip"), (Gap::Decay, "decay"), (Gap::Cut, "cut")];
const ENDS: [(End, char); 3] = [(End::No, '.'), (End::Terminated, 't'), (End::CutOff, 'c')];

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bit = |row: &Vec<bool>| row.iter().map(|m| if *m { '1' } else { '0' }).collect::<String>();
        let sign = |end: &End| ENDS.iter().find(|(e, _)| e == end).unwrap().1;
        let mask: Vec<String> = self.mask.iter().map(bit).collect();
        let ends: Vec<String> = self.ends.iter().map(|row| row.iter().map(sign).collect()).collect();
        let lambda: Vec<String> = self.lambda.iter().map(f64::to_string).collect();
        let gap = GAPS.iter().find(|(gap, _)| *gap == self.gap).unwrap().1;
        write!(f, "b={} t={} mask={} ends={} ", self.b(), self.t_len(), mask.join("/"), ends.join("/"))?;
        write!(f, "seed={} gap={gap} gamma={} lambda={} ", self.seed, self.gamma, lambda.join("/"))?;
        write!(f, "k={}", self.k)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Case, String> {
        let field = |name: &str| {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.ok_or(format!("PPO_CASE: `{name}` is missing in `{text}`"))
        };
        let number = |name: &str| {
            field(name)?.parse::<f64>().map_err(|_| format!("PPO_CASE: `{name}` is no number in `{text}`"))
        };
        let grid = |name: &str, signs: &str| {
            let rows: Vec<Vec<char>> = field(name)?.split('/').map(|row| row.chars().collect()).collect();
            let known = rows.iter().flatten().all(|sign| signs.contains(*sign));
            let shaped = rows.len() as f64 == number("b")?
                && rows.iter().all(|row| Ok(row.len() as f64) == number("t") && !row.is_empty());
            if known && shaped {
                Ok(rows)
            } else {
                Err(format!("PPO_CASE: `{name}` is not b × t in `{text}`"))
            }
        };
        let end = |sign: char| ENDS.iter().find(|(_, s)| *s == sign).unwrap().0;
        let lambda: Result<Vec<f64>, _> = field("lambda")?.split('/').map(f64::from_str).collect();
        let gap = field("gap")?;
        let case = Case {
            mask: grid("mask", "01")?.iter().map(|row| row.iter().map(|m| *m == '1').collect()).collect(),
            ends: grid("ends", ".tc")?.iter().map(|row| row.iter().map(|s| end(*s)).collect()).collect(),
            seed: number("seed")? as u64,
            gap: GAPS.iter().find(|(_, name)| *name == gap).ok_or(format!("PPO_CASE: `{gap}` is no gap"))?.0,
            gamma: number("gamma")?,
            lambda: lambda.map_err(|_| format!("PPO_CASE: `lambda` is no list in `{text}`"))?,
            k: number("k")? as usize,
        };
        if case.lambda.len() == case.b() {
            Ok(case)
        } else {
            Err(format!("PPO_CASE: `lambda` is not b in `{text}`"))
        }
    }
}
