//! How a gradient becomes a step: `eq:adam`.

use crate::{check, written::power};
use nalgebra::DMatrix;

/// The optimizer's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSettings {
    /// η > 0, the learning rate.
    pub lr: f64,
    /// β₁ in [0, 1).
    pub beta1: f64,
    /// β₂ in [0, 1).
    pub beta2: f64,
    /// ε_adam > 0, added to the root.
    pub eps_adam: f64,
    /// Decoupled weight decay ≥ 0: AdamW's where > 0, Adam where 0.
    pub weight_decay: f64,
}

/// What the optimizer remembers of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamState {
    /// Steps taken.
    pub steps: usize,
    /// G₁, running mean of the gradient.
    pub first: DMatrix<f64>,
    /// G₂, running mean of its square.
    pub second: DMatrix<f64>,
}

impl AdamState {
    /// Before the first step of a parameter of this shape.
    pub fn new((rows, columns): (usize, usize)) -> AdamState {
        AdamState { steps: 0, first: DMatrix::zeros(rows, columns), second: DMatrix::zeros(rows, columns) }
    }
}

/// One step of Adam with decoupled weight decay; gives the parameter and the state after it.
///
/// ```text
/// θ  ← θ − η weight_decay θ                    (decoupled from the gradient)
/// G₁ ← β₁ G₁ + (1 − β₁) g                      G₂ ← β₂ G₂ + (1 − β₂) g²
/// θ  ← θ − η (G₁ / (1 − β₁^steps)) / ( √(G₂ / (1 − β₂^steps)) + ε_adam )   eq:adam
/// ```
///
/// | symbol            | argument   | shape | is                                                             |
/// |-------------------|------------|-------|----------------------------------------------------------------|
/// | θ                 | `theta`    | any   | a parameter                                                    |
/// | g                 | `grad`     | as θ  | its gradient, after `eq:grad-clip`                             |
/// | G₁, G₂            | `state`    | as θ  | running means; with them `steps`, this one counted             |
/// | η, β₁, β₂, ε_adam | `settings` |       | and `weight_decay`: [`AdamSettings`]                           |
/// | θ, G₁, G₂         | result     | as θ  | after the step                                                 |
///
/// TRL and verl use AdamW (weight_decay 0 and 0.01), CleanRL and SB3 Adam with ε_adam = 1e-5, OpenRLHF β₂ = 0.95.
///
/// Source: Kingma and Ba, "Adam" (2015); Loshchilov and Hutter, "Decoupled Weight Decay" (2019). The post calls
/// `optimizer.step()` and names no optimizer.
/// Book: `inner-loop.md`.
///
/// # Panics
///
/// If the shapes differ or a setting is outside its range.
#[doc(alias = "eq:adam")]
// ANCHOR: adam
pub fn adam(
    theta: &DMatrix<f64>,
    grad: &DMatrix<f64>,
    state: &AdamState,
    settings: &AdamSettings,
) -> (DMatrix<f64>, AdamState) {
    check_inputs(theta, grad, state, settings);
    let AdamSettings { lr, beta1, beta2, eps_adam, weight_decay } = *settings;
    let steps = state.steps + 1;
    let first = state.first.zip_map(grad, |first, g| beta1 * first + (1.0 - beta1) * g);
    let second = state.second.zip_map(grad, |second, g| beta2 * second + (1.0 - beta2) * (g * g));
    let (unbias1, unbias2) = (1.0 - power(beta1, steps), 1.0 - power(beta2, steps));
    let decayed = theta.map(|theta| theta - lr * weight_decay * theta);
    let step = first
        .zip_map(&second, |first, second| lr * (first / unbias1) / ((second / unbias2).sqrt() + eps_adam));
    (decayed.zip_map(&step, |theta, step| theta - step), AdamState { steps, first, second })
}
// ANCHOR_END: adam

fn check_inputs(theta: &DMatrix<f64>, grad: &DMatrix<f64>, state: &AdamState, settings: &AdamSettings) {
    let named = [("grad", grad.shape()), ("first", state.first.shape()), ("second", state.second.shape())];
    for (name, shape) in named {
        check::same_shape("adam", name, shape, "theta", theta.shape());
    }
    check::positive("adam", "lr", settings.lr);
    check::positive("adam", "eps_adam", settings.eps_adam);
    for (name, beta) in [("beta1", settings.beta1), ("beta2", settings.beta2)] {
        assert!((0.0..1.0).contains(&beta), "adam: `{name}` is {beta} and must lie in [0, 1)");
    }
    assert!(
        settings.weight_decay >= 0.0,
        "adam: `weight_decay` is {} and must be ≥ 0",
        settings.weight_decay
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    const ADAM: AdamSettings =
        AdamSettings { lr: 0.5, beta1: 0.5, beta2: 0.75, eps_adam: 1e-300, weight_decay: 0.0 };

    /// The first step is η in the direction of −g, whatever the size of g: bias correction undoes β₁ and β₂.
    #[test]
    fn the_first_step_has_the_length_of_the_learning_rate() {
        let (theta, grad) = (dmatrix![1.0, 1.0], dmatrix![4.0, -1e-3]);
        let (after, state) = adam(&theta, &grad, &AdamState::new((1, 2)), &ADAM);
        assert_eq!(after, dmatrix![0.5, 1.5]);
        assert_eq!(state.steps, 1);
    }

    /// g = 2 then 0: G₁ = 0.5, G₂ = 0.75; over 1 − β₁² and 1 − β₂² they are 0.5/0.75 and 0.75/0.4375.
    #[test]
    fn the_second_step_by_hand() {
        let (theta, state) = adam(&dmatrix![0.0], &dmatrix![2.0], &AdamState::new((1, 1)), &ADAM);
        let (after, state) = adam(&theta, &dmatrix![0.0], &state, &ADAM);
        assert_eq!((state.first[0], state.second[0]), (0.5, 0.75));
        let want = -0.5 - 0.5 * (0.5 / 0.75) / (0.75f64 / 0.4375).sqrt();
        assert!((after[0] - want).abs() < 1e-15);
    }

    #[test]
    fn decay_shrinks_the_parameter_and_leaves_the_means_alone() {
        let settings = AdamSettings { weight_decay: 0.5, ..ADAM };
        let (after, state) = adam(&dmatrix![8.0], &dmatrix![0.0], &AdamState::new((1, 1)), &settings);
        assert_eq!((after[0], state.first[0]), (6.0, 0.0));
    }
}
