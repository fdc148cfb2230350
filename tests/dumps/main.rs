//! Rollout dumps: what is read, what is refused and with which sentence, and what is written.

mod ends;
mod file;
mod hostile;
mod memory;
mod mutations;
mod roles;
mod samples;
mod settings;
mod shapes;
mod sparse;
mod values;
mod write;
