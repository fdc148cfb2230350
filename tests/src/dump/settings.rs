//! Flags over metadata over defaults: the settings of a run, each with where it came from.

use super::{
    BadInput, Chosen, Facts, Scores, Setting, Source,
    draft::Draft,
    error::{bad, plain},
    keys::{Fallback, KEYS, Key},
};
use reference::ScoreAt;
use std::collections::BTreeMap;

/// A value that somebody gave, with the spelling it was given under.
#[derive(Debug, Clone)]
struct Given {
    spelling: String,
    value: String,
    from: Source,
}

/// The settings from flags (spelt in kebab-case or snake_case, by any alias), metadata and defaults.
///
/// A flag wins over metadata; a flag `cliprange` also over the metadata's `cliprange_low` and
/// `cliprange_high`, since it sets both radii.
///
/// # Errors
///
/// A flag that is no key, a value that is not legal, two spellings of one key that disagree, and pairs that
/// cannot be meant together.
pub fn choose(
    flags: &[(String, String)],
    metadata: &BTreeMap<String, String>,
    facts: Facts,
) -> Result<Chosen, BadInput> {
    let (given, unknown) = gather(flags, metadata)?;
    let mut draft = Draft::new();
    let mut sources: Vec<Setting> = Vec::new();
    for key in KEYS {
        let setting = settle(key, given.get(key.name), &given, &sources, facts);
        set(&mut draft, key, &setting)?;
        sources.push(setting);
    }
    refuse_pairs(&draft, &given, facts)?;
    Ok(Chosen {
        settings: draft.settings(),
        done_at: draft.done_at,
        whiten_over: draft.whiten_over,
        loss_scale_factor: draft.loss_scale_factor,
        dialect: draft.dialect,
        grad_of: draft.grad_of,
        sources,
        unknown,
    })
}

/// What was given under each key, flags first, and the metadata's unknown keys.
fn gather(
    flags: &[(String, String)],
    metadata: &BTreeMap<String, String>,
) -> Result<(BTreeMap<&'static str, Given>, Vec<String>), BadInput> {
    let (mut given, mut unknown) = (BTreeMap::new(), Vec::new());
    for (flag, value) in flags {
        let spelling = flag.replace('-', "_");
        let key = Key::find(&spelling).ok_or_else(|| bad!("`{}` is no setting", plain(flag)))?;
        add(&mut given, key, Given { spelling, value: value.trim().to_string(), from: Source::Flag })?;
    }
    for (spelling, value) in metadata {
        match Key::find(spelling) {
            Some(key) => {
                let (spelling, value) = (spelling.clone(), value.trim().to_string());
                add(&mut given, key, Given { spelling, value, from: Source::Metadata })?;
            }
            None => unknown.push(plain(spelling)),
        }
    }
    Ok((given, unknown))
}

/// One more spelling of a key: what stands already must agree, unless it is a flag over metadata.
fn add(all: &mut BTreeMap<&'static str, Given>, key: &'static Key, new: Given) -> Result<(), BadInput> {
    let Some(old) = all.get(key.name) else {
        all.insert(key.name, new);
        return Ok(());
    };
    let read = |value: &str| {
        let mut draft = Draft::new();
        (key.set)(&mut draft, value).map(|()| draft)
    };
    let same = || old.value == new.value || read(&old.value).is_some_and(|old| Some(old) == read(&new.value));
    if old.from != new.from || same() {
        return Ok(());
    }
    Err(bad!(
        "`{}` is {} and `{}` is {} ({}), but they are one setting: keep one of them",
        old.spelling,
        plain(&old.value),
        new.spelling,
        plain(&new.value),
        new.from
    ))
}

/// The value that stands under a key, given the keys before it.
fn settle(
    key: &Key,
    own: Option<&Given>,
    given: &BTreeMap<&'static str, Given>,
    before: &[Setting],
    facts: Facts,
) -> Setting {
    let flagged = |name: &str| given.get(name).is_some_and(|given| given.from == Source::Flag);
    let outdone = |own: &&Given| {
        let radius = key.default == Fallback::Of("cliprange");
        !(radius && own.from == Source::Metadata && flagged("cliprange"))
    };
    let (value, from) = match (own.filter(outdone), key.default) {
        (Some(own), _) => (own.value.clone(), own.from),
        (None, Fallback::Value(_)) if key.name == "score_at" && facts.scores == Scores::PerToken => {
            ("per-token".to_string(), Source::Shape)
        }
        (None, Fallback::Value(value)) => (value.to_string(), Source::Default),
        (None, Fallback::Width) => (facts.t_len.to_string(), Source::Shape),
        (None, Fallback::Of(other)) => match before.iter().find(|setting| setting.key == other) {
            Some(other) => (other.value.clone(), Source::Default),
            None => (String::new(), Source::Default),
        },
    };
    Setting { key: key.name, value, from }
}

/// Writes one setting, or says which values are legal.
fn set(draft: &mut Draft, key: &Key, setting: &Setting) -> Result<(), BadInput> {
    (key.set)(draft, &setting.value).ok_or_else(|| {
        bad!("`{}` is `{}` ({}), and must be {}", key.name, plain(&setting.value), setting.from, key.legal)
    })
}

/// Settings that are each legal and cannot be meant together.
fn refuse_pairs(draft: &Draft, given: &BTreeMap<&'static str, Given>, facts: Facts) -> Result<(), BadInput> {
    let settings = draft.settings();
    let said = |key: &str| given.get(key).map_or(String::new(), |given| format!(" ({})", given.from));
    if settings.listing.returns_from_whitened
        && let Some(own) = settings.lambda_critic
    {
        return Err(bad!(
            "`lam_critic` is {own}{} and `lam` {}, but the listing with returns-from-whitened has one λ",
            said("lam_critic"),
            settings.lambda
        ));
    }
    match (facts.scores, settings.score_at) {
        (Scores::PerToken, ScoreAt::PerToken) | (Scores::Absent, _) => Ok(()),
        (Scores::PerToken, _) => Err(bad!(
            "`score_at` is {}{}, but `scores` is (B, L): per token already",
            given.get("score_at").map_or("", |given| &given.value),
            said("score_at")
        )),
        (Scores::PerRow, ScoreAt::PerToken) => {
            Err(bad!("`score_at` is per-token{}, but `scores` is (B): one a sequence", said("score_at")))
        }
        (Scores::PerRow, _) => Ok(()),
    }
}
