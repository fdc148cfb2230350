//! The table of terms: every equation of the step, where it is printed, computed, tested and explained.
//!
//! README's table, the book's first page and the checks of the house are all made from this one.

/// One labelled equation.
#[derive(Debug, Clone, Copy)]
pub struct Equation {
    /// The label that stands wherever the equation does, such as `eq:gae`.
    pub label: &'static str,
    /// The equation in LaTeX, as the book sets it.
    pub tex: &'static str,
    /// The function of the reference that is this equation, such as `gae::gae`.
    pub function: &'static str,
    /// Where the optimized crate computes it; none where only the reference does (the model's side of the step).
    pub fast: Option<Fast>,
}

/// A function of the optimized crate.
#[derive(Debug, Clone, Copy)]
pub struct Fast {
    /// Its name, such as `gae`.
    pub function: &'static str,
    /// Its file, such as `optimized/src/gae/mod.rs`.
    pub file: &'static str,
}

const fn fast(function: &'static str, file: &'static str) -> Option<Fast> {
    Some(Fast { function, file })
}

/// One term of the step.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// The name of its file in every crate, such as `value_loss`.
    pub stem: &'static str,
    /// Its name in words, such as "The value loss".
    pub title: &'static str,
    /// Its equations, in the order of the step.
    pub equations: &'static [Equation],
    /// The section of the source that prints it.
    pub source: &'static str,
    /// The test files that hold it, relative to `tests/`.
    pub tests: &'static [&'static str],
}

/// Every term, in the order of the step.
pub const TERMS: &[Term] = &[
    Term {
        stem: "value_head",
        title: "The value head",
        source: "Post, § The value head",
        equations: &[Equation {
            label: "eq:value-head",
            tex: r"V_t = W_v\, h_t, \qquad W_v \in \mathbb{R}^{1 \times d_{\text{model}}}",
            function: "value_head::value_head",
            fast: None,
        }],
        tests: &["gradients/value_head.rs", "figures/errata_advantages.rs"],
    },
    Term {
        stem: "log_prob",
        title: "Log-probabilities of the sampled tokens",
        source: "Not in the post, whose listing calls it",
        equations: &[Equation {
            label: "eq:log-prob",
            tex: r"\log\pi(y_t) = \frac{z_{t,y_t}}{\tau} - \ln \sum_v \exp\frac{z_{t,v}}{\tau}",
            function: "log_prob::log_prob",
            fast: fast("log_prob", "optimized/src/log_prob/mod.rs"),
        }],
        tests: &["gradients/log_prob.rs"],
    },
    Term {
        stem: "kl",
        title: "KL to the reference model",
        source: "Not in the post, which calls its reward shaped",
        equations: &[Equation {
            label: "eq:kl",
            tex: r"k_1 = \log\frac{\pi}{\pi_{\text{ref}}}, \quad |k_1|, \quad k_2 = \tfrac12 k_1^2, \quad k_3 = e^{-k_1} - 1 + k_1",
            function: "kl::kl",
            fast: fast("kl", "optimized/src/kl.rs"),
        }],
        tests: &["gradients/kl.rs", "figures/g1_gae.rs"],
    },
    Term {
        stem: "reward",
        title: "The shaped reward",
        source: "Post, § GAE: where the advantages come from",
        equations: &[
            Equation {
                label: "eq:score-at",
                tex: r"s_t = [t = \text{slot}]\; \operatorname{clip}(\text{score}, -\text{score\_clip}, \text{score\_clip})",
                function: "reward::place_scores",
                fast: fast("place_scores", "optimized/src/reward.rs"),
            },
            Equation {
                label: "eq:shaped-reward",
                tex: r"r_t = s_t - \beta_{\text{kl}}\, k_t",
                function: "reward::reward",
                fast: fast("reward", "optimized/src/reward.rs"),
            },
        ],
        tests: &["figures/g1_gae.rs", "figures/errata_rewards.rs", "properties/poison/rollout.rs"],
    },
    Term {
        stem: "gae",
        title: "Generalized advantage estimation",
        source: "Post, § GAE: where the advantages come from",
        equations: &[
            Equation {
                label: "eq:td-residual",
                tex: r"\delta_t = r_t + \gamma\, V_{t+1} - V_t",
                function: "gae::td_residual",
                fast: fast("gae", "optimized/src/gae/mod.rs"),
            },
            Equation {
                label: "eq:gae",
                tex: r"\hat A_t = \sum_{l=0}^{T-1-t} (\gamma\lambda)^l\, \delta_{t+l}",
                function: "gae::gae",
                fast: fast("gae", "optimized/src/gae/mod.rs"),
            },
            Equation {
                label: "eq:gae-recursion",
                tex: r"\hat A_t = \delta_t + \gamma\lambda\, \hat A_{t+1}, \qquad \hat A_T = 0",
                function: "gae::gae_recursion",
                fast: fast("gae", "optimized/src/gae/mod.rs"),
            },
        ],
        tests: &["figures/g1_gae.rs", "figures/identities.rs", "properties/gae.rs"],
    },
    Term {
        stem: "whiten",
        title: "Whitening",
        source: "Post, § GAE: where the advantages come from",
        equations: &[Equation {
            label: "eq:whiten",
            tex: r"\hat A^{\text{w}}_t = \frac{\hat A_t - \mu}{\sigma + \epsilon_w}, \quad \mu = \frac1n \sum_b \sum_t \hat A_t, \quad \sigma^2 = \frac1{n-1} \sum_b \sum_t (\hat A_t - \mu)^2",
            function: "whiten::whiten",
            fast: fast("whiten", "optimized/src/whiten/mod.rs"),
        }],
        tests: &["figures/g2_whiten.rs", "properties/whiten.rs"],
    },
    Term {
        stem: "returns",
        title: "Returns",
        source: "Post, § The value loss",
        equations: &[Equation {
            label: "eq:return",
            tex: r"R_t = \hat A_t + V^{\text{old}}_t",
            function: "returns::returns",
            fast: fast("returns", "optimized/src/returns.rs"),
        }],
        tests: &["figures/g3_returns.rs"],
    },
    Term {
        stem: "policy_loss",
        title: "The policy loss",
        source: "Post, § One iteration, in code; derived in its sibling post",
        equations: &[
            Equation {
                label: "eq:ratio",
                tex: r"\rho_t = \frac{\pi(y_t)}{\pi_{\text{old}}(y_t)} = \exp(\log\pi - \log\pi_{\text{old}})",
                function: "policy_loss::policy_loss",
                fast: fast("policy_loss", "optimized/src/policy_loss/mod.rs"),
            },
            Equation {
                label: "eq:policy-loss",
                tex: r"\mathcal{L}_{\text{policy}} = \operatorname{agg}_t\, -\min\bigl(\rho_t \hat A_t,\; \operatorname{clip}(\rho_t, 1 - \epsilon_{\text{lo}}, 1 + \epsilon_{\text{hi}})\, \hat A_t\bigr)",
                function: "policy_loss::policy_loss",
                fast: fast("policy_loss", "optimized/src/policy_loss/mod.rs"),
            },
        ],
        tests: &["figures/g7_policy_clip.rs", "gradients/policy_loss.rs"],
    },
    Term {
        stem: "value_loss",
        title: "The value loss",
        source: "Post, § The value loss; the verl page",
        equations: &[
            Equation {
                label: "eq:value-clip",
                tex: r"V^{\text{clip}}_t = \operatorname{clip}(V_t,\; V^{\text{old}}_t - \epsilon_v,\; V^{\text{old}}_t + \epsilon_v)",
                function: "value_loss::value_loss",
                fast: fast("value_loss", "optimized/src/value_loss/mod.rs"),
            },
            Equation {
                label: "eq:value-loss",
                tex: r"\mathcal{L}_V = \operatorname{agg}_t \max\bigl((V_t - R_t)^2,\; (V^{\text{clip}}_t - R_t)^2\bigr)",
                function: "value_loss::value_loss",
                fast: fast("value_loss", "optimized/src/value_loss/mod.rs"),
            },
        ],
        tests: &["figures/g5_value_clip.rs", "figures/page.rs", "gradients/value_loss.rs"],
    },
    Term {
        stem: "entropy",
        title: "Entropy",
        source: "Post, § The entropy bonus",
        equations: &[Equation {
            label: "eq:entropy",
            tex: r"H_t = -\sum_v \pi(v \mid x, y_{<t})\, \log \pi(v \mid x, y_{<t})",
            function: "entropy::entropy",
            fast: fast("entropy", "optimized/src/entropy/mod.rs"),
        }],
        tests: &["gradients/entropy.rs", "properties/entropy.rs"],
    },
    Term {
        stem: "aggregate",
        title: "Aggregation",
        source: "Post, § One iteration, in code; the verl page",
        equations: &[Equation {
            label: "eq:aggregate",
            tex: r"\operatorname{agg}_t q_t = \frac{\sum_b \sum_t m_{b,t}\, q_{b,t}}{\sum_b \sum_t m_{b,t}}",
            function: "aggregate::aggregate",
            fast: fast("aggregate", "optimized/src/aggregate.rs"),
        }],
        tests: &["figures/g6_aggregate.rs", "gradients/aggregate.rs"],
    },
    Term {
        stem: "total_loss",
        title: "The total loss",
        source: "Post, § The combined loss and why the inner loop exists",
        equations: &[
            Equation {
                label: "eq:kl-loss",
                tex: r"\mathcal{L}_{\text{KL}} = \operatorname{agg}_t k(\log\pi - \log\pi_{\text{ref}})",
                function: "total_loss::kl_loss",
                fast: fast("kl_loss", "optimized/src/total_loss.rs"),
            },
            Equation {
                label: "eq:total-loss",
                tex: r"\mathcal{L}_{\text{total}} = \mathcal{L}_{\text{policy}} + c_V\, \mathcal{L}_V - c_H\, H + \beta_{\text{loss}}\, \mathcal{L}_{\text{KL}}",
                function: "total_loss::total_loss",
                fast: fast("total_loss", "optimized/src/total_loss.rs"),
            },
        ],
        tests: &["figures/errata_losses.rs", "gradients/total_loss.rs"],
    },
    Term {
        stem: "grad_norm",
        title: "The gradient norm",
        source: "Not in the post, whose listing calls it",
        equations: &[
            Equation {
                label: "eq:grad-norm",
                tex: r"\lVert g \rVert = \sqrt{\sum_{\theta} \sum_{\text{entries}} g^2}",
                function: "grad_norm::grad_norm",
                fast: None,
            },
            Equation {
                label: "eq:grad-clip",
                tex: r"g \leftarrow g \cdot \min\Bigl(1,\; \frac{\text{max\_norm}}{\lVert g \rVert + 10^{-6}}\Bigr)",
                function: "grad_norm::clip_grad_norm",
                fast: None,
            },
        ],
        tests: &["figures/errata_loop.rs"],
    },
    Term {
        stem: "adam",
        title: "The optimizer",
        source: "Not in the post, whose listing calls it",
        equations: &[Equation {
            label: "eq:adam",
            tex: r"\theta \leftarrow \theta - \eta\, \frac{G_1 / (1 - \beta_1^{\text{steps}})}{\sqrt{G_2 / (1 - \beta_2^{\text{steps}})} + \epsilon_{\text{adam}}}",
            function: "adam::adam",
            fast: None,
        }],
        tests: &["figures/errata_loop.rs", "snapshots/iteration.rs"],
    },
    Term {
        stem: "cost",
        title: "What it costs",
        source: "Post, § What this costs",
        equations: &[Equation {
            label: "eq:cost",
            tex: r"\text{units} = (1 + 1 + [\text{values}] + [\text{reference}]) + 3K \cdot \text{models}",
            function: "cost::cost",
            fast: None,
        }],
        tests: &["figures/errata_loop.rs"],
    },
];

/// The table as README shows it.
pub fn markdown() -> String {
    let mut text =
        String::from("| term | equation | reference | fast | where it is printed |\n|---|---|---|---|---|\n");
    for term in TERMS {
        for (k, equation) in term.equations.iter().enumerate() {
            let (title, source) = if k == 0 { (term.title, term.source) } else { ("", "") };
            let Equation { label, function, fast, .. } = equation;
            let file = format!("reference/src/{}.rs", term.stem);
            let fast =
                fast.map_or(String::new(), |Fast { function, file }| format!("[`{function}`]({file})"));
            text.push_str(&format!("| {title} | `{label}` | [`{function}`]({file}) | {fast} | {source} |\n"));
        }
    }
    text
}
