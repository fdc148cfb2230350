//! What one iteration costs: `eq:cost`.

use crate::written::number;

/// Whether a frozen reference model is run for the KL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceModel {
    /// None, as in the post.
    Without,
    /// One forward pass over the rollout.
    With,
}

/// Where the critic lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Critic {
    /// A head on the policy's backbone; one pass of the rollout gives log-probs and values.
    SharedJointPass,
    /// A head on the policy's backbone, but `log_probs` and `value` are two passes, as the listing calls
    /// them.
    SharedTwoPasses,
    /// A model of its own, of the policy's size, trained beside it.
    Separate,
}

/// The work of one iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Forward passes without gradient over the rollout: reward model, old log-probs, old values,
    /// reference.
    pub inference_units: f64,
    /// Forward and backward passes of the inner epochs; a backward is two forwards.
    pub training_units: f64,
    /// Floating-point operations of both, generation left out.
    pub flops: f64,
    /// Both, against the 3 units of one SFT step on the same tokens.
    pub sft_steps: f64,
}

/// The cost of one PPO iteration in forward-units, without generation.
///
/// ```text
/// units = (1 + 1 + [values] + [reference]) + 3 K · models                  eq:cost
/// FLOPs = units · 2 N D            an SFT step is 3 units: one forward, one backward, which is two
/// ```
///
/// | symbol | argument    | is                                                                          |
/// |--------|-------------|-----------------------------------------------------------------------------|
/// | N      | `params`    | parameters of the policy; reward model and critic are taken as large        |
/// | D      | `tokens`    | prompt and response tokens of the batch                                     |
/// | K      | `epochs`    | inner epochs over it                                                        |
/// |        | `reference` | \[reference\] is 1 where a reference model is run                           |
/// |        | `critic`    | \[values\] is 1 where old values are a pass of their own; models is 1, or 2 |
/// |        |             | where the critic is a model too                                             |
///
/// The two ones are the reward model and the old log-probs. A forward is 2 N D operations: one multiply and one add
/// per parameter and token. With K = 4 and the post's listing: 15 units, 14 where one pass gives both log-probs and
/// values; 4.7 to 5 SFT steps, where the post says "five to six". Generation is one more unit of FLOPs, but bound by
/// memory and not by arithmetic: measured time is dominated by it.
///
/// Source: Roy, "The Full PPO Training Step", § What this costs.
/// Book: `cost.md`.
#[doc(alias = "eq:cost")]
// ANCHOR: cost
pub fn cost(params: usize, tokens: usize, epochs: usize, reference: ReferenceModel, critic: Critic) -> Cost {
    let (reward_model, old_logp) = (1.0, 1.0);
    let old_values = match critic {
        Critic::SharedJointPass => 0.0,
        Critic::SharedTwoPasses | Critic::Separate => 1.0,
    };
    let ref_logp = match reference {
        ReferenceModel::Without => 0.0,
        ReferenceModel::With => 1.0,
    };
    let models_trained = match critic {
        Critic::SharedJointPass | Critic::SharedTwoPasses => 1.0,
        Critic::Separate => 2.0,
    };
    let (forward, backward) = (1.0, 2.0);
    let inference_units = reward_model + old_logp + old_values + ref_logp;
    let training_units = (forward + backward) * number(epochs) * models_trained;
    let units = inference_units + training_units;
    Cost {
        inference_units,
        training_units,
        flops: units * 2.0 * number(params) * number(tokens),
        sft_steps: units / (forward + backward),
    }
}
// ANCHOR_END: cost

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listing_is_fourteen_to_fifteen_units_against_three() {
        let units = |critic, reference| {
            let cost = cost(7, 11, 4, reference, critic);
            cost.inference_units + cost.training_units
        };
        assert_eq!(units(Critic::SharedJointPass, ReferenceModel::Without), 14.0);
        assert_eq!(units(Critic::SharedTwoPasses, ReferenceModel::Without), 15.0);
        assert_eq!(units(Critic::SharedTwoPasses, ReferenceModel::With), 16.0);
        assert_eq!(units(Critic::Separate, ReferenceModel::Without), 27.0);
        let listing = cost(7, 11, 4, ReferenceModel::Without, Critic::SharedTwoPasses);
        assert_eq!((listing.sft_steps, listing.flops), (5.0, 15.0 * 2.0 * 77.0));
    }
}
