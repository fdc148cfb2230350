//! Prints the hash of everything that goes into the built file, for `book/wasm/build.sh`.

fn main() {
    println!("{}", sources::hash());
}

#[path = "../tests/current/sources.rs"]
mod sources;
