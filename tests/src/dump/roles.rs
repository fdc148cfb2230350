//! Which tensor of a file plays which role: an input, an output, or none.

use super::{
    BadInput,
    error::{bad, plain},
    names::{INPUTS, OUTPUTS, Row, find},
};
use std::collections::{BTreeMap, BTreeSet};

/// The roles of a file's tensors: canonical name → name in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles {
    /// What the step reads.
    pub inputs: BTreeMap<&'static str, String>,
    /// What the step computes, and the file holds too.
    pub outputs: BTreeMap<&'static str, String>,
    /// Names that no row claims, as text that is safe to print; ignored.
    pub unknown: Vec<String>,
}

/// Which table a claim is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

impl Roles {
    /// The roles of these names, in the order given.
    ///
    /// # Errors
    ///
    /// If two names claim one row, or one name two rows.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Roles, BadInput> {
        let names: Vec<&str> = names.into_iter().collect();
        let file = Present(names.iter().copied().collect());
        file.refuse_ambiguous_values()?;
        let mut roles = Roles::default();
        for name in names {
            let Some((side, row)) = file.claim(name) else {
                roles.unknown.push(plain(name));
                continue;
            };
            let (rows, table) = match side {
                Side::Input => (&mut roles.inputs, "inputs"),
                Side::Output => (&mut roles.outputs, "outputs"),
            };
            if let Some(other) = rows.insert(row.name, name.to_string()) {
                return Err(bad!(
                    "`{other}` and `{name}` both claim the row {} of the {table}: keep one of them",
                    printed(row)
                ));
            }
        }
        Ok(roles)
    }
}

/// The names of a file.
struct Present<'a>(BTreeSet<&'a str>);

impl Present<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    fn scores(&self) -> bool {
        self.any(&["scores", "token_level_scores"])
    }

    /// Token rewards, computed or given.
    fn token_rewards(&self) -> bool {
        self.scores() || self.any(&["rewards", "token_level_rewards", "token_rewards"])
    }

    fn old_values(&self) -> bool {
        self.has("old_values") || self.has("values")
    }

    /// Advantages before whitening, computed or given.
    fn advantages_raw(&self) -> bool {
        self.has("advantages_raw") || (self.token_rewards() && self.old_values())
    }

    fn logits_and_actions(&self) -> bool {
        self.has("logits") && self.any(&["actions", "responses"])
    }

    /// `values` between `old_values` and `vpreds` is V_old beside the one and V now beside the other.
    fn refuse_ambiguous_values(&self) -> Result<(), BadInput> {
        if !["old_values", "values", "vpreds"].iter().all(|name| self.has(name)) {
            return Ok(());
        }
        let rows = ["old_values", "values"].map(|name| find(INPUTS, name).map(printed).unwrap_or_default());
        Err(bad!(
            "`values` could be the row {} beside `vpreds`, or the row {} beside `old_values`: keep two of the \
             three",
            rows[0],
            rows[1]
        ))
    }

    /// The row that a name claims in this file.
    fn claim(&self, name: &str) -> Option<(Side, &'static Row)> {
        let input = |row: &str| find(INPUTS, row).map(|row| (Side::Input, row));
        let output = |row: &str| find(OUTPUTS, row).map(|row| (Side::Output, row));
        match name {
            "values" if !self.has("old_values") => input("old_values"),
            "rewards" | "token_level_rewards" if self.scores() => output("token_rewards"),
            "token_rewards" if self.scores() || self.any(&["rewards", "token_level_rewards"]) => {
                output("token_rewards")
            }
            "advantages_raw" if self.token_rewards() && self.old_values() => output("advantages_raw"),
            "advantages" | "whitened" if self.advantages_raw() => output("whitened"),
            "returns" if self.old_values() && self.advantages_raw() => output("returns"),
            "log_probs" | "logprobs" | "new_log_probs" if self.logits_and_actions() => output("log_probs"),
            "values" => input("values"),
            _ => {
                let claimed = |row: &&Row| row.name == name || row.also.contains(&name);
                let side = |side| move |row| (side, row);
                let inputs = INPUTS.iter().find(claimed).map(side(Side::Input));
                inputs.or_else(|| OUTPUTS.iter().find(claimed).map(side(Side::Output)))
            }
        }
    }
}

/// A row of a table as a sentence shows it.
fn printed(row: &Row) -> String {
    match row.also {
        [] => format!("`{}`", row.name),
        also => format!("`{}` (also read as `{}`)", row.name, also.join("`, `")),
    }
}
