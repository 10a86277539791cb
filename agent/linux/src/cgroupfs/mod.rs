//! cgroupfs: one module per kernel file, versions 1 and 2, see cgroups(7).

pub mod memory;
