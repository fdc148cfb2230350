//! How a number, a matrix or a list of them is printed: a line `symbol (label): …`, then a row per line.

use nalgebra::DMatrix;
use std::fmt::Write;

/// A text of blocks.
#[derive(Debug, Default)]
pub(crate) struct Blocks(String);

impl Blocks {
    /// A heading over several blocks.
    pub(crate) fn heading(&mut self, text: &str) {
        writeln!(self.0, "\n## {text}").unwrap();
    }

    /// One number; `label` is that of its equation, or what it is where it has none.
    pub(crate) fn number(&mut self, symbol: &str, label: &str, x: f64) {
        writeln!(self.0, "{symbol} ({label}): {}", digits(x)).unwrap();
    }

    /// A matrix, row by row.
    pub(crate) fn matrix(&mut self, symbol: &str, label: &str, x: &DMatrix<f64>) {
        writeln!(self.0, "{symbol} ({label}), {} × {}", x.nrows(), x.ncols()).unwrap();
        for row in x.row_iter() {
            let row: Vec<String> = row.iter().map(|x| digits(*x)).collect();
            writeln!(self.0, "  {}", row.join("  ")).unwrap();
        }
    }

    /// The text.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

/// 17 significant digits, which tell every two numbers apart, in a column of its own width.
fn digits(x: f64) -> String {
    format!("{:>24}", format!("{x:.16e}"))
}

/// The last bit of a number, and the sign of a zero, show in its digits.
#[test]
fn neighbours_print_differently() {
    for (a, b) in [(0.1f64, 0.1f64.next_up()), (1e300, 1e300f64.next_down()), (0.0, -0.0)] {
        assert_ne!(digits(a), digits(b));
    }
}
