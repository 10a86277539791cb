//! Files of the target's own `/etc`.

pub mod group;
pub mod hosts;
pub mod nsswitch;
pub mod passwd;
pub mod resolv_conf;
