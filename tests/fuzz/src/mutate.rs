//! Changes that a safetensors file survives: libFuzzer's own break its lengths, and end at the header's checks.

use libfuzzer_sys::fuzzer_mutate;

/// Numbers at which formulas end.
const EXTREMES: [f64; 12] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    -0.0,
    1.0,
    -1.0,
    1e200,
    -745.0,
    3.5e38,
];

/// One change, of any bytes, of a number, or of the header's text with its length made right.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let Some((start, text)) = header(&data[..size]) else { return fuzzer_mutate(data, size, most) };
    match seed % 4 {
        0 => fuzzer_mutate(data, size, most),
        1 => {
            number(&mut data[text..size], seed / 4);
            size
        }
        // libFuzzer changes no empty text.
        2 if text < size => {
            let length = fuzzer_mutate(&mut data[text..], size - text, size - text);
            text + length
        }
        _ => header_text(data, (start, text), size, most),
    }
}

/// Where the length field and the data of a dump begin, if the input holds one.
fn header(input: &[u8]) -> Option<(usize, usize)> {
    let start = input.windows(2).position(|pair| pair == b"\n\n").map_or(0, |end| end + 2);
    let length = u64::from_le_bytes(input.get(start..start + 8)?.try_into().ok()?);
    let text = usize::try_from(length).ok()?.checked_add(start + 8)?;
    (text <= input.len()).then_some((start, text))
}

/// An extreme in place of a number of one of the sizes.
fn number(data: &mut [u8], seed: u32) {
    let x = EXTREMES[seed as usize % EXTREMES.len()];
    let seed = seed as usize / EXTREMES.len();
    let bytes = match seed % 3 {
        0 => x.to_le_bytes().to_vec(),
        1 => (x as f32).to_le_bytes().to_vec(),
        // The upper half of an f32 is a bf16.
        _ => (x as f32).to_le_bytes()[2..].to_vec(),
    };
    let slots = data.len() / bytes.len();
    if slots > 0 {
        let at = bytes.len() * (seed / 3 % slots);
        data[at..at + bytes.len()].copy_from_slice(&bytes);
    }
}

fn header_text(data: &mut [u8], (start, text): (usize, usize), size: usize, most: usize) -> usize {
    let tensors = data[text..size].to_vec();
    let mut header = data[start + 8..text].to_vec();
    let length = header.len();
    let room = most.saturating_sub(start + 8 + tensors.len()).max(length).max(1);
    header.resize(room, b' ');
    let length = fuzzer_mutate(&mut header, length, room);
    let end = start + 8 + length;
    if end + tensors.len() > data.len().min(most) {
        return size;
    }
    data[start..start + 8].copy_from_slice(&(length as u64).to_le_bytes());
    data[start + 8..end].copy_from_slice(&header[..length]);
    data[end..end + tensors.len()].copy_from_slice(&tensors);
    end + tensors.len()
}
