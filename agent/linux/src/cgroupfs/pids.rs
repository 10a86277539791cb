//! The tasks of a cgroup: processes and threads alike, and how many it may have.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst, "PID", and cgroup-v1/pids.rst: the same files.

use super::keyed::{self, parse_limit, parse_number};
use super::{Cgroup, Limit};
use crate::{Buffer, ReadError};

const CONTROLLER: &str = "pids";

/// The files of one cgroup. Each may fail alone.
#[derive(Debug)]
pub struct Pids {
    /// Tasks in the group and below it.
    pub current: Result<u64, ReadError>,
    /// How many it may have.
    pub limit: Result<Limit, ReadError>,
    /// The most that there ever were. Gone before Linux 6.1.
    pub peak: Result<u64, ReadError>,
    /// How often a task could not be made because of the limit: `max` of `pids.events`. Gone before Linux 4.8.
    pub refused: Result<Option<u64>, ReadError>,
}

/// Reads the files.
pub fn read(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Pids {
    Pids {
        current: cgroup.read(CONTROLLER, "pids.current", buffer, parse_number),
        limit: cgroup.read(CONTROLLER, "pids.max", buffer, parse_limit),
        peak: cgroup.read(CONTROLLER, "pids.peak", buffer, parse_number),
        refused: cgroup.read(CONTROLLER, "pids.events", buffer, keyed::parse).map(|events| events.get("max")),
    }
}
