//! The table that stands in a widget's place where scripts are off, and on paper.

use super::kinds::Start;

type Still = Result<String, String>;

pub(super) fn gae(start: &Start) -> Still {
    let keys = ["gap", "gamma", "lambda", "v_last", "r", "v", "mask"];
    let [delta, adv, ret, _] = &live::call("gae", &start.input(&keys))?[..] else { unreachable() };
    let (r, v, mask) = (start.list("r"), start.list("v"), start.list("mask"));
    let row = |t: usize| {
        let numbers = [(r[t], 2), (v[t], 2), (delta[t], 4), (adv[t], 4), (ret[t], 4)];
        let valid = mask[t] == 1.0;
        let cells = numbers.map(|(x, decimals)| if valid { number(x, decimals) } else { String::new() });
        [t.to_string(), if valid { "token" } else { "masked" }.into()].into_iter().chain(cells).collect()
    };
    let of = |key| number(start.list(key)[0], 2);
    let title = format!("One row at γ = {}, λ = {}, V after it {}", of("gamma"), of("lambda"), of("v_last"));
    Ok(table(&title, &["t", "mask", "r", "V", "δ", "Â", "R"], (0..r.len()).map(row)))
}

pub(super) fn whiten(start: &Start) -> Still {
    let eps = [0.0, 1e-8, 1e-2, 0.1, 1.0].get(start.list("eps")[0] as usize).copied();
    let eps = eps.ok_or("`eps` is a place from 0 to 4 in 0, 1e-8, 0.01, 0.1, 1")?;
    let input = [start.input(&["variance", "eps_at"]), vec![eps], start.input(&["adv", "mask"])].concat();
    let [stats, after, own, unmasked] = &live::call("whiten", &input)?[..] else { unreachable() };
    let (adv, mask) = (start.list("adv"), start.list("mask"));
    let row = |t: usize| {
        let valid = mask[t] == 1.0;
        let whitened = if valid { number(after[t], 4) } else { "masked".into() };
        vec![t.to_string(), number(adv[t], 2), whitened, number(unmasked[t], 4)]
    };
    let [mean, var, own_var] = [stats[0], stats[1], own[1]].map(|x| number(x, 3));
    let title = format!("Whitening: μ = {mean}, σ² = {var}; the variance after it is {own_var}");
    Ok(table(&title, &["t", "Â", "Âʷ", "with padding counted"], (0..adv.len()).map(row)))
}

pub(super) fn policy_clip(start: &Start) -> Still {
    let dual = [f64::INFINITY, 1.5, 2.0, 3.0].get(start.list("dual")[0] as usize).copied();
    let dual = dual.ok_or("`dual` is a place from 0 to 3 in off, 1.5, 2, 3")?;
    let fixed = start.input(&["adv", "log_ratio", "eps_lo", "eps_hi"]);
    let input = [fixed, vec![dual, -1.0, 0.8, 10.0]].concat();
    let [_, ratio, loss, grad, unclipped] = &live::call("policy_clip", &input)?[..] else { unreachable() };
    let row = |i: usize| [ratio[i], loss[i], grad[i], unclipped[i]].map(|x| number(x, 4)).to_vec();
    let title = format!("One token with Â = {}, along its ratio", number(start.list("adv")[0], 2));
    Ok(table(&title, &["ρ", "loss", "∂loss/∂log π", "loss without the clip"], (0..ratio.len()).map(row)))
}

pub(super) fn value_clip(start: &Start) -> Still {
    let fixed = start.input(&["v", "v_old", "ret", "eps_v", "form", "half"]);
    let [_, v, loss, grad] = &live::call("value_clip", &[fixed, vec![-0.5, 2.0, 11.0]].concat())?[..] else {
        unreachable()
    };
    let row =
        |i: usize| [(v[i], 2), (loss[i], 4), (grad[i], 4)].map(|(x, decimals)| number(x, decimals)).to_vec();
    let of = |key| number(start.list(key)[0], 2);
    let title = format!("One token with V_old = {}, R = {}, ε_v = {}", of("v_old"), of("ret"), of("eps_v"));
    Ok(table(&title, &["V", "loss", "∂loss/∂V"], (0..v.len()).map(row)))
}

pub(super) fn entropy(start: &Start) -> Still {
    let input = [start.input(&["tau", "logits"]), vec![0.1, 4.0, 2.0]].concat();
    let [pi, _, ent, grad, ..] = &live::call("entropy", &input)?[..] else { unreachable() };
    let z = start.list("logits");
    let row = |v: usize| vec![v.to_string(), number(z[v], 2), number(pi[v], 4), number(grad[v], 4)];
    let tau = number(start.list("tau")[0], 2);
    let title = format!("At τ = {tau}: H = {} nats of at most {}", number(ent[0], 3), number(ent[1], 3));
    Ok(table(&title, &["token", "z", "π", "∂H/∂z"], (0..z.len()).map(row)))
}

pub(super) fn step(start: &Start) -> Still {
    let keys = ["epochs", "lr", "eps", "eps_v", "c_v", "c_h", "gamma", "lambda", "scores"];
    let answer = live::call("step", &start.input(&keys))?;
    let losses = answer.get(7).map_or(&[][..], |losses| losses);
    let row = |(epoch, losses): (usize, &[f64])| {
        let numbers = losses.iter().map(|x| number(*x, 4));
        [(epoch + 1).to_string()].into_iter().chain(numbers).collect()
    };
    let head = ["epoch", "L_policy", "L_V", "H", "L_total", "‖g‖", "clip_frac", "clip_frac of V"];
    Ok(table("One step on two short rows, epoch by epoch", &head, losses.chunks(7).enumerate().map(row)))
}

pub(super) fn returns(start: &Start) -> Still {
    let keys = ["rounds", "share", "gamma", "lambda", "v_0", "scores"];
    let [score, raw, _, whitened, _] = &live::call("level", &start.input(&keys))?[..] else { unreachable() };
    let row = |round: usize| vec![round.to_string(), number(raw[round], 4), number(whitened[round], 4)];
    let title = format!("Mean V of the critic; the mean score is {}", number(score[0], 2));
    let head = ["round", "returns from raw Â", "returns from whitened Â"];
    Ok(table(&title, &head, (0..raw.len()).step_by(5).map(row)))
}

/// The number of lists of each call is held by its own tests.
fn unreachable() -> ! {
    unreachable!("a call that answers has the lists that its documentation says")
}

fn number(x: f64, decimals: u32) -> String {
    live::shown(x, decimals).replace('-', "−")
}

fn table(title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: String = head.iter().map(|cell| format!("<th scope=\"col\">{cell}</th>")).collect();
    let row = |cells: Vec<String>| {
        let data: String = cells[1..].iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr><th scope=\"row\">{}</th>{data}</tr>\n", cells[0])
    };
    let rows: String = rows.map(row).collect();
    format!(
        "<table><caption>{title}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table>\n"
    )
}
