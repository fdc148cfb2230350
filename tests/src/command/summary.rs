//! What `ppo train` says at its end, to a person and to a program.

use super::table;
use conformance::train::{self, CHECKPOINT, Iterated, METRICS, Trainer, task};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What is said at the end.
pub(crate) struct Summary<'a> {
    pub(crate) trainer: &'a Trainer,
    pub(crate) first: usize,
    pub(crate) last: Option<&'a Iterated>,
    pub(crate) scores: Option<(f64, f64)>,
    pub(crate) seconds: f64,
    pub(crate) out: Option<&'a Path>,
    pub(crate) dump: Option<&'a PathBuf>,
}

impl Summary<'_> {
    pub(crate) fn text(&self) -> String {
        let (state, asked) = (&self.trainer.state, train::ASKED);
        let mut text = match self.first {
            0 => format!("{} iterations in {:.1} s", state.iteration, self.seconds),
            first => {
                format!(
                    "{} iterations, {first} of them done before, in {:.1} s",
                    state.iteration, self.seconds
                )
            }
        };
        text.push_str(&format!(
            ", seed {}, {:.3e} FLOPs by eq:cost without generation\n",
            state.seed, state.flops
        ));
        if let Some((before, after)) = self.scores {
            text.push_str(&format!(
                "Mean score on {asked} unseen prompts: {before:.4} before, {after:.4} after, of at most {}\n",
                task::MAXIMUM
            ));
        }
        if let Some(last) = self.last {
            text.push_str(&format!("Mean score of the last rollout: {:.4}\n", last.metrics.score));
        }
        let line = |text: &Path| table::one_line(&text.display().to_string());
        if let Some(out) = self.out {
            text.push_str(&format!("Metrics: {}\n", line(&out.join(METRICS))));
            text.push_str(&format!("Checkpoint: {}\n", line(&out.join(CHECKPOINT))));
        }
        if let Some(dump) = self.dump {
            text.push_str(&format!("Last rollout: {0}, for `ppo step {0}`\n", line(dump)));
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let state = &self.trainer.state;
        let path = |path: Option<&Path>| path.map(|path| path.display().to_string());
        let object = json!({
            "schema": 1,
            "iterations": state.iteration,
            "done_before": self.first,
            "seed": state.seed,
            "seconds": self.seconds,
            "flops": state.flops,
            "score_before": self.scores.map(|scores| scores.0),
            "score_after": self.scores.map(|scores| scores.1),
            "score_maximum": task::MAXIMUM,
            "unseen_prompts": train::ASKED,
            "out": path(self.out),
            "dump": path(self.dump.map(PathBuf::as_path)),
        });
        format!("{object}\n")
    }
}
