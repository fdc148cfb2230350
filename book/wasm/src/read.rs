//! Takes the input of a call apart, number by number, and says in a sentence what is wrong with it.

use nalgebra::DMatrix;
use reference::Mask;

/// The longest list that a page may send: a drawing wants some hundred points.
const LONGEST: usize = 2048;

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    call: &'static str,
    rest: &'a [f64],
}

impl<'a> Reader<'a> {
    /// The whole input of a call.
    pub fn new(call: &'static str, input: &'a [f64]) -> Reader<'a> {
        Reader { call, rest: input }
    }

    /// A sentence about an argument.
    pub(crate) fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{}: {what}", self.call))
    }

    fn next(&mut self, name: &str) -> Result<f64, String> {
        let Some((x, rest)) = self.rest.split_first() else {
            return self.wrong(&format!("the input ends before `{name}`"));
        };
        self.rest = rest;
        Ok(*x)
    }

    /// Where `holds` is false, the sentence says what `must` hold.
    fn checked(&mut self, name: &str, holds: impl Fn(f64) -> bool, must: &str) -> Result<f64, String> {
        let x = self.next(name)?;
        if holds(x) { Ok(x) } else { self.wrong(&format!("`{name}` is {x} and must {must}")) }
    }

    pub(crate) fn finite(&mut self, name: &str) -> Result<f64, String> {
        self.checked(name, f64::is_finite, "be finite")
    }

    /// A radius or temperature: > 0, and ∞ is allowed.
    pub(crate) fn positive(&mut self, name: &str) -> Result<f64, String> {
        self.checked(name, |x| x > 0.0, "be > 0")
    }

    /// A bound > 1, and ∞ is allowed.
    pub(crate) fn above_one(&mut self, name: &str) -> Result<f64, String> {
        self.checked(name, |x| x > 1.0, "be > 1")
    }

    /// ≥ 0 and finite.
    pub(crate) fn not_negative(&mut self, name: &str) -> Result<f64, String> {
        self.checked(name, |x| x >= 0.0 && x.is_finite(), "be ≥ 0 and finite")
    }

    /// A discount.
    pub(crate) fn discount(&mut self, name: &str) -> Result<f64, String> {
        self.checked(name, |x| (0.0..=1.0).contains(&x), "lie in [0, 1]")
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn count(&mut self, name: &str, least: usize, most: usize) -> Result<usize, String> {
        let whole = |x: f64| x.fract() == 0.0 && (least as f64..=most as f64).contains(&x);
        let must = format!("be a whole number from {least} to {most}");
        self.checked(name, whole, &must).map(|x| x as usize)
    }

    /// The choice at this place.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[T]) -> Result<T, String> {
        self.count(name, 0, choices.len() - 1).map(|place| choices[place])
    }

    /// Finite numbers, at least one.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<f64>, String> {
        let n = self.count(name, 1, LONGEST)?;
        (0..n).map(|t| self.finite(&format!("{name}[{t}]"))).collect()
    }

    /// Finite numbers, as many as another list has.
    pub(crate) fn list_of(&mut self, name: &str, n: usize, as_in: &str) -> Result<Vec<f64>, String> {
        let list = self.list(name)?;
        if list.len() == n {
            return Ok(list);
        }
        self.wrong(&format!("`{name}` has {} entries and `{as_in}` {n}", list.len()))
    }

    /// A row of 0 and 1, as long as another list, with a token in it.
    pub(crate) fn mask(&mut self, name: &str, n: usize, as_in: &str) -> Result<Mask, String> {
        let row = self.list_of(name, n, as_in)?;
        if let Some(other) = row.iter().find(|x| **x != 0.0 && **x != 1.0) {
            return self.wrong(&format!("`{name}` holds {other}, and a mask holds 0 and 1"));
        }
        if !row.contains(&1.0) {
            return self.wrong(&format!("`{name}` has no valid token"));
        }
        Ok(Mask::new(DMatrix::from_fn(1, n, |_, t| row[t] == 1.0)))
    }

    /// `least` points at least, evenly from the first of two numbers to the second.
    pub(crate) fn range(&mut self, name: &str) -> Result<Vec<f64>, String> {
        let (from, to) = (self.finite(&format!("{name}.from"))?, self.finite(&format!("{name}.to"))?);
        let n = self.count(&format!("{name}.points"), 2, LONGEST)?;
        let along = |i: usize| i as f64 / (n - 1) as f64;
        Ok((0..n).map(|i| from * (1.0 - along(i)) + to * along(i)).collect())
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() {
            return Ok(());
        }
        self.wrong(&format!("{} numbers are left over", self.rest.len()))
    }
}

/// One row.
pub(crate) fn row(list: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(1, list.len(), list)
}

/// One list, row after row.
pub(crate) fn flat(x: &DMatrix<f64>) -> Vec<f64> {
    x.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect()
}
