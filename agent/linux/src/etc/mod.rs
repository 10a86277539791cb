//! Files of the target's own `/etc`.

pub mod group;
pub mod passwd;
