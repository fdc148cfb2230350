//! Settings in place of those in use: values of choices, and numbers that were found.

use crate::{
    check::choices::{Choice, Value, same_value},
    dump::Chosen,
};

/// A setting at a value that no list has.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Its key.
    pub key: &'static str,
    /// The shortest decimal that has the file's numbers.
    pub value: String,
}

impl Number {
    /// Whether it is a coefficient with its sign turned, which nobody chooses: a KL or an entropy on the wrong side.
    pub fn is_turned(&self) -> bool {
        self.value.starts_with('-')
    }
}

/// Settings, each another than the one in use.
#[derive(Debug, Clone, Default)]
pub(in crate::check) struct Changes {
    pub(in crate::check) listed: Vec<(&'static Choice, &'static Value)>,
    pub(in crate::check) numbers: Vec<Number>,
}

impl Changes {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.listed.iter().map(|(choice, _)| choice.key).chain(self.numbers.iter().map(|of| of.key))
    }

    /// As settings.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let listed = self.listed.iter().map(|(choice, value)| (choice.key, value.value));
        listed.chain(self.numbers.iter().map(|of| (of.key, of.value.as_str())))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys().next().is_none()
    }

    /// Without this key.
    pub(super) fn without(&self, key: &str) -> Changes {
        let mut rest = self.clone();
        rest.listed.retain(|(choice, _)| choice.key != key);
        rest.numbers.retain(|of| of.key != key);
        rest
    }

    /// These, and those in their place where both have a key.
    pub(super) fn and(&self, others: &Changes) -> Changes {
        let mut all = others.keys().fold(self.clone(), |rest, key| rest.without(key));
        all.listed.extend(others.listed.iter().copied());
        all.numbers.extend(others.numbers.iter().cloned());
        all
    }

    pub(super) fn with_number(&self, number: Number) -> Changes {
        self.and(&Changes { listed: Vec::new(), numbers: vec![number] })
    }

    pub(super) fn with_value(&self, choice: &'static Choice, value: &'static Value) -> Changes {
        self.and(&Changes { listed: vec![(choice, value)], numbers: Vec::new() })
    }

    /// The value that a key has under them.
    pub(super) fn value<'v>(&'v self, key: &str, chosen: &'v Chosen) -> Option<&'v str> {
        let own = self.settings().find(|(of, _)| *of == key).map(|(_, value)| value);
        own.or_else(|| chosen.setting(key).map(|setting| setting.value.as_str()))
    }
}

/// Each of these changes with one more, of a later choice; none is what is in use on top of `base` anyway.
pub(super) fn one_more(
    changes: &[Changes],
    choices: &[&'static Choice],
    base: &Changes,
    chosen: &Chosen,
) -> Vec<Changes> {
    let is_used = |choice: &Choice, value: &Value| {
        base.value(choice.key, chosen).is_some_and(|of| same_value(of, value.value))
    };
    let mut more = Vec::new();
    for before in changes {
        let last = before.listed.last();
        let last = last.and_then(|(last, _)| choices.iter().position(|choice| choice.key == last.key));
        for choice in &choices[last.map_or(0, |last| last + 1)..] {
            for value in choice.values.iter().filter(|value| !is_used(choice, value)) {
                more.push(before.with_value(choice, value));
            }
        }
    }
    more
}
