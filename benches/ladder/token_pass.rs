//! `token_pass` over logits: the forward pass reads them once, the gradient reads and writes them once.

use crate::work::{Work, normal};
use optimized::{
    Backend, Error, Logits, LogitsMut, Mask, TokenOut, TokenStats, token_pass, token_pass_grad,
    token_pass_grad_in_place,
};
use ppo_benches::ceiling::Element;
use std::any::type_name;

/// Operations of the softmax's exp (`optimized/ORDER.md`, 2.1).
const SOFTMAX_EXP: usize = 10;
/// Operations of 4.1 on a logit: 1 for the largest, 2 before the exp, 2 for the sums.
pub(crate) const FORWARD: usize = 5 + SOFTMAX_EXP;
/// Operations of 4.2 on a logit: 3 before the exp, 1 after it, 2 for the product.
pub(crate) const GRADIENT: usize = 6 + SOFTMAX_EXP;

/// Whether its numbers are widened before the arithmetic, and narrowed after it.
fn is_narrow<T>() -> bool {
    size_of::<T>() < size_of::<f32>()
}

/// What belongs to the rows of a batch of logits.
pub(crate) struct Rows {
    valid: Vec<bool>,
    pub(crate) actions: Vec<u32>,
    g_logp: Vec<f32>,
    g_ent: Vec<f32>,
    /// log π, H, the largest logit, and ln Σ exp.
    pub(crate) said: [Vec<f32>; 4],
}

impl Rows {
    fn new((rows, vocab): (usize, usize)) -> Rows {
        Rows {
            valid: vec![true; rows],
            actions: (0..rows).map(|row| (row * 7919 % vocab) as u32).collect(),
            g_logp: normal(2, rows, 0.0, 1.0),
            g_ent: normal(3, rows, 0.0, 0.1),
            said: [(); 4].map(|()| vec![f32::NAN; rows]),
        }
    }

    pub(crate) fn mask(&self) -> Result<Mask<'_>, Error> {
        Mask::padded(&self.valid, self.valid.len(), 1)
    }

    pub(crate) fn forward<T: Element>(&mut self, on: Backend, logits: Logits<'_, T>) -> Result<(), Error> {
        let mask = Mask::padded(&self.valid, self.valid.len(), 1)?;
        let [logp, ent, max, ln_sum] = &mut self.said;
        let out = TokenOut {
            logp: Some(logp),
            ent: Some(ent),
            max: Some(max),
            ln_sum: Some(ln_sum),
            ..TokenOut::default()
        };
        token_pass(on, logits, &self.actions, &mask, 1.0, 1.0, out)
    }

    pub(crate) fn stats(&self) -> TokenStats<'_> {
        let [_, ent, max, ln_sum] = &self.said;
        TokenStats { ent, max, ln_sum, of_ent: None }
    }
}

/// Its name: that of the work and of the format.
fn named<T>(work: &str) -> String {
    format!("token_pass, {work}, {}", type_name::<T>().rsplit(':').next().unwrap_or_default())
}

/// Logits, with what belongs to their rows.
pub(crate) fn logits<T: Element>(size: (usize, usize)) -> (Vec<T>, Rows) {
    (normal(1, size.0 * size.1, 0.0, 3.0), Rows::new(size))
}

/// log π and H, with what the gradient needs.
pub(crate) fn forward<T: Element>(size: (usize, usize)) -> Result<Work<T>, Error> {
    let (x, mut rows) = logits::<T>(size);
    let work = Work::new(
        &named::<T>("forward"),
        FORWARD + usize::from(is_narrow::<T>()),
        size,
        size.0,
        vec![x],
        0,
        Box::new(move |on, reads, _| {
            rows.said.iter_mut().for_each(|x| x.fill(f32::NAN));
            rows.forward(on, Logits::new(&reads[0], size.1)?)?;
            Ok(rows.said.concat())
        }),
    );
    Ok(work)
}

/// The gradient in the logits, into another array.
pub(crate) fn gradient<T: Element>(size: (usize, usize)) -> Result<Work<T>, Error> {
    let (x, mut rows) = logits::<T>(size);
    rows.forward(Backend::best(), Logits::new(&x, size.1)?)?;
    let work = Work::new(
        &named::<T>("gradient"),
        GRADIENT + 2 * usize::from(is_narrow::<T>()),
        size,
        size.0,
        vec![x],
        1,
        Box::new(move |on, x, to| {
            let (x, to) = (Logits::new(&x[0], size.1)?, LogitsMut::new(&mut to[0], size.1)?);
            let Rows { actions, g_logp, g_ent, .. } = &rows;
            token_pass_grad(on, x, actions, &rows.mask()?, 1.0, 1.0, rows.stats(), g_logp, g_ent, to)?;
            Ok(Vec::new())
        }),
    );
    Ok(work)
}

/// The gradient in place of the logits.
pub(crate) fn in_place<T: Element>(size: (usize, usize)) -> Result<Work<T>, Error> {
    let (x, mut rows) = logits::<T>(size);
    rows.forward(Backend::best(), Logits::new(&x, size.1)?)?;
    let what = named::<T>("gradient in place");
    let work = Work::new(
        &what,
        GRADIENT + 2 * usize::from(is_narrow::<T>()),
        size,
        size.0,
        vec![x],
        1,
        Box::new(move |on, _, x| {
            let x = LogitsMut::new(&mut x[0], size.1)?;
            let Rows { actions, g_logp, g_ent, .. } = &rows;
            token_pass_grad_in_place(on, x, actions, &rows.mask()?, 1.0, 1.0, rows.stats(), g_logp, g_ent)?;
            Ok(Vec::new())
        }),
    );
    Ok(Work { in_place: true, ..work })
}
