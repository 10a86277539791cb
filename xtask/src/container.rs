//! Containers for the demo and the benchmarks, removed when they go out of scope.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::command;
use crate::undo::Undo;
use crate::{Result, targets};

/// The image that plays the target.
pub(crate) const TARGET_IMAGE: &str = "dbgctl-test/target";

/// The smallest program that a container can run.
pub(crate) const TRUE_IMAGE: &str = "dbgctl-test/true";

const READY_LIMIT: Duration = Duration::from_secs(120);

/// A running container that this process made.
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    _removal: Undo,
}

impl Container {
    /// Runs `docker run --detach` and waits until the program in it says that it is ready.
    ///
    /// `arguments` are those of `docker run`: options, image, arguments of the program.
    pub(crate) fn run(name: &str, arguments: &[&str]) -> Result<Self> {
        let engine = Engine::default();
        Self::run_in(&engine, name, arguments)
    }

    /// The same in another engine.
    pub(crate) fn run_in(engine: &Engine, name: &str, arguments: &[&str]) -> Result<Self> {
        let mut run = engine.docker();
        run.args(["run", "--detach", "--name", name]).args(arguments);
        let removal = Undo::later({
            let (name, engine) = (name.to_owned(), engine.clone());
            move || {
                let _gone_already =
                    command::output(engine.docker().args(["rm", "--force", "--volumes", &name]));
            }
        });
        let id = command::output(&mut run)?;
        let container = Self { id, name: name.to_owned(), _removal: removal };
        container.wait_until_ready(engine)?;
        Ok(container)
    }

    fn wait_until_ready(&self, engine: &Engine) -> Result {
        let start = Instant::now();
        while !command::output(engine.docker().args(["logs", &self.id]))?.contains("ready") {
            if start.elapsed() > READY_LIMIT {
                return Err(format!("{} was not ready within {READY_LIMIT:?}", self.name).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// `--pid` and `--network` of a container beside this one.
    pub(crate) fn namespaces(&self) -> [String; 2] {
        [format!("--pid=container:{}", self.id), format!("--network=container:{}", self.id)]
    }

    /// The sidecars that look into this container, in any state or only the running ones.
    pub(crate) fn sidecars(&self, only_running: bool) -> Result<Vec<String>> {
        let mut list = docker();
        list.args(["ps", "--quiet", "--no-trunc", "--filter", &format!("label=dbgctl.target={}", self.id)]);
        if !only_running {
            list.arg("--all");
        }
        Ok(command::output(&mut list)?.lines().map(str::to_owned).collect())
    }
}

/// Which engine `docker` talks to.
#[derive(Clone, Default)]
pub(crate) struct Engine {
    /// `None`: the one that the user chose, or the default one.
    pub(crate) host: Option<String>,
}

impl Engine {
    pub(crate) fn docker(&self) -> Command {
        let mut docker = docker();
        if let Some(host) = &self.host {
            docker.args(["--host", host]);
        }
        docker
    }

    /// Loads the images that `cargo xtask targets` has made.
    pub(crate) fn load_targets(&self, workspace: &Path) -> Result {
        for archive in targets::archives(workspace) {
            command::output(self.docker().args(["load", "--quiet", "--input"]).arg(archive))?;
        }
        Ok(())
    }
}

pub(crate) fn docker() -> Command {
    Command::new("docker")
}
