//! Log-prob and entropy of logits, and their gradient in place.

use crate::device::{Table, Work, numbers, same_bits};
use conformance::cases::Rng;
use optimized::{
    Backend, Logit, Mask, TokenOut, TokenStats,
    cuda::{self, Batch, Buffer, Logits, LogitsMut},
    token_pass, token_pass_grad_in_place,
};
use std::error::Error;

/// Seeded logits of a format, a stretch of which comes again and again.
fn logits<X: Logit>(rng: &mut Rng, n: usize) -> Vec<X> {
    let stretch: Vec<X> = numbers(rng, n.min(1 << 20)).into_iter().map(X::narrow).collect();
    stretch.into_iter().cycle().take(n).collect()
}

/// What each of the bits is in f32, of so many at a time.
fn same<X: Logit>(work: &str, got: &[X], want: &[X]) -> Result<(), Box<dyn Error>> {
    let wide = |x: &[X]| x.iter().map(|x| x.widen()).collect::<Vec<f32>>();
    let parts = got.chunks(1 << 20).zip(want.chunks(1 << 20));
    parts.into_iter().try_for_each(|(got, want)| same_bits(work, &wide(got), &wide(want)))
}

impl Table<'_> {
    /// `to_reach`: the shares of the ceilings, of the forward pass and of the gradient.
    pub(crate) fn of_logits<X: Logit>(
        &self,
        n: usize,
        vocab: usize,
        to_reach: [Option<f64>; 2],
    ) -> Result<(), Box<dyn Error>> {
        let (on, best, valid) = (self.on, Backend::best(), vec![true; n]);
        let mask = Mask::padded(&valid, 1, n)?;
        let batch = Batch::new(on, &mask)?;
        let mut rng = Rng::new(6);
        let mut host = logits::<X>(&mut rng, n * vocab);
        let actions: Vec<u32> = (0..n).map(|i| (i * 7919 % vocab) as u32).collect();
        let g = numbers(&mut rng, n);
        let (mut on_logits, on_actions) = (Buffer::new(on, &host)?, Buffer::new(on, &actions)?);
        let on_g = Buffer::new(on, &g)?;
        let [logp, ent, max, ln_sum] = [(); 4].map(|()| Buffer::<f32>::room(on, n));
        let mut rooms = [logp?, ent?, max?, ln_sum?];
        let (width, format) = (size_of::<X>(), if size_of::<X>() == 4 { "f32" } else { "bf16" });

        let name = format!("token_pass {format}, {n} × {vocab}");
        let work =
            Work { name, bytes: width * n * vocab, writes: false, extra: 16 * n, to_reach: to_reach[0] };
        let seconds = self.time(&mut |on| {
            let [logp, ent, max, ln_sum] = rooms.each_mut().map(|room| Some(room.view_mut()));
            let out = cuda::TokenOut { logp, ent, max, ln_sum, ..cuda::TokenOut::default() };
            let x = Logits::strided(on_logits.view(), vocab, vocab)?;
            cuda::token_pass(on, x, on_actions.view(), &batch, 1.0, 1.0, out)
        })?;
        let mut want = [(); 4].map(|()| vec![0.0; n]);
        let [logp, ent, max, ln_sum] = want.each_mut().map(|room| Some(&mut room[..]));
        let out = TokenOut { logp, ent, max, ln_sum, ..TokenOut::default() };
        token_pass(best, optimized::Logits::new(&host, vocab)?, &actions, &mask, 1.0, 1.0, out)?;
        for (room, want) in rooms.iter().zip(&want) {
            same_bits(&work.name, &room.read(on)?, want)?;
        }
        self.line(&work, seconds);

        let name = format!("token_pass gradient in place {format}, {n} × {vocab}");
        let work = Work { name, bytes: 2 * width * n * vocab, writes: true, extra: 0, to_reach: to_reach[1] };
        let run = |on: &cuda::Stream, logits: &mut Buffer<X>| {
            let [_, ent, max, ln_sum] = rooms.each_ref().map(Buffer::view);
            let stats = cuda::TokenStats { ent, max, ln_sum, of_ent: None };
            let place = LogitsMut::strided(logits.view_mut(), vocab, vocab)?;
            let (actions, g) = (on_actions.view(), on_g.view());
            cuda::token_pass_grad_in_place(on, place, actions, &batch, 1.0, 1.0, stats, g, g)
        };
        run(on, &mut on_logits)?;
        let [_, ent, max, ln_sum] = &want;
        let stats = TokenStats { ent, max, ln_sum, of_ent: None };
        let place = optimized::LogitsMut::new(&mut host, vocab)?;
        token_pass_grad_in_place(best, place, &actions, &mask, 1.0, 1.0, stats, &g, &g)?;
        same(&work.name, &on_logits.read(on)?, &host)?;
        // From here on each run replaces what the one before left: numbers of no meaning, of the same cost.
        let seconds = self.time(&mut |on| run(on, &mut on_logits))?;
        self.line(&work, seconds);
        Ok(())
    }
}
