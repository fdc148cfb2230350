//! `value_loss` on the fast path.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want, in_parts};
use crate::{
    budget::{self, Precision, counted},
    cases::{EDGES, Rng},
};
use optimized::{Backend, Error, Grad, ValueLoss, ValueOut, ValueSums, value_loss, value_sums};
use reference::{Agg, CountRows, Half, ValueClip, step::scaled, value_loss as truth};

/// The term.
pub(super) const TERM: Term = Term { stem: "value_loss", cases, looks_ahead: false, across_rows: false };

/// Every choice of a call.
#[derive(Debug, Clone, Copy)]
struct Choices {
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
    c: f64,
}

const FORMS: [ValueClip; 3] = [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let choices = |k: usize| Choices {
        eps_v: [0.2, 0.5, 1e-3, f64::INFINITY][k % 4],
        form: FORMS[k % 3],
        agg: super::AGGS[k % super::AGGS.len()],
        half: [Half::No, Half::Yes][k / 3 % 2],
        c: [1.0, 0.5, -0.3][k / 2 % 3],
    };
    let normal = |rng: &mut Rng| rng.normal();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, values(Batch::mixed(*t_len, 1), normal), choices(k)));
    }
    let plain = Choices { eps_v: 0.25, form: ValueClip::Max, agg: Agg::TokenMean, half: Half::Yes, c: 1.0 };
    let of_rows = Agg::SeqMeanTokenMean { rows: CountRows::WithTokens };
    all.push(case("many blocks of rows", values(Batch::full(37, 2100, 2), normal), plain));
    all.push(case("more tiles than a row has lanes", values(Batch::full(1, 67_001, 3), normal), plain));
    for form in FORMS {
        let name = format!("on a grid of 1/8, ties everywhere, {form:?}");
        let on_grid = values(Batch::mixed(130, 4), |rng| rng.below(17) as f64 / 8.0 - 1.0);
        all.push(case(&name, on_grid, Choices { form, ..plain }));
        let far = values(Batch::mixed(130, 5), |rng| 1e3 + rng.normal());
        all.push(case(&format!("far from 0, where V − R cancels, {form:?}"), far, Choices { form, ..plain }));
    }
    let sizes = |rng: &mut Rng| rng.normal() * [1e-45, 1e-30, 1e-10, 1.0, 1e5][rng.below(5)];
    all.push(case("subnormals and many sizes", values(Batch::mixed(130, 6), sizes), plain));
    let huge = |rng: &mut Rng| rng.normal() * [1.0, 1e25][usize::from(rng.below(40) == 0)];
    all.push(case(
        "squares beyond the range",
        values(Batch::mixed(130, 7), huge),
        Choices { agg: of_rows, ..plain },
    ));
    all
}

fn values(batch: Batch, mut draw: impl FnMut(&mut Rng) -> f64) -> Batch {
    batch.with("v", &mut draw).with("v_old", &mut draw).with("ret", &mut draw)
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    let run = move |on: Backend, x: &Laid| -> Got {
        let with = |out: ValueOut<'_>| {
            let Choices { eps_v, form, agg, half, .. } = how;
            value_loss(on, x.get("v"), x.get("v_old"), x.get("ret"), &x.mask(), eps_v, form, agg, half, out)
        };
        let (got, outputs) = with_outputs(x, how.c, with)?;
        Ok(numbers(outputs, got))
    };
    let parts = move |on: Backend, parts: &[Laid]| -> Got {
        let Choices { eps_v, form, agg, half, c } = how;
        let sums = |x: &Laid| {
            with_outputs(x, c, |out| {
                value_sums(
                    on,
                    x.get("v"),
                    x.get("v_old"),
                    x.get("ret"),
                    &x.mask(),
                    eps_v,
                    form,
                    agg,
                    half,
                    out,
                )
            })
        };
        in_parts(parts, sums, ValueSums::merge, |sums, out| Ok(numbers(out, sums.finish(agg, half)?)))
    };
    Case::new(why, &how, batch, run, move |batch| wanted(batch, how)).in_parts(parts)
}

fn with_outputs<T>(
    x: &Laid,
    c: f64,
    call: impl FnOnce(ValueOut<'_>) -> Result<T, Error>,
) -> Result<(T, Outputs), Error> {
    let (mut per_token, mut grad) = (x.room(1), x.room(1));
    let got = call(ValueOut { per_token: per_token.out(), grad: grad.out().map(|to| Grad { c, to }) })?;
    Ok((got, Outputs::new().tokens("per_token", x, &per_token).tokens("grad", x, &grad)))
}

fn numbers(outputs: Outputs, got: ValueLoss) -> Outputs {
    outputs.number("loss", got.loss).number("clip_frac", got.clip_frac)
}

fn wanted(batch: &Batch, how: Choices) -> Vec<(&'static str, Want)> {
    let p = Precision::ORDER;
    let (mask, Choices { eps_v, form, agg, half, c }) = (batch.mask(), how);
    let [v, v_old, ret] = ["v", "v_old", "ret"].map(|name| batch.wide(name));
    let value = truth::value_loss(&v, &v_old, &ret, &mask, eps_v, form, agg, half);
    let grad = truth::value_loss_grad(&v, &v_old, &ret, &mask, eps_v, form, agg, half);
    let [v, v_old, ret] = [v, v_old, ret].map(|x| p.read(&x));
    let allowed = budget::value_loss(p, &v, &v_old, &ret, &mask, eps_v, form, agg, half);
    let slope = budget::value_loss_grad(p, &v, &v_old, &ret, &mask, eps_v, form, agg, half);
    vec![
        ("per_token", Want::tokens(&value.per_token, &allowed.per_token)),
        ("grad", Want::tokens(&scaled(c, &grad, &mask), &slope.map(|x| p.setting(c) * x))),
        ("loss", Want::number(value.loss, allowed.loss)),
        (
            "clip_frac",
            Want::number(value.clip_frac, counted(p, &mask, value.clip_frac, allowed.clip_in_doubt)),
        ),
    ]
}
