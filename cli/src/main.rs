//! The command `dbgctl`.

fn main() {}
