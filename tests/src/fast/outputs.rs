//! What a fast term gave, and how two such are compared: bit by bit.

use super::{Laid, room::Room};

/// One output.
#[derive(Debug, Clone)]
pub enum Value {
    /// One number.
    Number(f32),
    /// Numbers a slot, b × t_len of them row by row, +0 in masked slots.
    Tokens(Vec<f32>),
}

impl Value {
    /// The numbers in their order.
    pub fn numbers(&self) -> &[f32] {
        match self {
            Value::Number(x) => core::slice::from_ref(x),
            Value::Tokens(x) => x,
        }
    }
}

/// Every output of one call, by name.
#[derive(Debug, Clone, Default)]
pub struct Outputs(pub Vec<(&'static str, Value)>);

impl Outputs {
    /// None yet.
    pub fn new() -> Outputs {
        Outputs::default()
    }

    /// With what was written into a room of the call, if it was asked for.
    #[must_use]
    pub fn tokens(mut self, name: &'static str, x: &Laid, room: &Room) -> Outputs {
        self.0.extend(x.read(name, room).map(|x| (name, Value::Tokens(x))));
        self
    }

    /// With one number.
    #[must_use]
    pub fn number(mut self, name: &'static str, x: f32) -> Outputs {
        self.0.push((name, Value::Number(x)));
        self
    }

    /// The output of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(of, _)| *of == name).map(|(_, value)| value)
    }

    /// The rows that follow, of the same outputs per token.
    pub(super) fn append(&mut self, next: Outputs) {
        if self.0.is_empty() {
            *self = next;
            return;
        }
        for ((_, all), (_, next)) in self.0.iter_mut().zip(next.0) {
            if let (Value::Tokens(all), Value::Tokens(next)) = (all, next) {
                all.extend(next);
            }
        }
    }

    /// The outputs that are per token, with their rows in this order.
    #[must_use]
    pub fn rows(&self, order: &[usize]) -> Outputs {
        let of_rows = |x: &Vec<f32>| {
            let n = x.len() / order.len().max(1);
            Value::Tokens(order.iter().flat_map(|row| x[row * n..(row + 1) * n].to_vec()).collect())
        };
        let per_token = self.0.iter().filter_map(|(name, value)| match value {
            Value::Tokens(x) => Some((*name, of_rows(x))),
            Value::Number(_) => None,
        });
        Outputs(per_token.collect())
    }

    /// Where these and the other's outputs of the same names first differ in a bit; any NaN equals any NaN.
    pub fn difference(&self, other: &Outputs) -> Option<String> {
        let mut compared = 0;
        for (name, mine) in &self.0 {
            let Some(theirs) = other.get(name) else { continue };
            compared += 1;
            let (mine, theirs) = (mine.numbers(), theirs.numbers());
            if mine.len() != theirs.len() {
                return Some(format!("{name} has {} and {} numbers", mine.len(), theirs.len()));
            }
            if let Some(at) = (0..mine.len()).find(|at| bits(mine[*at]) != bits(theirs[*at])) {
                return Some(format!("{name}[{at}] is {:e} and {:e}", mine[at], theirs[at]));
            }
        }
        (compared == 0).then(|| "they have no output in common".to_owned())
    }

    /// FNV-1a over the bits of every number, in order.
    pub fn hash(&self) -> u64 {
        let bytes = self.0.iter().flat_map(|(_, value)| value.numbers()).flat_map(|x| bits(*x).to_le_bytes());
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// The bits of a number, those of 0x7fc00000 for any NaN.
fn bits(x: f32) -> u32 {
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
}
