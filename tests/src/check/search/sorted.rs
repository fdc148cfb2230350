//! Σ w min(x, t) and Σ w max(x, t) over many numbers x, for any t at once: what a clip radius does to a loss.

/// Numbers with weights ≥ 0, sorted.
pub(super) struct Sorted {
    x: Vec<f64>,
    /// Σ w and Σ w x over the first of them, one more than there are numbers.
    w: Vec<f64>,
    wx: Vec<f64>,
}

impl Sorted {
    /// From numbers with their weights; none where one is not finite or a weight is below 0.
    pub(super) fn of(mut all: Vec<(f64, f64)>) -> Option<Sorted> {
        if all.iter().any(|(x, w)| !(x.is_finite() && w.is_finite() && *w >= 0.0)) {
            return None;
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut w, mut wx) = (vec![0.0], vec![0.0]);
        for (at, (x, weight)) in all.iter().enumerate() {
            w.push(w[at] + weight);
            wx.push(wx[at] + weight * x);
        }
        Some(Sorted { x: all.into_iter().map(|(x, _)| x).collect(), w, wx })
    }

    /// How many are no larger.
    pub(super) fn up_to(&self, t: f64) -> usize {
        self.x.partition_point(|x| *x <= t)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.x.len()
    }

    /// Σ w x.
    pub(super) fn sum(&self) -> f64 {
        self.wx[self.x.len()]
    }

    /// Σ w min(x, t).
    pub(super) fn min(&self, t: f64) -> f64 {
        let at = self.up_to(t);
        let beyond = self.w[self.x.len()] - self.w[at];
        if beyond == 0.0 { self.wx[at] } else { self.wx[at] + t * beyond }
    }

    /// Σ w max(x, t).
    pub(super) fn max(&self, t: f64) -> f64 {
        let at = self.up_to(t);
        let within = if self.w[at] == 0.0 { 0.0 } else { t * self.w[at] };
        within + (self.sum() - self.wx[at])
    }

    /// The t at which Σ w min(x, t) is y, and how fast the sum grows there; none where it is no such sum.
    pub(super) fn solve_min(&self, y: f64) -> Option<(f64, f64)> {
        let n = self.x.len();
        let (mut lo, mut hi) = (0, n);
        while lo < hi {
            let at = usize::midpoint(lo, hi);
            if self.min(self.x[at]) >= y { hi = at } else { lo = at + 1 }
        }
        let slope = self.w[n] - self.w[lo];
        let t = (y - self.wx[lo]) / slope;
        (lo < n && slope > 0.0 && t.is_finite()).then_some((t, slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_definition_and_are_solved() {
        let all = vec![(0.5, 2.0), (1.5, 1.0), (1.0, 0.5), (3.0, 0.25)];
        let sorted = Sorted::of(all.clone()).unwrap();
        for t in [0.1, 0.5, 0.9, 1.0, 1.2, 2.9, 4.0] {
            let by = |f: fn(f64, f64) -> f64| all.iter().map(|(x, w)| w * f(*x, t)).sum::<f64>();
            assert!((sorted.min(t) - by(f64::min)).abs() < 1e-14, "{t}");
            assert!((sorted.max(t) - by(f64::max)).abs() < 1e-14, "{t}");
            // The sum grows no more beyond the largest.
            let (at, slope) = sorted.solve_min(sorted.min(t)).unwrap();
            assert!((at - t.min(3.0)).abs() < 1e-14 && slope > 0.0, "{t}: {at}");
        }
        assert_eq!(sorted.min(f64::INFINITY), sorted.sum());
        assert!(sorted.solve_min(sorted.sum() + 0.1).is_none());
        assert!(Sorted::of(vec![(f64::NAN, 1.0)]).is_none() && Sorted::of(vec![(1.0, -1.0)]).is_none());
    }
}
