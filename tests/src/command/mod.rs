//! The subcommands of `ppo`.

pub(crate) mod chart;
pub(crate) mod claims;
pub(crate) mod departures;
pub(crate) mod flags;
pub(crate) mod json;
pub(crate) mod main_job;
pub(crate) mod progress;
pub(crate) mod sample;
pub(crate) mod step;
pub(crate) mod table;
pub(crate) mod terms;
pub(crate) mod train;
