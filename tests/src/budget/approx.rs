//! A number with the most that another evaluation of it may be off.
//!
//! Every operation adds the rounding of the operands' precision to the error that the operands bring along.
//! Nothing is tuned: the only constants are the unit roundoff and the accuracy of exp and ln.

use super::precision::{Order, Precision};

/// A number and a bound on the error of another evaluation of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approx {
    /// The reference's number.
    pub value: f64,
    /// What the other may differ by.
    pub off: f64,
    pub(super) p: Precision,
}

impl Approx {
    /// The largest magnitude the other evaluation can have.
    pub fn most(self) -> f64 {
        self.value.abs() + self.off
    }

    /// The reference's own number for what was bounded here.
    pub fn at(self, value: f64) -> Approx {
        Approx { value, ..self }
    }

    /// The same number, rounded once more.
    pub fn once(self) -> Approx {
        self.rounded(self.value, self.off)
    }

    /// The same number, off by `extra` more.
    pub fn widened(self, extra: f64) -> Approx {
        Approx { off: self.off + extra, ..self }
    }

    /// An operation whose exact result is `value` and whose operands bring `off`, rounded once.
    fn rounded(self, value: f64, off: f64) -> Approx {
        self.within(value, off, self.p.u)
    }

    /// exp or ln, by whose library is not known: of relative accuracy 4 ULP at most, which is eight unit roundoffs
    /// (numpy states 2.52 ULP for exp and 3.83 for ln in f32, XLA and CUDA about 2). Ours have 1.
    fn by_function(self, value: f64, off: f64) -> Approx {
        let ulps = if self.p.order == Order::Any { 4.0 } else { 1.0 };
        self.within(value, off, 2.0 * ulps * self.p.u)
    }

    /// An operation of that relative accuracy. What may lie beyond the range is off by ∞, whatever it is then.
    fn within(self, value: f64, off: f64, u: f64) -> Approx {
        let off = if off.is_nan() || off == f64::INFINITY {
            f64::INFINITY
        } else if !value.is_finite() {
            0.0
        } else {
            let off = off + u * (value.abs() + off) + self.p.tiny;
            if value.abs() + off > self.p.largest { f64::INFINITY } else { off }
        };
        Approx { value, off, p: self.p }
    }

    /// Whether it is a number that every evaluation has to the bit.
    fn is_exactly(self, x: f64) -> bool {
        self.off == 0.0 && self.value == x
    }

    /// Whether multiplying by it rounds nothing in the written order: a power of two, known to the bit.
    fn only_scales(self) -> bool {
        let power = self.value.to_bits() & ((1 << 52) - 1) == 0;
        self.p.order == Order::Written && self.off == 0.0 && power && self.value.is_normal()
    }

    /// a b + c with one rounding, where the order has it so; with two where the order is not known.
    pub fn times_plus(self, b: Approx, c: Approx) -> Approx {
        match self.p.order {
            Order::Any => self * b + c,
            Order::Written => self.rounded(self.value * b.value + c.value, self.product_off(b) + c.off),
        }
    }

    fn product_off(self, other: Approx) -> f64 {
        // ∞ times an exact number is not off.
        let times = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a.abs() * b };
        times(self.value, other.off) + times(other.value, self.off) + times(self.off, other.off)
    }

    /// x².
    pub fn square(self) -> Approx {
        self * self
    }

    /// eˣ: an argument off by d gives eˣ (eᵈ − 1) at most.
    pub fn exp(self) -> Approx {
        let value = libm::exp(self.value);
        self.by_function(value, value * libm::expm1(self.off))
    }

    /// ln x, for x > 0: off by at most ln(x / (x − d)).
    pub fn ln(self) -> Approx {
        self.by_function(libm::log(self.value), -libm::log1p(-self.off / self.value))
    }

    /// √x: the farther of the two ends of [x − d, x + d].
    pub fn sqrt(self) -> Approx {
        let root = self.value.sqrt();
        let low = (self.value - self.off).max(0.0).sqrt();
        self.rounded(root, (root - low).max((self.value + self.off).sqrt() - root))
    }

    /// The larger; no rounding, so off by no more than either.
    pub fn greater(self, other: Approx) -> Approx {
        Approx { value: reference::nan::greater(self.value, other.value), ..self.wider(other) }
    }

    /// The smaller.
    pub fn lesser(self, other: Approx) -> Approx {
        Approx { value: reference::nan::lesser(self.value, other.value), ..self.wider(other) }
    }

    /// Between two bounds.
    pub fn clamp(self, lo: Approx, hi: Approx) -> Approx {
        self.lesser(hi).greater(lo)
    }

    fn wider(self, other: Approx) -> Approx {
        Approx { off: self.off.max(other.off), ..self }
    }

    /// Whether the other evaluation may see this number on the other side of `limit` (or just at it).
    pub fn may_cross(self, limit: Approx) -> bool {
        (self.value - limit.value).abs() <= self.off + limit.off
    }

    /// This branch, widened so that the other branch passes too: for a choice within the budget of a kink.
    pub fn or(self, other: Approx) -> Approx {
        Approx { off: self.off.max((self.value - other.value).abs() + other.off), ..self }
    }

    /// |x|.
    pub fn abs(self) -> Approx {
        Approx { value: self.value.abs(), ..self }
    }
}

impl core::ops::Add for Approx {
    type Output = Approx;
    fn add(self, other: Approx) -> Approx {
        if self.p.order == Order::Written && (self.is_exactly(0.0) || other.is_exactly(0.0)) {
            return if other.is_exactly(0.0) { self } else { other };
        }
        self.rounded(self.value + other.value, self.off + other.off)
    }
}

impl core::ops::Sub for Approx {
    type Output = Approx;
    fn sub(self, other: Approx) -> Approx {
        self.rounded(self.value - other.value, self.off + other.off)
    }
}

impl core::ops::Neg for Approx {
    type Output = Approx;
    fn neg(self) -> Approx {
        Approx { value: -self.value, ..self }
    }
}

impl core::ops::Mul for Approx {
    type Output = Approx;
    fn mul(self, other: Approx) -> Approx {
        let (value, off) = (self.value * other.value, self.product_off(other));
        if self.only_scales() || other.only_scales() {
            return self.within(value, off, 0.0);
        }
        self.rounded(value, off)
    }
}

impl core::ops::Div for Approx {
    type Output = Approx;
    /// a/b − a'/b' = (a (b' − b) + b (a − a')) / (b b'), with |b'| ≥ |b| − off.
    fn div(self, other: Approx) -> Approx {
        let (a, b) = (self.value.abs(), other.value.abs());
        let off = (a * other.off + b * self.off) / (b * (b - other.off));
        let quotient = self.rounded(self.value / other.value, off);
        if b > other.off { quotient } else { Approx { off: f64::INFINITY, ..quotient } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Precision = Precision::F32;

    /// The other evaluation: the same formula in f32. Over many inputs it never leaves the bound, and uses
    /// a fair share of it.
    #[test]
    fn f32_stays_within_the_bound_and_uses_it() {
        let mut worst: f64 = 0.0;
        for k in 1..20_000 {
            let (x, y) = (1.0 + k as f32 / 777.0, 0.3 + k as f32 / 1234.5);
            let f32s = ((x * y + x) / (y - 40.0)).exp().min(3.0).sqrt() - y;
            let given = |x: f32| P.given(f64::from(x));
            let (a, b) = (given(x), given(y));
            let got = ((a * b + a) / (b - given(40.0))).exp().lesser(given(3.0)).sqrt() - b;
            if got.off.is_finite() {
                let off = (f64::from(f32s) - got.value).abs();
                assert!(off <= got.off, "{x} {y}: off {off:e} of {:e}", got.off);
                worst = worst.max(off / got.off);
            }
        }
        println!("largest share of the bound used: {worst:.3}");
        assert!(worst > 1.0 / 16.0, "the bound is loose: {worst}");
    }

    #[test]
    fn a_sum_in_any_order_stays_within_the_bound() {
        let terms: Vec<f32> = (0..500).map(|k| ((k * 7919) % 1000) as f32 / 3.0 - 160.0).collect();
        let bound = P.sum(terms.iter().map(|x| P.given(f64::from(*x))));
        let (forward, backward): (f32, f32) = (terms.iter().sum(), terms.iter().rev().sum());
        for sum in [forward, backward] {
            assert!((f64::from(sum) - bound.value).abs() <= bound.off);
        }
    }

    #[test]
    fn dividing_by_what_may_be_zero_is_undetermined() {
        let zero = P.setting(0.1) - P.setting(0.1);
        assert_eq!((P.given(1.0) / zero).off, f64::INFINITY);
    }
}
