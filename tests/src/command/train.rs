//! `ppo train`: the reference's iteration under a small model, until it has learnt its task.

use super::{flags, progress::Progress, summary::Summary};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use conformance::{
    dump::BadInput,
    train::{self, Folder, Plan, Recipe, Trainer, evaluate},
};
use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

/// What others call a setting, with the key and the value that it is.
const SHORT: [(&str, &str, &str, &str); 2] = [
    ("no-entropy", "entropy_coef", "0", "No entropy bonus: --entropy-coef 0"),
    ("no-value-clip", "value_clip_form", "off", "No clip of the value: --value-clip-form off"),
];

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    let path = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf))
    };
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let seed = Arg::new("seed").long("seed").value_name("VALUE").value_parser(value_parser!(u64));
    let kl = Arg::new("kl").long("kl").value_name("BETA").allow_hyphen_values(true);
    // Text of the system, since a path would have to be non-empty.
    let resume = Arg::new("resume").long("resume").value_name("DIR").value_parser(value_parser!(OsString));
    let own = [
        seed.help("What every random number of the run derives from [default: 1]"),
        path("out", "DIR").help("Keep metrics and a checkpoint of every iteration in this folder"),
        resume.num_args(0..=1).default_missing_value("").help("Go on with the run of DIR, or of --out"),
        flags::backend(
            "Take every loss, gradient, GAE and whitening from the optimized crate: --arithmetic fast, on",
        ),
        path("dump", "FILE")
            .help("Write the last rollout, its last inner epoch, as a dump that `ppo step` reads"),
        kl.help("KL inside the reward, to the policy that the run begins with: --kl-coef BETA"),
        switch("no-evaluation").help("Do not ask unseen prompts before and after"),
        switch("json").help("Print for a program: the metrics as they come, a line each, then the summary"),
    ];
    let short = SHORT.map(|(name, _, _, help)| switch(name).help(help));
    let recipe = train::KEYS.iter().map(|key| {
        let long = key.name.replace('_', "-");
        let help = format!("{} [{}; default: {}]", key.meaning, key.legal, (key.get)(&Recipe::default()));
        let arg = Arg::new(key.name).long(long).value_name("VALUE").allow_hyphen_values(true);
        arg.help(help).help_heading("Recipe")
    });
    let about = "Train a small transformer on a task by the reference alone, every number from its equations";
    let command = Command::new("train").about(about).args(own).args(short).args(recipe);
    flags::with(command, "Settings of the step", |key| {
        (!train::NOT_IN_TRAINING.contains(&key.name)).then(|| train::default_of(key))
    })
}

/// Everything of the recipe and the step that was given.
fn given(matches: &ArgMatches) -> Vec<(String, String)> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let recipe = train::KEYS.iter().filter_map(|key| Some((key.name.to_owned(), text(key.name)?)));
    let short = SHORT.iter().filter(|(name, ..)| matches.get_flag(name));
    let short = short.map(|(_, key, value, _)| ((*key).to_owned(), (*value).to_owned()));
    let kl = text("kl").map(|beta| ("kl_coef".to_owned(), beta));
    let fast = text("backend").map(|_| ("arithmetic".to_owned(), "fast".to_owned()));
    recipe
        .chain(flags::given(matches, |key| !train::NOT_IN_TRAINING.contains(&key)))
        .chain(short)
        .chain(kl)
        .chain(fast)
        .collect()
}

/// The folder to resume from, if a run is to be resumed, and the folder to write into, if there is one.
fn folders(matches: &ArgMatches) -> Result<(Option<&Path>, Option<&Path>), BadInput> {
    let out = matches.get_one::<PathBuf>("out").map(PathBuf::as_path);
    let resume = matches.get_one::<OsString>("resume").map(Path::new);
    match (resume, out) {
        (None, out) => Ok((None, out)),
        (Some(resume), None) if resume.as_os_str().is_empty() => {
            Err(BadInput::new("`--resume` names no folder, and neither does `--out`"))
        }
        (Some(resume), Some(out)) if resume.as_os_str().is_empty() || resume == out => {
            Ok((Some(out), Some(out)))
        }
        (Some(resume), None) => Ok((Some(resume), Some(resume))),
        (Some(resume), Some(out)) => Err(BadInput::new(format!(
            "`--resume` is {} and `--out` {}, but a run goes on in its own folder",
            resume.display(),
            out.display()
        ))),
    }
}

fn named(path: &Path, err: &BadInput) -> BadInput {
    BadInput::new(format!("{}: {err}", path.display()))
}

fn of_dump(path: &Path, says: &str) -> BadInput {
    BadInput::new(format!("--dump {}: {says}", path.display()))
}

/// Refuses a dump that could not be written, before the run and not after it.
fn check_target(path: &Path) -> Result<(), BadInput> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path {
        _ if path.exists() && !path.is_file() => {
            Err(of_dump(path, "this is no regular file, and is not replaced"))
        }
        _ if !folder.is_dir() => Err(of_dump(path, "its folder is not there")),
        _ => Ok(()),
    }
}

/// A run under way.
struct Run {
    plan: Plan,
    trainer: Trainer,
    folder: Option<Folder>,
}

fn start(matches: &ArgMatches) -> Result<Run, BadInput> {
    let (resume, out) = folders(matches)?;
    let (flags, seed) = (given(matches), matches.get_one::<u64>("seed").copied());
    if let Some(path) = resume {
        let (folder, plan, trainer) = Folder::resume(path, &flags, seed).map_err(|err| named(path, &err))?;
        return Ok(Run { plan, trainer, folder: Some(folder) });
    }
    let plan = Plan::new(&flags)?;
    let trainer = Trainer::new(plan.recipe, seed.unwrap_or(1));
    let folder = match out {
        Some(path) => Some(Folder::begin(path, &plan, &trainer.state).map_err(|err| named(path, &err))?),
        None => None,
    };
    Ok(Run { plan, trainer, folder })
}

/// Runs the subcommand and gives what it prints at its end.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, BadInput> {
    let started = Instant::now();
    let json = matches.get_flag("json");
    let out = folders(matches)?.1;
    let dump = matches.get_one::<PathBuf>("dump");
    if let Some(dump) = dump {
        check_target(dump)?;
    }
    let backend = flags::chosen_backend(matches)?;
    let mut run = start(matches)?;
    run.trainer.backend = backend.unwrap_or(run.trainer.backend);
    let (first, iterations) = (run.trainer.state.iteration, run.plan.recipe.iterations);
    if let (Some(dump), true) = (dump, first == iterations) {
        return Err(of_dump(dump, &format!("iteration {iterations} is done, and its rollout gone")));
    }
    let mut progress = Progress::new(iterations - first);
    let mut last = None;
    while run.trainer.state.iteration < iterations {
        let it = run.trainer.iterate_whole()?;
        if let Some(folder) = &mut run.folder {
            let written = folder.log(&it.metrics);
            let written = written.and_then(|()| folder.checkpoint(&run.plan, &run.trainer.state));
            written.map_err(|err| named(out.unwrap_or(Path::new("")), &err))?;
        }
        if json && !print_line(&train::line(&it.metrics))? {
            return Ok(String::new());
        }
        progress.show(run.trainer.state.iteration - first, it.metrics.score);
        last = Some(it);
    }
    drop(progress);
    if let (Some(dump), Some(last)) = (dump, &last) {
        train::write_dump(dump, &run.plan, last).map_err(|err| of_dump(dump, &err.to_string()))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let scores = (!matches.get_flag("no-evaluation")).then(|| before_and_after(&run.trainer));
    let summary = Summary { trainer: &run.trainer, first, last: last.as_ref(), scores, seconds, out, dump };
    Ok(if json { summary.json() } else { summary.text() })
}

/// Prints one line; false where the reader has left, for whom nothing more is computed.
fn print_line(line: &str) -> Result<bool, BadInput> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(BadInput::new(format!("the output could not be written: {err}"))),
        Ok(()) => Ok(true),
    }
}

/// The mean score on unseen prompts of the policy that the run began with, and of the one it has now.
fn before_and_after(trainer: &Trainer) -> (f64, f64) {
    let (seed, tau) = (trainer.state.seed, trainer.recipe.settings.tau);
    let first = Trainer::new(trainer.recipe, seed).state.model;
    (evaluate(&first, tau, seed), evaluate(&trainer.state.model, tau, seed))
}
