//! The settings of a run as they are used, and where each came from.

use super::keys::Key;
use reference::DoneAt;
use std::{collections::BTreeMap, fmt};

/// Whose gradients `grad_log_probs`, `grad_values` and `grad_logits` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradOf {
    /// `total_loss`.
    TotalLoss,
    /// `pg_loss`.
    PgLoss,
    /// `vf_loss`.
    VfLoss,
    /// `entropy_loss`, the aggregated entropy, positive.
    EntropyLoss,
    /// `kl_loss`.
    KlLoss,
}

/// Which tokens the statistics of the whitening run over, where several files are the ranks of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhitenOver {
    /// All of the batch.
    Batch,
    /// Those of a rank, each its own.
    Rank,
}

/// Where the value of a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command.
    Flag,
    /// The file's metadata.
    Metadata,
    /// The table's default.
    Default,
    /// The shape of the file's tensors: the padded width, or scores that are per token.
    Shape,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Flag => "flag",
            Source::Metadata => "metadata",
            Source::Default => "default",
            Source::Shape => "shape of the tensors",
        })
    }
}

/// One setting as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key, such as `kl_coef`.
    pub key: &'static str,
    /// Its value, as it was written.
    pub value: String,
    /// Who said so.
    pub from: Source,
}

/// How the scores of a file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scores {
    /// There are none.
    Absent,
    /// (B).
    PerRow,
    /// (B, L).
    PerToken,
}

/// What the tensors of a file say about its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// L, the padded width.
    pub t_len: usize,
    /// How the scores lie.
    pub scores: Scores,
}

/// The settings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// What the reference reads.
    pub settings: reference::Settings,
    /// The slot of a `dones` flag.
    pub done_at: DoneAt,
    /// Which tokens are whitened together.
    pub whiten_over: WhitenOver,
    /// S of the sum-norm modes, the padded width unless said.
    pub loss_scale_factor: f64,
    /// The trainer whose defaults `check` assumes.
    pub dialect: Option<String>,
    /// Whose gradients the file holds.
    pub grad_of: GradOf,
    /// Every key of the table, in its order.
    pub sources: Vec<Setting>,
    /// Metadata keys that the table does not have, safe to print; ignored.
    pub unknown: Vec<String>,
}

impl Chosen {
    /// One setting as it is used.
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.sources.iter().find(|setting| setting.key == key)
    }

    /// The settings as metadata, which [`super::choose`] reads back as these. One that follows another is
    /// left out, so that it goes on following.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let follows = |setting: &&Setting| {
            setting.from == Source::Default && Key::find(setting.key).is_some_and(Key::follows)
        };
        let said = self.sources.iter().filter(|setting| !follows(setting));
        said.map(|setting| (setting.key.to_string(), setting.value.clone())).collect()
    }
}
