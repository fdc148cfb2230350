//! The table of what a run has beside the settings of the step: each number with its legal values and meaning.

use super::{Arithmetic, Recipe};
use crate::dump::{
    self,
    draft::{at_least_zero, positive, within},
};
use reference::iteration::NormClip;

/// One number of a run that is no setting of the step.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As a checkpoint spells it, in snake_case; a flag is the same in kebab-case.
    pub name: &'static str,
    /// The legal values, to be read after "must be".
    pub legal: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Its value in a recipe.
    pub get: fn(&Recipe) -> String,
    pub(super) set: fn(&mut Recipe, &str) -> Option<()>,
}

/// A whole number of that range.
fn whole(x: &str, most: usize) -> Option<usize> {
    x.parse().ok().filter(|x| (1..=most).contains(x))
}

fn decay(x: &str) -> Option<f64> {
    within(x, |x| (0.0..1.0).contains(&x))
}

fn norm_clip(x: &str) -> Option<NormClip> {
    [NormClip::Joint, NormClip::Separate].into_iter().find(|way| way.as_text() == x)
}

fn arithmetic(x: &str) -> Option<Arithmetic> {
    [Arithmetic::Reference, Arithmetic::Fast].into_iter().find(|way| way.as_text() == x)
}

/// A value as metadata and flags spell it; a number reads back to the same bits.
trait AsText {
    fn as_text(&self) -> String;
}

impl AsText for usize {
    fn as_text(&self) -> String {
        self.to_string()
    }
}

impl AsText for f64 {
    fn as_text(&self) -> String {
        format!("{self:?}")
    }
}

impl AsText for NormClip {
    fn as_text(&self) -> String {
        match self {
            NormClip::Joint => "joint".to_owned(),
            NormClip::Separate => "separate".to_owned(),
        }
    }
}

impl AsText for Arithmetic {
    fn as_text(&self) -> String {
        match self {
            Arithmetic::Reference => "reference".to_owned(),
            Arithmetic::Fast => "fast".to_owned(),
        }
    }
}

/// A row of the table: the place of the number in a recipe, and how its text is read.
macro_rules! key {
    ($name:literal, $legal:literal, $meaning:literal, $($at:ident).+, |$x:ident| $read:expr) => {
        Key {
            name: $name,
            legal: $legal,
            meaning: $meaning,
            get: |recipe| recipe.$($at).+.as_text(),
            set: |recipe, $x| {
                recipe.$($at).+ = $read?;
                Some(())
            },
        }
    };
}

/// Every number of a recipe but the step's settings.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key!("iterations", "a whole number from 1 to 1000000", "iterations of the whole run",
        iterations, |x| whole(x, 1_000_000)),
    key!("epochs", "a whole number from 1 to 1000", "inner epochs K on each rollout",
        inner.epochs, |x| whole(x, 1000)),
    key!("batch", "a whole number from 1 to 65536", "sequences of a rollout",
        b, |x| whole(x, 65_536)),
    key!("arithmetic", "reference or fast", "who computes the step: the reference in f64, or the optimized crate in f32",
        arithmetic, |x| arithmetic(x)),
    key!("lr", "a finite number > 0", "learning rate",
        inner.adam.lr, |x| positive(x)),
    key!("beta1", "a number in [0, 1)", "Adam's β₁",
        inner.adam.beta1, |x| decay(x)),
    key!("beta2", "a number in [0, 1)", "Adam's β₂",
        inner.adam.beta2, |x| decay(x)),
    key!("eps_adam", "a finite number > 0", "Adam's ε",
        inner.adam.eps_adam, |x| positive(x)),
    key!("weight_decay", "a finite number ≥ 0", "AdamW's decoupled decay",
        inner.adam.weight_decay, |x| at_least_zero(x)),
    key!("max_norm", "a number > 0, or inf", "bound on the gradient's norm",
        inner.max_norm, |x| within(x, |x| x > 0.0)),
    key!("norm_clip", "joint or separate", "one norm over all, or the value term's gradient with its own",
        inner.norm_clip, |x| norm_clip(x)),
    key!("d_model", "a whole number from 1 to 1024", "width of the hidden state",
        size.d_model, |x| whole(x, 1024)),
    key!("n_heads", "a whole number from 1 to 1024", "attention heads of a block",
        size.n_heads, |x| whole(x, 1024)),
    key!("d_mlp", "a whole number from 1 to 4096", "width inside the MLP",
        size.d_mlp, |x| whole(x, 4096)),
    key!("n_blocks", "a whole number from 1 to 64", "blocks of the backbone",
        size.n_blocks, |x| whole(x, 64)),
];

/// Where the recipe departs from the defaults of the step's settings.
pub(super) const DEPARTS: [(&str, &str); 1] = [("entropy_coef", "0.03")];

/// What a setting of the step is where no flag says it.
pub fn default_of(key: &dump::Key) -> String {
    let own = DEPARTS.iter().find(|(name, _)| *name == key.name);
    own.map_or_else(|| key.default.to_string(), |(_, value)| (*value).to_owned())
}

/// Settings of a file that mean nothing in a run.
pub const NOT_IN_TRAINING: [&str; 3] = ["dialect", "done_at", "grad_of"];
