//! README is what a stranger has.

use crate::files::text;
use conformance::terms::markdown;

#[test]
fn the_table_of_terms_in_readme_is_the_table() {
    assert!(
        text("README.md").contains(&markdown()),
        "README's table is old: cargo run --release -- terms --write README.md"
    );
}

#[test]
fn readme_gives_the_two_commands_and_ci_runs_them() {
    let (readme, ci) = (text("README.md"), text(".ci/run"));
    for command in ["cargo run --release", "cargo test --workspace"] {
        assert!(readme.contains(&format!("$ {command} ")), "README does not show `{command}`");
        assert!(ci.lines().any(|line| line.trim() == command), ".ci/run does not call `{command}`");
    }
}

#[test]
fn the_compiler_readme_asks_for_is_the_workspace_s() {
    let version = text("Cargo.toml");
    let version = version.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let readme = text("README.md");
    assert!(readme.contains(&format!("{version} or newer")) && readme.contains(&format!("MSRV: {version}.")));
}
