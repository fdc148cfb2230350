//! The works: which arrays each reads and writes, and the call that does it.

use crate::{
    arrays::{Arrays, Element},
    tokens,
};
use optimized::{
    Agg, Backend, ClipFrac, Ends, EpsAt, Error, GaeOut, Gap, Grad, Half, Kl, KlOf, Lambda, Mask, PolicyClip,
    PolicyOut, ShiftMean, ValueClip, ValueOut, Variance, Whitening, gae, policy_loss, value_loss, whiten,
};
use std::any::Any;

/// A kind of work.
#[derive(Clone, Copy)]
pub(crate) struct Term {
    /// What `peers/speed.py` calls it.
    pub(crate) kind: &'static str,
    /// Its large inputs.
    pub(crate) reads: &'static [&'static str],
    /// Its large outputs.
    pub(crate) writes: &'static [&'static str],
    /// Whether it has a mask over rows and columns; what has none has logits.
    pub(crate) masked: bool,
}

const fn term(
    kind: &'static str,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
    masked: bool,
) -> Term {
    Term { kind, reads, writes, masked }
}

const TERMS: [Term; 6] = [
    term("gae", &["r", "v"], &["adv", "ret"], true),
    term("whiten", &["adv"], &["whitened"], true),
    term("policy_loss", &["logp", "logp_old", "adv"], &["grad"], true),
    term("value_loss", &["v", "v_old", "ret"], &["grad"], true),
    term("token_pass_f32", &["logits"], &["dx"], false),
    term("token_pass_bf16", &["logits"], &["dx"], false),
];

/// Numbers that a term returns beside its arrays.
pub(crate) type Numbers = Vec<(&'static str, f32)>;

impl Term {
    pub(crate) fn named(kind: &str) -> Option<Term> {
        TERMS.into_iter().find(|term| term.kind == kind)
    }

    /// Does the work once; None where there is no such work yet.
    pub(crate) fn run<T: Element>(
        &self,
        phase: &str,
        on: Backend,
        arrays: &mut Arrays<T>,
    ) -> Option<Result<Numbers, Error>> {
        if !self.masked {
            return tokens::run(on, phase, arrays).map(|done| done.map(|()| Numbers::new()));
        }
        let arrays = (arrays as &mut dyn Any).downcast_mut::<Arrays<f32>>()?;
        match self.kind {
            "gae" => Some(advantages(on, arrays)),
            "whiten" => Some(whitened(on, arrays)),
            "policy_loss" => Some(policy(on, arrays)),
            "value_loss" => Some(value(on, arrays)),
            _ => None,
        }
    }
}

/// With the settings of `peers/rivals/gae.py`.
fn advantages(on: Backend, arrays: &mut Arrays<f32>) -> Result<Numbers, Error> {
    let mask = Mask::padded(&arrays.mask, arrays.size.0, arrays.size.1)?;
    let ([r, v], [adv, ret]) = (&arrays.reads[..], &mut arrays.writes[..]) else {
        unreachable!("two inputs, two outputs")
    };
    let out = GaeOut { adv, ret: Some(ret) };
    gae(on, r, v, &mask, &Ends::default(), Gap::Skip, 0.99, Lambda::One(0.95), out)?;
    Ok(Numbers::new())
}

/// With the settings of `peers/rivals/whiten.py`.
fn whitened(on: Backend, arrays: &mut Arrays<f32>) -> Result<Numbers, Error> {
    let mask = Mask::padded(&arrays.mask, arrays.size.0, arrays.size.1)?;
    let (variance, eps_at, shift_mean) = (Variance::Sample, EpsAt::UnderRoot, ShiftMean::Yes);
    let how = Whitening { variance, eps_at, eps_w: 1e-8, shift_mean };
    whiten(on, &arrays.reads[0], &mask, how, &mut arrays.writes[0])?;
    Ok(Numbers::new())
}

/// With the settings of `peers/rivals/losses.py`.
fn policy(on: Backend, arrays: &mut Arrays<f32>) -> Result<Numbers, Error> {
    let mask = Mask::padded(&arrays.mask, arrays.size.0, arrays.size.1)?;
    let [logp, logp_old, adv] = &arrays.reads[..] else { unreachable!("three inputs") };
    let clip = PolicyClip {
        eps_lo: 0.2,
        eps_hi: 0.2,
        c_dual: 3.0,
        log_ratio_clamp: 20.0,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K1,
        kl_of: KlOf::Clamped,
    };
    let grad = Some(Grad { c: 1.0, to: &mut arrays.writes[0] });
    let out = PolicyOut { grad, ..PolicyOut::default() };
    let said = policy_loss(on, logp, logp_old, adv, &mask, None, &clip, Agg::TokenMean, out)?;
    Ok(vec![
        ("loss", said.loss),
        ("clip_frac", said.clip_frac),
        ("clip_frac_lower", said.clip_frac_lower),
        ("approx_kl", said.approx_kl),
    ])
}

/// With the settings of `peers/rivals/losses.py`.
fn value(on: Backend, arrays: &mut Arrays<f32>) -> Result<Numbers, Error> {
    let mask = Mask::padded(&arrays.mask, arrays.size.0, arrays.size.1)?;
    let [v, v_old, ret] = &arrays.reads[..] else { unreachable!("three inputs") };
    let out = ValueOut { per_token: None, grad: Some(Grad { c: 1.0, to: &mut arrays.writes[0] }) };
    let said = value_loss(on, v, v_old, ret, &mask, 0.2, ValueClip::Max, Agg::TokenMean, Half::Yes, out)?;
    Ok(vec![("loss", said.loss), ("clip_frac", said.clip_frac)])
}
