//! `ppo` without arguments: train a small policy, draw how it learnt, and show the last step term by term.

use super::{Outcome, chart, progress::Progress, sample, table};
use clap::{Arg, ArgMatches, value_parser};
use conformance::{
    dump::BadInput,
    outputs::{OUTPUTS, Value},
    report::{Line, Place},
    train::{Iterated, Metrics, Recipe, Trainer, evaluate, evaluation, task},
};
use std::time::Instant;

/// The seed of the run.
const SEED: u64 = 1;

/// The flag that shortens the run.
pub(crate) fn iterations() -> Arg {
    let most = i64::try_from(Recipe::default().iterations).unwrap_or(i64::MAX);
    Arg::new("iterations")
        .long("iterations")
        .value_name("N")
        .value_parser(value_parser!(u64).range(1..=most.unsigned_abs()))
        .help(format!("Iterations of training [default: {most}, which learns the task]"))
}

/// The whole job.
pub(crate) fn run(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let recipe = Recipe::default();
    let asked = matches.get_one::<u64>("iterations").and_then(|n| usize::try_from(*n).ok());
    let iterations = asked.unwrap_or(recipe.iterations);
    let started = Instant::now();
    let mut trainer = Trainer::new(recipe, SEED);
    let ask = |trainer: &Trainer| evaluate(&trainer.state.model, recipe.settings.tau, SEED);
    let before = ask(&trainer);
    let mut progress = Progress::new(iterations);
    let (mut metrics, mut last) = (Vec::new(), None);
    for done in 1..=iterations {
        let it = trainer.iterate_whole()?;
        progress.show(done, it.metrics.score);
        metrics.push(it.metrics);
        last = Some(it);
    }
    drop(progress);
    let (after, seconds) = (ask(&trainer), started.elapsed().as_secs_f64());
    let mut text = format!(
        "A small transformer learns to complete palindromes by the post's iteration, every term from the\n\
         reference: {iterations} iterations in {seconds:.0} s. Mean score on 1,024 unseen prompts: {before:.3} before, \
         {after:.3} after, of {}.\n",
        task::MAXIMUM
    );
    text.push_str(&charts(&metrics));
    text.push_str(&last.as_ref().map(last_step).unwrap_or_default());
    let agreement = sample::agreement(matches)?;
    text.push('\n');
    text.push_str(&agreement.text);
    text.push_str(NEXT);
    Ok(Outcome { text, failed: agreement.failed })
}

fn charts(metrics: &[Metrics]) -> String {
    let draw = |title: &str, of: fn(&Metrics) -> f64| {
        let values: Vec<f64> = metrics.iter().map(of).collect();
        format!("\n{}", chart::draw(title, &values))
    };
    draw("score: mean of the rollout", |m| m.score)
        + &draw("V: mean of what the critic says", |m| m.mean_v)
        + &draw("H: entropy, nats a token", |m| m.ent)
}

/// The last inner epoch, one line a term.
fn last_step(it: &Iterated) -> String {
    let evaluation = evaluation(it);
    let (mask, count) = (&it.targets.value_mask, it.targets.value_mask.count() as f64);
    let lines: Vec<Line> = OUTPUTS
        .iter()
        .filter_map(|output| {
            let (place, ours) = match evaluation.output(output.name)? {
                Value::Scalar(x) => (Place::Scalar, x),
                Value::PerToken(x) => (Place::Mean, mask.sum(x) / count),
            };
            Some(Line { output: *output, place, ours, theirs: None, allowed: None })
        })
        .collect();
    format!(
        "\nThe last step, term by term (a term per token as its mean; the code is in reference/src)\n\n{}",
        table::own(&lines)
    )
}

const NEXT: &str = "
Next:
  cargo run --release -- sample                                     each term beside PyTorch's, and the post's errors
  cargo run --release -- train --listing returns-from-whitened      the same run with one of them
  cargo run --release -- step --help                                your own rollout: names and settings
";
