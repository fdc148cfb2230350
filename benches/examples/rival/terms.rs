//! The works: which arrays each reads and writes, and the call that does it.

use crate::{
    arrays::{Arrays, Element},
    tokens,
};
use optimized::{Backend, Error, Mask};
use ppo_benches::verl;
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
        over_tokens(self.kind, on, arrays).transpose()
    }
}

/// The numbers of a work over tokens; None where there is no such work.
fn over_tokens(kind: &str, on: Backend, arrays: &mut Arrays<f32>) -> Result<Option<Numbers>, Error> {
    let Arrays { reads, writes, mask, size, .. } = arrays;
    let mask = &Mask::padded(mask, size.0, size.1)?;
    Ok(Some(match kind {
        "gae" => {
            verl::gae(on, mask, reads, writes)?;
            Numbers::new()
        }
        "whiten" => {
            verl::whiten(on, mask, reads, writes)?;
            Numbers::new()
        }
        "policy_loss" => {
            let said = verl::policy_loss(on, mask, reads, writes)?;
            vec![
                ("loss", said.loss),
                ("clip_frac", said.clip_frac),
                ("clip_frac_lower", said.clip_frac_lower),
                ("approx_kl", said.approx_kl),
            ]
        }
        "value_loss" => {
            let said = verl::value_loss(on, mask, reads, writes)?;
            vec![("loss", said.loss), ("clip_frac", said.clip_frac)]
        }
        _ => return Ok(None),
    }))
}
