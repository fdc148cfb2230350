//! The critic's level and the policy's entropy over the recorded trainings.

use super::{Chart, Curve, Figure, recorded::curve};

const TRAINING: &str = include_str!("../../listings/training.jsonl");

/// One number of a run, over its iterations.
pub(super) fn over(run: &str, name: &str, key: &str) -> Curve {
    curve(TRAINING, ("run", &run.into()), ("iteration", key), name)
}

pub(super) fn axes(title: &'static str, y_label: &'static str, y: (f64, f64)) -> Chart {
    Chart { title, x_label: "iteration", y_label, x: (0.0, 150.0), y, ..Chart::default() }
}

pub(super) const CRITIC_LEVEL: Figure = Figure {
    name: "critic-level",
    caption: "Two trainings of the small transformer with one seed. Left, by the equation: the mean target of the critic and the \
              mean of $V$ go where the mean score goes. Right, from whitened advantages: the policy learns all the same, and the \
              critic's mean target is its own mean in every iteration, near $0$, where it happened to start.",
    text: "Two panels over 150 iterations, each with the mean score, the mean target of the critic and the mean of V. Left, with \
           returns from raw advantages, all three rise together from about 0.1 to about 1 within 30 iterations. Right, with \
           returns from whitened advantages, the score rises to about 1 within 60 iterations, but the mean target and the \
           mean of V lie on one line that stays between minus 0.1 and plus 0.05.",
    panels: || {
        let curves = |run: &str| {
            let keys = [("mean score", "score"), ("mean target", "mean_ret"), ("mean V", "mean_v")];
            keys.map(|(name, key)| over(run, name, key)).into()
        };
        vec![
            Chart {
                curves: curves("as it is"),
                ..axes("Returns from raw advantages", "reward", (-0.2, 1.2))
            },
            Chart {
                curves: curves("returns-from-whitened"),
                ..axes("From whitened advantages", "reward", (-0.2, 1.2))
            },
        ]
    },
};

pub(super) const ENTROPY_BONUS: Figure = Figure {
    name: "entropy-bonus",
    caption: "The mean entropy of a token, and the mean score, over one training with the bonus and one without. Both start near \
              the most that nine tokens allow, $\\ln 9$, and narrow as the policy finds out. On the way the bonus keeps the \
              entropy a little higher, and the score comes a little later; after that, both are narrow. The run without it \
              falters near iteration 140 and recovers. One seed does not say whether the bonus would have kept it from that.",
    text: "Two panels over 150 iterations, each with a curve for the training with the entropy bonus and one for that without. \
           Left, the mean entropy of a token falls in both from 2.2 nats to below 0.1 within 45 iterations; around iteration 20 \
           the curve with the bonus lies a little higher. Right, the mean score rises in both from 0.1 to about 1 within 40 \
           iterations. Near iteration 140 the score without the bonus drops to 0.8 for some ten iterations.",
    panels: || {
        let both =
            |key: &str| vec![over("as it is", "c_H = 0.03", key), over("no entropy bonus", "c_H = 0", key)];
        vec![
            Chart { curves: both("ent"), ..axes("Entropy", "nats a token", (0.0, 2.4)) },
            Chart { curves: both("score"), ..axes("Score", "mean score", (0.0, 1.05)) },
        ]
    },
};
