//! Terms of arrays with one number a token: GAE with returns, and the losses with their gradients.

use crate::device::{Table, Work, numbers, same_bits};
use conformance::cases::Rng;
use optimized::{
    Agg, Backend, Gap, Grad, Half, Mask, PolicyOut, Settings, ValueClip, ValueOut,
    cuda::{self, Batch, Buffer},
};
use std::error::Error;

const EPS_V: f64 = 0.2;
/// Slots of one fma of the chain of a row.
const GROUP: usize = 8;

impl Table<'_> {
    pub(crate) fn of_tokens(&self, (b, t_len): (usize, usize)) -> Result<(), Box<dyn Error>> {
        let (on, best, n) = (self.on, Backend::best(), b * t_len);
        let valid: Vec<bool> = (0..n).map(|slot| slot % t_len + slot / t_len % 8 < t_len).collect();
        let mask = Mask::padded(&valid, b, t_len)?;
        let batch = Batch::new(on, &mask)?;
        let mut rng = Rng::new(5);
        let host = [numbers(&mut rng, n), numbers(&mut rng, n), numbers(&mut rng, n)];
        let x = host.iter().map(|x| Buffer::new(on, x)).collect::<Result<Vec<_>, _>>()?;
        let [x0, x1, x2] = [x[0].view(), x[1].view(), x[2].view()];
        let mut first = Buffer::<f32>::room(on, n)?;
        let mut second = Buffer::<f32>::room(on, n)?;
        let (mut two, mut four) = (Buffer::<f32>::room(on, 2)?, Buffer::<f32>::room(on, 4)?);
        let mut scratch = Buffer::<f32>::room(on, batch.scratch_len())?;
        let clip = Settings::default().clip;
        let (form, agg, half, gap) = (ValueClip::Max, Agg::TokenMean, Half::Yes, Gap::Skip);
        // Two or three arrays read, two or one written.
        let work = |term: &str, written: usize, to_reach| Work {
            name: format!("{term}, {b} × {t_len}"),
            bytes: 16 * n,
            writes: true,
            extra: 4 * (written + batch.scratch_len()),
            to_reach,
        };

        let large = (16 * n > 64_000_000).then_some(0.85);
        let gae = work("gae with returns", 2 * n, large);
        let seconds = self.time(&mut |on| {
            let out = cuda::GaeOut { adv: first.view_mut(), ret: Some(second.view_mut()) };
            let (ends, lambda) = (cuda::Ends::default(), cuda::Lambda::One(0.95));
            cuda::gae(on, x0, x1, &batch, &ends, gap, 0.99, lambda, out, scratch.view_mut())
        })?;
        let (mut adv, mut ret) = (vec![0.0; n], vec![0.0; n]);
        let out = optimized::GaeOut { adv: &mut adv, ret: Some(&mut ret) };
        let (ends, lambda) = (optimized::Ends::default(), optimized::Lambda::One(0.95));
        optimized::gae(best, &host[0], &host[1], &mask, &ends, gap, 0.99, lambda, out)?;
        same_bits(&gae.name, &first.read(on)?, &adv)?;
        same_bits(&gae.name, &second.read(on)?, &ret)?;
        self.line(&gae, seconds);
        if b == 1 {
            self.chain(&gae.name, n.div_ceil(GROUP) as u32, seconds)?;
        }

        let many = (n >= 1 << 26).then_some(0.9);
        let value = work("value_loss with gradient", n + 2, many);
        let seconds = self.time(&mut |on| {
            let grad = Some(cuda::Grad { c: 1.0, to: first.view_mut() });
            let out = cuda::ValueOut { per_token: None, grad, figures: two.view_mut() };
            cuda::value_loss(on, x0, x1, x2, &batch, EPS_V, form, agg, half, out, scratch.view_mut())
        })?;
        let grad = Some(Grad { c: 1.0, to: &mut adv });
        let out = ValueOut { grad, ..ValueOut::default() };
        let [v, v_old, returns] = &host;
        let said = optimized::value_loss(best, v, v_old, returns, &mask, EPS_V, form, agg, half, out)?;
        same_bits(&value.name, &first.read(on)?, &adv)?;
        same_bits(&value.name, &two.read(on)?, &[said.loss, said.clip_frac])?;
        self.line(&value, seconds);

        let policy = work("policy_loss with gradient", n + 4, many);
        let seconds = self.time(&mut |on| {
            let grad = Some(cuda::Grad { c: 1.0, to: first.view_mut() });
            let out = cuda::PolicyOut { per_token: None, ratio: None, grad, figures: four.view_mut() };
            cuda::policy_loss(on, x0, x1, x2, &batch, None, &clip, agg, out, scratch.view_mut())
        })?;
        let grad = Some(Grad { c: 1.0, to: &mut adv });
        let out = PolicyOut { grad, ..PolicyOut::default() };
        let said = optimized::policy_loss(best, v, v_old, returns, &mask, None, &clip, agg, out)?;
        let said = [said.loss, said.clip_frac, said.clip_frac_lower, said.approx_kl];
        same_bits(&policy.name, &first.read(on)?, &adv)?;
        same_bits(&policy.name, &four.read(on)?, &said)?;
        self.line(&policy, seconds);
        Ok(())
    }
}
