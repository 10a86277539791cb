//! What builds static binaries: Rust's standard library for musl, and zig as the linker.
//!
//! Nothing is remembered between runs: the choice follows from what is installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::arch::Arch;
use crate::command;

/// Pinned, because the linker is part of what makes the bytes of a binary.
pub(crate) const PYTHON_PACKAGES: [&str; 2] = ["ziglang==0.16.0", "cargo-zigbuild==0.24.0"];

/// Debian's compiler and the source of its standard library.
pub(crate) const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Where the standard library for musl comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MuslStd {
    /// It lies ready beside the compiler, as `rustup target add` puts it.
    Installed,
    /// It is built along with the binary, by Debian's compiler from Debian's source package.
    FromSource,
}

impl MuslStd {
    /// What this machine has, if anything.
    pub(crate) fn find() -> Option<Self> {
        let installed = |target: &Path| {
            let std = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("libstd-");
            fs::read_dir(target.join("lib")).is_ok_and(|entries| entries.flatten().any(std))
        };
        if let Ok(sysroot) = sysroot(Path::new("rustc")) {
            let targets = sysroot.join("lib/rustlib");
            if Arch::ALL.iter().all(|arch| installed(&targets.join(arch.target()))) {
                return Some(Self::Installed);
            }
        }
        let source = Path::new("/usr/lib/rustlib/src/rust/library/std");
        let whole = source.is_dir() && Path::new(DEBIAN_RUSTC).exists() && Path::new(DEBIAN_CARGO).exists();
        whole.then_some(Self::FromSource)
    }

    fn rustc(self) -> &'static Path {
        Path::new(match self {
            Self::Installed => "rustc",
            Self::FromSource => DEBIAN_RUSTC,
        })
    }
}

/// Everything needed to build a static binary.
pub(crate) struct Toolchain {
    pub(crate) std: MuslStd,
    venv: PathBuf,
    zig: PathBuf,
}

impl Toolchain {
    /// Where the Python virtual environment with zig and cargo-zigbuild lies.
    pub(crate) fn venv(workspace: &Path) -> PathBuf {
        workspace.join("target/tools/venv")
    }

    /// What `cargo xtask bootstrap` has prepared.
    pub(crate) fn find(workspace: &Path) -> Result<Self> {
        let std = MuslStd::find().ok_or("no Rust standard library for musl: run `cargo xtask bootstrap`")?;
        let venv = Self::venv(workspace);
        let zig = zig(&venv).ok_or("no zig under target/tools: run `cargo xtask bootstrap`")?;
        Ok(Self { std, venv, zig })
    }

    /// `cargo zigbuild` in `tree`, with all settings that decide about the bytes of the result.
    ///
    /// Paths of this machine are replaced by fixed ones, so that it does not matter where the tree, the
    /// registry and the compiler lie.
    pub(crate) fn zigbuild(&self, tree: &Path, target_dir: &Path) -> Result<Command> {
        let rustflags = self.rustflags(tree, target_dir)?;
        let mut zigbuild = Command::new(self.venv.join("bin/cargo-zigbuild"));
        zigbuild
            .arg("zigbuild")
            .current_dir(tree)
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\x1f"))
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", target_dir)
            .env("CARGO_ZIGBUILD_CACHE_DIR", target_dir.join("zigbuild-cache"))
            .env("CARGO_ZIGBUILD_ZIG_PATH", &self.zig)
            .env("LC_ALL", "C")
            .env("SOURCE_DATE_EPOCH", "0")
            .env("ZIG_GLOBAL_CACHE_DIR", target_dir.join("zig-cache"))
            .env("ZIG_LOCAL_CACHE_DIR", target_dir.join("zig-cache"));
        if self.std == MuslStd::FromSource {
            zigbuild
                .args(["-Z", "build-std=std,panic_abort"])
                .env("CARGO", DEBIAN_CARGO)
                .env("RUSTC", DEBIAN_RUSTC)
                // Building the standard library is an unstable option of a stable compiler.
                .env("RUSTC_BOOTSTRAP", "1");
        }
        Ok(zigbuild)
    }

    fn rustflags(&self, tree: &Path, target_dir: &Path) -> Result<Vec<String>> {
        let mut flags = vec![
            "-Ctarget-feature=+crt-static".to_owned(),
            "-Crelocation-model=static".to_owned(),
            "-Clink-arg=-Wl,--build-id=none".to_owned(),
        ];
        if self.std == MuslStd::FromSource {
            // The start files come from zig: Debian ships none for musl.
            flags.push("-Clink-self-contained=no".to_owned());
        }
        let std_source = sysroot(self.std.rustc())?.join("lib/rustlib/src/rust");
        let std_source_resolved = std_source.canonicalize().unwrap_or_else(|_| std_source.clone());
        let std_name = format!("/rustc/{}", commit(self.std.rustc())?);
        let cargo_home = cargo_home()?;
        let mut renamed = vec![(cargo_home.clone(), "/cargo")];
        // Below that, Cargo names a directory after the registry it uses, which may be a mirror.
        let registries = fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten().flatten();
        renamed.extend(registries.map(|registry| (registry.path(), "/cargo")));
        renamed.sort();
        renamed.extend([
            (std_source, std_name.as_str()),
            (std_source_resolved, std_name.as_str()),
            (tree.to_owned(), "/dbgctl"),
            (target_dir.to_owned(), "/target"),
        ]);
        // Of several that match, the compiler takes the last: the target directory may lie in the tree.
        for (from, to) in renamed {
            flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        }
        Ok(flags)
    }
}

fn zig(venv: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(venv.join("lib")).ok()?;
    let candidates = versions.flatten().map(|python| python.path().join("site-packages/ziglang/zig"));
    candidates.into_iter().find(|zig| zig.is_file())
}

fn sysroot(rustc: &Path) -> Result<PathBuf> {
    Ok(command::output(Command::new(rustc).args(["--print", "sysroot"]))?.into())
}

/// The commit the compiler was built from, under which its own binaries name its sources.
fn commit(rustc: &Path) -> Result<String> {
    let version = command::output(Command::new(rustc).arg("-vV"))?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    Ok(commit.unwrap_or("unknown").to_owned())
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(env::home_dir().ok_or("neither CARGO_HOME nor HOME is set")?.join(".cargo"))
}
