//! Control groups as the target sees its own: `/sys/fs/cgroup`, one module per kernel file.
//!
//! In version 1 each controller has a directory there (cgroups(7)), in version 2 all share one.

use std::path::PathBuf;

use crate::target::ContainerId;
use crate::{BadLine, Buffer, Pid, ReadError, Root};

pub mod cpu;
pub mod io;
pub mod keyed;
pub mod memory;
pub mod memory_events;
pub mod memory_stat;
pub mod pids;
pub mod pressure;

/// What a file of the control group file system has at most: `memory.numa_stat` of a big machine.
const BOUND_BYTES: usize = 64 << 10;

const MOUNT: &str = "/sys/fs/cgroup";

/// By which a hierarchy of version 1 is known: a controller, and a file that its groups have.
const FILES_OF_V1: [(&str, &str); 4] = [
    ("memory", "memory.usage_in_bytes"),
    ("cpu", "cpu.shares"),
    ("pids", "pids.current"),
    ("blkio", "blkio.throttle.io_service_bytes"),
];

/// A limit, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing but the machine is the limit.
    Unlimited,
    /// At most so much, in the unit of the file.
    At(u64),
}

/// Version of the control groups, see cgroups(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy per controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The control group of the target, as one of its processes sees it.
#[derive(Debug, Clone)]
pub struct Cgroup<'r> {
    root: &'r Root,
    pid: Pid,
    version: Version,
    directory: PathBuf,
}

impl<'r> Cgroup<'r> {
    /// Finds the group of `target` through its process `pid`.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`]: denied without CAP_SYS_PTRACE, gone if the target sees no control group of its own.
    pub fn find(
        root: &'r Root,
        pid: Pid,
        target: &ContainerId,
        buffer: &mut Buffer,
    ) -> Result<Self, ReadError> {
        let mut is_there = |directory: PathBuf, file| {
            let cgroup = Self { root, pid, version: Version::V2, directory };
            match cgroup.read("", file, buffer, |_| Ok(())) {
                Err(error) if error.is_gone() => Err(error),
                // Whatever else is wrong with it: it is there.
                Err(error) if error.is_denied() => Err(error),
                _ => Ok(cgroup),
            }
        };
        // Every group of version 2 has this file but the root of all.
        let missing = match is_there(MOUNT.into(), "cgroup.events") {
            Err(error) if error.is_gone() => error,
            found => return found,
        };
        // Who shares the host's cgroup namespace sees the groups of all. The two drivers name ours differently.
        for own in [format!("system.slice/docker-{target}.scope"), format!("docker/{target}")] {
            if let Ok(found) = is_there(PathBuf::from(MOUNT).join(own), "cgroup.events") {
                return Ok(found);
            }
        }
        for (controller, file) in FILES_OF_V1 {
            if is_there(PathBuf::from(MOUNT).join(controller), file).is_ok() {
                return Ok(Self { root, pid, version: Version::V1, directory: MOUNT.into() });
            }
        }
        Err(missing)
    }

    /// Which version it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Reads a file. `controller` names its directory in version 1 and is of no matter in version 2.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; gone if the kernel, its version or its configuration has no such file.
    pub fn read<T>(
        &self,
        controller: &str,
        file: &str,
        buffer: &mut Buffer,
        parse: impl FnOnce(&[u8]) -> Result<T, BadLine>,
    ) -> Result<T, ReadError> {
        let mut path = self.directory.clone();
        if self.version == Version::V1 {
            path.push(controller);
        }
        path.push(file);
        let file = self.root.open_in(self.pid, &path)?;
        let text = file.read(BOUND_BYTES, buffer)?;
        parse(text).map_err(|bad_line| bad_line.at(file.path().into()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn target_with(file: Option<&str>) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("proc/1/root")).unwrap();
        if let Some(file) = file {
            let path = dir.path().join("proc/1/root/sys/fs/cgroup").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1\n").unwrap();
        }
        let root = Root::recorded(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn each_version_is_known_by_its_files_and_none_is_told_from_both() {
        let target: ContainerId = "a".repeat(64).parse().unwrap();
        let shared = format!("system.slice/docker-{target}.scope/cgroup.events");
        for (file, expected) in [
            (Some("cgroup.events"), Some(Version::V2)),
            (Some(shared.as_str()), Some(Version::V2)),
            (Some("pids/pids.current"), Some(Version::V1)),
            (Some("cpu/cpu.shares"), Some(Version::V1)),
            // The root of all groups of version 2, which is not the target's.
            (Some("cgroup.controllers"), None),
            (None, None),
        ] {
            let (_dir, root) = target_with(file);
            let found = Cgroup::find(&root, Pid(1), &target, &mut Buffer::default());
            assert!(expected.is_some() || found.as_ref().is_err_and(ReadError::is_gone), "{file:?}");
            assert_eq!(found.ok().map(|cgroup| cgroup.version()), expected, "{file:?}");
        }
    }
}
