//! The page's calls, natively: what the browser suite holds the page to.
//!
//! One request a line, on standard input: `gae 0 0.9 …` answers `= 3 …` or `! a sentence`; `show 4 0.5` answers
//! `0.5000`. Numbers are written with as many digits as tell them apart.

use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&line?))?;
    }
    Ok(())
}

fn answer(line: &str) -> String {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let numbers: Result<Vec<f64>, _> = words.map(str::parse).collect();
    match (name, numbers) {
        (_, Err(error)) => format!("! {error}: {line}"),
        ("show", Ok(numbers)) => match numbers[..] {
            [decimals, x] => live::shown(x, decimals as u32),
            _ => format!("! show takes decimals and a number: {line}"),
        },
        (name, Ok(numbers)) => match live::call(name, &numbers) {
            Err(sentence) => format!("! {sentence}"),
            Ok(lists) => lists.iter().fold("=".into(), |so_far, list| {
                list.iter().fold(format!("{so_far} {}", list.len()), |so_far, x| format!("{so_far} {x}"))
            }),
        },
    }
}
