//! The live system answers as the recorded ones do: this very process is looked at.

use std::os::unix::ffi::OsStrExt;

use dbgctl_linux::procfs::stat::State;
use dbgctl_linux::procfs::{cgroup, cmdline, owner, pids, smaps_rollup, stat, status};
use dbgctl_linux::{Buffer, Moment, Pid, Root, Units};

fn own() -> Pid {
    Pid(std::process::id())
}

#[test]
fn this_process_is_listed_with_its_parent_owner_and_arguments() {
    let root = Root::live().unwrap();
    let mut buffer = Buffer::default();
    let listed = pids::processes(&root).unwrap();
    assert!(listed.is_sorted() && listed.contains(&own()));
    assert_eq!(owner::read(&root, own()).unwrap(), nix::unistd::geteuid().as_raw());
    let cmdline = cmdline::read(&root, own(), &mut buffer).unwrap();
    let arguments: Vec<_> = std::env::args_os().collect();
    assert!(cmdline.arguments().eq(arguments.iter().map(|argument| argument.as_bytes())));
    let process = stat::read(&root, own(), &mut buffer).unwrap();
    assert_eq!(process.parent.0, std::os::unix::process::parent_id());
    assert!(!process.is_kernel_thread() && !process.state.has_ended());
}

#[test]
fn this_thread_runs_and_has_an_owner() {
    let root = Root::live().unwrap();
    let mut buffer = Buffer::default();
    let tid = Pid(nix::unistd::gettid().as_raw().unsigned_abs());
    assert!(pids::threads(&root, own()).unwrap().contains(&tid));
    let thread = stat::read_thread(&root, own(), tid, &mut buffer).unwrap();
    assert_eq!((thread.pid, thread.state), (tid, State::Running));
    assert_eq!(owner::read_thread(&root, own(), tid).unwrap(), nix::unistd::geteuid().as_raw());
}

#[test]
fn the_files_of_this_kernel_are_understood() {
    let root = Root::live().unwrap();
    let mut buffer = Buffer::default();
    let memory = smaps_rollup::read(&root, own(), &mut buffer).unwrap();
    assert!(memory.rss_bytes >= memory.pss_bytes && memory.pss_bytes > 0);
    assert_eq!(
        status::read(&root, own(), &mut buffer).unwrap().effective_uid,
        nix::unistd::geteuid().as_raw()
    );
    assert!(!cgroup::read_own(&root, &mut buffer).unwrap().is_empty());
}

#[test]
fn a_process_starts_before_now() {
    let root = Root::live().unwrap();
    let started_ticks = stat::read(&root, own(), &mut Buffer::default()).unwrap().started_ticks;
    let started_nanos = Units::live().ticks_to_nanos(started_ticks);
    let age_nanos = Moment::now().boottime_nanos.checked_sub(started_nanos).unwrap();
    assert!(age_nanos < 3600 * 1_000_000_000);
}

#[test]
fn a_process_that_is_not_there_is_gone() {
    let root = Root::live().unwrap();
    let error = stat::read(&root, Pid(u32::MAX), &mut Buffer::default()).unwrap_err();
    assert!(error.is_gone() && !error.is_denied());
    assert_eq!(error.to_string(), "cannot open /proc/4294967295/stat");
}
