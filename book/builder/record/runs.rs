//! The toy policy trained as it is and with one thing changed, as `ppo claims` does: a line for each iteration.

use crate::SEED;
use anyhow::{Result, anyhow, bail};
use conformance::train::{
    Recipe,
    claims::{AS_IT_IS, CLAIMS, Variant, run},
};
use serde_json::json;
use std::thread;

/// All at once: each run is alone with its own numbers, so the company changes no digit.
pub(crate) fn lines() -> Result<Vec<String>> {
    let changed = CLAIMS.iter().flat_map(|claim| claim.variants).copied();
    let variants: Vec<Variant> = [AS_IT_IS].into_iter().chain(changed).collect();
    let ran: Vec<_> = thread::scope(|scope| {
        let start = |variant| scope.spawn(move || run(Recipe::default(), variant, SEED));
        let runs: Vec<_> = variants.into_iter().map(start).collect();
        runs.into_iter().map(|run| run.join()).collect()
    });
    let mut lines = Vec::new();
    for ran in ran {
        let Ok(ran) = ran else { bail!("a run ended before its last iteration") };
        let ran = ran.map_err(|error| anyhow!("{error}"))?;
        eprintln!("{}: {:.3} on unseen prompts", ran.name, ran.after);
        for at in &ran.metrics {
            let line = json!({
                "run": ran.name, "iteration": at.iteration, "score": at.score, "ent": at.ent,
                "mean_ret": at.mean_ret, "mean_v": at.mean_v, "grad_norm": at.grad_norm,
            });
            lines.push(line.to_string());
        }
    }
    Ok(lines)
}
