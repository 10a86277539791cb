//! Files of the target are opened without ever leaving its root, and only if they are files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dbgctl_linux::cgroupfs::{Cgroup, Limit, Version, memory};
use dbgctl_linux::etc::passwd;
use dbgctl_linux::file::FileKind;
use dbgctl_linux::target::ContainerId;
use dbgctl_linux::{Buffer, LastLink, Pid, ReadError, Root};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, RenameFlags, open, renameat2};
use nix::sys::stat::Mode;

const INIT: Pid = Pid(1);

struct Target {
    dir: tempfile::TempDir,
    root: Root,
}

impl Target {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("proc/1/root/etc")).unwrap();
        fs::write(dir.path().join("secret"), "of the agent").unwrap();
        let root = Root::recorded(dir.path()).unwrap();
        Self { dir, root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("proc/1/root").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn read(&self, path: &str, bound: usize) -> Result<String, ReadError> {
        let mut buffer = Buffer::default();
        let file = self.root.open_in(INIT, Path::new(path))?;
        Ok(String::from_utf8(file.read(bound, &mut buffer)?.to_vec()).unwrap())
    }

    fn memory(&self) -> Result<(Version, memory::Memory), ReadError> {
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let cgroup = Cgroup::find(&self.root, INIT, &id, &mut Buffer::default())?;
        Ok((cgroup.version(), memory::read(&cgroup, 4096, &mut Buffer::default())))
    }
}

#[test]
fn symbolic_links_end_within_the_targets_root() {
    let target = Target::new();
    target.write("etc/passwd.real", "root:x:0:0\n");
    symlink("/etc/passwd.real", target.path("etc/passwd")).unwrap();
    symlink("../../../../../../secret", target.path("etc/up")).unwrap();
    symlink(target.dir.path().join("secret"), target.path("etc/absolute")).unwrap();
    assert_eq!(target.read("/etc/passwd", 100).unwrap(), "root:x:0:0\n");
    for path in ["/etc/up", "/etc/absolute", "/../../../secret", "../../../secret"] {
        assert!(target.read(path, 100).unwrap_err().is_gone(), "{path}");
    }
}

#[test]
fn a_path_through_a_parent_is_opened_also_while_something_else_is_renamed() {
    let target = Target::new();
    target.write("etc/passwd.real", "root:x:0:0\n");
    symlink("../etc/passwd.real", target.path("etc/passwd")).unwrap();
    target.write("a", "");
    let (one, other) = (target.path("a"), target.path("b"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&one, &other).unwrap();
                fs::rename(&other, &one).unwrap();
            }
        });
        let read = (0..2000).map(|_| target.read("/etc/passwd", 100)).collect::<Result<Vec<_>, _>>();
        stop.store(true, Ordering::Relaxed);
        assert!(read.unwrap().iter().all(|text| text == "root:x:0:0\n"));
    });
}

#[test]
fn magic_links_are_not_followed() {
    let root = Root::live().unwrap();
    let own = Pid(std::process::id());
    let path = format!("/proc/{own}/root/etc/passwd");
    let error = root.open_in(own, Path::new(&path)).unwrap_err();
    assert!(!error.is_gone() && !error.is_denied(), "{error:?}");
}

#[test]
fn the_environment_and_memory_of_a_process_are_no_files_to_read_whatever_leads_there() {
    let root = Root::live().unwrap();
    let own = Pid(std::process::id());
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("harmless");
    symlink(format!("/proc/{own}/environ"), &link).unwrap();
    for path in [
        link,
        format!("/proc/{own}/environ").into(),
        format!("/proc/{own}/task/{own}/environ").into(),
        format!("/proc/{own}/mem").into(),
    ] {
        let error = root.open_in(own, &path).unwrap_err();
        assert!(matches!(error, ReadError::Secrets { .. }), "{path:?}: {error:?}");
    }
    root.open_in(own, Path::new(&format!("/proc/{own}/status"))).unwrap();
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let target = Target::new();
    nix::unistd::mkfifo(&target.path("etc/passwd"), Mode::S_IRWXU).unwrap();
    assert_eq!(target.read("/etc/passwd", 100).unwrap_err().reason(), "a FIFO, not a regular file");
    assert_eq!(target.read("/etc", 100).unwrap_err().reason(), "a directory, not a regular file");
}

#[test]
fn whoever_waits_at_a_fifo_does_not_notice_that_it_was_looked_at() {
    let target = Target::new();
    let fifo = target.path("etc/passwd");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    // Opening it to write without waiting fails for as long as nobody has it open to read.
    let open_to_write = || open(&fifo, OFlag::O_WRONLY | OFlag::O_NONBLOCK, Mode::empty());
    let found = target.root.target(INIT).unwrap();
    let found = found.find(Path::new("/etc/passwd"), LastLink::Follow).unwrap();
    assert_eq!(found.status().kind, FileKind::Fifo);
    assert!(found.file().is_err() && found.directory().is_err() && found.acl().is_err());
    assert_eq!(open_to_write().unwrap_err(), Errno::ENXIO);
}

#[test]
fn what_was_found_is_what_is_opened_whatever_has_its_name_by_then() {
    let target = Target::new();
    target.write("a", "first");
    let root = target.root.target(INIT).unwrap();
    let found = root.find(Path::new("/a"), LastLink::Follow).unwrap();
    fs::remove_file(target.path("a")).unwrap();
    target.write("a", "second");
    let mut buffer = Buffer::default();
    assert_eq!(found.file().unwrap().read(100, &mut buffer).unwrap(), b"first");
}

#[test]
fn a_directory_lists_what_it_holds_and_a_link_is_told_from_what_it_leads_to() {
    let target = Target::new();
    target.write("dir/a\n\x1b", "");
    symlink("/dir", target.path("link")).unwrap();
    let root = target.root.target(INIT).unwrap();
    let link = root.find(Path::new("/link"), LastLink::Keep).unwrap();
    assert_eq!((link.status().kind, link.link_target().unwrap()), (FileKind::Link, b"/dir".to_vec()));
    let mut entries = root.find(Path::new("/link"), LastLink::Follow).unwrap().directory().unwrap();
    assert_eq!(entries.next_entry().unwrap().unwrap().name.as_c_str(), c"a\n\x1b");
    assert_eq!(entries.next_entry().unwrap(), None);
}

#[test]
fn the_holes_of_a_file_are_skipped() {
    let target = Target::new();
    let file = fs::File::create(target.path("sparse")).unwrap();
    file.set_len(1 << 40).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"x", 1 << 39).unwrap();
    let root = target.root.target(INIT).unwrap();
    let file = root.find(Path::new("/sparse"), LastLink::Follow).unwrap().file().unwrap();
    let (start, end) = file.next_data(0, 1 << 40).unwrap().unwrap();
    assert!(start <= 1 << 39 && end > 1 << 39 && end - start <= 1 << 20);
    assert_eq!(file.next_data(end, 1 << 40).unwrap(), None);
}

#[test]
fn a_file_longer_than_the_bound_is_an_error_and_not_cut() {
    let target = Target::new();
    target.write("etc/long", &"x".repeat(101));
    assert_eq!(target.read("/etc/long", 101).unwrap().len(), 101);
    assert_eq!(target.read("/etc/long", 100).unwrap_err().reason(), "file too large");
    target.write("etc/passwd", &"x".repeat((1 << 20) + 1));
    assert!(passwd::read(&target.root, INIT, &mut Buffer::default()).is_err());
}

#[test]
fn both_versions_of_control_groups_are_found() {
    let target = Target::new();
    assert!(target.memory().unwrap_err().is_gone());

    target.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4096\n");
    target.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    let (version, memory) = target.memory().unwrap();
    assert_eq!((version, memory.current_bytes.unwrap()), (Version::V1, 4096));
    assert_eq!(memory.limit.unwrap(), Limit::Unlimited);

    target.write("sys/fs/cgroup/cgroup.events", "populated 1\nfrozen 0\n");
    target.write("sys/fs/cgroup/memory.current", "8192\n");
    target.write("sys/fs/cgroup/memory.max", "1048576\n");
    let (version, memory) = target.memory().unwrap();
    assert_eq!((version, memory.current_bytes.unwrap()), (Version::V2, 8192));
    assert_eq!(memory.limit.unwrap(), Limit::At(1 << 20));

    fs::remove_file(target.path("sys/fs/cgroup/memory.max")).unwrap();
    let (_, memory) = target.memory().unwrap();
    assert_eq!((memory.current_bytes, memory.limit), (Some(8192), None));
    assert!(matches!(&memory.failed[..], [("memory.max", error)] if error.is_gone()), "{memory:?}");
}

#[test]
fn a_malformed_file_is_named_with_its_line() {
    let target = Target::new();
    target.write("sys/fs/cgroup/cgroup.events", "populated 1\nfrozen 0\n");
    target.write("sys/fs/cgroup/memory.current", "lots\n");
    let (_, error) = target.memory().unwrap().1.failed.remove(0);
    let text = error.to_string();
    assert!(
        text.ends_with("root/sys/fs/cgroup/memory.current:1: expected a number, found \"lots\\n\""),
        "{text}"
    );
}

/// A directory that is, at any moment, either one of the target's or a link out of it.
#[test]
#[expect(clippy::disallowed_methods, reason = "the control opens plainly, to be led astray")]
fn no_byte_comes_from_outside_while_a_directory_is_swapped_with_a_link() {
    const READS: usize = 20_000;
    const INSIDE: &str = "of the target";
    let target = Target::new();
    target.write("swapped/file", INSIDE);
    let outside = target.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "of the agent").unwrap();
    symlink(&outside, target.path("link")).unwrap();

    let over = AtomicBool::new(false);
    let (mut inside, mut refused, mut outside_if_opened_plainly) = (0, 0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (target.path("swapped"), target.path("link"));
            while !over.load(Ordering::Relaxed) {
                renameat2(AT_FDCWD, &one, AT_FDCWD, &other, RenameFlags::RENAME_EXCHANGE).unwrap();
            }
        });
        for _ in 0..READS {
            match target.read("/swapped/file", 100) {
                Ok(text) => {
                    assert_eq!(text, INSIDE);
                    inside += 1;
                }
                Err(error) => {
                    assert!(error.is_gone(), "{error:?}");
                    refused += 1;
                }
            }
            // The control: what a plain open would have read.
            let plain = fs::read_to_string(target.path("swapped/file")).unwrap_or_default();
            outside_if_opened_plainly += usize::from(plain == "of the agent");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(inside > 0 && refused > 0 && outside_if_opened_plainly > 0);
    assert_eq!(inside + refused, READS);
}
