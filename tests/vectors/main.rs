//! The test vectors beside this file: current, by their schema, true of the reference and of the fast path, and
//! worth their flags. Every test but the first reads the files alone, as a stranger does.

mod current;
mod file;
mod flags;
mod schema;
mod stranger;
