//! Who is the target, and whose is each process in its PID namespace.
//!
//! The target may live in the PID namespace of another container, or of the host: then pid 1 is not its
//! init. What tells containers apart is the path of their cgroup, in which every engine puts the
//! container's id.

use std::fmt;
use std::str::FromStr;

use crate::procfs::cgroup::{self, Cgroup};
use crate::procfs::stat::{self, Stat};
use crate::procfs::{cmdline, pids};
use crate::{Buffer, Pid, ReadError, Root};

const ID_DIGITS: usize = 64;

/// The first process of a PID namespace. The kernel makes it the parent of every orphan in there, whoever's.
const FIRST: Pid = Pid(1);

/// What the image of the agent is started as; a sidecar is known by it.
const AGENT: &[u8] = b"/agent";

/// The full id of a container: 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerId(String);

/// A text that is no full container id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a full container id of 64 hexadecimal digits")]
pub struct InvalidContainerId;

impl FromStr for ContainerId {
    type Err = InvalidContainerId;

    fn from_str(text: &str) -> Result<Self, InvalidContainerId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == ID_DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidContainerId)
        }
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ContainerId {
    /// True if `path` lies in the container's cgroup or below it.
    ///
    /// One component of the path is the id (Docker's cgroupfs driver), or ends in it as
    /// `docker-<id>.scope` does (systemd driver; `cri-containerd-`, `crio-`, `libpod-` likewise).
    /// `…-conmon-<id>` is a container's monitor, which is not inside.
    pub fn is_in(&self, path: &str) -> bool {
        path.split('/').any(|component| {
            let name = component.strip_suffix(" (deleted)").unwrap_or(component);
            let name = name.strip_suffix(".scope").unwrap_or(name);
            match name.strip_suffix(self.0.as_str()) {
                Some("") => true,
                Some(prefix) => prefix.ends_with(['-', ':']) && !prefix.ends_with("conmon-"),
                None => false,
            }
        })
    }

    fn owns(&self, cgroups: &[Cgroup]) -> bool {
        cgroups.iter().any(|cgroup| self.is_in(&cgroup.path))
    }
}

/// Whose process it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the target's cgroup.
    Target,
    /// A sidecar of dbgctl, this or another.
    Dbgctl,
    /// Another container, or the host.
    Other,
}

/// Tells whose each process of one listing is, and reads as little as it can for that.
///
/// A child of a process of the target is the target's, too, unless that process is the first of its PID namespace,
/// which inherits the orphans of other containers that have joined it. Only for the others the cgroup is read: in a PID
/// namespace of the target's own these are its init and the children of that, what was exec'd into it, and sidecars.
/// Of one that ends nothing is left to be seen, and control groups of version 1 no longer tell where it was.
#[derive(Debug)]
pub struct Origins<'r> {
    root: &'r Root,
    target: &'r ContainerId,
    own: Vec<Cgroup>,
    /// Ascending.
    of_target: Vec<Pid>,
    buffer: Buffer,
}

impl<'r> Origins<'r> {
    /// For a new listing of the processes of `root`.
    pub fn new(root: &'r Root, target: &'r ContainerId) -> Self {
        let mut buffer = Buffer::default();
        // Without it sidecars are still told from the target, and only not from other containers.
        let own = cgroup::read_own(root, &mut buffer).unwrap_or_default();
        Self { root, target, own, of_target: Vec::new(), buffer }
    }

    /// Whose process `process` is. Ask by ascending pid: then it costs the least.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the cgroup has to be read and can not be.
    pub fn of(&mut self, process: &Stat<'_>) -> Result<Origin, ReadError> {
        let origin = self.look(process)?;
        if origin == Origin::Target && self.of_target.last().is_none_or(|&last| last < process.pid) {
            self.of_target.push(process.pid);
        }
        Ok(origin)
    }

    fn look(&mut self, process: &Stat<'_>) -> Result<Origin, ReadError> {
        let may_be_adopted = process.parent == FIRST && !process.is_exiting();
        if !may_be_adopted && self.is_of_target(process.parent) {
            return Ok(Origin::Target);
        }
        if process.is_kernel_thread() {
            return Ok(Origin::Other);
        }
        let cgroups = cgroup::read(self.root, process.pid, &mut self.buffer)?;
        if self.target.owns(&cgroups) {
            return Ok(Origin::Target);
        }
        if cgroups == self.own || (process.parent == Pid::OUTSIDE && self.is_named_agent(process.pid)) {
            return Ok(Origin::Dbgctl);
        }
        Ok(Origin::Other)
    }

    fn is_of_target(&self, pid: Pid) -> bool {
        self.of_target.binary_search(&pid).is_ok()
    }

    /// A name proves nothing, but what is asked here is only which label a stranger gets.
    fn is_named_agent(&mut self, pid: Pid) -> bool {
        let cmdline = cmdline::read(self.root, pid, &mut self.buffer);
        cmdline.is_ok_and(|cmdline| cmdline.arguments().next() == Some(AGENT))
    }
}

/// The target's init: of the processes in the target's cgroup whose parent is not, the one that started
/// first. `None` if no process of the target is to be seen.
///
/// In a PID namespace of the target's own this costs two files, in a shared one some per process.
///
/// # Errors
///
/// [`ReadError`] if `/proc` can not be listed.
pub fn init(root: &Root, target: &ContainerId) -> Result<Option<Pid>, ReadError> {
    let mut origins = Origins::new(root, target);
    let mut buffer = Buffer::default();
    // No process of a namespace is older than its first.
    if let Ok(process) = stat::read(root, FIRST, &mut buffer)
        && matches!(origins.of(&process), Ok(Origin::Target))
    {
        return Ok(Some(FIRST));
    }
    let mut oldest = None;
    for pid in pids::processes(root)? {
        let Ok(process) = stat::read(root, pid, &mut buffer) else { continue };
        let is_inside = origins.is_of_target(process.parent);
        if matches!(origins.of(&process), Ok(Origin::Target)) && !is_inside {
            let candidate = (process.started_ticks, pid);
            oldest = Some(oldest.map_or(candidate, |oldest: (u64, Pid)| oldest.min(candidate)));
        }
    }
    Ok(oldest.map(|(_, pid)| pid))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{ContainerId, Origin, Origins, init};
    use crate::procfs::stat;
    use crate::{Buffer, Pid, Root};

    fn id(digit: char) -> ContainerId {
        digit.to_string().repeat(64).parse().unwrap()
    }

    #[test]
    fn an_id_has_64_lower_case_digits() {
        assert!("a".repeat(63).parse::<ContainerId>().is_err());
        assert!("A".repeat(64).parse::<ContainerId>().is_err());
        assert!("/".repeat(64).parse::<ContainerId>().is_err());
    }

    #[test]
    fn every_engine_puts_the_id_into_the_path_in_its_own_way() {
        let target = id('a');
        for path in [
            format!("/docker/{target}"),
            format!("/../{target}"),
            format!("/../docker-{target}.scope"),
            format!("/system.slice/docker-{target}.scope/init.scope"),
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{target}.scope"),
            format!("/kubepods-pod1.slice:cri-containerd:{target}"),
            format!("/machine.slice/libpod-{target}.scope/container"),
            format!("/docker/{target} (deleted)"),
        ] {
            assert!(target.is_in(&path), "{path}");
        }
        for path in ["/".to_owned(), format!("/docker/b{target}"), format!("/libpod-conmon-{target}.scope")] {
            assert!(!target.is_in(&path), "{path}");
        }
    }

    fn process(dir: &Path, pid: u32, parent: u32, started: u64, cgroup: &str, name: &str) {
        let dir = dir.join("proc").join(pid.to_string());
        fs::create_dir_all(&dir).unwrap();
        let between = "0 0 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0";
        fs::write(dir.join("stat"), format!("{pid} (x) S {parent} {between} {started} 1 1 0\n")).unwrap();
        fs::write(dir.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        fs::write(dir.join("cmdline"), format!("{name}\0")).unwrap();
    }

    /// The PID namespace of container b, which target a, its child and two sidecars have joined.
    fn shared() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 1, 0, 5, &format!("/../{}", id('b')), "b");
        process(dir.path(), 4, 9, 30, &format!("/../{}", id('a')), "a-child-after-the-pids-wrapped");
        process(dir.path(), 7, 0, 40, &format!("/../{}", id('a')), "a-exec");
        process(dir.path(), 9, 0, 20, &format!("/../{}", id('a')), "a-init");
        process(dir.path(), 10, 1, 25, &format!("/../{}", id('a')), "a-orphan");
        process(dir.path(), 12, 0, 50, "/", "renamed");
        process(dir.path(), 13, 0, 60, &format!("/../{}", id('c')), "/agent");
        fs::create_dir_all(dir.path().join("proc/self")).unwrap();
        fs::write(dir.path().join("proc/self/cgroup"), "0::/\n").unwrap();
        let root = Root::recorded(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn pid_1_of_a_shared_namespace_is_not_taken_for_the_target() {
        let (_dir, root) = shared();
        assert_eq!(init(&root, &id('a')).unwrap(), Some(Pid(9)));
        assert_eq!(init(&root, &id('b')).unwrap(), Some(Pid(1)));
        assert_eq!(init(&root, &id('d')).unwrap(), None);
    }

    #[test]
    fn each_process_of_a_shared_namespace_has_its_origin() {
        let (_dir, root) = shared();
        let target = id('a');
        let mut origins = Origins::new(&root, &target);
        let mut buffer = Buffer::default();
        let found = [1, 4, 7, 9, 10, 12, 13]
            .map(|pid| origins.of(&stat::read(&root, Pid(pid), &mut buffer).unwrap()).unwrap());
        use Origin::{Dbgctl, Other, Target};
        assert_eq!(found, [Other, Target, Target, Target, Target, Dbgctl, Dbgctl]);
    }

    #[test]
    fn below_the_targets_processes_no_cgroup_is_read() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 1, 0, 5, &format!("/docker/{}", id('a')), "init");
        process(dir.path(), 2, 1, 6, &format!("/docker/{}", id('a')), "");
        process(dir.path(), 3, 2, 6, "", "");
        fs::remove_file(dir.path().join("proc/3/cgroup")).unwrap();
        let root = Root::recorded(dir.path()).unwrap();
        let (target, mut buffer) = (id('a'), Buffer::default());
        let mut origins = Origins::new(&root, &target);
        for pid in [1, 2, 3] {
            let process = stat::read(&root, Pid(pid), &mut buffer).unwrap();
            assert_eq!(origins.of(&process).unwrap(), Origin::Target);
        }
    }
    #[test]
    fn an_orphan_of_another_container_is_not_the_targets_because_its_init_adopted_it() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 1, 0, 5, &format!("/../{}", id('a')), "init");
        process(dir.path(), 8, 0, 6, &format!("/../{}", id('b')), "b");
        process(dir.path(), 9, 1, 7, &format!("/../{}", id('b')), "b-orphan");
        process(dir.path(), 10, 9, 8, &format!("/../{}", id('b')), "b-child-of-the-orphan");
        let root = Root::recorded(dir.path()).unwrap();
        let (target, mut buffer) = (id('a'), Buffer::default());
        let mut origins = Origins::new(&root, &target);
        let found =
            [1, 8, 9, 10].map(|pid| origins.of(&stat::read(&root, Pid(pid), &mut buffer).unwrap()).unwrap());
        assert_eq!(found, [Origin::Target, Origin::Other, Origin::Other, Origin::Other]);
    }
}
