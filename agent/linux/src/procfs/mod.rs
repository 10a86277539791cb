//! procfs: one module per kernel file, see proc(5).

pub mod cgroup;
pub mod cmdline;
pub mod environ;
pub mod fd;
pub mod fdinfo;
pub mod identity;
pub mod io;
mod keyed;
pub mod limits;
pub mod loadavg;
pub mod meminfo;
pub mod mountinfo;
pub mod oom_score;
pub mod oom_score_adj;
pub mod owner;
pub mod partitions;
pub mod pids;
pub mod schedstat;
pub mod smaps;
pub mod smaps_rollup;
pub mod sockets;
pub mod stat;
pub mod status;
pub mod sys_kernel;
pub mod syscall;
pub mod system_stat;
pub mod wchan;
