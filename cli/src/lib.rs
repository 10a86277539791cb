//! dbgctl looks into a running container from outside.
//!
//! `commands` asks and checks what came back, `render` shows it.
#![allow(dead_code, unused_imports, reason = "the command line does not call all of it yet")]

mod commands;
pub mod exit;
mod render;
