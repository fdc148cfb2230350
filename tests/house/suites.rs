//! A folder under tests/ is no test until the manifest says so, and cargo says nothing.

use crate::files::{names, root, sources, text};

#[test]
fn every_suite_on_disk_is_in_the_manifest() {
    let manifests = [text("tests/Cargo.toml"), text("book/Cargo.toml").replace("../tests/", "")];
    let paths: Vec<&str> = manifests
        .iter()
        .flat_map(|manifest| manifest.split("[[test]]").skip(1))
        .map(|entry| entry.split("path = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap())
        .collect();
    let on_disk = |name: &String| {
        let main = format!("{name}/main.rs");
        if name.ends_with(".rs") {
            Some(name.clone())
        } else {
            root(&format!("tests/{main}")).is_file().then_some(main)
        }
    };
    let suites: Vec<String> =
        names("tests").iter().filter(|name| *name != "src").filter_map(on_disk).collect();
    for suite in &suites {
        assert!(
            paths.contains(&suite.as_str()),
            "tests/{suite} is not a [[test]] of tests/Cargo.toml or book/Cargo.toml"
        );
    }
    assert_eq!(suites.len(), paths.len(), "the manifests have {paths:?}, the folder {suites:?}");
}

/// What lies under tests/ but the library and the command.
fn folders() -> Vec<String> {
    names("tests").into_iter().filter(|name| name != "src").collect()
}

/// A module file that no `mod` line names is compiled by nobody.
#[test]
fn every_file_of_a_suite_is_a_module_of_it() {
    for suite in folders().iter().filter(|name| root(&format!("tests/{name}/main.rs")).is_file()) {
        let files = sources(&format!("tests/{suite}"));
        let modules: String = files.iter().map(|(_, source)| source.as_str()).collect();
        for (path, _) in &files {
            let stem = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").rsplit('/').next().unwrap();
            assert!(stem == "main" || modules.contains(&format!("mod {stem};")), "{path} is no module");
        }
    }
}
