//! `ppo check`: what it says of files that are right, that choose otherwise, and that are wrong.

mod bugs;
mod choices;
mod dialects;
mod figures;
mod hostile;
mod inferred;
mod not_covered;
mod numbers;
mod peers;
mod scene;
mod upstream;
