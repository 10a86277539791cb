//! An engine of our own, so that images can be removed from it without anyone noticing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::container::{self, docker};
use crate::undo::Undo;
use crate::{Result, command};

const START_LIMIT: Duration = Duration::from_secs(30);

/// A second `dockerd`, ended and removed with this value.
pub(super) struct PrivateEngine {
    pub(super) socket: PathBuf,
    pub(super) engine: container::Engine,
    _end: Undo,
}

impl PrivateEngine {
    /// Starts it with the storage driver of the main one, so that loading an image costs the same.
    pub(super) fn start(workspace: &Path) -> Result<Self> {
        let driver = command::output(docker().args(["info", "--format", "{{.Driver}}"]))?;
        // Not below target/: a path of a Unix socket has at most 107 bytes.
        let directory = PathBuf::from(format!("/var/tmp/dbgctl-bench-{}", std::process::id()));
        let socket = directory.join("docker.sock");
        let host = format!("unix://{}", socket.display());
        fs::create_dir_all(&directory)?;
        // The main engine's configuration may say what is said here, which an engine refuses.
        let configuration = directory.join("daemon.json");
        fs::write(&configuration, "{}")?;
        let log = File::create(workspace.join("target/bench/dockerd.log"))?;
        let own = format!("dbgctl-bench-{}", std::process::id());
        // In a network namespace of its own: without a bridge, an engine removes the interface `docker0` that it
        // finds, which would be that of the main engine.
        let daemon = Command::new("unshare")
            .args(["--net", "dockerd"])
            .args(["--host", &host, "--storage-driver", &driver])
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args([
                "--containerd-namespace",
                &own,
                "--containerd-plugins-namespace",
                &format!("{own}-plugins"),
            ])
            .arg("--config-file")
            .arg(configuration)
            .arg("--data-root")
            .arg(directory.join("data"))
            .arg("--exec-root")
            .arg(directory.join("exec"))
            .arg("--pidfile")
            .arg(directory.join("pid"))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot run unshare: {error}"))?;
        let daemon = Arc::new(Mutex::new(daemon));
        let end = Undo::later({
            let daemon = Arc::clone(&daemon);
            move || end(&mut daemon.lock().unwrap_or_else(PoisonError::into_inner), &directory)
        });
        let engine = container::Engine { host: Some(host) };
        let start = Instant::now();
        while let Err(error) = command::output(engine.docker().arg("info")) {
            let ended = daemon.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
            if ended.is_some() || start.elapsed() > START_LIMIT {
                return Err(format!("a private engine does not start: {ended:?}, {error}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(Self { socket, engine, _end: end })
    }
}

fn end(daemon: &mut Child, directory: &Path) {
    // With SIGTERM it ends its containers and unmounts what it mounted.
    let _gone = command::output(Command::new("kill").arg(daemon.id().to_string()));
    let _ended = daemon.wait();
    let _removed = fs::remove_dir_all(directory);
}
