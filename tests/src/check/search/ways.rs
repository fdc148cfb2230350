//! What one output is searched by, level by level.

use super::{
    MOST_WORK, Search,
    changes::{Changes, one_more},
    numbers::{farthest, one_of},
    under::Under,
};
use crate::check::{
    Fit,
    bugs::Bug,
    choices::Choice,
    compare::{Compared, Verdict, alike},
    finding::COUNTS,
    not_covered,
    step::Numbers,
};
use crate::report::{Place, difference};
use std::cell::Cell;

/// Formulas that any trainer's users may have chosen before it was handed anything.
const BY_USERS: [&str; 1] = ["scaled-score"];

/// What a formula costs whatever it is of, in tokens.
const LEAST_WORK: usize = 256;

/// One output, and what it may follow.
pub(super) struct Ways<'s> {
    pub(super) search: &'s Search<'s>,
    pub(super) output: &'static str,
    /// It, and those before it that are computed.
    pub(super) terms: Vec<&'static str>,
    pub(super) choices: Vec<&'static Choice>,
    pub(super) mistakes: Vec<&'static Bug>,
    /// What outputs before it have settled, and what all else is tried on top of.
    pub(super) base: Changes,
    /// What there is to explain: how far the number that is farthest off is, and where it stands.
    off: Cell<f64>,
    farthest: Cell<Option<Place>>,
    /// Formulas that were tried.
    tried: Cell<usize>,
    /// What one formula costs, in tokens.
    each: usize,
    /// What is left of the work.
    left: Cell<usize>,
    /// Whether it was not enough.
    cut: Cell<bool>,
    /// How many short decimals chance alone would have met.
    chance: Cell<f64>,
}

impl<'s> Ways<'s> {
    pub(super) fn of(
        search: &'s Search<'s>,
        output: &'static str,
        choices: Vec<&'static Choice>,
        mistakes: Vec<&'static Bug>,
        terms: Vec<&'static str>,
        base: Changes,
    ) -> Ways<'s> {
        let (off, left, cut) = (Cell::new(f64::INFINITY), Cell::new(0), Cell::new(false));
        let (tried, chance, farthest) = (Cell::new(0), Cell::new(0.0), Cell::new(None));
        let each = search.step.inputs.mask.count().max(LEAST_WORK);
        Ways { search, output, terms, choices, mistakes, base, off, farthest, tried, each, left, cut, chance }
    }

    /// Every explanation of the fewest changes, and whether the work was cut short of it.
    pub(super) fn fits(&self, plain: Option<&Numbers>) -> (Vec<Fit>, bool) {
        self.left.set(MOST_WORK[0]);
        let under = Under::changed(self.search, &Changes::default());
        let plainly = under.zip(plain).and_then(|(under, plain)| under.compared_with(self.output, plain));
        self.is_to_explain(plain, plainly);
        if let Some(fit) = self.by_what_is_settled() {
            return (vec![fit], false);
        }
        let nothing = Changes::default();
        let one = self.more(core::slice::from_ref(&nothing));
        let mut fits = self.by_choices(&one, &[]);
        let alone = self.by_mistakes_alone(plain, &mut fits);
        // One number that does not resolve a hundredth of what there is to explain says no decimal.
        let is_coarse =
            plainly.is_some_and(|of| of.place == Place::Scalar && 100.0 * of.allowed > self.off.get());
        if fits.is_empty() && !COUNTS.contains(&self.output) && !is_coarse {
            fits = self.by_number(&nothing, &[]);
        }
        if !fits.is_empty() && fits.iter().all(Fit::is_wrong) {
            if let Some(fit) = self.paying_pads(&one) {
                return (vec![fit], self.cut.get());
            }
            fits.extend(self.by_what_wakes(&one, core::slice::from_ref(&nothing)));
        }
        if !fits.is_empty() || COUNTS.contains(&self.output) {
            return (explaining_most(self.heard(fits)), self.cut.get());
        }
        self.left.set(MOST_WORK[1]);
        let tried = self.tried.get();
        let together = if is_coarse { Vec::new() } else { self.together() };
        // What it has tried counts for its own explanations.
        self.tried.set(tried);
        self.chance.set(0.0);
        // Where it takes no more than two changes, others of two are as good.
        if together.is_empty() || together.iter().any(|fit| fit.size() <= self.base.keys().count() + 2) {
            self.left.set(MOST_WORK[1]);
            fits = self.by_more(&one, &alone);
            fits.retain(|fit| self.tells(fit));
        }
        fits = leaving_the_stated(fits);
        // What values of a list explain needs no others.
        let listed = fits.iter().filter(|fit| !fit.is_wrong()).map(Fit::size).min();
        let needed = |fit: &Fit| fit.numbers.is_empty() || listed.is_none_or(|listed| fit.size() < listed);
        let more = together.into_iter().filter(|fit| needed(fit) && fits.iter().all(|other| !other.is(fit)));
        fits.extend(more.collect::<Vec<_>>());
        (explaining_most(self.heard(fits)), self.cut.get())
    }

    /// Keeps which number is farthest off, and how far. What is worst by its allowance may be a small one that is hardly off;
    /// it counts where an output is one number, or where a class differs.
    fn is_to_explain(&self, plain: Option<&Numbers>, plainly: Option<Compared>) {
        let is_finite = plainly.is_some_and(|of| difference(of.expected, of.got).is_finite());
        let of_token = plain.filter(|_| is_finite);
        let of_token = of_token.and_then(|plain| farthest(&self.search.step, self.output, plain));
        let most = of_token.or(plainly.map(|of| (of.place, of.expected, of.got)));
        self.off.set(most.map_or(f64::INFINITY, |(_, ours, got)| difference(ours, got)));
        self.farthest.set(most.map(|(place, ..)| place));
    }

    /// The first pads are paid, and a number is at a value that no list has: then the pads' own rewards are what was paid,
    /// which those of a score that was lost are not.
    fn paying_pads(&self, one: &[Changes]) -> Option<Fit> {
        let pays = |changes: &&Changes| {
            !self.search.states("score_at")
                && changes.settings().any(|(key, _)| key == "score_at")
                && self.under(changes).is_some_and(|under| under.compares_pads(self.output))
        };
        one.iter().filter(pays).flat_map(|changes| self.by_number(changes, &[])).find(|fit| !fit.is_wrong())
    }

    /// Whether chance alone would have met the number.
    pub(super) fn chance_says_nothing(&self) -> bool {
        self.chance.get() > 0.01
    }

    /// Counts what chance alone would have met.
    pub(super) fn by_chance(&self, more: f64) {
        self.chance.set(self.chance.get() + more.min(1.0));
    }

    /// Whether it says something that so many formulas meet this number: of formulas that are anywhere as far off as
    /// what there is to explain, less than one in a hundred searches would.
    pub(super) fn tells(&self, fit: &Fit) -> bool {
        let by_formulas = self.tried.get() as f64 * 2.0 * fit.compared.allowed / self.off.get();
        let by_chance = by_formulas + self.chance.get();
        fit.compared.place != Place::Scalar || by_chance < 0.01
    }

    /// What the outputs before it follow, and no more of it than it takes.
    fn by_what_is_settled(&self) -> Option<Fit> {
        if self.base.is_empty() {
            return None;
        }
        let fit = |base: &Changes| self.fit(&Under::changed(self.search, base)?, base, &[]);
        let mut least = (self.base.clone(), fit(&self.base)?);
        for key in self.base.keys() {
            let fewer = least.0.without(key);
            if let Some(fit) = fit(&fewer) {
                least = (fewer, fit);
            }
        }
        Some(least.1)
    }

    /// Equations of other methods that have the numbers, alone or beside one choice.
    pub(super) fn by_other_methods(&self) -> Vec<Fit> {
        let nothing = Changes::default();
        let one = self.more(core::slice::from_ref(&nothing));
        let formulas: Vec<_> = not_covered::formulas().filter(|of| of.of == self.output).collect();
        let alone: Vec<Fit> = self.by_each(&[nothing], &formulas);
        if alone.is_empty() { self.by_each(&one, &formulas) } else { alone }
    }

    fn by_more(&self, one: &[Changes], alone: &[&'static Bug]) -> Vec<Fit> {
        let two = self.more(one);
        let mut beside = one;
        let mut fits = [self.by_choices(&two, &[]), self.by_each(one, alone)].concat();
        if fits.iter().all(|fit| fit.against_the_stated) {
            fits.extend(self.by_pairs(alone));
        }
        if fits.is_empty() {
            self.left.set(MOST_WORK[1]);
            fits = self.by_number_and_more(one, alone);
        }
        if fits.is_empty() {
            fits = [self.by_choices(&self.more(&two), &[]), self.by_each(&two, alone)].concat();
            beside = &two;
        }
        if !fits.is_empty() && fits.iter().all(Fit::is_wrong) {
            fits.extend(self.by_what_wakes(one, beside));
        }
        fits
    }

    /// Two numbers of the settings, or one beside a choice or a mistake.
    fn by_number_and_more(&self, one: &[Changes], alone: &[&'static Bug]) -> Vec<Fit> {
        let nothing = Changes::default();
        let two = self.by_gamma_and_lambda(&nothing, &[]);
        let beside_choice = one.iter().flat_map(|changes| self.by_number(changes, &[]));
        let beside_mistake = alone.iter().flat_map(|bug| self.by_number(&nothing, &[*bug]));
        let fits: Vec<Fit> = two.into_iter().chain(beside_choice).chain(beside_mistake).collect();
        if !fits.is_empty() {
            return fits;
        }
        one.iter().flat_map(|changes| self.by_gamma_and_lambda(changes, &[])).collect()
    }

    fn more(&self, changes: &[Changes]) -> Vec<Changes> {
        one_more(changes, &self.choices, &self.base, self.search.chosen)
    }

    /// Gives the work of several changes anew.
    pub(super) fn again(&self) {
        self.left.set(MOST_WORK[1]);
    }

    /// Whether one more formula may be tried.
    pub(super) fn may(&self) -> bool {
        let left = self.left.get().checked_sub(self.each);
        self.tried.set(self.tried.get() + 1);
        self.cut.set(self.cut.get() || left.is_none());
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// The file under what is settled and these changes.
    pub(super) fn under(&self, changes: &Changes) -> Option<Under<'_>> {
        Under::changed(self.search, &self.base.and(changes))
    }

    pub(super) fn by_choices(&self, all: &[Changes], mistakes: &[&'static Bug]) -> Vec<Fit> {
        all.iter().filter_map(|changes| self.may().then(|| self.fit_with(changes, mistakes))?).collect()
    }

    /// Each of these changes with each of these mistakes.
    fn by_each(&self, all: &[Changes], mistakes: &[&'static Bug]) -> Vec<Fit> {
        mistakes.iter().flat_map(|bug| self.by_choices(all, &[*bug])).collect()
    }

    /// Each mistake alone: those that fit are added; those that change the numbers at all are given back.
    fn by_mistakes_alone(&self, plain: Option<&Numbers>, fits: &mut Vec<Fit>) -> Vec<&'static Bug> {
        let Some(under) = self.under(&Changes::default()) else { return Vec::new() };
        let mut alone = Vec::new();
        for bug in &self.mistakes {
            let made = self.may().then(|| under.numbers(self.output, &[*bug]));
            let Some(numbers) = made.flatten() else { continue };
            fits.extend(self.fit_of(&under, &self.base, &[*bug], &numbers));
            if plain.is_none_or(|plain| !alike(plain, &numbers)) {
                alone.push(*bug);
            }
        }
        alone
    }

    /// Two mistakes; of one output, in both orders. One of them shows alone; the other may show only in what that one
    /// reads.
    fn by_pairs(&self, alone: &[&'static Bug]) -> Vec<Fit> {
        let Some(under) = self.under(&Changes::default()) else { return Vec::new() };
        let mut fits = Vec::new();
        let shows = |bug: &Bug| alone.iter().any(|other| other.is(bug));
        for (at, one) in self.mistakes.iter().enumerate() {
            for other in self.mistakes[at + 1..].iter().filter(|other| shows(one) || shows(other)) {
                let orders = [[*one, *other], [*other, *one]];
                let orders = if one.of == other.of { &orders[..] } else { &orders[..1] };
                let of_order =
                    |pair: &[&'static Bug; 2]| self.may().then(|| self.fit(&under, &self.base, pair))?;
                fits.extend(orders.iter().find_map(of_order));
            }
        }
        fits
    }

    /// The explanation by what is settled, these changes and these mistakes.
    pub(super) fn fit_with(&self, changes: &Changes, mistakes: &[&'static Bug]) -> Option<Fit> {
        let all = self.base.and(changes);
        self.fit(&Under::changed(self.search, &all)?, &all, mistakes)
    }

    fn fit(&self, under: &Under, all: &Changes, mistakes: &[&'static Bug]) -> Option<Fit> {
        let numbers = under.numbers(self.output, mistakes)?;
        self.fit_of(under, all, mistakes, &numbers)
    }

    /// The explanation, where the file's numbers are within its budget.
    fn fit_of(
        &self,
        under: &Under,
        all: &Changes,
        mistakes: &[&'static Bug],
        numbers: &Numbers,
    ) -> Option<Fit> {
        let compared = under.compared_with(self.output, numbers)?;
        // There, and not at a tie, whose allowance is a whole branch.
        let there = self.farthest.get().and_then(|place| one_of(&self.search.step, numbers, place));
        let allowed = there.map_or(compared.allowed, |(_, off)| off.min(compared.allowed));
        // What a trainer is named for is a claim too, and another's formula is none of its own.
        let of_others = |dialect: &crate::check::dialects::Dialect| {
            mistakes.iter().any(|bug| !bug.is_mistake() && !dialect.has(bug) && !BY_USERS.contains(&bug.name))
        };
        let against_the_stated =
            all.keys().any(|key| self.search.states(key)) || self.search.dialect.is_some_and(of_others);
        let has = |dialect: &crate::check::dialects::Dialect| mistakes.iter().all(|bug| dialect.has(bug));
        let of_the_dialect = !mistakes.is_empty() && self.search.dialect.is_some_and(has);
        let (changed, numbers, mistakes) = (all.listed.clone(), all.numbers.clone(), mistakes.to_vec());
        let fit = Fit { changed, numbers, against_the_stated, mistakes, of_the_dialect, compared };
        // An allowance as wide as what there is to explain explains nothing.
        (fit.compared.verdict == Verdict::Passed && allowed < self.off.get()).then_some(fit)
    }
}

/// Of several changes at once, what leaves the stated as it is explains more than what does not.
fn leaving_the_stated(mut fits: Vec<Fit>) -> Vec<Fit> {
    if fits.iter().any(|fit| !fit.against_the_stated) {
        fits.retain(|fit| !fit.against_the_stated);
    }
    fits
}

/// A convention comes before a mistake with the same numbers, and that before a value other than the stated one: both are
/// said, since either may be what was done.
fn explaining_most(mut fits: Vec<Fit>) -> Vec<Fit> {
    fits.sort_by_key(|fit| (fit.is_wrong(), fit.against_the_stated));
    fits
}
