//! `/proc/<pid>/cgroup`: the control groups of a process, one per hierarchy.
//!
//! Format: cgroups(7). Paths are relative to the agent's own cgroup namespace: that of another
//! container begins with `/../` there.

use std::io;

use procfs_core::FromBufRead;
use procfs_core::ProcessCGroups;

use crate::{BadLine, Buffer, Pid, ProcName, ReadError, Root};

/// A path has at most 4 KiB, and there are a dozen hierarchies.
const BOUND_BYTES: usize = 64 << 10;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// Of version 1, for example `["cpu", "cpuacct"]` or `["name=systemd"]`. Empty: version 2.
    pub controllers: Vec<String>,
    /// From the root of the agent's cgroup namespace, for example `/docker/<id>` or `/../<id>`.
    pub path: String,
}

/// Reads the file of process `pid`.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read(root: &Root, pid: Pid, buffer: &mut Buffer) -> Result<Vec<Cgroup>, ReadError> {
    read_name(root, &ProcName::of(pid, "cgroup"), buffer)
}

/// Reads the file of the agent itself.
///
/// # Errors
///
/// [`ReadError`].
pub fn read_own(root: &Root, buffer: &mut Buffer) -> Result<Vec<Cgroup>, ReadError> {
    read_name(root, &ProcName::own("cgroup"), buffer)
}

fn read_name(root: &Root, name: &ProcName, buffer: &mut Buffer) -> Result<Vec<Cgroup>, ReadError> {
    let content = root.read(name, BOUND_BYTES, buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.proc_path(name)))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] if a line has fewer than three parts, or is not UTF-8.
pub fn parse(text: &[u8]) -> Result<Vec<Cgroup>, BadLine> {
    let lines = ProcessCGroups::from_buf_read(io::Cursor::new(text))
        .map_err(|_| BadLine::new(1, "hierarchy:controllers:path", text))?;
    let cgroups = lines.into_iter().map(|line| Cgroup { controllers: line.controllers, path: line.pathname });
    Ok(cgroups.collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_versions_are_understood() {
        let cgroups = parse(b"4:memory:/docker/ab\n2:cpu,cpuacct:/a:b\n0::/../cd\n").unwrap();
        assert_eq!(cgroups[0].controllers, ["memory"]);
        assert_eq!(cgroups[1].path, "/a:b");
        assert!(cgroups[2].controllers.is_empty());
        assert_eq!(cgroups[2].path, "/../cd");
        assert!(parse(b"4:memory\n").is_err());
    }
}
