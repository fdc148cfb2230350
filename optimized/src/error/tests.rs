//! Whoever refuses says its own name.

use crate::*;

const HOW: Whitening =
    Whitening { variance: Variance::Sample, eps_at: EpsAt::Std, eps_w: 1e-8, shift_mean: ShiftMean::Yes };

#[test]
fn a_refusal_names_the_function_that_was_called() {
    let (on, valid, x, short) = (Backend::best(), [true; 2], [0.0f32; 2], [0.0f32]);
    let (m, mut out, mut flags) = (Mask::padded(&valid, 1, 2).unwrap(), [0.0f32; 2], [false; 2]);
    let (kl_how, own, agg) = (KlEstimate::plain(Kl::K1), KlGrad::Own, Agg::TokenMean);
    let (clip, form, half) = (Settings::default().clip, ValueClip::Max, Half::No);
    let no_kl = || KlOut { grad: None, put: Put::Replace };
    let (by, ends, lambda) = (Whitened { mean: 0.0, var: 1.0 }, Ends::default(), Lambda::One(1.0));
    let (z, a) = (Logits::new(&x, 1).unwrap(), [0; 2]);
    let stats = TokenStats { ent: &x, max: &x, ln_sum: &x, of_ent: None };
    let [mut dz, mut place] = [x; 2];
    let [to, there] = [&mut dz, &mut place].map(|z| LogitsMut::new(z, 1).unwrap());
    let gae_out = GaeOut { adv: &mut [0.0], ret: None };
    let refusals = [
        ("logits", Logits::new(&x, 0).err()),
        ("log_sum_exp", LogSumExp::of_shard(on, &x, 522_240 + 2048, 0, 1.0).err()),
        ("log_prob", log_prob(on, z, &a, &m, 0.0, &mut out).err()),
        ("entropy", entropy(on, z, &m, 0.0, &mut out).err()),
        ("token_pass", token_pass(on, z, &a, &m, 0.0, 1.0, TokenOut::default()).err()),
        ("token_pass_grad", token_pass_grad(on, z, &a, &m, 0.0, 1.0, stats, &x, &x, to).err()),
        (
            "token_pass_grad_in_place",
            token_pass_grad_in_place(on, there, &a, &m, 0.0, 1.0, stats, &x, &x).err(),
        ),
        ("place_scores", place_scores(on, &x, ScoreAt::LastValid, 1.0, &m, None, &mut out).err()),
        ("broadcast_scores", broadcast_scores(&x, 1.0, &m, &mut out).err()),
        ("reward", reward(on, &short, None, 0.0, &m, &mut out).err()),
        ("kl", kl(on, &short, &x, &m, kl_how, &mut out).err()),
        ("kl_grad", kl_grad(on, &short, &x, &m, kl_how, own, &mut out).err()),
        ("gae", gae(on, &x, &x, &m, &ends, Gap::Skip, 1.0, lambda, gae_out).err()),
        (
            "dones_of_transitions",
            dones_of_transitions(&valid, &valid, DoneAt::Transition, &m, &mut flags).err(),
        ),
        ("with_first_pad", m.with_first_pad(&mut [false]).err()),
        ("returns", returns(on, &short, &x, &m, &mut out).err()),
        ("whiten", whiten(on, &short, &m, HOW, &mut out).err()),
        ("whiten_by", whiten_by(on, &short, &m, by, HOW, &mut out).err()),
        ("square_sum", square_sum(on, &short, &m, 0.0).err()),
        ("square_sum", SquareSum::default().var(HOW.variance).err()),
        ("aggregate", aggregate(on, &short, &m, agg).err()),
        ("aggregate_sums", aggregate_sums(on, &short, &m, agg).err()),
        ("aggregate_sums", AggregateSums::default().finish(agg).err()),
        ("aggregate_grad", aggregate_grad(&m, agg, 1.0, &mut [0.0]).err()),
        ("policy_loss", policy_loss(on, &short, &x, &x, &m, None, &clip, agg, PolicyOut::default()).err()),
        ("policy_sums", policy_sums(on, &short, &x, &x, &m, None, &clip, agg, PolicyOut::default()).err()),
        ("value_loss", value_loss(on, &short, &x, &x, &m, 0.2, form, agg, half, ValueOut::default()).err()),
        ("value_sums", value_sums(on, &short, &x, &x, &m, 0.2, form, agg, half, ValueOut::default()).err()),
        ("kl_loss", kl_loss(on, &short, &x, &m, kl_how, own, agg, no_kl()).err()),
        ("kl_loss_sums", kl_loss_sums(on, &short, &x, &m, kl_how, own, agg, no_kl()).err()),
    ];
    let says = refusals.map(|(name, refusal)| (name, refusal.map(|refusal| refusal.to_string())));
    let other = |(name, says): &(&str, Option<String>)| {
        !says.as_ref().is_some_and(|says| says.starts_with(&format!("{name}: ")))
    };
    assert_eq!(says.into_iter().filter(other).collect::<Vec<_>>(), []);
}
