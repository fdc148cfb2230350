//! Measured times as a page shows them: `{{#record FILE WORK}}` becomes the table of one work from `benches/results/`,
//! and a line that says on what machine and by what command it was measured. A page types no time by hand that is not
//! in such a table.

use crate::{code::Links, terms::escape};
use serde_json::Value;
use std::{fs, path::Path};

/// The table whose title starts with the work: of `FILE.json` if it holds reports, else of `FILE.md`.
pub(crate) fn table(root: &Path, args: &str, code: &Links<'_>) -> Result<String, String> {
    let (file, work) = args.split_once(' ').ok_or("it must name a record and a work in it")?;
    let folder = "benches/results";
    let read = |name: &str| fs::read_to_string(root.join("..").join(folder).join(name));
    let link =
        format!("<a href=\"{}\">{folder}/{file}.md</a>", code.to(&format!("{folder}/{file}.md"), None));
    let found = match read(&format!("{file}.json")) {
        Ok(text) => speeds(&text, work, &link)?,
        Err(_) => {
            let text = read(&format!("{file}.md"));
            let text = text.map_err(|error| format!("cannot read {folder}/{file}.md: {}", error.kind()))?;
            rungs(&text, work, &link)
        }
    };
    found.ok_or(format!("{folder}/{file} has no work `{work}`"))
}

/// Ours against others, from a record of `benches/peers/speed.py`.
fn speeds(text: &str, work: &str, link: &str) -> Result<Option<String>, String> {
    let record: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let reports = record["reports"].as_array().ok_or("it holds no reports")?;
    let is_asked = |report: &&Value| report["work"].as_str().is_some_and(|title| title.starts_with(work));
    let Some(report) = reports.iter().find(is_asked) else { return Ok(None) };
    let mut rows: Vec<&Value> = report["contenders"].as_array().into_iter().flatten().collect();
    let ms = |row: &Value| row["ms"].as_f64().unwrap_or(f64::NAN);
    rows.sort_by(|a, b| ms(a).total_cmp(&ms(b)));
    let mut table =
        format!("**{}**\n\n| who | ms | ns a token | GB/s | in units of ours |\n", words(&report["work"]));
    table.push_str("|---|--:|--:|--:|--:|\n");
    for row in rows {
        let cells = ["ns a token", "GB/s", "in units of ours"].map(|key| words(&row[key]));
        table.push_str(&format!("| {} | {:.2} | {} |\n", words(&row["who"]), ms(row), cells.join(" | ")));
    }
    let (machine, versions) = (&record["machine"], &record["versions"]);
    let told = format!(
        "{}, {} cores, held to {}, {} threads; medians of {} rounds, recorded at {} by `{}`: {link}.",
        words(&machine["cpu"]),
        words(&machine["cores"]),
        words(&record["level"]).to_uppercase(),
        words(&record["threads"]),
        words(&record["rounds"]),
        words(&versions["commit"]),
        words(&record["command"]),
    );
    Ok(Some(format!("{table}\n{}", measured(&told))))
}

/// Every backend, from the ladder: one section of its Markdown, as it stands.
fn rungs(text: &str, work: &str, link: &str) -> Option<String> {
    let mut lines =
        text.lines().skip_while(|line| !line.strip_prefix("### ").is_some_and(|head| head.starts_with(work)));
    let title = lines.next()?.trim_start_matches("### ");
    let table: String =
        lines.take_while(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    // A column without a name is one that a screen reader cannot name either.
    let table = match table.trim().strip_prefix('|').map(str::trim_start) {
        Some(rest) if rest.starts_with('|') => format!("| on {rest}"),
        _ => table.trim().into(),
    };
    let of = |key: &str| {
        let row = text.lines().find_map(|line| line.strip_prefix(&format!("| {key} | ")))?;
        Some(row.trim_end_matches('|').trim())
    };
    let told = format!("{}; medians, recorded by {}: {link}.", of("CPU")?, of("command")?);
    Some(format!("**{title}**\n\n{table}\n\n{}", measured(&told)))
}

fn measured(told: &str) -> String {
    let mut html = String::new();
    for (k, part) in told.split('`').enumerate() {
        html.push_str(&if k % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { part.into() });
    }
    format!("<p class=\"measured\">{html}</p>")
}

/// A number or a word as it stands in the record.
fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}
