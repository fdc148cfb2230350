//! What there is, by name, and what is said of the rest.

use super::*;

#[test]
fn the_best_backend_is_the_last_level_of_the_cpu() {
    let mut levels = Backend::available().into_iter().filter(|on| !on.is_device());
    assert_eq!(levels.next_back(), Some(Backend::best()));
}

#[test]
fn a_term_without_a_kernel_is_refused_by_its_name() {
    for on in Backend::available() {
        assert_eq!(on.has("no_term"), on.level("no_term").is_ok(), "{on}");
        assert_eq!(Backend::with("no_term").contains(&on), on.has("no_term"), "{on}");
    }
}

#[test]
fn the_specification_is_always_there() {
    assert_eq!(Backend::named("fallback").unwrap(), Backend::available()[0]);
}

#[test]
fn every_available_backend_is_found_by_its_name() {
    for backend in Backend::available() {
        assert!(Backend::NAMES.contains(&backend.name()), "{backend} is not listed");
        assert_eq!(Backend::named(&backend.to_string()), Ok(backend));
    }
}

#[test]
fn two_backends_are_equal_where_their_names_are() {
    let all = Backend::available();
    for (left, right) in all.iter().flat_map(|left| all.iter().map(move |right| (left, right))) {
        assert_eq!(left == right, left.name() == right.name(), "{left} and {right}");
    }
}

#[test]
fn an_absent_backend_is_an_error_that_says_what_there_is() {
    let absent = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    let said = Backend::named(absent).unwrap_err().to_string();
    assert!(said.starts_with(&format!("backend: `{absent}` is absent; this machine has fallback")), "{said}");
}

/// A level of the CPU is not there because the CPU has it not.
#[test]
fn what_is_no_level_of_a_cpu_says_why_it_is_absent() {
    let here = Backend::available();
    for name in Backend::NAMES.iter().filter(|name| here.iter().all(|on| on.name() != **name)) {
        let Err(Error::AbsentBackend { why, .. }) = Backend::named(name) else { panic!("{name}") };
        match *name {
            "cuda" if cfg!(feature = "cuda") => {
                assert!(why.is_some_and(|why| !why.is_empty() && !why.contains("feature")), "{why:?}");
            }
            "cuda" => assert_eq!(why, Some("built without the feature `cuda`")),
            "cuda-emulation" if cfg!(feature = "cuda-emulation") => assert_eq!(why, Some("no C++ compiler")),
            "cuda-emulation" => assert_eq!(why, Some("built without the feature `cuda-emulation`")),
            level => assert_eq!(why, None, "{level}"),
        }
    }
}

/// A level as its variant, a device by its name.
#[test]
fn a_backend_says_in_a_message_which_it_is() {
    for on in Backend::available() {
        let wanted = if on.is_device() { format!("Cuda({on})") } else { format!("{on}").replace('.', "_") };
        let said = format!("{on:?}");
        assert!(said.to_lowercase().starts_with(&wanted.to_lowercase()), "{said}");
    }
}

#[cfg(emulated)]
#[test]
fn the_emulation_is_a_device_that_has_every_term_where_it_was_built() {
    let emulation = Backend::named("cuda-emulation").unwrap();
    assert!(emulation.is_device() && emulation.has("value_loss") && !emulation.has("no_term"));
}

#[test]
fn a_roll_call_names_every_backend_once_and_fails_without_a_required_one() {
    let said = Backend::roll_call("").unwrap();
    let (ran, absent) = said.strip_prefix("ran ").and_then(|said| said.split_once("; absent: ")).unwrap();
    fn name(said: &str) -> &str {
        said.split_once(" (").map_or(said, |(name, _)| name)
    }
    let mut all: Vec<&str> = ran.split(", ").chain(absent.split(", ")).map(name).collect();
    all.sort_by_key(|name| Backend::NAMES.iter().position(|known| known == name));
    assert_eq!(all, Backend::NAMES);
    assert_eq!(Backend::roll_call(&ran.replace(", ", ",")), Ok(said.clone()));
    assert!(Backend::roll_call(&format!("fallback,{}", absent.split(", ").next().unwrap())).is_err());
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_names() {
    let said = Backend::named("mmx").unwrap_err().to_string();
    assert_eq!(
        said,
        "backend: `mmx` is not one of fallback, sse2, sse4.2, avx2, avx512, neon, cuda, cuda-emulation"
    );
}
