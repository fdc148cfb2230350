//! What the arithmetic allows: the fused multiply-adds that each level makes a second, with nothing to wait for.

use crate::{
    table::Table,
    timing::{Plan, THREADS},
};
use optimized::Backend;
use ppo_benches::{ceiling, turn};
use std::time::{Duration, Instant};

/// A table of the levels that have the instruction; none where nothing is timed, or no level has it.
pub(crate) fn measured(plan: &Plan) -> Option<Table> {
    let mut rows = vec![["", "threads", "runs", "Gop/s"].map(str::to_owned).to_vec()];
    for on in Backend::available() {
        for (threads, pool) in THREADS.iter().zip(&plan.pools) {
            let mut rates: Vec<f64> =
                pool.install(|| (0..plan.rounds).filter_map(|_| rates(on)).flatten().collect());
            rates.sort_by(f64::total_cmp);
            let Some(median) = rates.get(rates.len() / 2) else { continue };
            rows.push(vec![
                on.to_string(),
                threads.to_string(),
                rates.len().to_string(),
                format!("{median:.1}"),
            ]);
        }
    }
    (rows.len() > 1).then(|| Table::of_rows("arithmetic: fused multiply-adds that wait for nothing", rows))
}

/// Operations a nanosecond in a turn.
fn rates(on: Backend) -> Option<Vec<f64>> {
    let made = ceiling::fused(on)?;
    let took: Vec<Duration> = turn(|| {
        let started = Instant::now();
        ceiling::fused(on).map(|_| started.elapsed()).ok_or(())
    })
    .ok()?;
    Some(took.iter().map(|took| made as f64 / took.as_nanos() as f64).collect())
}
