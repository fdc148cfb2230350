//! The JSON of a safetensors header, read strictly: no name twice, nothing nested, nothing long.
//!
//! The `safetensors` crate keeps the last of two equal names and buffers whatever it does not know, so this
//! reading comes first and bounds what that one can meet.

use super::error::plain;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// The most tensors a header may name, and the most settings; a dump has some forty of each.
pub(crate) const MOST_NAMES: usize = 4096;
/// The most axes of a tensor; a dump has three.
pub(crate) const MOST_AXES: usize = 8;

/// A header as it is written, unchecked but for names, sizes and types.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// In the order of the text.
    pub(crate) tensors: Vec<(String, WrittenTensor)>,
    /// `__metadata__`.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// One tensor of a header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenTensor {
    /// Such as `F32`.
    pub(crate) dtype: String,
    /// Axes.
    pub(crate) shape: Axes,
    /// First byte and the byte after the last, from the start of the data.
    pub(crate) data_offsets: (u64, u64),
}

/// The lengths of a tensor's axes, [`MOST_AXES`] at most.
#[derive(Debug)]
pub(crate) struct Axes(pub(crate) Vec<u64>);

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Axes, D::Error> {
        struct Few;
        impl<'de> Visitor<'de> for Few {
            type Value = Axes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an array of at most {MOST_AXES} lengths")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Axes, A::Error> {
                let mut axes = Vec::new();
                while axes.len() < MOST_AXES
                    && let Some(len) = seq.next_element()?
                {
                    axes.push(len);
                }
                if axes.len() == MOST_AXES && seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom(format!("a tensor has more than {MOST_AXES} axes")));
                }
                Ok(Axes(axes))
            }
        }
        from.deserialize_seq(Few)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Written, D::Error> {
        from.deserialize_map(Names)
    }
}

/// The names of the header.
struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let (mut written, mut metadata) = (Written::default(), None);
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("it names `{}` twice", plain(&name))));
            }
            if seen.len() > MOST_NAMES {
                return Err(A::Error::custom(format!("it names more than {MOST_NAMES} tensors")));
            }
            if name == "__metadata__" {
                metadata = Some(map.next_value_seed(Strings)?);
            } else {
                written.tensors.push((name, map.next_value()?));
            }
        }
        written.metadata = metadata.unwrap_or_default();
        Ok(written)
    }
}

/// `__metadata__`: an object of strings.
struct Strings;

impl<'de> DeserializeSeed<'de> for Strings {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Strings {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`__metadata__` to be an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let shown = plain(&key);
            if strings.insert(key, map.next_value()?).is_some() {
                return Err(A::Error::custom(format!("its `__metadata__` names `{shown}` twice")));
            }
            if strings.len() > MOST_NAMES {
                return Err(A::Error::custom(format!("its `__metadata__` has more than {MOST_NAMES} keys")));
            }
        }
        Ok(strings)
    }
}
