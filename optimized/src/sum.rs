//! Sums over the rows of a batch that can be cut anywhere and merged again to the same bits.

#[cfg(test)]
mod tests;

use crate::lanes::one_nan;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What the means of a batch divide by. Those of parts add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Rows, with tokens or without.
    pub rows: u64,
    /// Rows with at least one valid token.
    pub rows_with_tokens: u64,
    /// Valid tokens.
    pub tokens: u64,
}

impl Counts {
    /// The counts of two parts together.
    pub fn merge(self, other: Counts) -> Counts {
        // Saturating, since a serialized form may hold any number.
        Counts {
            rows: self.rows.saturating_add(other.rows),
            rows_with_tokens: self.rows_with_tokens.saturating_add(other.rows_with_tokens),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }
}

/// A complete node of the tree of rows: the sum of rows index · 2^level up to (index + 1) · 2^level.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    level: u32,
    index: u64,
    value: f32,
}

impl Node {
    fn rows(self) -> core::ops::Range<u64> {
        self.index << self.level..self.index.saturating_add(1) << self.level
    }
}

/// The sum of one number per row, for some contiguous rows of a batch.
///
/// The order is an adjacent pairwise tree by the index of the row in the *whole* batch, and what is kept of a
/// part are its largest complete nodes, at most 2 log₂ B of them. So parts that meet can be merged in any
/// order, on any machine, and [`Sum::finish`] gives the bits of the batch that was never cut.
///
/// Its serde form holds each value as its bits.
///
/// ```
/// use optimized::Sum;
/// let whole = [1.0, 1e8, -1e8, 3.0, 0.1].into_iter().enumerate();
/// let sum = |rows: std::ops::Range<usize>| {
///     whole.clone().skip(rows.start).take(rows.len()).fold(Sum::default(), |sum, (row, x)| {
///         sum.merge(Sum::of_row(row as u64, x)).unwrap()
///     })
/// };
/// let cut = sum(0..3).merge(sum(3..5))?;
/// assert_eq!(cut.finish().to_bits(), sum(0..5).finish().to_bits());
/// # Ok::<(), optimized::Apart>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u32, u64, u32)>", into = "Vec<(u32, u64, u32)>")]
pub struct Sum {
    nodes: Vec<Node>,
}

/// Two parts that do not meet, or a serialized one that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// The row after the last of the first part.
    pub end: u64,
    /// The first row of the second.
    pub start: u64,
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sum: one part ends before row {} and the next begins with row {}", self.end, self.start)
    }
}

impl std::error::Error for Apart {}

impl Sum {
    /// The part that is one row, by its index in the whole batch.
    pub fn of_row(row: u64, value: f32) -> Sum {
        Sum { nodes: vec![Node { level: 0, index: row, value }] }
    }

    /// Adds the row that follows.
    pub(crate) fn push(&mut self, row: u64, value: f32) {
        self.nodes.push(Node { level: 0, index: row, value });
        self.join_siblings();
    }

    /// This part and the one whose rows follow. A part without rows meets every other.
    ///
    /// # Errors
    ///
    /// If its rows do not follow.
    pub fn merge(self, next: Sum) -> Result<Sum, Apart> {
        if let (Some(last), Some(first)) = (self.nodes.last(), next.nodes.first()) {
            let (end, start) = (last.rows().end, first.rows().start);
            if end != start {
                return Err(Apart { end, start });
            }
        }
        Ok(self.meets(next))
    }

    /// The merge of parts that are known to meet.
    pub(crate) fn meets(mut self, next: Sum) -> Sum {
        for node in next.nodes {
            self.nodes.push(node);
            self.join_siblings();
        }
        self
    }

    /// While the last two nodes are the two halves of one, puts that one in their place.
    fn join_siblings(&mut self) {
        while let [.., left, right] = self.nodes.as_slice() {
            let siblings = left.level == right.level && left.index % 2 == 0 && right.index == left.index + 1;
            if !siblings {
                return;
            }
            let parent =
                Node { level: left.level + 1, index: left.index / 2, value: left.value + right.value };
            self.nodes.truncate(self.nodes.len() - 2);
            self.nodes.push(parent);
        }
    }

    /// The rows that this is the sum of.
    pub fn rows(&self) -> core::ops::Range<u64> {
        match (self.nodes.first(), self.nodes.last()) {
            (Some(first), Some(last)) => first.rows().start..last.rows().end,
            _ => 0..0,
        }
    }

    /// The part of `b` rows from `first` on, by its largest nodes in their order.
    #[cfg(kernels)]
    pub(crate) fn of_nodes(first: u64, b: u64, values: Vec<f32>) -> Sum {
        let places = largest_nodes(first, b).into_iter().zip(values);
        Sum { nodes: places.map(|((level, index), value)| Node { level, index, value }).collect() }
    }

    /// The sum of all rows of this part; +0 where there is none. Only for a part that begins with row 0 is it
    /// the batch's: elsewhere an odd last node would have had another partner.
    pub fn finish(&self) -> f32 {
        let mut nodes = self.nodes.iter().rev().map(|node| node.value);
        let last = nodes.next().unwrap_or(0.0);
        one_nan(nodes.fold(last, |sum, node| node + sum))
    }
}

/// Level and index of the largest complete nodes of `b` rows from `first` on, in the order of their rows.
#[cfg(kernels)]
pub(crate) fn largest_nodes(first: u64, b: u64) -> Vec<(u32, u64)> {
    let (mut nodes, mut after) = (Vec::new(), Vec::new());
    let (mut level, mut index, mut end) = (0, first, first + b);
    while index < end {
        if index % 2 == 1 {
            nodes.push((level, index));
            index += 1;
        }
        if index < end && end % 2 == 1 {
            end -= 1;
            after.push((level, end));
        }
        (level, index, end) = (level + 1, index / 2, end / 2);
    }
    nodes.extend(after.into_iter().rev());
    nodes
}

impl From<Sum> for Vec<(u32, u64, u32)> {
    fn from(sum: Sum) -> Vec<(u32, u64, u32)> {
        sum.nodes.into_iter().map(|node| (node.level, node.index, node.value.to_bits())).collect()
    }
}

impl TryFrom<Vec<(u32, u64, u32)>> for Sum {
    type Error = Apart;

    fn try_from(nodes: Vec<(u32, u64, u32)>) -> Result<Sum, Apart> {
        let mut sum = Sum::default();
        for (level, index, bits) in nodes {
            let fits = level < 64 && index.checked_add(1).is_some_and(|end| end <= u64::MAX >> level);
            if !fits {
                return Err(Apart { end: sum.rows().end, start: index });
            }
            sum = sum.merge(Sum { nodes: vec![Node { level, index, value: f32::from_bits(bits) }] })?;
        }
        Ok(sum)
    }
}
