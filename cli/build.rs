//! Puts the agent's images into the CLI, if `cargo xtask image` has made them.
//!
//! Without them the CLI builds all the same, and says what is missing when it needs one.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// As image configurations name them.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the crate lies in a workspace")?;
    let images = workspace.join("target/agent-image");
    let mut table = String::from("static EMBEDDED: &[Embedded] = &[\n");
    for architecture in ARCHITECTURES {
        let archive = images.join(format!("{architecture}.tar.gz"));
        let config = images.join(format!("{architecture}.config.json"));
        println!("cargo::rerun-if-changed={}", archive.display());
        println!("cargo::rerun-if-changed={}", config.display());
        if archive.exists() && config.exists() {
            writeln!(
                table,
                "    Embedded {{ architecture: {architecture:?}, archive: include_bytes!({archive:?}), \
                 config: include_str!({config:?}) }},",
            )?;
        }
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("embedded.rs"), table)?;
    Ok(())
}
