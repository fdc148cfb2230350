//! `whiten`: Â in, Âʷ out. The order asks for the mean before the squares, so Â is read three times.

use crate::work::{Work, normals};
use ppo_benches::verl;

/// Sample variance and ε under the root, as verl and TRL have it.
pub(crate) fn shifted(size: (usize, usize)) -> Work<f32> {
    Work::of_tokens("whiten", size, normals(1, size, 2.0), 1, |on, mask, reads, writes| {
        let said = verl::whiten(on, mask, reads, writes)?;
        Ok(vec![said.mean, said.var])
    })
}
