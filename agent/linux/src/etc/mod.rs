//! Files of the target's own `/etc`.

pub mod passwd;
