//! `ppo step FILE`: every term on a dump, beside the file's own numbers. It shows and never judges.

use super::{flags, json, run::Run, table};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use conformance::{
    dump::{self, BadInput, Chosen, Dump},
    engine::Engine,
};
use std::path::{Path, PathBuf};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    let file = Arg::new("FILE").required(true).value_parser(value_parser!(PathBuf)).help("A rollout dump");
    let out = Arg::new("out")
        .long("out")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Write every intermediate and gradient to this dump, f64, with the mask and the settings");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print for a program, not for a person");
    let backend = flags::backend(
        "Compute in f32 by the optimized crate on this backend, or on the `best`; not in f64 by the reference",
    );
    let about = "Compute every term of the PPO step on a rollout dump, beside the file's own numbers";
    flags::with_settings(Command::new("step").about(about).args([file, out, json, backend]))
        .after_help(names())
}

/// The tensors a dump may hold, from the tables that read it.
fn names() -> String {
    let list = |title: &str, rows: &[dump::Row]| {
        let cells = |row: &dump::Row| {
            let also = if row.also.is_empty() { String::new() } else { row.also.join(", ") };
            vec![row.name.to_owned(), axes(row.axes).to_owned(), also]
        };
        let mut all = vec![vec![title.to_owned(), "shape".to_owned(), "also read as".to_owned()]];
        all.extend(rows.iter().map(cells));
        table::aligned(&all, |_| true)
    };
    format!("{}\n{}\n", list("Inputs:", dump::INPUTS), list("Outputs:", dump::OUTPUTS))
}

fn axes(axes: dump::Axes) -> &'static str {
    match axes {
        dump::Axes::Scalar => "",
        dump::Axes::Row => "B",
        dump::Axes::Token => "B, L",
        dump::Axes::RowOrToken => "B or B, L",
        dump::Axes::Logits => "B, L, V",
    }
}

/// Runs the subcommand and gives what it prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, BadInput> {
    let path: &PathBuf = matches.get_one("FILE").ok_or_else(|| BadInput::new("FILE is missing"))?;
    let engine = flags::chosen_backend(matches)?.map_or(Engine::Reference, Engine::Fast);
    let named = |err: BadInput| BadInput::new(format!("{}: {err}", path.display()));
    let dump = Dump::open(path).map_err(named)?;
    let chosen = dump.choose(&flags::settings(matches)).map_err(named)?;
    let out = matches.get_one::<PathBuf>("out");
    if let Some(out) = out.filter(|out| same_file(path, out)) {
        let sentence = "this is the file that is read, and it is not replaced";
        return Err(BadInput::new(format!("--out {}: {sentence}", out.display())));
    }
    let run = Run::of(engine, &dump, chosen, None, out.map(PathBuf::as_path)).map_err(named)?;
    let shape = (run.inputs.shape.b, run.inputs.shape.t_len, run.inputs.logits.as_ref().map(|z| z.vocab()));
    if matches.get_flag("json") {
        let file = path.display().to_string();
        let alone = not_computed(&run, &dump);
        return Ok(json::report(&file, shape, &run, &alone, &dump.roles().unknown));
    }
    Ok(text(&run, &dump, shape))
}

/// Whether two paths are one file, links followed.
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn text(run: &Run, dump: &Dump, (b, t_len, vocab): (usize, usize, Option<usize>)) -> String {
    let tokens = run.inputs.mask.count();
    let mut text = format!("{b} sequences, width {t_len}, {tokens} valid tokens");
    if let Some(vocab) = vocab {
        text.push_str(&format!(", vocabulary {vocab}"));
    }
    text.push_str("\n\n");
    let ours = if let Engine::Fast(on) = run.engine { on.name() } else { "reference" };
    text.push_str(&table::terms(&run.lines, ours, "file", false));
    text.push_str(
        "\nA term per token is shown at [row, token], where it differs most from the file, or as its mean; - is a\n\
         number that the file does not hold; the code is in reference/src.\n",
    );
    let alone = not_computed(run, dump);
    if !alone.is_empty() {
        text.push_str(&table::folded("In the file, but not computed here: ", &alone));
    }
    if let Engine::Fast(on) = run.engine {
        text.push_str(&format!("Computed in f32 by the optimized crate on {on}.\n"));
        text.push_str("Its code is in optimized/src, under the same names.\n");
    }
    text.push_str(&settings(&run.chosen));
    let ignored = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => table::folded(&format!("{what} not known and ignored: "), names),
    };
    text.push_str(&ignored("Settings", &run.chosen.unknown));
    text.push_str(&ignored("Tensors", &dump.roles().unknown));
    run.notes().iter().for_each(|note| text.push_str(&format!("Note: {note}.\n")));
    text
}

/// The file's outputs that have nothing of ours beside them.
fn not_computed(run: &Run, dump: &Dump) -> Vec<String> {
    let shown = |name: &&str| run.lines.iter().any(|line| line.output.name == *name);
    dump.output_names().into_iter().filter(|name| !shown(name)).map(str::to_owned).collect()
}

/// The settings by where they came from.
fn settings(chosen: &Chosen) -> String {
    use dump::Source::{Default, Flag, Metadata, Shape};
    let of = |from: dump::Source| {
        let each = chosen.sources.iter().filter(|setting| setting.from == from);
        let all: Vec<String> =
            each.map(|setting| format!("{} {}", setting.key, table::one_line(&setting.value))).collect();
        if all.is_empty() { String::new() } else { table::folded(&format!("Settings by {from}: "), &all) }
    };
    [Flag, Metadata, Shape, Default].into_iter().map(of).collect()
}
