//! The sentences said when shapes or settings disagree. Outside the grid of terms, because every term
//! begins with them; a caller that must not panic checks first.

use nalgebra::DMatrix;

type Shape = (usize, usize);

/// Panics unless two arguments have one shape.
pub(crate) fn same_shape(term: &str, name: &str, shape: Shape, other_name: &str, other: Shape) {
    assert!(
        shape == other,
        "{term}: `{name}` is {} × {} but `{other_name}` is {} × {}",
        shape.0,
        shape.1,
        other.0,
        other.1
    );
}

/// Panics unless every named argument has the shape of the mask.
pub(crate) fn shapes(term: &str, mask: Shape, arguments: &[(&str, Shape)]) {
    for (name, shape) in arguments {
        same_shape(term, name, *shape, "mask", mask);
    }
}

/// Panics unless a list has one entry per sequence.
pub(crate) fn per_row(term: &str, name: &str, len: usize, b: usize) {
    assert!(len == b, "{term}: `{name}` has {len} entries for {b} sequences");
}

/// Panics unless there are b matrices of logits with one row per token.
pub(crate) fn logits(term: &str, logits: &[DMatrix<f64>], (b, t_len): Shape) {
    per_row(term, "logits", logits.len(), b);
    for logits in logits {
        let rows = logits.nrows();
        assert!(rows == t_len, "{term}: `logits` has {rows} rows a sequence for {t_len} tokens");
    }
}

/// Panics unless a discount is in [0, 1].
pub(crate) fn discount(term: &str, name: &str, x: f64) {
    assert!((0.0..=1.0).contains(&x), "{term}: `{name}` is {x} and must lie in [0, 1]");
}

/// Panics unless a radius or temperature is > 0; ∞ is allowed and means "off" for a radius.
pub(crate) fn positive(term: &str, name: &str, x: f64) {
    assert!(x > 0.0, "{term}: `{name}` is {x} and must be > 0");
}
