//! The precision that the numbers compared with were computed in: what a number, a setting or a sum is off by it.

use super::Approx;

/// The order that the other evaluation's sums are known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Any.
    Any,
    /// That of ORDER.md, operation by operation: what is exact there adds nothing here.
    Written,
}

/// How the other side took the numbers of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// To the bit.
    Exactly,
    /// Each rounded once to f32.
    ToF32,
}

/// The precision that the numbers compared with were computed in. It is one pointer, since every number of a budget
/// carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Precision(&'static Parts);

impl core::ops::Deref for Precision {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        self.0
    }
}

/// What a precision is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Unit roundoff of their arithmetic plus that of ours: both evaluations round, and the bounds add up.
    pub(super) u: f64,
    /// Half the spacing of its subnormal numbers, what an underflowing operation may lose.
    pub(super) tiny: f64,
    /// Where its numbers end.
    pub(super) largest: f64,
    pub(super) order: Order,
    pub(super) reads: Reads,
}

/// f32, in any order.
const SINGLE: Parts = Parts {
    u: 1.0 / 16_777_216.0 + f64::EPSILON / 2.0,
    tiny: 1.401_298_464_324_817e-45,
    largest: f64::INFINITY,
    order: Order::Any,
    reads: Reads::Exactly,
};

impl Precision {
    /// Theirs in f32, ours in f64.
    pub const F32: Precision = Precision(&SINGLE);
    /// Both in f64.
    pub const F64: Precision = Precision(&Parts { u: f64::EPSILON, tiny: 5e-324, ..SINGLE });
    /// Theirs in bf16.
    pub const BF16: Precision =
        Precision(&Parts { u: 1.0 / 256.0 + f64::EPSILON / 2.0, tiny: 9.183_549_615_799_121e-41, ..SINGLE });
    /// Theirs in f16, whose numbers end at 65504: what may lie beyond is undetermined.
    pub const F16: Precision = Precision(&Parts {
        u: 1.0 / 2048.0 + f64::EPSILON / 2.0,
        tiny: 1.0 / 16_777_216.0,
        largest: 65_504.0,
        ..SINGLE
    });
    /// Theirs by `optimized/ORDER.md`, in f32: the order of every sum is known, and a number beyond the range
    /// makes what follows from it undetermined (off by ∞), as an overflow to ∞ may.
    pub const ORDER: Precision =
        Precision(&Parts { largest: f32::MAX as f64, order: Order::Written, ..SINGLE });

    /// Theirs in f32 from numbers that are written in decimal, and so rounded on their way in; a number beyond the
    /// range makes what follows from it undetermined.
    pub const DECIMAL: Precision =
        Precision(&Parts { largest: f32::MAX as f64, reads: Reads::ToF32, ..SINGLE });

    /// The dtype of their arithmetic.
    pub fn name(self) -> &'static str {
        let others = [(Precision::F64, "f64"), (Precision::BF16, "bf16"), (Precision::F16, "f16")];
        others.iter().find(|(p, _)| *p == self).map_or("f32", |(_, name)| name)
    }

    /// The unit roundoff, theirs and ours together.
    pub fn unit(self) -> f64 {
        self.u
    }

    /// Whether a sum of n terms has a bound that means anything.
    pub fn bounds(self, n: usize) -> bool {
        n as f64 * self.u < 0.25
    }

    /// A number both sides read from the same file: exact, unless the file is wider than their precision.
    pub fn given(self, value: f64) -> Approx {
        let rounding = match self.reads {
            Reads::ToF32 if value.is_finite() => (f64::from(value as f32) - value).abs(),
            _ => 0.0,
        };
        Approx { value, off: rounding, p: self }
    }

    /// A setting such as γ = 0.9, which each side rounds to its own precision.
    pub fn setting(self, value: f64) -> Approx {
        let rounding = match self.order {
            Order::Any => self.u * value.abs(),
            // Once, on entry, to nearest: so the rounding is known.
            Order::Written => (f64::from(value as f32) - value).abs(),
        };
        Approx { value, off: if value.is_finite() { rounding } else { 0.0 }, p: self }
    }

    /// Σ over n terms in any order: each addition rounds a partial sum that is at most Σ|x|, so the sum is
    /// off by what its terms are plus γ_{n−1} Σ|x|, with γ_k = k u / (1 − k u).
    pub fn sum(self, terms: impl IntoIterator<Item = Approx>) -> Approx {
        let (mut value, mut off, mut size, mut n) = (0.0, 0.0, 0.0, 0.0);
        for x in terms {
            (value, off, size, n) = (value + x.value, off + x.off, size + x.most(), n + 1.0);
        }
        let k = (n - 1.0f64).max(0.0) * self.u;
        Approx { value, off: off + k / (1.0 - k) * size, p: self }
    }
}
