//! Addresses as they stand in built pages.

use std::path::{Component, Path, PathBuf};

/// Whether an address leaves the book by its scheme or host, as `https:`, `mailto:` and `//host/` do.
pub(crate) fn is_outside(address: &str) -> bool {
    address.starts_with("//") || scheme(address).is_some_and(|scheme| !scheme.eq_ignore_ascii_case("data"))
}

/// `https` of `https://…`.
pub(crate) fn scheme(address: &str) -> Option<&str> {
    let (scheme, _) = address.split_once(':')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(fits)).then_some(scheme)
}

/// File and fragment of a relative address, `%20` and the like decoded, the query dropped.
pub(crate) fn split(address: &str) -> (String, Option<String>) {
    let (file, fragment) = match address.split_once('#') {
        Some((file, fragment)) => (file, Some(fragment)),
        None => (address, None),
    };
    let file = file.split('?').next().unwrap_or_default();
    (decode(file), fragment.map(decode))
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The path without `.` and `..`, or nothing where it climbs out of the folder it starts from.
pub(crate) fn within(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !inside.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}
