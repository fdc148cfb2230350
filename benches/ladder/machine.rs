//! What a recorded table says of where it comes from.

use crate::timing::Plan;
use optimized::Backend;
use std::{env, fs, process::Command, thread};

/// The head of a record: what it is, machine, compiler and command.
pub(crate) fn head(plan: &Plan) -> String {
    let levels: Vec<&str> = Backend::available().iter().map(|on| on.name()).collect();
    let mut command = "cargo bench -p ppo-benches --bench ladder --".to_owned();
    for arg in env::args().skip(1).filter(|arg| arg != "--bench") {
        command += &format!(" {arg}");
    }
    if let Ok(tunables) = env::var("GLIBC_TUNABLES") {
        command = format!("GLIBC_TUNABLES={tunables} {command}");
    }
    format!(
        "# The ladder of backends\n\n\
         Medians of {} rounds in which every row had its turn; runs of over 4 s only once. Before, each answer was held\n\
         to the bits of the fallback on one thread. GB/s count every array once and no mask; the share of the ceiling\n\
         is one of times, of the fastest copy (or sum) on as many threads. Gop/s count the operations that `optimized/ORDER.md`\n\
         writes for each element, a fused multiply-add as one.\n\n\
         | | |\n|---|---|\n| CPU | {}, {} cores for us |\n| backends | {} |\n| compiler | {} |\n| command | `{command}` |\n",
        plan.rounds,
        cpu().unwrap_or_else(|| env::consts::ARCH.to_owned()),
        thread::available_parallelism().map_or(1, usize::from),
        levels.join(", "),
        compiler().unwrap_or_else(|| "unknown".to_owned()),
    )
}

/// What the processor calls itself and which of those that do it is, where the system says it.
fn cpu() -> Option<String> {
    let all = fs::read_to_string("/proc/cpuinfo").ok()?;
    let said = |key| {
        let mut lines = all.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    Some(format!("{}, family {}, model {}", said("model name")?, said("cpu family")?, said("model")?))
}

/// As it names itself.
fn compiler() -> Option<String> {
    let said = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8(said.stdout).ok()?.trim().to_owned())
}
