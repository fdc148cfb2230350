//! `ppo check`: what it says of files that are right, that choose otherwise, and that are wrong.

mod bugs;
mod choices;
mod claims;
mod dialects;
mod drawn;
mod figures;
mod forms;
mod gradient;
mod hostile;
mod inferred;
mod logits;
mod not_covered;
mod numbers;
mod peers;
mod ranks;
mod scene;
mod strangers;
mod ties;
mod unstated;
mod upstream;
