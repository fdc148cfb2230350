//! A bar on the error stream, where somebody is looking: nothing where it is no terminal.

use std::{
    io::{self, IsTerminal, Write},
    time::Instant,
};

/// Cells of the bar.
const WIDTH: usize = 30;

/// The progress of a run.
pub(crate) struct Progress {
    /// Iterations that this process does.
    total: usize,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// At the first of so many iterations.
    pub(crate) fn new(total: usize) -> Progress {
        Progress { total, started: Instant::now(), shown: io::stderr().is_terminal() }
    }

    /// Draws the bar over the one before. A terminal that has gone is no error.
    pub(crate) fn show(&mut self, done: usize, score: f64) {
        if self.shown {
            let seconds = self.started.elapsed().as_secs_f64();
            let _ = write!(io::stderr(), "\r{}\x1b[K", bar(done, self.total, score, seconds));
        }
    }
}

impl Drop for Progress {
    /// Takes the bar away, also where the run ends with a refusal.
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: usize, total: usize, score: f64, seconds: f64) -> String {
    let full = (WIDTH * done).checked_div(total).unwrap_or(WIDTH);
    let left = if done == 0 { 0.0 } else { seconds / done as f64 * (total - done) as f64 };
    let (bar, rest) = ("█".repeat(full), "░".repeat(WIDTH - full));
    format!("{bar}{rest} {done}/{total}  score {score:.3}  {seconds:.0} s, {left:.0} s left")
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_full_as_the_run_and_says_what_is_left() {
        let half = bar(15, 30, 0.5, 6.0);
        assert_eq!(half.matches('█').count(), 15);
        assert!(half.ends_with("░ 15/30  score 0.500  6 s, 6 s left"), "{half}");
        assert_eq!(bar(0, 0, 0.0, 0.0).matches('█').count(), 30);
    }
}
