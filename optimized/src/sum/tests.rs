//! The tree of rows, cut and merged.

use super::*;
use crate::spec::tree;

fn values(b: usize) -> Vec<f32> {
    (0..b).map(|row| ((row * 7919 % 1009) as f32 - 500.0) / 3.0).collect()
}

fn part(values: &[f32], rows: core::ops::Range<usize>) -> Sum {
    let mut sum = Sum::default();
    for row in rows {
        sum.push(row as u64, values[row]);
    }
    sum
}

#[test]
fn the_tree_is_the_pairwise_one() {
    for b in (0..70).chain([1000, 1023, 1024, 1025]) {
        let values = values(b);
        assert_eq!(part(&values, 0..b).finish().to_bits(), tree(values.clone()).to_bits(), "{b}");
    }
}

#[cfg(kernels)]
#[test]
fn the_largest_nodes_are_those_that_pushing_leaves() {
    for first in (0..40).chain([(1 << 40) - 3]) {
        for b in (0..70).chain([255, 1025]) {
            let mut sum = Sum::default();
            (0..b).for_each(|row| sum.push(first + row, row as f32));
            let places: Vec<_> = sum.nodes.iter().map(|node| (node.level, node.index)).collect();
            assert_eq!(largest_nodes(first, b), places, "{b} rows from {first} on");
            let values = sum.nodes.iter().map(|node| node.value).collect();
            assert_eq!(Sum::of_nodes(first, b, values), sum, "{b} rows from {first} on");
        }
    }
}

#[test]
fn a_batch_cut_anywhere_in_three_gives_the_same_bits() {
    let b = 23;
    let values = values(b);
    let whole = tree(values.clone()).to_bits();
    for i in 0..=b {
        for j in i..=b {
            let [x, y, z] = [0..i, i..j, j..b].map(|rows| part(&values, rows));
            let from_left = x.clone().merge(y.clone()).unwrap().merge(z.clone()).unwrap();
            let from_right = x.merge(y.merge(z).unwrap()).unwrap();
            assert_eq!(from_left.finish().to_bits(), whole, "{i} {j}");
            assert_eq!(from_right, from_left, "{i} {j}");
        }
    }
}

#[test]
fn parts_that_do_not_meet_are_refused() {
    let values = values(9);
    let says = part(&values, 0..3).merge(part(&values, 4..9)).unwrap_err().to_string();
    assert_eq!(says, "sum: one part ends before row 3 and the next begins with row 4");
}

/// What a caller or a serialized form may say, no batch has; it may mean nothing but must not panic.
#[test]
fn the_last_row_there_could_be_has_no_row_after_it() {
    let last = Sum::of_row(u64::MAX, 1.0);
    assert_eq!(last.rows().start, u64::MAX);
    assert!(last.merge(Sum::of_row(0, 1.0)).is_err());
    let most = Counts { rows: u64::MAX, rows_with_tokens: u64::MAX, tokens: u64::MAX };
    assert_eq!(most.merge(most), most);
}

#[test]
fn a_serialized_node_that_no_tree_has_is_refused() {
    let whole = |level: u32| u64::MAX >> level;
    for (level, index, fits) in [(0, 3, true), (1, whole(1) - 1, true), (1, whole(1), false), (64, 0, false)]
    {
        assert_eq!(Sum::try_from(vec![(level, index, 0)]).is_ok(), fits, "level {level}, index {index}");
    }
}

#[test]
fn a_part_keeps_few_nodes() {
    let values = values(1000);
    for (i, j) in [(1, 999), (0, 1000), (511, 513), (3, 700)] {
        assert!(part(&values, i..j).nodes.len() <= 18, "{i}..{j}");
    }
}
