//! `whiten`: Â in, Âʷ out. The order asks for the mean before the squares, so Â is read three times.

use crate::work::{Work, normals};
use optimized::{EpsAt, ShiftMean, Variance, Whitening, whiten};

/// Sample variance and ε under the root, as verl and TRL have it.
pub(crate) fn shifted(size: (usize, usize)) -> Work<f32> {
    const HOW: Whitening = Whitening {
        variance: Variance::Sample,
        eps_at: EpsAt::UnderRoot,
        eps_w: 1e-8,
        shift_mean: ShiftMean::Yes,
    };
    Work::of_tokens("whiten", size, normals(1, size, 2.0), 1, |on, mask, reads, writes| {
        let said = whiten(on, &reads[0], mask, HOW, &mut writes[0])?;
        Ok(vec![said.mean, said.var])
    })
}
