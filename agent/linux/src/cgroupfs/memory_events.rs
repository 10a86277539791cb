//! `memory.events`, version 2: what happened at the limits of a cgroup and of those below it.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst. Version 1 counts two of these in other files.

use super::keyed;
use crate::BadLine;

/// How often it happened since the cgroup was made. What the kernel does not count is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Reclaimed although it was protected.
    pub low: Option<u64>,
    /// Slowed down at `memory.high`.
    pub high: Option<u64>,
    /// About to exceed the limit. In version 1 `memory.failcnt` and `memory.memsw.failcnt`.
    pub max: Option<u64>,
    /// At the limit, and nothing could be reclaimed.
    pub oom: Option<u64>,
    /// Processes killed for that.
    pub oom_kill: Option<u64>,
    /// Times that all processes were killed for that. Since Linux 5.17.
    pub oom_group_kill: Option<u64>,
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if it has no line of a key and a number.
pub fn parse(text: &[u8]) -> Result<MemoryEvents, BadLine> {
    let lines = keyed::parse(text)?;
    Ok(MemoryEvents {
        low: lines.get("low"),
        high: lines.get("high"),
        max: lines.get("max"),
        oom: lines.get("oom"),
        oom_kill: lines.get("oom_kill"),
        oom_group_kill: lines.get("oom_group_kill"),
    })
}
