//! `record TARGET_ID`: a scene of the target beside this container, as a tar on standard output.
//!
//! A scene is a tree of `/proc` as the agent would see it, of the target's processes and of what several probes read
//! beside them, with its control group below `proc/<init>/root` and the kernel's answers about sockets and the network in
//! `netlink/`. What the kernel refuses is marked as refused.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dbgctl_linux::netlink::rtnetlink::{self, Rtnetlink};
use dbgctl_linux::netlink::sock_diag::{self, SockDiag, Table};
use dbgctl_linux::procfs::{pids, stat};
use dbgctl_linux::target::{self, ContainerId, Origin, Origins};
use dbgctl_linux::{Buffer, Moment, Pid, Root, Units};

use crate::Result;
use crate::arguments::Arguments;

/// The longest file that is recorded whole: `smaps` of some hundred mappings.
const BOUND_BYTES: u64 = 1 << 20;

/// Files of a process, as proc(5) names them.
const OF_PROCESS: [&str; 17] = [
    "auxv",
    "cgroup",
    "cmdline",
    "environ",
    "io",
    "limits",
    "maps",
    "mountinfo",
    "oom_score",
    "oom_score_adj",
    "schedstat",
    "smaps",
    "smaps_rollup",
    "stat",
    "statm",
    "status",
    "wchan",
];

/// Files of a thread.
const OF_THREAD: [&str; 5] = ["schedstat", "stat", "status", "syscall", "wchan"];

/// Files of the machine and of the network namespace.
const OF_MACHINE: [&str; 29] = [
    "diskstats",
    "loadavg",
    "meminfo",
    "partitions",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "self/cgroup",
    "self/net/dev",
    "self/net/netstat",
    "stat",
    "sys/kernel/pid_max",
    "sys/kernel/threads-max",
    "self/net/tcp",
    "self/net/tcp6",
    "self/net/udp",
    "self/net/udp6",
    "self/net/unix",
    "self/net/snmp",
    "self/net/snmp6",
    "self/net/sockstat",
    "self/net/sockstat6",
    "self/net/softnet_stat",
    "self/net/stat/nf_conntrack",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/tcp_max_syn_backlog",
    "sys/net/ipv4/tcp_max_tw_buckets",
    "sys/net/ipv4/tcp_syncookies",
    "sys/net/ipv4/ip_forward",
];

/// Values of an environment are nobody's business; their length stays.
const REDACTED: u8 = b'x';

/// Prints the scene.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let id: ContainerId = arguments.next().ok_or("whose scene?")?.parse()?;
    let root = Root::live()?;
    let mut scene = Scene { tar: tar::Builder::new(io::stdout()) };
    let (moment, units) = (Moment::now(), Units::live());
    let circumstances = format!(
        "target {id}\nboottime_nanos {}\nunix_nanos {}\nticks_per_second {}\npage_bytes {}\n",
        moment.boottime_nanos, moment.unix_nanos, units.ticks_per_second, units.page_bytes
    );
    scene.file(Path::new("scene"), circumstances.as_bytes())?;
    for name in OF_MACHINE {
        scene.copy(&Path::new("/proc").join(name))?;
    }
    let init = target::init(&root, &id)?.ok_or("no process of the target is to be seen")?;
    let mut origins = Origins::new(&root, &id);
    let mut buffer = Buffer::default();
    for pid in pids::processes(&root)? {
        let Ok(process) = stat::read(&root, pid, &mut buffer) else { continue };
        // Of others, as of the recorder itself, there is only what tells that they are others.
        if origins.of(&process)? == Origin::Target { scene.process(pid)? } else { scene.stranger(pid)? }
    }
    scene.sockets(&root)?;
    scene.network(&root)?;
    scene.cgroup(init)?;
    for name in ["passwd", "group"] {
        scene.copy(&proc(init).join("root/etc").join(name))?;
    }
    scene.tar.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn proc(pid: Pid) -> PathBuf {
    Path::new("/proc").join(pid.0.to_string())
}

struct Scene {
    tar: tar::Builder<Stdout>,
}

impl Scene {
    fn process(&mut self, pid: Pid) -> Result {
        let directory = proc(pid);
        OF_PROCESS.iter().try_for_each(|name| self.copy(&directory.join(name)))?;
        for task in entries(&directory.join("task")) {
            OF_THREAD.iter().try_for_each(|name| self.copy(&task.join(name)))?;
        }
        entries(&directory.join("fdinfo")).iter().try_for_each(|info| self.copy(info))?;
        let links = ["exe", "cwd", "ns/pid", "ns/net", "ns/mnt", "ns/user", "ns/cgroup"]
            .map(|name| directory.join(name));
        let descriptors = entries(&directory.join("fd"));
        descriptors.iter().chain(&links).try_for_each(|link| self.link(link))
    }

    fn stranger(&mut self, pid: Pid) -> Result {
        ["cgroup", "cmdline", "stat"].iter().try_for_each(|name| self.copy(&proc(pid).join(name)))
    }

    /// The control group as the target sees it: one directory, or in version 1 one for each controller.
    fn cgroup(&mut self, init: Pid) -> Result {
        let top = proc(init).join("root/sys/fs/cgroup");
        for entry in entries(&top) {
            if entry.is_dir() {
                entries(&entry).iter().filter(|path| path.is_file()).try_for_each(|file| self.copy(file))?;
            } else {
                self.copy(&entry)?;
            }
        }
        Ok(())
    }

    /// What sock_diag tells. Without a table its file is missing as well.
    fn sockets(&mut self, root: &Root) -> Result {
        let mut diag = SockDiag::open(root)?;
        for table in Table::ALL {
            if let Ok(answer) = diag.record(table) {
                self.file(Path::new(sock_diag::recorded_file(table)), &answer)?;
            }
        }
        Ok(())
    }

    /// What rtnetlink tells, in the same way.
    fn network(&mut self, root: &Root) -> Result {
        let mut kernel = Rtnetlink::open(root)?;
        for table in rtnetlink::Table::ALL {
            if let Ok(answer) = kernel.record(table) {
                self.file(Path::new(table.recorded_file()), &answer)?;
            }
        }
        Ok(())
    }

    /// Adds a file if it is there, or a mark that it could not be opened.
    fn copy(&mut self, path: &Path) -> Result {
        let mut content = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(BOUND_BYTES).read_to_end(&mut content));
        let inside = path.strip_prefix("/")?;
        match read {
            Ok(_) => {
                if path.ends_with("environ") {
                    redact(&mut content);
                }
                self.file(inside, &content)
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.file(&PathBuf::from(format!("{}.denied", inside.display())), b"")
            }
            // It ended meanwhile, or this kernel has no such file.
            Err(_) => Ok(()),
        }
    }

    fn link(&mut self, path: &Path) -> Result {
        let Ok(leads_to) = fs::read_link(path) else { return Ok(()) };
        let mut header = header(tar::EntryType::Symlink);
        header.set_size(0);
        Ok(self.tar.append_link(&mut header, path.strip_prefix("/")?, leads_to)?)
    }

    fn file(&mut self, path: &Path, content: &[u8]) -> Result {
        let mut header = header(tar::EntryType::Regular);
        header.set_size(u64::try_from(content.len())?);
        Ok(self.tar.append_data(&mut header, path, content)?)
    }
}

fn header(kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Keeps names, and of all else nothing but the length: what has no name may be the rest of a value.
fn redact(environment: &mut [u8]) {
    for variable in environment.split_mut(|&byte| byte == 0) {
        let value = variable.iter().position(|&byte| byte == b'=').map_or(0, |equals| equals + 1);
        variable[value..].fill(REDACTED);
    }
}
