//! What a causal model and its sampling must hold: no state reads what comes after it, padding is nowhere,
//! and a row's response is its own.

use conformance::cases::Rng;
use nalgebra::DMatrix;
use reference::{
    Mask,
    iteration::ActorCritic,
    transformer::{On, Size, Transformer, sample, sample_row},
};

const STOP: usize = 4;

fn model() -> Transformer {
    let size = Size { vocab: 5, prompt_len: 4, t_len: 5, d_model: 8, n_heads: 2, d_mlp: 12, n_blocks: 2 };
    let fresh = Transformer::init(3, size);
    let mut rng = Rng::new(4);
    let louder = |x: &DMatrix<f64>| x.map(|x| x + 0.2 * rng.normal());
    let moved: Vec<_> = fresh.parameters().iter().map(louder).collect();
    fresh.with(&moved)
}

fn bits(x: &DMatrix<f64>) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Every token changed in turn: states before it keep every bit, its own and all later ones move.
#[test]
fn a_later_token_changes_no_bit_of_an_earlier_state() {
    let model = model();
    let (prompt, response) = ([0, 1, 2], [3, 0, 1, 4]);
    let h = model.states(&prompt, &response).h;
    for t in 0..response.len() {
        let mut other = response;
        other[t] = (other[t] + 1) % 5;
        let moved = model.states(&prompt, &other).h;
        let at = prompt.len() + t;
        for i in 0..h.nrows() {
            let same = h.row(i) == moved.row(i);
            assert_eq!(same, i < at, "token {at} changed, state {i}");
        }
    }
}

/// Junk after a response, and a wider matrix around it.
#[test]
fn padding_changes_no_bit_of_any_logit_value_or_gradient() {
    let prompts = [vec![0, 1, 2], vec![3, 1]];
    let ask = |t_len: usize, junk: usize| {
        let tokens = [vec![1, 2, STOP], vec![0, STOP]];
        let actions = DMatrix::from_fn(2, t_len, |row, t| tokens[row].get(t).copied().unwrap_or(junk));
        let mask = Mask::new(DMatrix::from_fn(2, t_len, |row, t| t < tokens[row].len()));
        let mut model = model();
        let on = On { model: &mut model, prompts: &prompts, actions: &actions, mask: &mask };
        let heads = on.forward();
        let kept: Vec<_> = heads.logits.iter().map(|z| bits(&z.rows(0, 3).into_owned())).collect();
        let grad_logits: Vec<_> = heads.logits.iter().map(|z| z * 0.5).collect();
        let grads: Vec<_> = on.backward(&grad_logits, &heads.v).iter().map(bits).collect();
        let after: Vec<u64> = on.v_after().iter().map(|v| v.to_bits()).collect();
        (kept, bits(&heads.v.columns(0, 3).into_owned()), grads, after)
    };
    let plain = ask(3, STOP);
    for (t_len, junk) in [(3, 0), (3, 999), (5, STOP), (5, 999)] {
        assert_eq!(ask(t_len, junk), plain, "t_len {t_len}, junk {junk}");
    }
}

/// V after the last token is what the next token's value would be.
#[test]
fn the_bootstrap_is_the_value_of_the_token_after_the_last() {
    let (mut model, prompts) = (model(), [vec![0, 1, 2]]);
    let actions = DMatrix::from_row_slice(1, 3, &[1, 2, 3]);
    let (two, three) = (Mask::from_rows(&[[1, 1, 0]]), Mask::full(1, 3));
    let after = On { model: &mut model, prompts: &prompts, actions: &actions, mask: &two }.v_after()[0];
    let v = On { model: &mut model, prompts: &prompts, actions: &actions, mask: &three }.forward().v;
    assert_eq!(after.to_bits(), v[(0, 2)].to_bits());
    assert_ne!(after, v[(0, 1)]);
}

#[test]
fn a_response_ends_with_its_stop_token_or_at_its_limit() {
    let (model, prompts) = (model(), vec![vec![0, 1]; 200]);
    let limits: Vec<usize> = (0..200).map(|row| 1 + row % 5).collect();
    let got = sample(&model, &prompts, &limits, 1.0, STOP, |row| Rng::of(&[7, row as u64]));
    let mut cuts = 0;
    for (row, limit) in limits.iter().copied().enumerate() {
        let n = got.mask.end(row);
        assert!((1..=limit).contains(&n) && got.mask.tokens_of(row).len() == n);
        assert!((0..n - 1).all(|t| got.actions[(row, t)] != STOP), "row {row} goes on after its stop");
        assert!((n..5).all(|t| got.actions[(row, t)] == STOP));
        assert_eq!(got.cut[row], got.actions[(row, n - 1)] != STOP);
        assert!(!got.cut[row] || n == limit);
        cuts += usize::from(got.cut[row]);
    }
    assert!((20..180).contains(&cuts), "{cuts} of 200 were cut: both ends must occur");
}

/// A row alone, among others, and in another order gives the same response.
#[test]
fn a_row_s_response_depends_on_its_own_stream_only() {
    let model = model();
    let prompts: Vec<Vec<usize>> = (0..8).map(|row| vec![row % 4, 1]).collect();
    let stream = |row: usize| Rng::of(&[9, row as u64]);
    let all = sample(&model, &prompts, &[5; 8], 0.7, STOP, stream);
    for row in (0..8).rev() {
        let alone = sample_row(&model, &prompts[row], 5, 0.7, STOP, &mut stream(row));
        let among: Vec<usize> = (0..all.mask.end(row)).map(|t| all.actions[(row, t)]).collect();
        assert_eq!(alone, among, "row {row}");
    }
}

/// 20,000 first tokens against π at two temperatures, each share within five standard deviations.
#[test]
fn tokens_are_as_frequent_as_they_are_likely() {
    let (model, prompts, n) = (model(), [vec![2, 0, 3]], 20_000);
    for tau in [0.5, 1.0] {
        let (actions, mask) = (DMatrix::from_element(1, 1, 0), Mask::full(1, 1));
        let mut asked = model.clone();
        let on = On { model: &mut asked, prompts: &prompts, actions: &actions, mask: &mask };
        let logits: Vec<f64> = on.forward().logits[0].row(0).iter().copied().collect();
        let mut counts = [0; 5];
        for row in 0..n {
            counts[sample_row(&model, &prompts[0], 1, tau, STOP, &mut Rng::of(&[row]))[0]] += 1;
        }
        let logp = reference::log_prob::log_softmax_row(&logits, tau);
        for (v, logp) in logp.into_iter().enumerate() {
            let (pi, share) = (logp.exp(), counts[v] as f64 / n as f64);
            let deviation = (pi * (1.0 - pi) / n as f64).sqrt();
            assert!((share - pi).abs() < 5.0 * deviation, "τ = {tau}, token {v}: {share} of {pi}");
        }
    }
}

/// Each mean square within five standard deviations of its variance, which is 1/d_in but for the two heads.
#[test]
fn a_fresh_model_has_weights_of_variance_1_over_d_in_and_quiet_heads() {
    let size = Size { vocab: 40, prompt_len: 6, t_len: 7, d_model: 48, n_heads: 2, d_mlp: 96, n_blocks: 1 };
    for (name, w) in Transformer::init(3, size).named() {
        let (n, d_in) = (w.len() as f64, w.ncols() as f64);
        let mean_square = w.iter().map(|w| w * w).sum::<f64>() / n;
        let (variance, shape) = match name.rsplit('.').next().unwrap() {
            "tokens" => (1.0 / d_in, (40, 48)),
            "places" => (1.0 / d_in, (13, 48)),
            "gain" | "gain_attention" | "gain_mlp" => (1.0, (1, 48)),
            "w_up" => (1.0 / d_in, (96, 48)),
            "w_down" => (1.0 / d_in, (48, 96)),
            "w_lm" => (0.01 / d_in, (40, 48)),
            "w_v" => (0.0, (1, 48)),
            _ => (1.0 / d_in, (48, 48)),
        };
        assert_eq!(w.shape(), shape, "{name}");
        assert!((mean_square - variance).abs() <= 5.0 * variance * (2.0 / n).sqrt(), "{name}: {mean_square}");
    }
}
