//! An image as people bring one along to debug: procps' `ps` and iproute2's `ss`, and the floors that are written in C.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::container::docker;
use crate::undo::Undo;
use crate::{Result, command, targets};

/// Where `ps` lies on this machine and in the image.
pub(super) const PS: &str = "/usr/bin/ps";
/// The same of `ss`.
pub(super) const SS: &str = "/usr/bin/ss";

/// What writes and what counts bytes, there as well.
pub(super) const HEAD: &str = "/usr/bin/head";
pub(super) const COUNT: &str = "/usr/bin/wc";

/// The image, removed with this value.
pub(super) struct Tools {
    pub(super) image: String,
    _removal: Undo,
}

impl Tools {
    /// Packs `ps` and `ss` with the libraries that they are linked to, and our own programs.
    pub(super) fn make(workspace: &Path) -> Result<Self> {
        let mut files = vec![
            (PathBuf::from("/procfloor"), compile(workspace, "procfloor")?),
            (PathBuf::from("/true"), targets::program(workspace, "true")),
            (PathBuf::from("/target-program"), targets::program(workspace, "target-program")),
        ];
        let libraries = command::output(Command::new("ldd").args([PS, SS]))?;
        // One per line; a line may also name the program, followed by a colon.
        let libraries =
            libraries.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        let libraries: BTreeSet<_> = libraries.filter(|path| !path.ends_with(':')).collect();
        files.extend(
            libraries.into_iter().chain([PS, SS, HEAD, COUNT]).map(|path| (path.into(), path.into())),
        );

        let image = format!("dbgctl-bench/tools:{}", std::process::id());
        let removal = Undo::later({
            let image = image.clone();
            move || {
                let _never_made = command::output(docker().args(["image", "rm", "--force", &image]));
            }
        });
        import(&image, &files)?;
        Ok(Self { image, _removal: removal })
    }
}

/// Builds one of the floors.
pub(super) fn compile(workspace: &Path, name: &str) -> Result<PathBuf> {
    let program = workspace.join("target/bench").join(name);
    fs::create_dir_all(workspace.join("target/bench"))?;
    let source = workspace.join(format!("xtask/src/bench/{name}.c"));
    command::run(Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(source))?;
    Ok(program)
}

fn import(image: &str, files: &[(PathBuf, PathBuf)]) -> Result {
    let mut import =
        docker().args(["import", "-", image]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut tar = tar::Builder::new(import.stdin.take().ok_or("no standard input")?);
    for (inside, outside) in files {
        let name = inside.strip_prefix("/")?;
        let mut file = fs::File::open(outside).map_err(|error| format!("{}: {error}", outside.display()))?;
        tar.append_file(name, &mut file)?;
    }
    tar.into_inner()?.flush()?;
    let status = import.wait()?;
    if status.success() { Ok(()) } else { Err(format!("`docker import`: {status}").into()) }
}
