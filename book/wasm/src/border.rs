//! What crosses between the page and the module: one number at a time, and never a pointer.
//!
//! The page empties the input, puts its numbers, names a call, and takes the numbers of the answer, or the bytes of a
//! sentence. Some hundred calls of a few nanoseconds each buy a border without `unsafe`: all that needs it is the
//! name under which a function is exported, because a linker cannot see that two names clash.
#![cfg_attr(target_arch = "wasm32", expect(unsafe_code, reason = "an exported name is an unsafe attribute"))]
#![cfg_attr(not(any(test, target_arch = "wasm32")), expect(dead_code, reason = "only the page calls these"))]

use crate::{CALLS, Reader, shown};
use std::cell::RefCell;

/// The module's only state.
#[derive(Default)]
struct Border {
    input: Vec<f64>,
    output: Vec<f64>,
    text: String,
}

thread_local! {
    static BORDER: RefCell<Border> = RefCell::default();
}

/// Empties the input.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn clear() {
    BORDER.with_borrow_mut(|border| border.input.clear());
}

/// Appends a number to the input.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn put(x: f64) {
    BORDER.with_borrow_mut(|border| border.input.push(x));
}

/// Runs a call by its place in [`CALLS`]: how many numbers it answered, or −1 and a sentence.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn run(place: u32) -> i32 {
    BORDER.with_borrow_mut(|border| {
        let answer = match CALLS.get(place as usize) {
            Some((name, call)) => call(Reader::new(name, &border.input)),
            None => Err(format!("there is no call {place}")),
        };
        match answer {
            Ok(lists) => {
                border.output = flat(&lists);
                border.output.len() as i32
            }
            Err(sentence) => {
                border.text = sentence;
                -1
            }
        }
    })
}

/// Number `place` of the answer; NaN past its end.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn take(place: u32) -> f64 {
    BORDER.with_borrow(|border| border.output.get(place as usize).copied().unwrap_or(f64::NAN))
}

/// Writes the name of a call into the text: how many bytes that is, 0 past the last.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn name(place: u32) -> u32 {
    let name = CALLS.get(place as usize).map_or("", |(name, _)| name);
    set_text(name.into())
}

/// Writes a number with this many decimals into the text: how many bytes that is.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn show(x: f64, decimals: u32) -> u32 {
    set_text(shown(x, decimals))
}

/// How many bytes the text has, a sentence or what was shown last.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn text() -> u32 {
    BORDER.with_borrow(|border| border.text.len() as u32)
}

/// Byte `place` of the text, UTF-8; 0 past its end.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
extern "C" fn byte(place: u32) -> u32 {
    BORDER.with_borrow(|border| border.text.as_bytes().get(place as usize).map_or(0, |byte| u32::from(*byte)))
}

fn set_text(text: String) -> u32 {
    BORDER.with_borrow_mut(|border| {
        border.text = text;
        border.text.len() as u32
    })
}

/// Each list as its length and its entries.
fn flat(lists: &[Vec<f64>]) -> Vec<f64> {
    lists.iter().flat_map(|list| [list.len() as f64].into_iter().chain(list.iter().copied())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> String {
        String::from_utf8((0..text()).map(|place| byte(place) as u8).collect()).unwrap()
    }

    #[test]
    fn a_call_over_the_border_gives_what_the_call_gives() {
        let input = [0.0, 0.0, 0.0, 2.0, 1.0, 3.0, 2.0, 1.0, 1.0];
        let place = CALLS.iter().position(|(name, _)| *name == "whiten").unwrap() as u32;
        let want = flat(&crate::call("whiten", &input).unwrap());
        clear();
        for x in input {
            put(x);
        }
        assert_eq!(run(place), want.len() as i32);
        let got: Vec<f64> = (0..want.len() as u32).map(|place| take(place)).collect();
        assert_eq!(got, want);
        assert!(take(want.len() as u32).is_nan());
    }

    #[test]
    fn what_is_wrong_comes_back_as_a_sentence() {
        clear();
        assert_eq!(run(0), -1);
        assert_eq!(said(), "gae: the input ends before `gap`");
        assert_eq!((run(99), said().as_str()), (-1, "there is no call 99"));
        assert_eq!((name(1), said().as_str()), (6, "whiten"));
        assert_eq!(name(99), 0);
        assert_eq!((show(-0.0625, 3), said().as_str()), (6, "-0.062"));
        assert_eq!(byte(99), 0);
    }
}
