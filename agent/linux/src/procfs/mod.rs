//! procfs: one module per kernel file, see proc(5).

pub mod cgroup;
pub mod cmdline;
pub mod identity;
mod keyed;
pub mod owner;
pub mod pids;
pub mod smaps_rollup;
pub mod stat;
pub mod status;
pub mod wchan;
