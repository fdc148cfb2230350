//! What trainers choose at every point, as data: whose step a file is checked against, or seems to be.
//!
//! What a trainer's code does is a claim where `dialect` names it; what its users set (γ, λ, radii, coefficients) is
//! only the number that stands where the file says none.

mod control;
mod language;
mod language_more;
mod post;

use super::{bugs::Bug, choices::same_value};
use crate::dump::{BadInput, Chosen, Key, Source, plain};

/// A key and its value.
type Says = (&'static str, &'static str);

/// One trainer.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Its name, as `dialect` takes it.
    pub name: &'static str,
    /// What its code does, as settings.
    pub does: &'static [Says],
    /// What its configuration has where a user says nothing.
    pub defaults: &'static [Says],
    /// What its code does beside an estimator of the KL, where a user or its configuration chooses that one.
    pub of_kl: &'static [(&'static str, &'static [Says])],
    /// What a setting of its own name means by ours: the key, its value there, ours.
    pub means: &'static [(&'static str, &'static str, &'static str)],
    /// Formulas that it uses and that no setting can say, by the names of [`bugs`](super::bugs), with the output.
    pub forms: &'static [(&'static str, &'static str)],
    /// Which of all these are wrong, whoever does them: a key or a name, with the row of
    /// [`rows`](super::bugs::rows).
    pub deviations: &'static [(&'static str, &'static str)],
}

/// A trainer of whom nothing is known.
const UNKNOWN: Dialect =
    Dialect { name: "", does: &[], defaults: &[], of_kl: &[], means: &[], forms: &[], deviations: &[] };

/// A response that was cut off counts as one that ended, in every trainer of language models.
pub(super) const NO_BOOTSTRAP: (&str, &str) = ("NoBootstrap", "advantages_raw");
/// Each rank or minibatch is whitened alone.
pub(super) const PARTS: (&str, &str) = ("whitened-in-parts", "whitened");

/// The trainers. All but DeepSpeed-Chat, NeMo-RL, PufferLib and open-instruct are held to what their own code computes;
/// those four were read, not run.
pub const DIALECTS: &[Dialect] = &[
    post::POST,
    post::POST_AS_PRINTED,
    language::VERL,
    language::VERL_0_7,
    language::TRL,
    language::TRL_0_11,
    language::OPENRLHF,
    language_more::DEEPSPEED_CHAT,
    language_more::NEMO_RL,
    language_more::OPEN_INSTRUCT,
    control::CLEANRL,
    control::SB3,
    control::TORCHRL,
    control::PUFFERLIB,
];

/// The dialect of that name.
///
/// # Errors
///
/// If there is none.
pub fn find(name: &str) -> Result<&'static Dialect, BadInput> {
    DIALECTS.iter().find(|dialect| dialect.name == name).ok_or_else(|| {
        let names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        BadInput::new(format!("`dialect` is `{}` and must be one of {}", plain(name), names.join(", ")))
    })
}

/// Coefficients that are stated with the sign that nobody means, one sentence each: a KL that is paid for, a value loss that
/// is driven up, an entropy that is driven down.
pub(super) fn turned(said: &Chosen) -> Vec<String> {
    let stated = ["kl_coef", "kl_loss_coef", "vf_coef", "entropy_coef"].into_iter().filter_map(|key| {
        let setting = said.setting(key).filter(|setting| setting.from != Source::Default)?;
        let is_negative = setting.value.parse::<f64>().is_ok_and(|x| x < 0.0);
        is_negative.then(|| {
            format!("{key} is {} by the {}: its term has the other sign", plain(&setting.value), setting.from)
        })
    });
    stated.collect()
}

impl Dialect {
    /// Every setting that it has: what its code does, what its configuration has, and what follows from that.
    pub fn settings(&self) -> Vec<Says> {
        let mut all: Vec<Says> = self.does.iter().chain(self.defaults).copied().collect();
        let kind = all.iter().find(|(key, _)| *key == "kl_estimator").map(|(_, value)| *value);
        all.extend(kind.into_iter().flat_map(|kind| self.beside(kind)));
        all
    }

    /// The row by which an entry of it, a key or a formula's name, is wrong whoever does it; none for a convention.
    pub fn deviation(&self, entry: &str) -> Option<&'static str> {
        self.deviations.iter().find(|(of, _)| *of == entry).map(|(_, row)| *row)
    }

    /// Whether it uses this formula, for this output.
    pub fn has(&self, bug: &Bug) -> bool {
        self.forms.contains(&(bug.name, bug.of))
    }

    fn beside(&self, kind: &str) -> impl Iterator<Item = Says> {
        let of_kind = self.of_kl.iter().find(|(of, _)| *of == kind);
        of_kind.into_iter().flat_map(|(_, says)| says.iter().copied())
    }

    /// What a flag or the file states otherwise than its code does, one sentence each.
    pub(super) fn departures(&self, said: &Chosen) -> Vec<String> {
        let kind = said.setting("kl_estimator").filter(|kind| kind.from != Source::Default);
        let beside = kind.into_iter().flat_map(|kind| self.beside(&kind.value));
        let stated = self.does.iter().copied().chain(beside).filter_map(|(key, does)| {
            let setting = said.setting(key).filter(|setting| setting.from != Source::Default)?;
            let value = plain(&setting.value);
            (!same_value(&value, does)).then(|| {
                format!("{key} is {value} by the {}, and the code of {} has {does}", setting.from, self.name)
            })
        });
        stated.collect()
    }

    /// These flags, and what the dialect has where neither they nor the file say anything; what the file says in the
    /// dialect's own sense, in ours.
    pub(super) fn under(&self, said: &Chosen, flags: &[(String, String)]) -> Vec<(String, String)> {
        let is = |key: &str, value: &str| {
            said.setting(key).is_some_and(|s| s.from != Source::Default && same_value(&s.value, value))
        };
        let meant: Vec<Says> = self
            .means
            .iter()
            .filter(|(key, theirs, _)| is(key, theirs))
            .map(|(key, _, ours)| (*key, *ours))
            .collect();
        let key_of = |flag: &str| Key::find(&flag.replace('-', "_")).map(|key| key.name);
        let replaced = |flag: &str| meant.iter().any(|(key, _)| key_of(flag) == Some(*key));
        let open = |(key, _): &Says| {
            let radius = ["cliprange_low", "cliprange_high"];
            let given = |key: &str| said.setting(key).is_some_and(|setting| setting.from != Source::Default);
            !(given(key) || *key == "cliprange" && radius.into_iter().any(given))
        };
        let kind = said.setting("kl_estimator").filter(|kind| kind.from != Source::Default);
        let mut own: Vec<Says> = self.settings();
        if let Some(kind) = kind {
            let beside: Vec<Says> = self.beside(&kind.value).collect();
            own.retain(|(key, _)| beside.iter().all(|(other, _)| other != key));
            own.extend(beside);
        }
        let kept = flags.iter().filter(|(flag, _)| !replaced(flag)).cloned();
        let own = own.into_iter().filter(open).chain(meant.iter().copied());
        kept.chain(own.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect()
    }
}
