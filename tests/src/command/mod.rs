//! The subcommands of `ppo`.

pub(crate) mod bless;
pub(crate) mod chart;
pub(crate) mod check;
pub(crate) mod claims;
pub(crate) mod departures;
pub(crate) mod dump;
pub(crate) mod flags;
pub(crate) mod json;
pub(crate) mod main_job;
pub(crate) mod progress;
pub(crate) mod run;
pub(crate) mod sample;
pub(crate) mod step;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod terms;
pub(crate) mod train;

/// What a subcommand prints, and whether a comparison of it has failed.
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) failed: bool,
}
