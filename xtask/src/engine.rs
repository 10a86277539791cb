//! The Docker engine that tests run against: is one there, and starting one.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Result, command};

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const PATIENCE: Duration = Duration::from_secs(3);
const START_LIMIT: Duration = Duration::from_secs(30);

/// Where the engine is looked for, as the docker command would write it.
pub(crate) fn address() -> String {
    chosen_by_user().unwrap_or_else(|| format!("unix://{DEFAULT_SOCKET}"))
}

/// The value of `DOCKER_HOST`. An engine that somebody chose is not ours to replace.
pub(crate) fn chosen_by_user() -> Option<String> {
    env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty())
}

/// Asks the engine whether it is there.
pub(crate) fn ping() -> Result {
    let address = address();
    if let Some(socket) = address.strip_prefix("unix://") {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        let status = answer.split_whitespace().nth(1);
        return if status == Some("200") { Ok(()) } else { Err(format!("answered {status:?}").into()) };
    }
    if let Some(host) = address.strip_prefix("tcp://") {
        // Perhaps TLS: that somebody listens is all that can be told without its keys.
        let host = host.to_socket_addrs()?.next().ok_or("no address")?;
        TcpStream::connect_timeout(&host, PATIENCE)?;
        return Ok(());
    }
    // ssh and whatever else the docker command knows.
    command::run_within(PATIENCE * 5, Command::new("docker").arg("version"))
}

/// Whether [`ping`] failed because this user may not talk to the engine, which is there.
pub(crate) fn is_denied(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Starts the installed engine and waits until it answers.
pub(crate) fn start(workspace: &Path) -> Result {
    if Path::new("/run/systemd/system").exists() {
        command::output(Command::new("systemctl").args(["start", "docker"]))?;
    } else {
        start_in_background(&workspace.join("target/tools/dockerd.log"))?;
    }
    let start = Instant::now();
    loop {
        match ping() {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > START_LIMIT => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Starts `dockerd` so that it outlives this command, as on a machine without an init system.
fn start_in_background(log_path: &Path) -> Result {
    if let Some(parent) = log_path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let log = File::create(log_path)?;
    // Its own process group: an interrupt at the terminal must not reach it.
    Command::new("dockerd")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot run dockerd: {error}"))?;
    Ok(())
}
