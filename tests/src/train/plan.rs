//! A recipe as words: what flags say, what a checkpoint keeps, and the sentence where the two differ.

use super::{KEYS, NOT_IN_TRAINING, Recipe, keys::DEPARTS, task};
use crate::dump::{
    self, BadInput, Facts, Scores,
    error::{bad, plain},
};
use reference::ScoreAt;
use std::collections::BTreeMap;

/// The key that a resumed run may change.
const ITERATIONS: &str = "iterations";

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
