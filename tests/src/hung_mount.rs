//! A file system in a target that never answers: as one in the network whose server is gone.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::Target;
use crate::figures::say;

/// A mount of FUSE, without a server. When it goes out of scope, whoever waits for it gets an error.
pub struct HungMount {
    _server: File,
}

impl HungMount {
    /// Mounts it over a directory of the target, in the target's own mount namespace. `None`, which is said, where
    /// the kernel has no FUSE.
    #[track_caller]
    pub fn over(target: &Target, path: &'static str) -> Option<Self> {
        let Ok(server) = OpenOptions::new().read(true).write(true).open("/dev/fuse") else {
            say("not tested: a mount that hangs, for lack of /dev/fuse");
            return None;
        };
        let namespace = File::open(format!("/proc/{}/ns/mnt", target.inspect("{{.State.Pid}}"))).unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", server.as_raw_fd());
        // A thread of its own goes there, and ends there.
        let mounted = thread::spawn(move || {
            unshare(CloneFlags::CLONE_FS)?;
            setns(namespace, CloneFlags::CLONE_NEWNS)?;
            mount(Some("hung"), path, Some("fuse"), MsFlags::empty(), Some(options.as_str()))
        });
        mounted.join().unwrap().unwrap_or_else(|error| panic!("mount over {path}: {error}"));
        Some(Self { _server: server })
    }
}
