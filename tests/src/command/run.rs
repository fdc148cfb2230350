//! A run of the step on a dump: every term beside the file's own, and the file of `--out`.

use conformance::{
    budget::{Budget, Precision},
    dump::{BadInput, Chosen, Dump, Entry, Inputs, Writer},
    engine::Engine,
    evaluate::{Evaluation, evaluate, grad_logits_row},
    outputs::{GRAD_LOGITS, OUTPUTS, Value},
    report::{Line, Place, Worst, lines},
};
use reference::Settings;
use std::path::Path;

/// Written beside the outputs, so that a reader of them knows which slots count.
const MASK: &str = "response_mask";

/// Everything that a run of the step needs and makes.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) chosen: Chosen,
    pub(crate) inputs: Inputs,
    pub(crate) evaluation: Evaluation,
    pub(crate) lines: Vec<Line>,
}

impl Run {
    /// Evaluates an open dump; with a precision, each line also says what its difference may be.
    pub(crate) fn of(
        engine: Engine,
        dump: &Dump,
        chosen: Chosen,
        precision: Option<Precision>,
        out: Option<&Path>,
    ) -> Result<Run, BadInput> {
        let mut inputs = Inputs::load(dump, &chosen)?;
        let evaluation = evaluate(engine, &mut inputs, &chosen)?;
        let budget = match precision {
            Some(p) => Some(Budget::of(p, &evaluation, &mut inputs, &chosen)?),
            None => None,
        };
        let masks = (&inputs.mask, &inputs.value_mask);
        let mut lines = lines(&evaluation, masks, dump, budget.as_ref())?;
        let mut run = Run { engine, chosen, inputs, evaluation, lines: Vec::new() };
        lines.extend(run.grad_logits(dump, budget.as_ref(), out)?);
        run.lines = lines;
        Ok(run)
    }

    /// One pass over the logits, token by token: their gradient is compared with the file's where it has one,
    /// and written, after every other output, where `out` is given.
    fn grad_logits(
        &mut self,
        dump: &Dump,
        budget: Option<&Budget>,
        out: Option<&Path>,
    ) -> Result<Option<Line>, BadInput> {
        let target = out.map_or(String::new(), |out| out.display().to_string());
        let of_out = |err| BadInput::new(format!("--out {target}: {err}"));
        let settings = self.chosen.settings.as_listed();
        let mut theirs = dump.output_rows(GRAD_LOGITS.name);
        let computed = self.has_grad_logits();
        let mut writer = match out {
            Some(path) => Some(self.start_writing(path, computed).map_err(of_out)?),
            None => None,
        };
        let mut worst = Worst::NONE;
        if computed && (theirs.is_some() || writer.is_some()) {
            let (b, t_len) = self.inputs.mask.shape();
            let vocab = self.inputs.logits.as_ref().map_or(0, |logits| logits.vocab());
            let (mut z, mut row_of_file) = (Vec::with_capacity(vocab), Vec::with_capacity(vocab));
            for slot in (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))) {
                let Some(ours) = self.grad_row(&settings, slot, &mut z)? else { continue };
                if let (Some(theirs), true) = (&mut theirs, self.inputs.mask.has(slot)) {
                    theirs.row(slot, &mut row_of_file)?;
                    let allowed =
                        budget.and_then(|budget| budget.grad_logits_row(&self.inputs, &settings, slot, &z));
                    see_row(&mut worst, slot, &ours, &row_of_file, allowed.as_deref());
                }
                if let Some(writer) = &mut writer {
                    writer.part(GRAD_LOGITS.name, &ours).map_err(of_out)?;
                }
            }
        }
        writer.map_or(Ok(()), Writer::finish).map_err(of_out)?;
        Ok(worst.line())
    }

    fn has_grad_logits(&self) -> bool {
        let e = &self.evaluation;
        self.inputs.logits.is_some() && e.logp.is_some() && e.grad_logp.is_some() && e.grad_ent.is_some()
    }

    /// The gradient of one slot's logits: +0 where it is masked.
    fn grad_row(
        &mut self,
        settings: &Settings,
        slot: (usize, usize),
        z: &mut Vec<f64>,
    ) -> Result<Option<Vec<f64>>, BadInput> {
        let action = self.inputs.actions.as_ref().map(|actions| actions[slot]);
        let Some(logits) = self.inputs.logits.as_mut() else { return Ok(None) };
        if !self.inputs.mask.has(slot) {
            return Ok(Some(vec![0.0; logits.vocab()]));
        }
        logits.row(slot, action, z)?;
        grad_logits_row(self.engine, &self.evaluation, &self.inputs, settings, slot, z)
    }

    /// Opens the file of `--out` and writes all but the gradient of the logits, which comes last.
    fn start_writing(&self, path: &Path, grad_logits: bool) -> Result<Writer, BadInput> {
        let (b, t_len) = self.inputs.mask.shape();
        let values =
            || OUTPUTS.iter().filter_map(|output| Some((output.name, self.evaluation.output(output.name)?)));
        let shape = |value: &Value<'_>| match value {
            Value::Scalar(_) => vec![],
            Value::PerToken(_) => vec![b, t_len],
        };
        let mut entries = vec![Entry::new(MASK, vec![b, t_len])];
        entries.extend(values().map(|(name, value)| Entry::new(name, shape(&value))));
        if let (true, Some(logits)) = (grad_logits, &self.inputs.logits) {
            entries.push(Entry::new(GRAD_LOGITS.name, vec![b, t_len, logits.vocab()]));
        }
        let mut writer = Writer::create(path, &entries, &self.chosen.metadata())?;
        writer.matrix(MASK, &self.inputs.mask.each(|_| 1.0))?;
        for (name, value) in values() {
            match value {
                Value::Scalar(x) => writer.scalar(name, x)?,
                Value::PerToken(x) => writer.matrix(name, x)?,
            }
        }
        Ok(writer)
    }

    /// What was left out, lost or not read, one sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.inputs.notes.iter().chain(&self.evaluation.notes).cloned().collect()
    }
}

fn see_row(
    worst: &mut Worst,
    (row, t): (usize, usize),
    ours: &[f64],
    theirs: &[f64],
    allowed: Option<&[f64]>,
) {
    for (v, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        worst.see(Line {
            output: GRAD_LOGITS,
            place: Place::Logit(row, t, v),
            ours: *ours,
            theirs: Some(*theirs),
            allowed: allowed.map(|allowed| allowed[v]),
        });
    }
}
