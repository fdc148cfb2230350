//! A batch as a caller of the fast path may hold it: in some layout, with anything in the slots that nobody
//! may read.

use super::{Batch, batch::Array, room::Room};
use optimized::{Counts, Mask};

/// How rows lie in the flat arrays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Layout {
    /// Row-major (B, L).
    Padded,
    /// With that many masked slots more at the end of every row.
    Wider(usize),
    /// Rows that begin that many slots farther apart than they are long; the last one ends the buffer.
    Strided(usize),
    /// One after the other, each only as long as it reaches its last valid token.
    Packed,
}

/// The arrays of a call.
#[derive(Debug)]
pub struct Laid {
    tokens: Vec<Array>,
    rows: Vec<(&'static str, Vec<f32>)>,
    valid: Vec<bool>,
    layout: Layout,
    /// b, and the slots of a row here.
    shape: (usize, usize),
    /// Where rows begin, and the number of slots.
    starts: Vec<usize>,
    /// The place of each slot of the batch, where it has one.
    place: Vec<Option<usize>>,
    part: Option<(u64, Counts)>,
    asked: bool,
}

impl Laid {
    /// The batch in that layout. Masked slots hold `poison` where it is given, else what the batch has there.
    pub fn new(batch: &Batch, layout: Layout, poison: Option<f32>) -> Laid {
        let Batch { b, t_len, .. } = *batch;
        let length = |row: usize| match layout {
            Layout::Packed => {
                let valid = &batch.valid[row * t_len..(row + 1) * t_len];
                valid.iter().rposition(|valid| *valid).map_or(0, |last| last + 1)
            }
            Layout::Wider(more) => t_len + more,
            Layout::Padded | Layout::Strided(_) => t_len,
        };
        let between = if let Layout::Strided(more) = layout { more } else { 0 };
        let mut starts = vec![0];
        for row in 0..b {
            starts.push(starts[row] + length(row) + between);
        }
        if b > 0 {
            starts[b] -= between;
        }
        let place: Vec<Option<usize>> = (0..b * t_len)
            .map(|slot| {
                let (row, t) = (slot / t_len, slot % t_len);
                (t < length(row)).then_some(starts[row] + t)
            })
            .collect();
        let mut laid = Laid {
            tokens: Vec::new(),
            rows: batch.rows.clone(),
            valid: vec![false; starts[b]],
            layout,
            shape: (b, if let Layout::Wider(more) = layout { t_len + more } else { t_len }),
            starts,
            place,
            part: None,
            asked: true,
        };
        for (slot, place) in laid.place.iter().enumerate() {
            place.iter().for_each(|place| laid.valid[*place] = batch.valid[slot]);
        }
        laid.tokens = batch.tokens.iter().map(|array| laid.lay(array, &batch.valid, poison)).collect();
        laid
    }

    fn lay(&self, array: &Array, valid: &[bool], poison: Option<f32>) -> Array {
        let width = array.width;
        let mut x = vec![poison.unwrap_or(0.5); self.valid.len() * width];
        for (slot, place) in self.place.iter().enumerate() {
            if let (Some(place), true) = (place, valid[slot] || poison.is_none()) {
                x[place * width..(place + 1) * width]
                    .copy_from_slice(&array.x[slot * width..(slot + 1) * width]);
            }
        }
        Array { x, ..*array }
    }

    /// The same as rows of a larger batch: the index of the first, and the counts of the whole.
    #[must_use]
    pub fn part_of(self, first_row: u64, whole: Counts) -> Laid {
        Laid { part: Some((first_row, whole)), ..self }
    }

    /// The same, and no per-token output is asked for.
    #[must_use]
    pub fn silent(self) -> Laid {
        Laid { asked: false, ..self }
    }

    /// The mask of the call.
    ///
    /// # Panics
    ///
    /// If the fast path refuses the layout.
    pub fn mask(&self) -> Mask<'_> {
        let (b, t_len) = self.shape;
        let mask = match self.layout {
            Layout::Packed => Mask::packed(&self.valid, &self.starts),
            Layout::Strided(more) => Mask::strided(&self.valid, b, t_len, t_len + more),
            Layout::Padded | Layout::Wider(_) => Mask::padded(&self.valid, b, t_len),
        };
        let mask = mask.expect("a mask of the layout");
        self.part.map_or(mask, |(first_row, whole)| mask.part_of(first_row, whole))
    }

    /// An array, in the mask's layout.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn get(&self, name: &str) -> &[f32] {
        let found = self.tokens.iter().find(|array| array.name == name);
        &found.unwrap_or_else(|| panic!("laid: no array `{name}`")).x
    }

    /// The numbers a slot of an array; 0 where there is none of that name.
    pub fn width(&self, name: &str) -> usize {
        self.tokens.iter().find(|array| array.name == name).map_or(0, |array| array.width)
    }

    /// Whether every output is asked for.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// The same as flags: whatever is not 0 is set.
    pub fn flags(&self, name: &str) -> Vec<bool> {
        self.get(name).iter().map(|x| *x != 0.0).collect()
    }

    /// One number a row.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn row(&self, name: &str) -> &[f32] {
        let found = self.rows.iter().find(|(of, _)| *of == name);
        &found.unwrap_or_else(|| panic!("laid: no row array `{name}`")).1
    }

    /// Room for an output of that many numbers a slot.
    pub fn room(&self, width: usize) -> Room {
        Room::new(self.valid.len() * width, width, self.asked)
    }

    /// What was written, slot by slot of the batch; none where it was not asked for.
    ///
    /// # Panics
    ///
    /// If a slot between rows or a sentinel was touched, or a masked slot is not +0.
    pub(super) fn read(&self, name: &str, room: &Room) -> Option<Vec<f32>> {
        let out = room.written(name)?;
        let width = room.width();
        let (mut of_row, mut seen) = (Vec::new(), vec![false; self.valid.len()]);
        for place in &self.place {
            let Some(place) = place else {
                of_row.resize(of_row.len() + width, 0.0);
                continue;
            };
            seen[*place] = true;
            of_row.extend_from_slice(&out[place * width..(place + 1) * width]);
        }
        let mask = self.mask();
        (0..mask.b()).for_each(|row| seen[mask.row(row)].fill(true));
        for (slot, seen) in seen.into_iter().enumerate() {
            let written = &out[slot * width..(slot + 1) * width];
            if !seen {
                assert!(
                    written.iter().all(|x| Room::is_untouched(*x)),
                    "{name}: wrote between rows, slot {slot}"
                );
            } else if self.valid[slot] {
                assert!(
                    !written.iter().any(|x| Room::is_untouched(*x)),
                    "{name}: slot {slot} was not written"
                );
            } else {
                assert!(
                    written.iter().all(|x| x.to_bits() == 0),
                    "{name}: {written:?} in masked slot {slot}"
                );
            }
        }
        Some(of_row)
    }
}
