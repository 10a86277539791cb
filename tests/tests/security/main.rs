//! What a sidecar can do, what can be done to it, and what it leaves to be seen.
//!
//! Run as root on the engine's machine: the kernel's own account of the agent is the evidence.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod attacker;
mod confinement;
mod host;
mod live;
mod privacy;
mod syscalls;
mod takeover;
