//! What the step puts out, by the names of a dump: the label of each and the function that is it.

use crate::evaluate::Evaluation;
use nalgebra::DMatrix;

/// One output of the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Its name in a dump, such as `advantages_raw`.
    pub name: &'static str,
    /// The equation it is, such as `eq:gae`.
    pub label: &'static str,
    /// The function of the reference that computes it, such as `gae::gae_recursion`.
    pub function: &'static str,
}

impl Output {
    /// Where that function stands, such as `reference/src/gae.rs`.
    pub fn file(&self) -> String {
        let module = self.function.rsplit_once("::").map_or(self.function, |(module, _)| module);
        format!("reference/src/{}.rs", module.replace("::", "/"))
    }

    /// The page of the book that explains it, such as `gae.md`: the one that its function names.
    pub fn page(&self) -> String {
        let stem = self.function.split_once("::").map_or(self.function, |(stem, _)| stem);
        match stem {
            // The KL is explained where it is used.
            "kl" => "reward.md".to_owned(),
            "step" => "log-prob.md".to_owned(),
            stem => format!("{}.md", stem.replace('_', "-")),
        }
    }
}

/// The value of an output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// One number.
    Scalar(f64),
    /// One number a token, b × t_len.
    PerToken(&'a DMatrix<f64>),
}

const fn output(name: &'static str, label: &'static str, function: &'static str) -> Output {
    Output { name, label, function }
}

/// Every output but `grad_logits`, in the order of the step.
pub const OUTPUTS: &[Output] = &[
    output("log_probs", "eq:log-prob", "log_prob::log_prob"),
    output("kl", "eq:kl", "kl::kl"),
    output("token_rewards", "eq:shaped-reward", "reward::reward"),
    output("advantages_raw", "eq:gae", "gae::gae_recursion"),
    output("whitened", "eq:whiten", "whiten::whiten"),
    output("returns", "eq:return", "returns::returns"),
    output("ratio", "eq:ratio", "policy_loss::policy_loss"),
    output("pg_loss", "eq:policy-loss", "policy_loss::policy_loss"),
    output("pg_clipfrac", "eq:policy-loss", "policy_loss::policy_loss"),
    output("pg_clipfrac_lower", "eq:policy-loss", "policy_loss::policy_loss"),
    output("ppo_kl", "eq:kl", "policy_loss::policy_loss"),
    output("vf_loss", "eq:value-loss", "value_loss::value_loss"),
    output("vf_clipfrac", "eq:value-clip", "value_loss::value_loss"),
    output("entropy", "eq:entropy", "entropy::entropy"),
    output("entropy_loss", "eq:aggregate", "aggregate::aggregate"),
    output("kl_loss", "eq:kl-loss", "total_loss::kl_loss"),
    output("total_loss", "eq:total-loss", "total_loss::total_loss"),
    output("grad_log_probs", "eq:policy-loss", "policy_loss::grad::policy_loss_grad"),
    output("grad_values", "eq:value-loss", "value_loss::value_loss_grad"),
];

/// The one output that is never held whole: row by row, b × t_len × vocab.
pub const GRAD_LOGITS: Output = output("grad_logits", "eq:total-loss", "step::logits_grad");

impl Evaluation {
    /// The output of that name, where it could be computed.
    pub fn output(&self, name: &str) -> Option<Value<'_>> {
        let policy = self.policy.as_ref();
        let per_token = match name {
            "log_probs" => self.logp.as_ref(),
            "kl" => self.kl.as_ref(),
            "token_rewards" => self.token_rewards.as_ref(),
            "advantages_raw" => self.adv_raw.as_ref(),
            "whitened" => self.adv.as_ref(),
            "returns" => self.ret.as_ref(),
            "ratio" => policy.map(|policy| &policy.ratio),
            "entropy" => self.ent.as_ref(),
            "grad_log_probs" => self.grad_logp.as_ref(),
            "grad_values" => self.grad_v.as_ref(),
            _ => None,
        };
        let scalar = match name {
            "pg_loss" => policy.map(|policy| policy.loss),
            "pg_clipfrac" => policy.map(|policy| policy.clip_frac),
            "pg_clipfrac_lower" => policy.map(|policy| policy.clip_frac_lower),
            "ppo_kl" => policy.map(|policy| policy.approx_kl),
            "vf_loss" => self.value.as_ref().map(|value| value.loss),
            "vf_clipfrac" => self.value.as_ref().map(|value| value.clip_frac),
            "entropy_loss" => self.ent_loss,
            "kl_loss" => self.l_kl,
            "total_loss" => self.total,
            _ => None,
        };
        per_token.map(Value::PerToken).or(scalar.map(Value::Scalar))
    }
}
