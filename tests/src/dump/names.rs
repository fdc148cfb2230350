//! The names of a dump as data: what each tensor is, how it is spelt, and which shape it has.

/// The axes of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    /// No axis, or one of length 1.
    Scalar,
    /// B.
    Row,
    /// B, L.
    Token,
    /// B, or B, L.
    RowOrToken,
    /// B, L, V.
    Logits,
}

/// What the elements of a tensor are, and so its legal dtypes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// F64, F32, BF16, F16.
    Number,
    /// BOOL, U8, I32, I64, or floats that are exactly 0 or 1.
    Flag,
    /// U8, I32, I64, U32.
    Id,
}

/// One row of the table of inputs or outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The canonical name.
    pub name: &'static str,
    /// Other names it is read from.
    pub also: &'static [&'static str],
    /// Its axes.
    pub axes: Axes,
    /// Its elements.
    pub kind: Kind,
}

const fn row(name: &'static str, also: &'static [&'static str], axes: Axes, kind: Kind) -> Row {
    Row { name, also, axes, kind }
}

/// What a file can hold as input, in the order of the step.
pub const INPUTS: &[Row] = &[
    row("response_mask", &["mask", "action_mask"], Axes::Token, Kind::Flag),
    row("attention_mask", &[], Axes::Token, Kind::Flag),
    row("scores", &["token_level_scores"], Axes::RowOrToken, Kind::Number),
    row("rewards", &["token_level_rewards", "token_rewards"], Axes::Token, Kind::Number),
    row("old_values", &["values"], Axes::Token, Kind::Number),
    row("values", &["vpreds"], Axes::Token, Kind::Number),
    row("old_log_probs", &["old_logprobs"], Axes::Token, Kind::Number),
    row("log_probs", &["logprobs", "new_log_probs"], Axes::Token, Kind::Number),
    row("ref_log_probs", &["ref_log_prob", "ref_logprobs"], Axes::Token, Kind::Number),
    row("logits", &[], Axes::Logits, Kind::Number),
    row("actions", &["responses"], Axes::Token, Kind::Id),
    row("truncated", &[], Axes::RowOrToken, Kind::Flag),
    row("last_values", &["next_values"], Axes::Row, Kind::Number),
    row("bootstrap_values", &[], Axes::Token, Kind::Number),
    row("terminated", &[], Axes::Token, Kind::Flag),
    row("dones", &[], Axes::Token, Kind::Flag),
    row("last_dones", &[], Axes::Row, Kind::Flag),
    row("rollout_is_weights", &[], Axes::Token, Kind::Number),
    row("advantages_raw", &[], Axes::Token, Kind::Number),
    row("advantages", &["whitened"], Axes::Token, Kind::Number),
    row("returns", &[], Axes::Token, Kind::Number),
];

/// What a file can hold as output, in the order of the step.
pub const OUTPUTS: &[Row] = &[
    row("token_rewards", &["rewards", "token_level_rewards"], Axes::Token, Kind::Number),
    row("kl", &[], Axes::Token, Kind::Number),
    row("advantages_raw", &[], Axes::Token, Kind::Number),
    row("returns", &[], Axes::Token, Kind::Number),
    row("whitened", &["advantages"], Axes::Token, Kind::Number),
    row("ratio", &[], Axes::Token, Kind::Number),
    row("log_probs", &["logprobs", "new_log_probs"], Axes::Token, Kind::Number),
    row("entropy", &[], Axes::Token, Kind::Number),
    row("pg_loss", &[], Axes::Scalar, Kind::Number),
    row("vf_loss", &[], Axes::Scalar, Kind::Number),
    row("entropy_loss", &[], Axes::Scalar, Kind::Number),
    row("kl_loss", &[], Axes::Scalar, Kind::Number),
    row("total_loss", &[], Axes::Scalar, Kind::Number),
    row("pg_clipfrac", &[], Axes::Scalar, Kind::Number),
    row("pg_clipfrac_lower", &[], Axes::Scalar, Kind::Number),
    row("vf_clipfrac", &[], Axes::Scalar, Kind::Number),
    row("ppo_kl", &[], Axes::Scalar, Kind::Number),
    row("grad_log_probs", &[], Axes::Token, Kind::Number),
    row("grad_values", &[], Axes::Token, Kind::Number),
    row("grad_logits", &[], Axes::Logits, Kind::Number),
];

/// The row of that canonical name.
pub(super) fn find(table: &'static [Row], name: &str) -> Option<&'static Row> {
    table.iter().find(|row| row.name == name)
}
