//! An engine of the test's own, which may be killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Ran, eventually, from_tree, run};

/// containerd and dockerd on their own sockets and directories, without networks.
pub struct MortalEngine {
    containerd: Child,
    dockerd: Child,
    directory: tempfile::TempDir,
}

impl MortalEngine {
    /// Starts one, with the image of the targets in it. An error where that is not possible.
    pub fn start() -> Result<Self, String> {
        // Socket paths are limited to 107 bytes.
        let directory = tempfile::Builder::new().prefix("dbgctl-engine-").tempdir_in("/tmp");
        let directory = directory.map_err(|error| error.to_string())?;
        let containerd = spawn(directory.path(), &["containerd"], |at, command| {
            command.args(["--root", &at("containerd"), "--state", &at("containerd-state")]);
            command.args(["--address", &at("containerd.sock")]);
        })?;
        let dockerd = match dockerd(directory.path()) {
            Ok(dockerd) => dockerd,
            Err(error) => {
                end(containerd);
                return Err(error);
            }
        };
        let mut engine = Self { containerd, dockerd, directory };
        engine.wait_until_ready()?;
        let archive = from_tree("DBGCTL_TARGET_IMAGE_DIR", "target/target-image").join("amd64.tar.gz");
        let loaded = engine.docker(&["load", "-q", "-i", &archive.to_string_lossy()]);
        if loaded.code != Some(0) {
            return Err(loaded.stderr());
        }
        Ok(engine)
    }

    /// As `-H` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.directory.path().join("docker.sock").display())
    }

    pub fn docker(&self, arguments: &[&str]) -> Ran {
        run(Command::new("docker").env_remove("DOCKER_HOST").args(["-H", &self.host()]).args(arguments))
    }

    /// SIGKILL: no goodbye to anyone.
    pub fn kill(&mut self) {
        self.dockerd.kill().unwrap();
        self.dockerd.wait().unwrap();
    }

    /// Starts it again, on the same sockets and directories.
    pub fn revive(&mut self) -> Result<(), String> {
        let _pid_of_the_dead = fs::remove_file(self.directory.path().join("docker.pid"));
        self.dockerd = dockerd(self.directory.path())?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let mut ended = false;
        let ready = eventually(Duration::from_secs(30), || {
            ended = !matches!(self.dockerd.try_wait(), Ok(None));
            ended || self.docker(&["version"]).code == Some(0)
        });
        if ready && !ended {
            return Ok(());
        }
        Err(fs::read_to_string(self.directory.path().join("dockerd.log")).unwrap_or_default())
    }
}

impl Drop for MortalEngine {
    fn drop(&mut self) {
        if !matches!(self.dockerd.try_wait(), Ok(None)) {
            // A test failed while it was dead. Only alive can it clean up.
            let _revived = self.revive();
        }
        let all = self.docker(&["ps", "-aq"]).stdout();
        let all: Vec<_> = all.lines().collect();
        if !all.is_empty() {
            self.docker(&[&["rm", "-f"], all.as_slice()].concat());
        }
        if matches!(self.dockerd.try_wait(), Ok(None)) {
            // Politely: it unmounts what it mounted.
            let _ended = kill(Pid::from_raw(i32::try_from(self.dockerd.id()).unwrap()), Signal::SIGTERM);
        }
        let _reaped = self.dockerd.wait();
        let _killed = self.containerd.kill();
        let _reaped = self.containerd.wait();
        // An engine that was killed does not unmount, and its successor takes the mount for someone else's.
        let _unmounted = run(Command::new("umount").arg(self.directory.path().join("data")));
    }
}

fn dockerd(directory: &Path) -> Result<Child, String> {
    // Without a file of its own it would obey the one of the machine's engine.
    fs::write(directory.join("daemon.json"), "{}").map_err(|error| error.to_string())?;
    // In a network namespace of its own: an engine that is to have no bridge deletes `docker0`, and that may be
    // another engine's.
    spawn(directory, &["unshare", "--net", "dockerd"], |at, command| {
        command.args(["--config-file", &at("daemon.json")]);
        command.args([
            "--data-root",
            &at("data"),
            "--exec-root",
            &at("exec"),
            "--pidfile",
            &at("docker.pid"),
        ]);
        command.args(["--host", &format!("unix://{}", at("docker.sock"))]);
        command.args(["--containerd", &at("containerd.sock")]);
        command.args(["--bridge=none", "--iptables=false", "--storage-driver=vfs"]);
    })
}

fn spawn(
    directory: &Path,
    program: &[&str],
    arguments: impl FnOnce(&dyn Fn(&str) -> String, &mut Command),
) -> Result<Child, String> {
    let name = program[program.len() - 1];
    let at = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let log = fs::OpenOptions::new().create(true).append(true).open(at(&format!("{name}.log")));
    let log = log.map_err(|error| error.to_string())?;
    let mut command = Command::new(program[0]);
    command.args(&program[1..]);
    arguments(&at, &mut command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().map_err(|error| format!("{name}: {error}"))
}

fn end(mut child: Child) {
    let _killed = child.kill();
    let _reaped = child.wait();
}
