//! One line per output: ours, the file's, their difference, and what it may be.

use crate::{
    budget::Budget,
    dump::{BadInput, Dump},
    evaluate::Evaluation,
    outputs::{OUTPUTS, Output, Value},
};
use nalgebra::DMatrix;
use reference::Mask;

/// Which number of an output a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It has only one.
    Scalar,
    /// The mean over its valid tokens, where the file has nothing to compare with.
    Mean,
    /// That of [row, token]: where the two differ most.
    Token(usize, usize),
    /// That of [row, token, token id].
    Logit(usize, usize, usize),
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Place::Scalar => Ok(()),
            Place::Mean => f.write_str("mean"),
            Place::Token(row, t) => write!(f, "[{row}, {t}]"),
            Place::Logit(row, t, v) => write!(f, "[{row}, {t}, {v}]"),
        }
    }
}

/// One output as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Which output.
    pub output: Output,
    /// Which of its numbers.
    pub place: Place,
    /// The reference's.
    pub ours: f64,
    /// The file's, if it has one.
    pub theirs: Option<f64>,
    /// What they may differ by, if a budget was asked for.
    pub allowed: Option<f64>,
}

impl Line {
    /// Ours against the file's, if it has one.
    pub fn difference(&self) -> Option<f64> {
        self.theirs.map(|theirs| difference(self.ours, theirs))
    }

    /// Whether the difference exceeds what it may be. A budget that is no finite number decides nothing, and
    /// so does not pass either.
    pub fn fails(&self) -> bool {
        match (self.difference(), self.allowed) {
            (Some(difference), Some(allowed)) => !(difference <= allowed && allowed.is_finite()),
            _ => false,
        }
    }
}

/// |ours − theirs|: 0 where both are NaN or the same infinity, ∞ where their classes differ.
pub fn difference(ours: f64, theirs: f64) -> f64 {
    if (ours.is_nan() && theirs.is_nan()) || ours == theirs {
        0.0
    } else if ours.is_finite() && theirs.is_finite() {
        (ours - theirs).abs()
    } else {
        f64::INFINITY
    }
}

/// The worst of many comparisons: the largest share of its allowance, else the largest difference.
#[derive(Debug, Clone, Copy)]
pub struct Worst {
    found: Option<(f64, Line)>,
}

impl Worst {
    /// Before the first comparison.
    pub const NONE: Worst = Worst { found: None };

    /// Takes one more comparison into account.
    pub fn see(&mut self, line: Line) {
        let difference = line.difference().unwrap_or(0.0);
        let weight = match line.allowed {
            Some(allowed) if difference > 0.0 => difference / allowed,
            _ => difference,
        };
        // A weight that is NaN (∞ of ∞) counts as the worst there is.
        let weight = if weight.is_nan() { f64::INFINITY } else { weight };
        if self.found.is_none_or(|(worst, _)| weight > worst) {
            self.found = Some((weight, line));
        }
    }

    /// The line of the worst one; none if nothing was compared.
    pub fn line(self) -> Option<Line> {
        self.found.map(|(_, line)| line)
    }
}

/// One line per output that could be computed, in the order of the step. `masks` are those of the policy's
/// terms and of the critic's.
///
/// # Errors
///
/// If an output of the file cannot be read.
pub fn lines(
    e: &Evaluation,
    (mask, value_mask): (&Mask, &Mask),
    file: &Dump,
    budget: Option<&Budget>,
) -> Result<Vec<Line>, BadInput> {
    let mut lines = Vec::new();
    for output in OUTPUTS {
        let name = output.name;
        match e.output(name) {
            Some(Value::Scalar(ours)) => {
                let theirs = file.output_scalar(name)?;
                let allowed = budget.and_then(|budget| budget.scalar(name));
                lines.push(Line { output: *output, place: Place::Scalar, ours, theirs, allowed });
            }
            Some(Value::PerToken(ours)) => {
                let of_critic = ["token_rewards", "advantages_raw", "returns", "grad_values"].contains(&name);
                let mask = if of_critic { value_mask } else { mask };
                let allowed = budget.and_then(|budget| budget.per_token(name));
                lines.push(per_token(
                    *output,
                    mask,
                    ours,
                    file.output_matrix(name)?.as_ref(),
                    allowed.as_ref(),
                ));
            }
            None => {}
        }
    }
    Ok(lines)
}

fn per_token(
    output: Output,
    mask: &Mask,
    ours: &DMatrix<f64>,
    theirs: Option<&DMatrix<f64>>,
    allowed: Option<&DMatrix<f64>>,
) -> Line {
    let mut worst = Worst::NONE;
    if let Some(theirs) = theirs {
        for row in 0..mask.shape().0 {
            for t in mask.tokens_of(row) {
                let slot = (row, t);
                worst.see(Line {
                    output,
                    place: Place::Token(row, t),
                    ours: ours[slot],
                    theirs: Some(theirs[slot]),
                    allowed: allowed.map(|allowed| allowed[slot]),
                });
            }
        }
    }
    let mean = mask.sum(ours) / mask.count() as f64;
    let without = Line { output, place: Place::Mean, ours: mean, theirs: None, allowed: None };
    worst.line().unwrap_or(without)
}
