//! Where trainers differ, from the data that `ppo check` searches: `{{#choices}}` is a table of every point of choice,
//! `{{#dialects}}` one of every trainer. So the page and the checker cannot say two things.

use conformance::check::{choices::CHOICES, dialects::DIALECTS};

/// Every point of choice: its values, who takes each, and what input tells them apart.
pub(crate) fn table() -> String {
    let mut table =
        String::from("| choice | values, and who takes them | what tells them apart |\n|---|---|---|\n");
    for choice in CHOICES {
        let values = choice.values.iter().filter(|value| !value.who.is_empty() || value.deviation);
        let values: Vec<String> = values
            .map(|value| {
                let kind = if value.deviation { " (a mistake)" } else { "" };
                format!("`{}`{kind}: {}", value.value, cell(value.who))
            })
            .collect();
        if !values.is_empty() {
            table.push_str(&format!(
                "| `{}` | {} | {} |\n",
                choice.key,
                values.join("<br>"),
                cell(choice.tells)
            ));
        }
    }
    table
}

/// Every trainer: what its code does, what its users find set, and what of it is a known mistake.
pub(crate) fn trainers() -> String {
    let mut table =
        String::from("| trainer | its code | its defaults | known mistakes |\n|---|---|---|---|\n");
    let pairs = |of: &[(&str, &str)]| {
        let pairs: Vec<String> = of.iter().map(|(key, value)| format!("`{key}` {value}")).collect();
        pairs.join("<br>")
    };
    for dialect in DIALECTS {
        let deviations: Vec<String> =
            dialect.deviations.iter().map(|(name, row)| format!("`{name}` ({row})")).collect();
        let cells = [pairs(dialect.does), pairs(dialect.defaults), deviations.join("<br>")];
        table.push_str(&format!("| {} | {} |\n", dialect.name, cells.join(" | ")));
    }
    table
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
