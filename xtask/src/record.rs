//! `cargo xtask record CONTAINER`: a scene of a running container, for the tests that need no engine.
//!
//! A program in a sidecar reads what the probes read, as the agent would see it. Values of environments are struck out
//! before they leave it; arguments and paths are kept, so look through a scene before you give it away.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command;
use crate::container::{Engine, TARGET_IMAGE, docker};
use crate::{Result, targets};

/// Records `container` into `tests/fixtures/<name>/`.
pub(crate) fn record(workspace: &Path, container: &str, name: &str) -> Result {
    let directory = workspace.join("tests/fixtures").join(name);
    if directory.exists() {
        let directory = directory.display();
        return Err(format!("{directory} is there: scenes are evidence, record another beside it").into());
    }
    targets::targets(workspace)?;
    Engine::default().load_targets(workspace)?;
    let id = command::output(docker().args(["inspect", "--format", "{{.Id}}", container]))?;
    let scene = recorder(&id).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !scene.status.success() {
        return Err(format!("the recorder of {container} failed: {}", scene.status).into());
    }
    fs::create_dir(&directory)?;
    tar::Archive::new(scene.stdout.as_slice()).unpack(&directory)?;
    fs::write(directory.join("NOTES.md"), notes(name, &id)?)?;
    println!("{}: say in its NOTES.md what happens in it", directory.display());
    Ok(())
}

/// What becomes a scene on standard output.
fn recorder(id: &str) -> Command {
    let mut run = docker();
    run.args(["run", "--rm", "--log-driver=none", "--read-only", "--security-opt=no-new-privileges"]);
    run.args(["--cap-drop=ALL", "--cap-add=SYS_PTRACE", "--cap-add=DAC_READ_SEARCH"]);
    run.args([format!("--pid=container:{id}"), format!("--network=container:{id}")]);
    run.args([TARGET_IMAGE, "record", id]);
    run
}

fn notes(name: &str, id: &str) -> Result<String> {
    let of_engine = |format: &str| command::output(docker().args(["info", "--format", format]));
    let of_target = |format: &str| command::output(docker().args(["inspect", "--format", format, id]));
    Ok(format!(
        "# {name}\n\nRecorded on Linux {} ({}), Docker Engine {}, cgroup version {}, from a container of `{}` with the \
         command\n`{}`. Values of environments are struck out.\n",
        of_engine("{{.KernelVersion}}")?,
        of_engine("{{.Architecture}}")?,
        of_engine("{{.ServerVersion}}")?,
        of_engine("{{.CgroupVersion}}")?,
        of_target("{{.Config.Image}}")?,
        of_target("{{.Path}} {{join .Args \" \"}}")?,
    ))
}
