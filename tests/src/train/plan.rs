//! A recipe as words: what flags say, what a checkpoint keeps, and the sentence where the two differ.

use super::{Arithmetic, Recipe, task};
use crate::dump::{
    self, BadInput, Facts, Scores,
    error::{bad, plain},
};
use reference::{ScoreAt, iteration::NormClip};
use std::collections::BTreeMap;

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
    set: fn(&mut Recipe, &str) -> Option<()>,
}

/// A whole number of that range.
fn whole(x: &str, most: usize) -> Option<usize> {
    x.parse().ok().filter(|x| (1..=most).contains(x))
}

fn within(x: &str, legal: impl Fn(f64) -> bool) -> Option<f64> {
    x.parse().ok().filter(|x| legal(*x))
}

fn positive(x: &str) -> Option<f64> {
    within(x, |x| x > 0.0 && x.is_finite())
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

const ITERATIONS: &str = "iterations";

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
        inner.adam.weight_decay, |x| within(x, |x| x >= 0.0 && x.is_finite())),
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
const DEPARTS: [(&str, &str); 1] = [("entropy_coef", "0.03")];

/// What a setting of the step is where no flag says it.
pub fn default_of(key: &dump::Key) -> String {
    let own = DEPARTS.iter().find(|(name, _)| *name == key.name);
    own.map_or_else(|| key.default.to_string(), |(_, value)| (*value).to_owned())
}

/// Settings of a file that mean nothing in a run.
pub const NOT_IN_TRAINING: [&str; 3] = ["dialect", "done_at", "grad_of"];

/// What a run is made with, and the words that say it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the run computes with.
    pub recipe: Recipe,
    /// Every key of [`KEYS`] and of the step's settings, as it was said.
    pub said: BTreeMap<String, String>,
}

impl Plan {
    /// The default recipe with these flags, spelt in snake_case or kebab-case.
    ///
    /// # Errors
    ///
    /// A value that is not legal, or values that cannot be meant together.
    pub fn new(flags: &[(String, String)]) -> Result<Plan, BadInput> {
        let own = KEYS.iter().map(|key| (key.name.to_owned(), (key.get)(&Recipe::default())));
        let departs = DEPARTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let said = own.chain(departs).collect();
        Plan::of(&said, flags)
    }

    /// The plan that a checkpoint's metadata says.
    ///
    /// # Errors
    ///
    /// A key that is missing, and as [`Plan::new`].
    pub fn kept(metadata: &BTreeMap<String, String>) -> Result<Plan, BadInput> {
        let steps = dump::KEYS.iter().filter(|key| !NOT_IN_TRAINING.contains(&key.name));
        let follows = |name: &str| matches!(dump::Key::find(name), Some(key) if key.follows());
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).chain(steps.map(|key| key.name)).collect();
        if let Some(name) = names.iter().find(|name| !metadata.contains_key(**name) && !follows(name)) {
            return Err(bad!("it does not say `{name}`"));
        }
        let said = metadata.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Plan::of(&said.map(|(name, value)| (name.clone(), value.clone())).collect(), &[])
    }

    /// The kept plan, for as many iterations as the flags say. All else they say must be what it was.
    ///
    /// # Errors
    ///
    /// The first flag that changes the run.
    pub fn resumed(&self, flags: &[(String, String)]) -> Result<Plan, BadInput> {
        let mut next = self.clone();
        for (flag, value) in flags {
            let with = Plan::of(&self.said, &[(flag.clone(), value.clone())])?;
            if flag == ITERATIONS {
                next.recipe.iterations = with.recipe.iterations;
                next.said.insert(flag.clone(), value.clone());
            } else if with.recipe != self.recipe {
                let kept = self.said.get(flag.as_str()).map_or("", String::as_str);
                return Err(bad!(
                    "`--{}` is {}, and the run was begun with {}: a resumed run goes on with what it was begun with",
                    flag.replace('_', "-"),
                    plain(value),
                    plain(kept)
                ));
            }
        }
        Ok(next)
    }

    /// What is said of the step's settings: the metadata of a dump.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let of_step = self.said.iter().filter(|(name, _)| dump::Key::find(name).is_some());
        of_step.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn of(said: &BTreeMap<String, String>, flags: &[(String, String)]) -> Result<Plan, BadInput> {
        let own = |name: &str| KEYS.iter().find(|key| key.name == name);
        let (of_run, of_step): (Vec<_>, Vec<_>) =
            flags.iter().cloned().partition(|(flag, _)| own(flag).is_some());
        let (mut all, under): (BTreeMap<_, _>, BTreeMap<_, _>) =
            said.clone().into_iter().partition(|(name, _)| own(name).is_some());
        all.extend(of_run);
        let mut recipe = Recipe::default();
        for key in KEYS {
            let value = all.get(key.name).map_or("", String::as_str);
            (key.set)(&mut recipe, value)
                .ok_or_else(|| bad!("`{}` is `{}`, and must be {}", key.name, plain(value), key.legal))?;
        }
        let facts = Facts { t_len: task::T_LEN, scores: Scores::PerRow };
        let chosen = dump::choose(&of_step, &under, facts)?;
        recipe.settings = chosen.settings;
        check_pairs(&recipe)?;
        let settings =
            chosen.metadata().into_iter().filter(|(name, _)| !NOT_IN_TRAINING.contains(&name.as_str()));
        all.extend(settings);
        Ok(Plan { recipe, said: all })
    }
}

/// What is legal alone and cannot be run together.
fn check_pairs(recipe: &Recipe) -> Result<(), BadInput> {
    let (size, settings) = (recipe.size, &recipe.settings);
    if !size.d_model.is_multiple_of(size.n_heads) {
        return Err(bad!("`n_heads` is {} and does not divide `d_model`, {}", size.n_heads, size.d_model));
    }
    if settings.score_at == ScoreAt::LastAttended {
        return Err(bad!("`score_at` is last-attended, and a run has no tokens but prompts and responses"));
    }
    if settings.listing.score_broadcast && recipe.b != task::T_LEN {
        return Err(bad!(
            "the listing's score-broadcast needs B = L, and `batch` is {} where responses have {} slots",
            recipe.b,
            task::T_LEN
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// The table of the step's settings has defaults of its own: no flag must mean the default recipe.
    #[test]
    fn without_flags_the_plan_is_the_default_recipe() {
        assert_eq!(Plan::new(&[]).unwrap().recipe, Recipe::default());
    }

    #[test]
    fn a_plan_is_read_back_from_what_it_says() {
        let flags =
            [flag("lr", "1e-3"), flag("lam", "0.5"), flag("listing", "unmasked"), flag("max_norm", "inf")];
        let plan = Plan::new(&flags).unwrap();
        assert_eq!(Plan::kept(&plan.said).unwrap(), plan);
        assert_eq!((plan.recipe.inner.adam.lr, plan.recipe.settings.lambda), (1e-3, 0.5));
    }

    #[test]
    fn a_resumed_run_is_the_same_in_other_words_and_no_other() {
        let plan = Plan::new(&[flag("lr", "1e-3")]).unwrap();
        let longer = plan.resumed(&[flag("lr", "0.001"), flag("iterations", "7")]).unwrap();
        assert_eq!(longer.recipe, Recipe { iterations: 7, ..plan.recipe });
        let says = plan.resumed(&[flag("lr", "0.002")]).unwrap_err().to_string();
        assert!(says.starts_with("`--lr` is 0.002, and the run was begun with 1e-3"), "{says}");
    }
}
