//! The probes: each collects findings from the sources, and makes messages of them.

pub mod memory;
pub mod processes;
