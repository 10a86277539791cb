//! `cargo xtask image`: the agent's image for every architecture, without an engine.
//!
//! Same sources and same toolchain give the same bytes, wherever the tree lies; `--verify-reproducible` proves it.

use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use serde_json::json;

use crate::Result;
use crate::arch::Arch;
use crate::archive::{self, Contents, File, Image};
use crate::command;
use crate::elf;
use crate::toolchain::{MuslStd, Toolchain};
use crate::tree;

/// The largest image that is accepted, compressed as well as unpacked.
const MAX_IMAGE_BYTES: usize = 5_000_000;

/// A uid that hardly any target uses, so that a target's processes can not reach into the agent.
const USER: &str = "65533:65533";

/// How the agent is built.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// As it is shipped: small, for every architecture.
    Shipped,
    /// In a fraction of the time, for this machine only: to try a change.
    Quick,
}

impl Build {
    fn profile(self) -> &'static str {
        match self {
            Self::Shipped => "agent",
            Self::Quick => "agent-quick",
        }
    }

    fn architectures(self) -> Vec<Arch> {
        match self {
            Self::Shipped => Arch::ALL.to_vec(),
            Self::Quick => vec![Arch::host()],
        }
    }
}

/// Builds and packs the agent into `target/agent-image/`.
pub(crate) fn image(workspace: &Path, how: Build) -> Result {
    let toolchain = Toolchain::find(workspace)?;
    let directory = directory(workspace);
    let std = match toolchain.std {
        MuslStd::Installed => "installed",
        MuslStd::FromSource => "built from source",
    };
    println!("standard library for musl: {std}");
    let revision = tree::revision(workspace);
    for arch in build(&toolchain, workspace, &workspace.join("target/agent-build"), how)? {
        let image = arch.pack(&revision)?;
        if let Build::Shipped = how {
            arch.check_size(&image)?;
        }
        let name = arch.arch.docker();
        let archive = directory.join(format!("{name}.tar.gz"));
        tree::write_if_changed(&archive, &image.archive)?;
        tree::write_if_changed(&directory.join(format!("{name}.config.json")), &image.config)?;
        write_executable(&directory.join(name).join("agent"), &arch.agent)?;
        println!(
            "{name}: agent {} bytes, image {} bytes, archive {} bytes  {}",
            arch.agent.len(),
            image.layer_bytes,
            image.archive.len(),
            archive.display(),
        );
    }
    Ok(())
}

/// Builds once more, from a copy of the tree in another directory, and compares with what [`image`] has made.
pub(crate) fn verify_reproducible(workspace: &Path) -> Result {
    let toolchain = Toolchain::find(workspace)?;
    let elsewhere = workspace.join("target/reproducible");
    tree::copy(workspace, &elsewhere.join("tree"))?;
    let revision = tree::revision(workspace);
    for arch in build(&toolchain, &elsewhere.join("tree"), &elsewhere.join("build"), Build::Shipped)? {
        let name = arch.arch.docker();
        let first = directory(workspace).join(format!("{name}.tar.gz"));
        let second = elsewhere.join(format!("{name}.tar.gz"));
        tree::write_if_changed(&second, &arch.pack(&revision)?.archive)?;
        if fs::read(&first)? != fs::read(&second)? {
            let (first, second) = (first.display(), second.display());
            return Err(format!("not reproducible: {first} and {second} differ").into());
        }
        println!("{name}: the same bytes from another directory");
    }
    Ok(())
}

/// Where the images lie, for the CLI to carry and for tests to load.
pub(crate) fn directory(workspace: &Path) -> PathBuf {
    workspace.join("target/agent-image")
}

/// The agent for one architecture.
struct Agent {
    arch: Arch,
    agent: Vec<u8>,
}

impl Agent {
    fn pack(&self, revision: &str) -> Result<Image> {
        let version = env!("CARGO_PKG_VERSION");
        archive::pack(&Contents {
            arch: self.arch,
            tag: &format!("dbgctl/agent:{version}"),
            files: &[File::new("agent", 0o555, &self.agent)],
            entrypoint: &["/agent"],
            user: USER,
            labels: json!({
                "org.opencontainers.image.description": "Looks at a container from beside it and answers typed probes",
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                "org.opencontainers.image.revision": revision,
                "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
                "org.opencontainers.image.title": "dbgctl agent",
                "org.opencontainers.image.version": version,
            }),
            compression: Compression::best(),
        })
    }

    fn check_size(&self, image: &Image) -> Result {
        let largest = image.layer_bytes.max(image.archive.len());
        if largest > MAX_IMAGE_BYTES {
            let name = self.arch.docker();
            return Err(format!("the {name} image has {largest} bytes, more than {MAX_IMAGE_BYTES}").into());
        }
        Ok(())
    }
}

/// Builds the agent of `tree`, for all its architectures in one run of Cargo.
fn build(toolchain: &Toolchain, tree: &Path, target_dir: &Path, how: Build) -> Result<Vec<Agent>> {
    let profile = how.profile();
    let mut zigbuild = toolchain.zigbuild(tree, target_dir)?;
    zigbuild.args(["--locked", "--profile", profile, "--package", "dbgctl-agent", "--bin", "agent"]);
    for arch in how.architectures() {
        zigbuild.args(["--target", arch.target()]);
    }
    command::run(&mut zigbuild)?;
    let built = how.architectures().into_iter().map(|arch| {
        let path = target_dir.join(arch.target()).join(profile).join("agent");
        let agent = fs::read(&path)?;
        elf::check_static(&agent, arch).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Agent { arch, agent })
    });
    built.collect()
}

fn write_executable(path: &Path, content: &[u8]) -> Result {
    use std::os::unix::fs::PermissionsExt as _;
    tree::write_if_changed(path, content)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
