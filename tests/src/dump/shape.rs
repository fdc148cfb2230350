//! B, L and V of a file, and the sentence for a tensor that disagrees.

use super::{
    BadInput, Header, Roles, Tensor,
    error::{bad, plain},
    names::{Axes, INPUTS, Kind, OUTPUTS, Row},
    tensor::{flag, id, number},
};

/// The most slots of a (B, L) tensor: 2^26, half a gigabyte as f64.
pub const MOST_SLOTS: usize = 1 << 26;
/// The largest vocabulary: 2^24.
pub const MOST_VOCAB: usize = 1 << 24;

/// The sizes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Sequences.
    pub b: usize,
    /// Response tokens of a sequence, padding included.
    pub t_len: usize,
    /// Of the logits, if there are any.
    pub vocab: Option<usize>,
    /// The tensor that says `b` and `t_len`, by its name in the file.
    pub(crate) from: String,
}

/// A tensor with the row that it fills.
type Role<'a> = (&'static Row, &'a Tensor);

/// The sizes, after every tensor with a role has been held against them.
pub(crate) fn check(header: &Header, roles: &Roles) -> Result<Shape, BadInput> {
    let filled = |(row, name): (&'static Row, &String)| {
        header.tensors.iter().find(|tensor| tensor.name == *name).map(|tensor| (row, tensor))
    };
    let named = |table: &'static [Row], names: &std::collections::BTreeMap<&'static str, String>| {
        let rows = table.iter().filter_map(|row| Some((row, names.get(row.name)?)));
        rows.filter_map(filled).collect::<Vec<Role>>()
    };
    let inputs = named(INPUTS, &roles.inputs);
    let outputs = named(OUTPUTS, &roles.outputs);
    if inputs.is_empty() {
        return Err(bad!("the file has {} tensors, and none of them is an input", header.tensors.len()));
    }
    for role in inputs.iter().chain(&outputs) {
        check_kind(*role)?;
        check_rank(*role)?;
    }
    let shape = sizes(&inputs)?;
    for role in inputs.iter().chain(&outputs) {
        check_axes(*role, &shape)?;
    }
    Ok(shape)
}

/// B and L from the first (B, L) tensor of the table, which begins with `response_mask`; V from the logits.
/// Values say them last, since they are the ones that often hold one column more.
fn sizes(inputs: &[Role]) -> Result<Shape, BadInput> {
    let wide = |(row, tensor): &&Role| row.axes != Axes::Logits && tensor.shape.len() == 2;
    let logits = inputs.iter().find(|(row, _)| row.axes == Axes::Logits);
    let aligned = |role: &&Role| wide(role) && !of_values(role.0);
    let Some((_, first)) = inputs.iter().find(aligned).or_else(|| inputs.iter().find(wide)).or(logits) else {
        return Err(bad!("no input is (B, L), so the number of response tokens is not known"));
    };
    let (b, t_len, name) = (first.shape[0], first.shape[1], plain(&first.name));
    if b == 0 || t_len == 0 {
        return Err(bad!("`{name}` is {b} × {t_len}: there is no token"));
    }
    if b.checked_mul(t_len).is_none_or(|slots| slots > MOST_SLOTS) {
        return Err(bad!(
            "`{name}` is {b} × {t_len}, and at most {MOST_SLOTS} slots are read: split the batch"
        ));
    }
    let vocab = match logits {
        Some((_, logits)) if !(1..=MOST_VOCAB).contains(&logits.shape[2]) => {
            let (name, vocab) = (plain(&logits.name), logits.shape[2]);
            return Err(bad!("`{name}` has a vocabulary of {vocab}, and it must be 1 to {MOST_VOCAB}"));
        }
        logits => logits.map(|(_, logits)| logits.shape[2]),
    };
    Ok(Shape { b, t_len, vocab, from: first.name.clone() })
}

fn check_kind((row, tensor): Role) -> Result<(), BadInput> {
    match row.kind {
        Kind::Number => number(tensor).map(|_| ()),
        Kind::Flag => flag(tensor).map(|_| ()),
        Kind::Id => id(tensor).map(|_| ()),
    }
}

fn check_rank((row, tensor): Role) -> Result<(), BadInput> {
    let axes = if tensor.name == "token_level_scores" { Axes::Token } else { row.axes };
    let (legal, wanted) = match axes {
        Axes::Scalar => (tensor.shape.is_empty() || tensor.shape == [1], "one number"),
        Axes::Row => (tensor.shape.len() == 1, "(B)"),
        Axes::Token => (tensor.shape.len() == 2, "(B, L)"),
        Axes::RowOrToken => (matches!(tensor.shape.len(), 1 | 2), "(B) or (B, L)"),
        Axes::Logits => (tensor.shape.len() == 3, "(B, L, V)"),
    };
    if legal {
        return Ok(());
    }
    Err(bad!("`{}` has shape {:?}, and must be {wanted}", plain(&tensor.name), tensor.shape))
}

fn check_axes((row, tensor): Role, shape: &Shape) -> Result<(), BadInput> {
    if row.axes == Axes::Scalar {
        return Ok(());
    }
    let (name, from) = (plain(&tensor.name), plain(&shape.from));
    if tensor.shape[0] != shape.b {
        return Err(bad!("`{name}` has {} rows, and `{from}` has {}", tensor.shape[0], shape.b));
    }
    match tensor.shape.get(1) {
        Some(width) if *width != shape.t_len => {
            return Err(width_error(row, &name, *width, &from, shape.t_len));
        }
        _ => {}
    }
    match (tensor.shape.get(2), shape.vocab) {
        (Some(vocab), Some(wanted)) if *vocab != wanted => {
            Err(bad!("`{name}` has a vocabulary of {vocab}, and `logits` of {wanted}"))
        }
        _ => Ok(()),
    }
}

fn of_values(row: &Row) -> bool {
    matches!(row.name, "old_values" | "values")
}

/// How to make a tensor of another width fit.
fn width_error(row: &Row, name: &str, width: usize, from: &str, t_len: usize) -> BadInput {
    let widths = format!("`{name}` is {width} wide, and `{from}` is {t_len}");
    if width < t_len {
        return bad!(
            "{widths}: each holds one column per response token, padding included; if `{from}` still carries the \
             prompt, pass `{from}[:, -{width}:]`"
        );
    }
    let values = of_values(row);
    if values && width == t_len + 1 {
        return bad!(
            "{widths}: if its last column is V after the last token, pass `{name}[:, :-1]`, and V after the last \
             valid token as `last_values` (B)"
        );
    }
    if values || row.axes == Axes::Logits {
        return bad!(
            "{widths}: if it still carries the prompt, pass `{name}[:, -{}:-1]` where position t comes before \
             token t + 1, as models return it, or `{name}[:, -{t_len}:]` where it is aligned",
            t_len + 1
        );
    }
    bad!("{widths}: if it still carries the prompt, pass `{name}[:, -{t_len}:]`")
}
