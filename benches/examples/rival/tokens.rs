//! `token_pass` over rows of logits, and what it needs and gives for each row.

use crate::{
    arrays::{Arrays, Element},
    free,
};
use optimized::{Backend, Error, Logits, LogitsMut, Mask, TokenOut, TokenStats, token_pass, token_pass_grad};
use std::{any::Any, fs, io, path::Path};

/// One number for each row of logits.
#[derive(Default)]
pub(crate) struct Rows {
    actions: Vec<u32>,
    g_logp: Vec<f32>,
    g_ent: Vec<f32>,
    /// Of the forward pass.
    pub(crate) logp: Vec<f32>,
    /// Of the forward pass, read again by the gradient; so are the two that follow.
    pub(crate) ent: Vec<f32>,
    max: Vec<f32>,
    ln_sum: Vec<f32>,
}

impl Rows {
    /// Reads what is given, and makes room for the rest.
    pub(crate) fn read(folder: &Path) -> io::Result<Rows> {
        let f32s = |name: &str| Ok::<_, io::Error>(f32::parse(&fs::read(folder.join(name))?));
        let actions = fs::read(folder.join("actions.u32"))?;
        let actions: Vec<u32> =
            actions.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect();
        let [logp, ent, max, ln_sum] = [(); 4].map(|()| vec![f32::NAN; actions.len()]);
        let (g_logp, g_ent) = (f32s("g_logp.f32")?, f32s("g_ent.f32")?);
        Ok(Rows { actions, g_logp, g_ent, logp, ent, max, ln_sum })
    }

    /// Fills what was computed with NaN.
    pub(crate) fn forget(&mut self) {
        for x in [&mut self.logp, &mut self.ent, &mut self.max, &mut self.ln_sum] {
            x.fill(f32::NAN);
        }
    }
}

/// Does one phase; None where there is no such phase of these logits.
pub(crate) fn run<T: Element>(on: Backend, phase: &str, arrays: &mut Arrays<T>) -> Option<Result<(), Error>> {
    match phase {
        "forward" => Some(forward(on, arrays)),
        // What it needs of the forward pass is there from the second time on, and only those are timed.
        "grad" if arrays.rows.max[0].is_nan() => {
            Some(forward(on, arrays).and_then(|()| gradient(on, arrays)))
        }
        "grad" => Some(gradient(on, arrays)),
        "forward_grad" => Some(forward(on, arrays).and_then(|()| gradient(on, arrays))),
        "free" => {
            let Arrays { reads, rows, .. } = (arrays as &mut dyn Any).downcast_mut::<Arrays<f32>>()?;
            (rows.logp, rows.ent) = free::forward(on, &reads[0], &rows.actions);
            Some(Ok(()))
        }
        _ => None,
    }
}

fn forward<T: Element>(on: Backend, arrays: &mut Arrays<T>) -> Result<(), Error> {
    let Arrays { reads, rows, mask, size, .. } = arrays;
    let mask = Mask::padded(mask, size.0, 1)?;
    let Rows { actions, logp, ent, max, ln_sum, .. } = rows;
    let out = TokenOut {
        logp: Some(logp),
        ent: Some(ent),
        max: Some(max),
        ln_sum: Some(ln_sum),
        ..TokenOut::default()
    };
    token_pass(on, Logits::new(&reads[0], size.1)?, actions, &mask, 1.0, 1.0, out)
}

fn gradient<T: Element>(on: Backend, arrays: &mut Arrays<T>) -> Result<(), Error> {
    let Arrays { reads, writes, rows, mask, size } = arrays;
    let mask = Mask::padded(mask, size.0, 1)?;
    let Rows { actions, g_logp, g_ent, ent, max, ln_sum, .. } = rows;
    let (logits, to) = (Logits::new(&reads[0], size.1)?, LogitsMut::new(&mut writes[0], size.1)?);
    let stats = TokenStats { ent, max, ln_sum, of_ent: None };
    token_pass_grad(on, logits, actions, &mask, 1.0, 1.0, stats, g_logp, g_ent, to)
}
