//! `ppo claims`: what the post claims, measured on the task, one thing changed at a time.

use super::table;
use clap::{Arg, ArgMatches, Command, value_parser};
use conformance::{
    dump::BadInput,
    train::{
        Recipe, Trainer,
        claims::{
            AS_IT_IS, CLAIMS, Claim, Ran, Variant, forward as forward_pass, generate, run as run_variant,
        },
    },
};
use std::{thread, time::Instant};

/// The claim that is no variant of the run: what an iteration costs.
const COST: &str = "cost";

/// What the columns are.
const LEGEND: &str = "After: mean score on 1,024 unseen prompts; 0.9 at: the first of ten
rollouts whose mean score is 0.9. Then of the last rollout: mean score, mean target R, mean V; the widest |mean
R − mean V| of any iteration; entropy H, share of V's clip that acts, gradient norm before and after its clip.
";

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    let names: Vec<&str> = CLAIMS.iter().map(|claim| claim.name).chain([COST]).collect();
    let name = Arg::new("NAME").num_args(0..).value_parser(names).help("Which claims [default: all]");
    let seed = Arg::new("seed").long("seed").value_name("VALUE").value_parser(value_parser!(u64));
    let most = 1_000_000;
    let iterations = Arg::new("iterations").long("iterations").value_name("N");
    let iterations = iterations.value_parser(value_parser!(u64).range(1..=most));
    let default = Recipe::default().iterations;
    Command::new("claims")
        .about("Measure what the post claims: the same training with one thing changed, beside it as it is")
        .args([
            name,
            seed.help("What every random number of the runs derives from [default: 1]"),
            iterations.help(format!("Iterations of each run [default: {default}]")),
        ])
}

/// Runs the subcommand and gives what it prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, BadInput> {
    let asked: Vec<&String> = matches.get_many::<String>("NAME").map(Iterator::collect).unwrap_or_default();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| *asked == name);
    let seed = matches.get_one::<u64>("seed").copied().unwrap_or(1);
    let iterations = matches.get_one::<u64>("iterations").and_then(|n| usize::try_from(*n).ok());
    let recipe = Recipe::default();
    let recipe = Recipe { iterations: iterations.unwrap_or(recipe.iterations), ..recipe };
    let claims: Vec<&Claim> = CLAIMS.iter().filter(|claim| wanted(claim.name)).collect();
    let variants = claims.iter().flat_map(|claim| claim.variants).copied();
    let mut text = format!("Seed {seed}, {} iterations a run. {LEGEND}", recipe.iterations);
    if !claims.is_empty() {
        let ran = run_all(recipe, &[AS_IT_IS].into_iter().chain(variants).collect::<Vec<_>>(), seed)?;
        let (base, mut rest) = (&ran[0], &ran[1..]);
        for claim in claims {
            let (own, others) = rest.split_at(claim.variants.len());
            rest = others;
            text.push_str(&report(claim, base, own));
        }
    }
    if wanted(COST) {
        text.push_str(&cost(recipe, seed)?);
    }
    Ok(text)
}

/// Every run, two at a time: each is alone with its own numbers, so the company changes no bit.
fn run_all(recipe: Recipe, variants: &[Variant], seed: u64) -> Result<Vec<Ran>, BadInput> {
    let mut ran = Vec::new();
    for pair in variants.chunks(2) {
        thread::scope(|scope| {
            let runs: Vec<_> =
                pair.iter().map(|variant| scope.spawn(move || run_variant(recipe, *variant, seed))).collect();
            for run in runs {
                ran.push(run.join().map_err(|_| BadInput::new("a run ended before its last iteration"))??);
            }
            Ok(())
        })?;
    }
    Ok(ran)
}

/// One claim: the run as it is, then each variant.
fn report(claim: &Claim, base: &Ran, variants: &[Ran]) -> String {
    let head =
        ["run", "after", "0.9 at", "mean R", "mean V", "widest |R − V|", "H", "|V clip|", "‖g‖", "clipped"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend([base].into_iter().chain(variants).map(row));
    format!("\n{}: \"{}\"\n\n{}", claim.name, claim.says, table::aligned(&rows, |column| column == 0))
}

/// The last iteration of a run, and what holds over all of it.
fn row(ran: &Ran) -> Vec<String> {
    let three = |x: f64| format!("{x:.3}");
    let Some(last) = ran.metrics.last() else { return vec![ran.name.to_owned()] };
    vec![
        ran.name.to_owned(),
        three(ran.after),
        ran.reaches(0.9).map_or_else(|| "never".to_owned(), |iteration| iteration.to_string()),
        three(last.score),
        three(last.mean_ret),
        three(last.mean_v),
        table::small(ran.widest_pull()),
        three(last.ent),
        three(last.value_clip_frac),
        three(last.grad_norm),
        three(last.grad_norm_clipped),
    ]
}

/// `eq:cost` beside the clock: seconds are those of this machine, and only their ratio is said.
fn cost(recipe: Recipe, seed: u64) -> Result<String, BadInput> {
    let mut trainer = Trainer::new(recipe, seed);
    let clock = |work: &mut dyn FnMut() -> Result<(), BadInput>| {
        let mut seconds = [0.0; 5];
        for took in &mut seconds {
            let started = Instant::now();
            work()?;
            *took = started.elapsed().as_secs_f64();
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[2])
    };
    let mut last = trainer.iterate_whole()?;
    let whole = clock(&mut || {
        last = trainer.iterate_whole()?;
        Ok(())
    })?;
    let forward = clock(&mut || {
        forward_pass(&last);
        Ok(())
    })?;
    let generation = clock(&mut || {
        generate(&trainer);
        Ok(())
    })?;
    let cost = last.metrics.cost;
    let units = cost.inference_units + cost.training_units;
    Ok(format!(
        "\ncost: \"five to six times the cost of an SFT step\"\n\n  by eq:cost, generation left out: {units} units of a \
         forward pass, {:.1} SFT steps, {:.3e} FLOPs\n  measured: an iteration without generation takes {:.1} forward \
         passes of {:.1} ms; with it {:.1}\n  (the reference runs the forward pass again in each backward pass, and \
         scoring costs nothing)\n",
        cost.sft_steps,
        cost.flops,
        (whole - generation) / forward,
        forward * 1e3,
        whole / forward
    ))
}
