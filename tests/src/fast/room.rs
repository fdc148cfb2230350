//! Room for an output: filled with a NaN that no arithmetic makes, between sentinels.

use optimized::Logit;

/// Elements of a fence: 256 bytes, more than any vector.
const FENCE: usize = 64;
/// A NaN with a payload of its own: whoever leaves a slot alone leaves this.
const UNTOUCHED: u32 = 0x7fd5_0000;
/// A bf16 holds it too.
const SENTINEL: f32 = -12352.0;

/// An output buffer between two fences.
#[derive(Debug)]
pub struct Room {
    buffer: Vec<f32>,
    width: usize,
    asked: bool,
}

impl Room {
    pub(super) fn new(n: usize, width: usize, asked: bool) -> Room {
        let mut buffer = vec![SENTINEL; n + 2 * FENCE];
        buffer[FENCE..n + FENCE].fill(f32::from_bits(UNTOUCHED));
        Room { buffer, width, asked }
    }

    /// The output to hand to a call; none where it is not asked for.
    pub fn out(&mut self) -> Option<&mut [f32]> {
        self.asked.then(|| self.must())
    }

    /// The output of a term that cannot do without.
    pub fn must(&mut self) -> &mut [f32] {
        self.asked = true;
        let end = self.buffer.len() - FENCE;
        &mut self.buffer[FENCE..end]
    }

    /// Room for a call that writes another format: it gets a copy of the output, between fences too.
    pub fn with<X: Logit, T>(&mut self, call: impl FnOnce(&mut [X]) -> T) -> T {
        self.asked = true;
        let mut copy: Vec<X> = self.buffer.iter().map(|x| X::narrow(*x)).collect();
        let end = copy.len() - FENCE;
        let done = call(&mut copy[FENCE..end]);
        self.buffer = copy.into_iter().map(X::widen).collect();
        done
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn is_untouched(x: f32) -> bool {
        x.to_bits() == UNTOUCHED
    }

    pub(super) fn written(&self, name: &str) -> Option<&[f32]> {
        let (before, rest) = self.buffer.split_at(FENCE);
        let (out, after) = rest.split_at(rest.len() - FENCE);
        let whole = |fence: &[f32]| fence.iter().all(|x| x.to_bits() == SENTINEL.to_bits());
        assert!(whole(before), "{name}: wrote before its output");
        assert!(whole(after), "{name}: wrote after its output");
        self.asked.then_some(out)
    }
}
