//! Each output of the step computed from what the file itself holds before it.
//!
//! An output that the file holds is what the terms after it read, so that one mistake is one finding. One that it
//! lacks is computed, with the mistakes that are at work in it, and so these show in what is made of it.

mod beneath;
mod gradient;
mod losses;
mod reads;
mod tokens;

use super::{
    bugs::Bug,
    compare::{Stored, slots},
};
use crate::{
    budget::{self, Approx, Grid, Precision},
    dump::{Axes, BadInput, Chosen, Dump, GradOf, Inputs, OUTPUTS as OUTPUT_ROWS, WhitenOver},
    evaluate::reward_operands,
    outputs::{GRAD_LOGITS, OUTPUTS},
};
use nalgebra::DMatrix;
use reference::{Mask, Settings};
use safetensors::Dtype;
use std::{collections::BTreeMap, ops::Range, rc::Rc};
use tokens::Passes;

pub(super) use gradient::Probe;
pub(super) use reads::{precision_of, reads};

/// The numbers of one output, each with what another evaluation of it may be off.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// One number.
    Scalar(Approx),
    /// One number a token, b × t_len.
    PerToken(Grid),
    /// The gradient of the logits of the tokens that are probed.
    Logits(Vec<Vec<Approx>>),
}

/// The numbers of one output as they stand in the file.
#[derive(Debug, Clone)]
pub enum Own {
    /// One number.
    Scalar(f64),
    /// One number a token, b × t_len, with whatever stands in masked slots.
    PerToken(DMatrix<f64>),
}

/// What a file holds, ready to compute any output from. A clone shares what was read.
#[derive(Debug, Clone)]
pub struct Step {
    /// The precision that the numbers of the term at hand were computed in.
    pub p: Precision,
    /// The inputs, masked slots 0.
    pub inputs: Rc<Inputs>,
    /// Whose gradients the file holds.
    grad_of: GradOf,
    /// The file's own outputs.
    own: Rc<BTreeMap<&'static str, Own>>,
    /// The dtypes that they are stored in.
    dtypes: Rc<BTreeMap<&'static str, Dtype>>,
    /// log π and H of the file's logits.
    tokens: Rc<Passes>,
    /// Tokens whose gradient of the logits is asked for.
    pub(super) probed: Rc<Vec<Probe>>,
    /// The rows that per-token outputs are compared in.
    rows: Range<usize>,
    /// The rows that are whitened together.
    together: Vec<Range<usize>>,
    /// What stands in masked slots too.
    beneath: Rc<beneath::Beneath>,
    /// Mistakes at work, the outermost of an output first.
    mistakes: Vec<&'static Bug>,
}

impl Step {
    /// Reads the inputs and the file's own outputs.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read or is refused.
    pub fn load(dump: &Dump, chosen: &Chosen, p: Precision) -> Result<Step, BadInput> {
        let mut inputs = Inputs::load(dump, chosen)?;
        let tokens = Rc::new(Passes::of(inputs.logits.take()));
        let (mut own, mut dtypes) = (BTreeMap::new(), BTreeMap::new());
        for output in OUTPUTS {
            let name = output.name;
            dtypes.extend(dump.dtype_of_output(name).map(|dtype| (name, dtype)));
            if OUTPUT_ROWS.iter().any(|row| row.name == name && row.axes == Axes::Scalar) {
                own.extend(dump.output_scalar(name)?.map(|x| (name, Own::Scalar(x))));
            } else {
                own.extend(dump.output_matrix(name)?.map(|x| (name, Own::PerToken(x))));
            }
        }
        dtypes.extend(dump.dtype_of_output(GRAD_LOGITS.name).map(|dtype| (GRAD_LOGITS.name, dtype)));
        let (inputs, own, dtypes) = (Rc::new(inputs), Rc::new(own), Rc::new(dtypes));
        let grad_of = chosen.grad_of;
        let beneath = Rc::new(beneath::Beneath::of(dump));
        let (probed, rows, mistakes) = (Rc::default(), 0..dump.shape().b, Vec::new());
        let together = together(dump, chosen);
        let step =
            Step { p, inputs, grad_of, own, dtypes, tokens, probed, rows, together, beneath, mistakes };
        step.read_logits(&chosen.settings.as_listed())?;
        Ok(step)
    }

    /// The same file under settings that move its masks or the ends of its episodes; logits that were read are not
    /// read again.
    ///
    /// # Errors
    ///
    /// If an input is refused under them.
    pub(super) fn under(&self, dump: &Dump, chosen: &Chosen) -> Result<Step, BadInput> {
        let mut inputs = Inputs::load(dump, chosen)?;
        inputs.logits = None;
        let (inputs, together) = (Rc::new(inputs), together(dump, chosen));
        let step = Step { inputs, together, grad_of: chosen.grad_of, ..self.clone() };
        step.read_logits(&chosen.settings.as_listed())?;
        Ok(step)
    }

    /// The same with these mistakes in it, the outermost of an output first.
    pub fn with(&self, mistakes: &[&'static Bug]) -> Step {
        Step { mistakes: mistakes.to_vec(), ..self.clone() }
    }

    /// The same for a term that was computed in another precision.
    pub fn at(&self, p: Precision) -> Step {
        Step { p, ..self.clone() }
    }

    /// The same with another file's numbers of an output.
    pub(super) fn with_own(&self, name: &'static str, x: DMatrix<f64>) -> Step {
        let beside = self.own.iter().filter(|(of, _)| **of != name);
        let copied = beside.map(|(of, own)| (*of, own.clone())).chain([(name, Own::PerToken(x))]).collect();
        Step { own: Rc::new(copied), ..self.clone() }
    }

    /// The same, per-token outputs compared in these rows alone.
    pub(super) fn in_rows(&self, rows: Range<usize>) -> Step {
        Step { rows, ..self.clone() }
    }

    /// The slots that an output is compared in.
    pub(super) fn compared_slots(&self, name: &str) -> impl Iterator<Item = (usize, usize)> {
        slots(self.mask_of(name)).filter(|(row, _)| self.rows.contains(row))
    }

    /// The file's own numbers of an output.
    pub fn own(&self, name: &str) -> Option<&Own> {
        self.own.get(name)
    }

    /// Those of an output that is one a token.
    pub(super) fn own_grid(&self, name: &str) -> Option<&DMatrix<f64>> {
        match self.own(name)? {
            Own::PerToken(own) => Some(own),
            Own::Scalar(_) => None,
        }
    }

    /// What the storage of an output's own tensor takes off a number, relative.
    pub fn rounding(&self, name: &str) -> f64 {
        self.dtypes.get(name).map_or(0.0, |dtype| rounding(*dtype, self.p))
    }

    /// The same, and what it takes off a number that no arithmetic has rounded.
    pub(super) fn stored_as(&self, name: &str) -> Stored {
        let itself = self.dtypes.get(name).map_or(0.0, |dtype| unit_of(*dtype));
        Stored { beyond: self.rounding(name), itself }
    }

    /// Whether an output stands under the mask of the critic, which has one slot more where the first pad is paid.
    pub(super) fn is_of_critic(&self, name: &str) -> bool {
        ["token_rewards", "advantages_raw", "returns", "grad_values", "vf_loss", "vf_clipfrac"]
            .contains(&name)
    }

    /// Whether the slot after the last token of a row may have been paid: by a score that the file has, or since its
    /// rewards are not 0 there.
    pub(super) fn may_pay_the_pad(&self) -> bool {
        let mask = &self.inputs.mask;
        let paid = |r: &DMatrix<f64>| {
            (0..mask.shape().0).any(|row| mask.end(row) < mask.shape().1 && r[(row, mask.end(row))] != 0.0)
        };
        self.inputs.scores.is_some() || self.beneath("rewards").is_some_and(paid)
    }

    /// The mask that an output is compared under.
    pub fn mask_of(&self, name: &str) -> &Mask {
        if self.is_of_critic(name) { &self.inputs.value_mask } else { &self.inputs.mask }
    }

    /// The file's own numbers of an output, as a term after it reads them.
    fn stored(&self, name: &str) -> Option<Numbers> {
        let rounding = self.rounding(name);
        let read = |x: f64| self.p.given(x).widened(if x.is_finite() { rounding * x.abs() } else { 0.0 });
        Some(match self.own(name)? {
            Own::Scalar(x) => Numbers::Scalar(read(*x)),
            Own::PerToken(x) => Numbers::PerToken(x.map(read)),
        })
    }

    /// What the terms after it read of an output: the file's own, else computed.
    pub fn grid(&self, name: &str, s: &Settings) -> Option<Grid> {
        match self.stored(name).or_else(|| self.output(name, s))? {
            Numbers::PerToken(grid) => Some(grid),
            Numbers::Scalar(_) | Numbers::Logits(_) => None,
        }
    }

    fn number(&self, name: &str, s: &Settings) -> Option<Approx> {
        match self.stored(name).or_else(|| self.output(name, s))? {
            Numbers::Scalar(x) => Some(x),
            Numbers::PerToken(_) | Numbers::Logits(_) => None,
        }
    }

    /// An input of the file.
    pub fn read(&self, x: Option<&DMatrix<f64>>) -> Option<Grid> {
        x.map(|x| self.p.read(x))
    }

    /// One output under these settings, with the mistakes of that name that are at work, or none where the file
    /// lacks what it is made of. A mistake that asks for its own output sees the next of that name beneath it.
    pub fn output(&self, name: &str, s: &Settings) -> Option<Numbers> {
        match self.mistakes.iter().position(|bug| bug.of == name) {
            None => self.formula(name, s),
            Some(at) => {
                let mut beneath = self.clone();
                let bug = beneath.mistakes.remove(at);
                (bug.make)(&beneath, s)
            }
        }
    }

    /// Whether a mistake of that output is at work.
    fn is_mistaken(&self, name: &str) -> bool {
        self.mistakes.iter().any(|bug| bug.of == name)
    }

    fn formula(&self, name: &str, s: &Settings) -> Option<Numbers> {
        if name == GRAD_LOGITS.name {
            return self.grad_logits(s).map(Numbers::Logits);
        }
        let (p, inputs) = (self.p, &self.inputs);
        let per_token = match name {
            "log_probs" => self.of_logits(s)?.logp(p, &inputs.mask),
            "entropy" => Some(self.of_logits(s)?.ent(p, &inputs.mask)),
            "kl" => self.kl(s),
            "token_rewards" => self.token_rewards(s),
            "advantages_raw" => self.advantages(s, s.lambda),
            "whitened" => self.raw(s).map(|adv| self.whitened(&adv, s)),
            "returns" => self.returns(s),
            "ratio" => self.ratio(s),
            "grad_log_probs" => self.grad_logp(s),
            "grad_values" => self.grad_v(s),
            _ => None,
        };
        per_token.map(Numbers::PerToken).or_else(|| self.scalar(name, s).map(Numbers::Scalar))
    }

    fn whitened(&self, adv: &Grid, s: &Settings) -> Grid {
        let (p, mask) = (self.p, &self.inputs.mask);
        let Some(how) = s.whitening else { return p.each(mask, |slot| adv[slot]) };
        if self.together.len() < 2 {
            return budget::whiten(p, adv, mask, how);
        }
        let of_rows = |rows: &Range<usize>| {
            let (b, t_len) = mask.shape();
            let has = |row, t| rows.contains(&row) && mask.has((row, t));
            budget::whiten(p, adv, &Mask::new(DMatrix::from_fn(b, t_len, has)), how)
        };
        let all: Vec<Grid> = self.together.iter().map(of_rows).collect();
        let at = |row: usize| self.together.iter().position(|rows| rows.contains(&row));
        p.each(mask, |slot| at(slot.0).map_or(p.given(f64::NAN), |rank| all[rank][slot]))
    }

    fn kl(&self, s: &Settings) -> Option<Grid> {
        let Inputs { mask, old_log_probs, ref_log_probs, .. } = &*self.inputs;
        let [old, logp_ref] = [self.read(old_log_probs.as_ref())?, self.read(ref_log_probs.as_ref())?];
        Some(budget::kl(self.p, &old, &logp_ref, mask, s.kl))
    }

    fn token_rewards(&self, s: &Settings) -> Option<Grid> {
        let inputs = &*self.inputs;
        let placed = reward_operands(inputs.scores.as_ref()?, None, inputs).placed(s);
        let kl = self.grid("kl", s);
        Some(budget::reward(self.p, &placed, kl.as_ref(), s.beta_kl, &inputs.value_mask))
    }

    /// The rewards that GAE reads.
    pub fn rewards(&self, s: &Settings) -> Option<Grid> {
        self.grid("token_rewards", s).or_else(|| self.read(self.inputs.rewards.as_ref()))
    }

    fn advantages(&self, s: &Settings, lambda: f64) -> Option<Grid> {
        let Inputs { value_mask, old_values, ends, .. } = &*self.inputs;
        let (r, v) = (self.rewards(s)?, self.read(old_values.as_ref())?);
        Some(budget::gae(self.p, &r, &v, value_mask, ends.as_ref()?, s.gap, s.gamma, lambda))
    }

    /// Advantages before whitening.
    pub fn raw(&self, s: &Settings) -> Option<Grid> {
        self.grid("advantages_raw", s).or_else(|| self.read(self.inputs.advantages_raw.as_ref()))
    }

    /// Advantages as the policy loss reads them.
    pub fn adv(&self, s: &Settings) -> Option<Grid> {
        self.grid("whitened", s).or_else(|| self.read(self.inputs.advantages.as_ref()))
    }

    fn returns(&self, s: &Settings) -> Option<Grid> {
        let from = match s.lambda_critic {
            _ if s.listing.returns_from_whitened => self.adv(s)?,
            // A mistake of the advantages is one of these too: they are the same function.
            Some(lambda) => match self.output("advantages_raw", &Settings { lambda, ..*s })? {
                Numbers::PerToken(adv) => adv,
                Numbers::Scalar(_) | Numbers::Logits(_) => return None,
            },
            None => self.raw(s)?,
        };
        let v_old = self.read(self.inputs.old_values.as_ref())?;
        Some(budget::returns(self.p, &from, &v_old, &self.inputs.value_mask))
    }
}

/// The rows that are whitened together: all of the batch, or each rank's.
fn together(dump: &Dump, chosen: &Chosen) -> Vec<Range<usize>> {
    match chosen.whiten_over {
        WhitenOver::Batch => std::iter::once(0..dump.shape().b).collect(),
        WhitenOver::Rank => dump.ranks(),
    }
}

/// The unit roundoff of a dtype.
fn unit_of(dtype: Dtype) -> f64 {
    match dtype {
        Dtype::BF16 => 1.0 / 256.0,
        Dtype::F16 => 1.0 / 2048.0,
        Dtype::F32 => 1.0 / 16_777_216.0,
        _ => 0.0,
    }
}

/// The unit roundoff of a dtype that is coarser than the arithmetic.
fn rounding(dtype: Dtype, p: Precision) -> f64 {
    let of_dtype = unit_of(dtype);
    if of_dtype > p.unit() { of_dtype } else { 0.0 }
}
