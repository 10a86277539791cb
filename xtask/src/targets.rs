//! `cargo xtask targets`: the images of the programs that play the target in tests, for this machine.

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use serde_json::json;

use crate::Result;
use crate::arch::Arch;
use crate::archive::{self, Contents, File};
use crate::command;
use crate::elf;
use crate::toolchain::Toolchain;
use crate::tree;

/// Binary, repository of its image, and the archive's name before the architecture.
const PROGRAMS: [(&str, &str, &str); 2] =
    [("target-program", "dbgctl-test/target", ""), ("true", "dbgctl-test/true", "true-")];

/// Builds and packs the programs into `target/target-image/`.
pub(crate) fn targets(workspace: &Path) -> Result {
    let arch = Arch::host();
    let toolchain = Toolchain::find(workspace)?;
    let target_dir = build_directory(workspace);
    let mut zigbuild = toolchain.zigbuild(workspace, &target_dir)?;
    zigbuild.args([
        "--locked",
        "--profile",
        "agent",
        "--package",
        "dbgctl-targets",
        "--target",
        arch.target(),
    ]);
    command::run(&mut zigbuild)?;
    for (binary, repository, prefix) in PROGRAMS {
        let file = fs::read(program(workspace, binary))?;
        elf::check_static(&file, arch).map_err(|error| format!("{binary}: {error}"))?;
        let image = archive::pack(&Contents {
            arch,
            tag: &format!("{repository}:latest"),
            files: &[File::new(binary, 0o555, &file)],
            entrypoint: &[&format!("/{binary}")],
            user: "",
            labels: json!({}),
            compression: Compression::fast(),
        })?;
        let archive = archive(workspace, prefix);
        tree::write_if_changed(&archive, &image.archive)?;
        println!("{repository}: {} bytes  {}", image.archive.len(), archive.display());
    }
    Ok(())
}

/// Where the images lie.
pub(crate) fn directory(workspace: &Path) -> PathBuf {
    workspace.join("target/target-image")
}

/// One archive for each image.
pub(crate) fn archives(workspace: &Path) -> Vec<PathBuf> {
    PROGRAMS.iter().map(|(_, _, prefix)| archive(workspace, prefix)).collect()
}

/// The bare binary, as it stands in its image.
pub(crate) fn program(workspace: &Path, binary: &str) -> PathBuf {
    build_directory(workspace).join(Arch::host().target()).join("agent").join(binary)
}

fn archive(workspace: &Path, prefix: &str) -> PathBuf {
    directory(workspace).join(format!("{prefix}{}.tar.gz", Arch::host().docker()))
}

fn build_directory(workspace: &Path) -> PathBuf {
    workspace.join("target/agent-build")
}
