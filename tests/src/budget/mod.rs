//! Every tolerance of the workspace, one function per equation, derived and never tuned.
//!
//! A budget repeats its equation in [`Approx`] arithmetic: each number carries what another evaluation of
//! it, in a given precision and from the same inputs, may be off. The error follows the operands and not
//! the result (V − R cancels), sums are bounded for any order, and where two branches meet within the
//! budget either passes.

mod approx;
mod gae;
mod order;
mod policy_loss;
mod precision;
mod step;
mod targets;
mod token_pass;
mod tokens;
mod total_loss;
mod value_loss;

pub use approx::Approx;
pub use gae::gae_in_order;
pub use policy_loss::{PolicyBudget, policy_loss, policy_loss_grad};
pub use precision::Precision;
pub use step::Budget;
pub use targets::{WhitenBudget, gae, kl, returns, reward, whiten, whiten_in_order};
pub use token_pass::{Softmax, as_bf16, both};
pub use tokens::{entropy_grad_row, entropy_row, grad_logits_row, log_prob_grad_row, log_softmax_row};
pub use total_loss::{aggregate, aggregate_grad, counted, kl_grad, kl_loss, total_loss};
pub use value_loss::{ValueBudget, value_loss, value_loss_grad};

use nalgebra::DMatrix;
use reference::Mask;

/// A (B, L) quantity with its error.
pub type Grid = DMatrix<Approx>;

impl Precision {
    /// A matrix both sides read from the same file.
    pub fn read(self, x: &DMatrix<f64>) -> Grid {
        x.map(|x| self.given(x))
    }

    /// One formula for every valid token, an exact 0 in masked slots.
    pub fn each(self, mask: &Mask, mut formula: impl FnMut((usize, usize)) -> Approx) -> Grid {
        let (b, t_len) = mask.shape();
        DMatrix::from_fn(
            b,
            t_len,
            |row, t| {
                if mask.has((row, t)) { formula((row, t)) } else { self.given(0.0) }
            },
        )
    }
}
