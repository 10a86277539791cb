//! The number of a process or a thread.

use std::fmt;

/// A process or thread as seen in the agent's PID namespace, which is the target's: see pid_namespaces(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

impl Pid {
    /// What the kernel gives as the parent of a process whose parent lives outside the PID namespace.
    pub const OUTSIDE: Self = Self(0);
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
