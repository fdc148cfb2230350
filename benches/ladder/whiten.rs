//! `whiten`: Â in, Âʷ out. The order asks for the mean before the squares, so Â is read three times.

use crate::work::{Work, normals};
use ppo_benches::verl;

/// Sample variance and ε under the root, as verl and TRL have it: 1 operation for the mean, 3 for the variance, 2 for
/// what is written.
pub(crate) fn shifted(size: (usize, usize)) -> Work<f32> {
    Work::of_tokens("whiten", 6, size, normals(1, size, 2.0), 1, |on, mask, reads, writes| {
        let said = verl::whiten(on, mask, reads, writes)?;
        Ok(vec![said.mean, said.var])
    })
}
