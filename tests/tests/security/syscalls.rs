//! Which system calls the agent makes while it observes, as strace(1) sees them.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dbgctl_tests::questions::{OBSERVING, about};
use dbgctl_tests::{Target, dbgctl, docker_ok, eventually, skipped};

use crate::live::Live;

/// Calls that could change something, reach another process, or leave the namespaces.
const WATCHED: &str = "trace=open,openat,openat2,creat,truncate,ftruncate,unlink,unlinkat,rename,renameat,renameat2,\
     mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,setxattr,\
     mount,umount2,setns,unshare,ptrace,process_vm_readv,process_vm_writev,pidfd_send_signal,kill,tkill,tgkill,\
     open_by_handle_at,bpf,execve,socket";

/// strace on every thread of a sidecar's agent.
struct Watched {
    strace: Child,
    directory: tempfile::TempDir,
}

impl Watched {
    /// `None` where there is no strace.
    fn start(sidecar: &Live) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (pid, log) = (sidecar.host_pid.to_string(), directory.path().join("log"));
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-s", "200", "-e", WATCHED, "-p", &pid, "-o"])
            .arg(&log)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let is_traced = || sidecar.threads().iter().all(|thread| thread["TracerPid"] != "0");
        assert!(eventually(Duration::from_secs(10), is_traced), "strace did not take hold");
        Some(Self { strace, directory })
    }

    /// What was seen, one call a line.
    fn end(mut self) -> Vec<String> {
        let _interrupted = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status();
        self.strace.wait().unwrap();
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

/// Opening for reading, and sockets that ask the kernel. Everything else that is watched changes or reaches something.
fn is_harmless(call: &str) -> bool {
    let call = call.split_once(' ').map_or(call, |(_thread, call)| call.trim_start());
    let (name, _) = call.split_once('(').unwrap_or((call, ""));
    match name {
        "open" | "openat" | "openat2" => {
            !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"].iter().any(|flag| call.contains(flag))
        }
        "socket" => call.contains("AF_NETLINK"),
        // The end of a call that was interrupted, whose beginning was judged.
        _ => call.starts_with("<... ") || call.starts_with("+++ ") || call.starts_with("--- "),
    }
}

#[test]
fn whatever_is_observed_nothing_is_opened_for_writing_and_nobody_is_signalled() {
    let targets = [
        Target::web(),
        Target::run(&[], &["threads", "20"]).ready(),
        Target::run(&[], &["zombies", "3"]).ready(),
        Target::run(&[], &["hostile"]).ready(),
    ];
    for target in &targets {
        for level in ["0", "1", "1b"] {
            let sidecar = Live::session(target, level);
            let Some(watched) = Watched::start(&sidecar) else {
                skipped("no strace");
                return;
            };
            for question in OBSERVING {
                let asked = dbgctl(&[&["--level", level], &about(&target.name, question)[..]].concat());
                // What needs more than this level is refused.
                assert!([Some(0), Some(2)].contains(&asked.code), "{asked:?}");
            }
            let calls = watched.end();
            assert!(calls.iter().any(|call| call.contains("open")), "nothing was seen: {calls:#?}");
            let harmful: Vec<_> = calls.iter().filter(|call| !is_harmless(call)).collect();
            assert!(harmful.is_empty(), "level {level}: {harmful:#?}");
            dbgctl(&["detach", &target.name]).expect(0);
        }
        // As the engine sees it: no file of the target was added, changed or removed.
        assert_eq!(docker_ok(&["diff", &target.id]), "", "{}", target.name);
    }
}

#[test]
fn what_would_be_harmful_is_known_when_it_is_seen() {
    for call in [
        "17 openat(5, \"1/mem\", O_RDWR|O_CLOEXEC) = -1 EACCES (Permission denied)",
        "17 openat(5, \"x\", O_RDONLY|O_CREAT, 0666) = 7",
        "17 kill(1, SIGTERM) = -1 EPERM (Operation not permitted)",
        "17 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 9",
        "17 ptrace(PTRACE_SEIZE, 1, NULL, 0) = -1 EPERM (Operation not permitted)",
    ] {
        assert!(!is_harmless(call), "{call}");
    }
    assert!(is_harmless("17 openat(5, \"1/stat\", O_RDONLY|O_CLOEXEC) = 7"));
}
