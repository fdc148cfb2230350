//! The table of terms: every equation of the step, where it is printed, computed, tested and explained.
//!
//! README's table, the book's first page and the checks of the house are all made from this one.

/// One labelled equation.
#[derive(Debug, Clone, Copy)]
pub struct Equation {
    /// The label that stands wherever the equation does, such as `eq:gae`.
    pub label: &'static str,
    /// The equation in LaTeX, as the book sets it.
    pub tex: &'static str,
    /// The function of the reference that is this equation, such as `gae::gae`.
    pub function: &'static str,
}

/// One term of the step.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// The name of its file in every crate, such as `value_loss`.
    pub stem: &'static str,
    /// Its name in words, such as "The value loss".
    pub title: &'static str,
    /// Its equations, in the order of the step.
    pub equations: &'static [Equation],
    /// The section of the source that prints it.
    pub source: &'static str,
    /// The test files that hold it, relative to `tests/`.
    pub tests: &'static [&'static str],
}

/// Every term, in the order of the step.
pub const TERMS: &[Term] = &[Term {
    stem: "gae",
    title: "Generalized advantage estimation",
    equations: &[Equation {
        label: "eq:gae",
        tex: r"\hat A_t = \sum_{l=0}^{L-1-t} (\gamma\lambda)^l\, \delta_{t+l}",
        function: "gae::gae",
    }],
    source: "Post, § GAE: where the advantages come from",
    tests: &[],
}];
