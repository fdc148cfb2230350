//! What the post claims, measured: the same run with one thing changed, beside the run as it is.

use super::{BadInput, Iterated, Metrics, Recipe, Trainer, evaluate, rollout};
use reference::{
    Coefficients, Listing, Settings, ValueClip,
    iteration::{ActorCritic, Inner, NormClip},
    transformer::On,
};

/// One thing changed in a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Its name, such as `no-entropy`.
    pub name: &'static str,
    /// What it changes.
    pub change: fn(Recipe) -> Recipe,
}

/// One claim and the variants that it is about.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Its name, such as `entropy`.
    pub name: &'static str,
    /// What the post says.
    pub says: &'static str,
    /// Compared with the recipe as it is.
    pub variants: &'static [Variant],
}

fn with(recipe: Recipe, change: impl Fn(&mut Settings)) -> Recipe {
    let mut changed = recipe;
    change(&mut changed.settings);
    changed
}

fn listed(recipe: Recipe, listing: Listing) -> Recipe {
    with(recipe, |settings| settings.listing = listing)
}

/// The recipe as it is, which every claim begins with.
pub const AS_IT_IS: Variant = Variant { name: "as it is", change: |recipe| recipe };

/// Every claim, in the order of the post.
pub const CLAIMS: &[Claim] = &[
    Claim {
        name: "critic-level",
        says: "returns = advantages + old_values recovers the regression targets",
        variants: &[
            Variant {
                name: "returns-from-whitened",
                change: |recipe| {
                    listed(recipe, Listing { returns_from_whitened: true, ..Listing::CORRECTED })
                },
            },
            Variant { name: "as-printed", change: |recipe| listed(recipe, Listing::AS_PRINTED) },
        ],
    },
    Claim {
        name: "lambda",
        says: "λ = 0 has high bias and low variance, λ = 1 the reverse, 0.95 is a standard choice",
        variants: &[
            Variant { name: "λ = 0", change: |recipe| with(recipe, |settings| settings.lambda = 0.0) },
            Variant { name: "λ = 1", change: |recipe| with(recipe, |settings| settings.lambda = 1.0) },
        ],
    },
    Claim {
        name: "value-clip",
        says: "the clip keeps one update from moving V too far",
        variants: &[Variant {
            name: "no value clip",
            change: |recipe| with(recipe, |settings| settings.value_clip = ValueClip::Off),
        }],
    },
    Claim {
        name: "entropy",
        says: "left alone, a policy narrows before it has found good strategies",
        variants: &[Variant {
            name: "no entropy bonus",
            change: |recipe| {
                with(recipe, |settings| {
                    settings.coefficients = Coefficients { c_h: 0.0, ..settings.coefficients };
                })
            },
        }],
    },
    Claim {
        name: "epochs",
        says: "several small inner epochs, typically four",
        variants: &[Variant {
            name: "1 inner epoch",
            change: |recipe| Recipe { inner: Inner { epochs: 1, ..recipe.inner }, ..recipe },
        }],
    },
    Claim {
        name: "norm-clip",
        says: "one joint norm: the two heads' gradients are added, and clipped together",
        variants: &[Variant {
            name: "separate norms",
            change: |recipe| Recipe {
                inner: Inner { norm_clip: NormClip::Separate, ..recipe.inner },
                ..recipe
            },
        }],
    },
];

/// A run and what became of it.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The variant's name.
    pub name: &'static str,
    /// Every iteration.
    pub metrics: Vec<Metrics>,
    /// The mean score on 1,024 unseen prompts, at the end.
    pub after: f64,
}

impl Ran {
    /// The first iteration from which ten rollouts have a mean score of at least `aim`.
    pub fn reaches(&self, aim: f64) -> Option<usize> {
        let tens = self.metrics.windows(10);
        let first = tens.map(|ten| ten.iter().fold(0.0, |so_far, m| so_far + m.score) / 10.0);
        first.into_iter().position(|mean| mean >= aim).map(|k| self.metrics[k].iteration)
    }

    /// The largest |mean target − mean V| of any iteration.
    pub fn widest_pull(&self) -> f64 {
        self.metrics.iter().map(|m| (m.mean_ret - m.mean_v).abs()).fold(0.0, f64::max)
    }
}

/// Runs a variant of a recipe.
///
/// # Errors
///
/// As [`Trainer::iterate`].
pub fn run(recipe: Recipe, variant: Variant, seed: u64) -> Result<Ran, BadInput> {
    let recipe = (variant.change)(recipe);
    let mut trainer = Trainer::new(recipe, seed);
    let metrics = (0..recipe.iterations).map(|_| trainer.iterate()).collect::<Result<_, _>>()?;
    let after = evaluate(&trainer.state.model, recipe.settings.tau, seed);
    Ok(Ran { name: variant.name, metrics, after })
}

/// One forward pass over an iteration's batch: the unit of `eq:cost`.
pub fn forward(it: &Iterated) {
    let mut model = it.before.clone();
    let on = On { model: &mut model, prompts: &it.prompts, actions: &it.responses.actions, mask: &it.slots };
    std::hint::black_box(on.forward());
}

/// The generation of a batch, which `eq:cost` leaves out.
pub fn generate(trainer: &Trainer) {
    std::hint::black_box(rollout(&trainer.recipe, &trainer.state));
}
