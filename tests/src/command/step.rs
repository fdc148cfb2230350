//! `ppo step FILE`: every term on a dump, beside the file's own numbers. It shows and never judges.

use super::{flags, json, table};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use conformance::{
    budget::{Budget, Precision},
    dump::{self, BadInput, Chosen, Dump, Entry, Inputs, Writer},
    engine::Engine,
    evaluate::{Evaluation, evaluate, grad_logits_row},
    outputs::{GRAD_LOGITS, OUTPUTS, Value},
    report::{Line, Place, Worst, lines},
};
use reference::Settings;
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

/// Written beside the outputs, so that a reader of them knows which slots count.
const MASK: &str = "response_mask";

/// Everything that a run of the step needs and makes.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) chosen: Chosen,
    pub(crate) inputs: Inputs,
    pub(crate) evaluation: Evaluation,
    pub(crate) lines: Vec<Line>,
}

impl Run {
    /// Evaluates an open dump; with a precision, each line also says what its difference may be.
    pub(crate) fn of(
        engine: Engine,
        dump: &Dump,
        chosen: Chosen,
        precision: Option<Precision>,
        out: Option<&Path>,
    ) -> Result<Run, BadInput> {
        let mut inputs = Inputs::load(dump, &chosen)?;
        let evaluation = evaluate(engine, &mut inputs, &chosen)?;
        let budget = match precision {
            Some(p) => Some(Budget::of(p, &evaluation, &mut inputs, &chosen)?),
            None => None,
        };
        let masks = (&inputs.mask, &inputs.value_mask);
        let mut lines = lines(&evaluation, masks, dump, budget.as_ref())?;
        let mut run = Run { engine, chosen, inputs, evaluation, lines: Vec::new() };
        lines.extend(run.grad_logits(dump, budget.as_ref(), out)?);
        run.lines = lines;
        Ok(run)
    }

    /// One pass over the logits, token by token: their gradient is compared with the file's where it has one,
    /// and written, after every other output, where `out` is given.
    fn grad_logits(
        &mut self,
        dump: &Dump,
        budget: Option<&Budget>,
        out: Option<&Path>,
    ) -> Result<Option<Line>, BadInput> {
        let target = out.map_or(String::new(), |out| out.display().to_string());
        let of_out = |err| BadInput::new(format!("--out {target}: {err}"));
        let settings = self.chosen.settings.as_listed();
        let mut theirs = dump.output_rows(GRAD_LOGITS.name);
        let computed = self.has_grad_logits();
        let mut writer = match out {
            Some(path) => Some(self.start_writing(path, computed).map_err(of_out)?),
            None => None,
        };
        let mut worst = Worst::NONE;
        if computed && (theirs.is_some() || writer.is_some()) {
            let (b, t_len) = self.inputs.mask.shape();
            let vocab = self.inputs.logits.as_ref().map_or(0, |logits| logits.vocab());
            let (mut z, mut row_of_file) = (Vec::with_capacity(vocab), Vec::with_capacity(vocab));
            for slot in (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))) {
                let Some(ours) = self.grad_row(&settings, slot, &mut z)? else { continue };
                if let (Some(theirs), true) = (&mut theirs, self.inputs.mask.has(slot)) {
                    theirs.row(slot, &mut row_of_file)?;
                    let allowed =
                        budget.and_then(|budget| budget.grad_logits_row(&self.inputs, &settings, slot, &z));
                    see_row(&mut worst, slot, &ours, &row_of_file, allowed.as_deref());
                }
                if let Some(writer) = &mut writer {
                    writer.part(GRAD_LOGITS.name, &ours).map_err(of_out)?;
                }
            }
        }
        writer.map_or(Ok(()), Writer::finish).map_err(of_out)?;
        Ok(worst.line())
    }

    fn has_grad_logits(&self) -> bool {
        let e = &self.evaluation;
        self.inputs.logits.is_some() && e.logp.is_some() && e.grad_logp.is_some() && e.grad_ent.is_some()
    }

    /// The gradient of one slot's logits: +0 where it is masked.
    fn grad_row(
        &mut self,
        settings: &Settings,
        slot: (usize, usize),
        z: &mut Vec<f64>,
    ) -> Result<Option<Vec<f64>>, BadInput> {
        let action = self.inputs.actions.as_ref().map(|actions| actions[slot]);
        let Some(logits) = self.inputs.logits.as_mut() else { return Ok(None) };
        if !self.inputs.mask.has(slot) {
            return Ok(Some(vec![0.0; logits.vocab()]));
        }
        logits.row(slot, action, z)?;
        grad_logits_row(self.engine, &self.evaluation, &self.inputs, settings, slot, z)
    }

    /// Opens the file of `--out` and writes all but the gradient of the logits, which comes last.
    fn start_writing(&self, path: &Path, grad_logits: bool) -> Result<Writer, BadInput> {
        let (b, t_len) = self.inputs.mask.shape();
        let values =
            || OUTPUTS.iter().filter_map(|output| Some((output.name, self.evaluation.output(output.name)?)));
        let shape = |value: &Value<'_>| match value {
            Value::Scalar(_) => vec![],
            Value::PerToken(_) => vec![b, t_len],
        };
        let mut entries = vec![Entry::new(MASK, vec![b, t_len])];
        entries.extend(values().map(|(name, value)| Entry::new(name, shape(&value))));
        if let (true, Some(logits)) = (grad_logits, &self.inputs.logits) {
            entries.push(Entry::new(GRAD_LOGITS.name, vec![b, t_len, logits.vocab()]));
        }
        let mut writer = Writer::create(path, &entries, &self.chosen.metadata())?;
        writer.matrix(MASK, &self.inputs.mask.each(|_| 1.0))?;
        for (name, value) in values() {
            match value {
                Value::Scalar(x) => writer.scalar(name, x)?,
                Value::PerToken(x) => writer.matrix(name, x)?,
            }
        }
        Ok(writer)
    }

    /// What was left out, lost or not read, one sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.inputs.notes.iter().chain(&self.evaluation.notes).cloned().collect()
    }
}

fn see_row(
    worst: &mut Worst,
    (row, t): (usize, usize),
    ours: &[f64],
    theirs: &[f64],
    allowed: Option<&[f64]>,
) {
    for (v, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        worst.see(Line {
            output: GRAD_LOGITS,
            place: Place::Logit(row, t, v),
            ours: *ours,
            theirs: Some(*theirs),
            allowed: allowed.map(|allowed| allowed[v]),
        });
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
