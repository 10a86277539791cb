//! `tempting`: a target that invites whoever looks into it to change something.
//!
//! Files that everyone, or the agent's own uid, may write; local sockets that everyone may join, by path and by
//! abstract name; a TCP port. What `confined` tries its hands on.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::ExitCode;

use dbgctl_proto::AGENT_ID;

use crate::Result;
use crate::process::sleep_forever;

/// The directory of all that is tempting; everyone may write to it.
pub(crate) const DIRECTORY: &str = "/open";
/// Port and abstract name that are listened on.
pub(crate) const PORT: u16 = 8080;
pub(crate) const ABSTRACT_NAME: &[u8] = b"dbgctl-test-tempting";

/// Makes everything and sleeps.
pub(crate) fn run() -> Result<ExitCode> {
    let path = |name: &str| format!("{DIRECTORY}/{name}");
    fs::create_dir_all(DIRECTORY)?;
    fs::set_permissions(DIRECTORY, Permissions::from_mode(0o777))?;
    fs::write(path("everyones"), "untouched")?;
    fs::set_permissions(path("everyones"), Permissions::from_mode(0o666))?;
    fs::write(path("agents"), "untouched")?;
    fs::set_permissions(path("agents"), Permissions::from_mode(0o600))?;
    chown(path("agents"), Some(AGENT_ID), Some(AGENT_ID))?;
    let _by_path = UnixListener::bind(path("socket"))?;
    fs::set_permissions(path("socket"), Permissions::from_mode(0o777))?;
    let _by_name = UnixListener::bind_addr(&SocketAddr::from_abstract_name(ABSTRACT_NAME)?)?;
    let _by_port = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))?;
    println!("ready in {DIRECTORY}");
    sleep_forever()
}
