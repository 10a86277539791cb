//! `cargo xtask`: everything a developer or CI does to this tree, in one place.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, missing_docs, reason = "a developer's tool: it talks, and it reads the files of this tree")]

mod codegen;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Developer commands of dbgctl.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write proto/src/generated/ from the .proto files.
    Codegen,
}

fn main() -> Result {
    let workspace = workspace();
    match Cli::parse().command {
        Command::Codegen => codegen::generate(&workspace, &workspace.join("proto/src/generated")),
    }
}

/// The root of this tree.
fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}
