//! Whose sidecar is it? Decides whether one that was found may be swept away.

use std::fmt;
use std::fs;
use std::process;
use std::str::FromStr;

use nix::sys::stat::stat;
use nix::unistd::{Uid, User, gethostname};

/// The process that created a sidecar. Written as `host/boot id/PID namespace/pid/start time`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    host: String,
    boot_id: String,
    /// Inode of the PID namespace: the same pid means another process in another namespace.
    pid_namespace: u64,
    pid: u32,
    /// In clock ticks since boot, as in proc_pid_stat(5). Tells a process from a later one with the same pid.
    start_ticks: u64,
    /// Who runs it. Not part of the text.
    pub(crate) user: String,
}

/// What can be said of an owner from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    Alive,
    Dead,
    /// It lives on another machine or in another PID namespace.
    OutOfSight,
}

impl Owner {
    /// This process.
    pub(crate) fn myself() -> Self {
        let user = User::from_uid(Uid::current()).ok().flatten();
        Self {
            host: gethostname().map(|host| host.to_string_lossy().replace('/', "_")).unwrap_or_default(),
            boot_id: read("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            pid_namespace: pid_namespace(),
            pid: process::id(),
            start_ticks: start_ticks(process::id()).unwrap_or_default(),
            user: user.map_or_else(|| Uid::current().to_string(), |user| user.name),
        }
    }

    /// Whether the process that this label names still runs, as seen by `self`.
    pub(crate) fn liveness_of(&self, other: &Self) -> Liveness {
        if self.host != other.host || self.pid_namespace == 0 {
            return Liveness::OutOfSight;
        }
        if self.boot_id != other.boot_id {
            return Liveness::Dead;
        }
        if self.pid_namespace != other.pid_namespace {
            return Liveness::OutOfSight;
        }
        if start_ticks(other.pid) == Some(other.start_ticks) { Liveness::Alive } else { Liveness::Dead }
    }
}

/// Zero where there is no procfs to ask.
fn pid_namespace() -> u64 {
    stat("/proc/self/ns/pid").map(|namespace| namespace.st_ino).unwrap_or_default()
}

fn start_ticks(pid: u32) -> Option<u64> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything: count fields after the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "the CLI's own machine, not the target")]
fn read(path: &str) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}/{}", self.host, self.boot_id, self.pid_namespace, self.pid, self.start_ticks)
    }
}

/// A label that is not of this form.
#[derive(Debug)]
pub(crate) struct NoOwner;

impl FromStr for Owner {
    type Err = NoOwner;

    fn from_str(text: &str) -> Result<Self, NoOwner> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(NoOwner);
        Ok(Self {
            host: next()?.to_owned(),
            boot_id: next()?.to_owned(),
            pid_namespace: next()?.parse().map_err(|_| NoOwner)?,
            pid: next()?.parse().map_err(|_| NoOwner)?,
            start_ticks: next()?.parse().map_err(|_| NoOwner)?,
            user: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_says_all_that_liveness_needs() {
        let me = Owner::myself();
        let read_back: Owner = me.to_string().parse().unwrap();
        assert_eq!(me.liveness_of(&read_back), Liveness::Alive);
    }

    #[test]
    fn a_pid_that_was_taken_over_is_not_the_owner() {
        let me = Owner::myself();
        let earlier = Owner { start_ticks: me.start_ticks + 1, ..me.clone() };
        assert_eq!(me.liveness_of(&earlier), Liveness::Dead);
    }

    #[test]
    fn an_owner_of_an_earlier_boot_is_dead_and_one_elsewhere_is_out_of_sight() {
        let me = Owner::myself();
        let before = Owner { boot_id: "earlier".to_owned(), ..me.clone() };
        assert_eq!(me.liveness_of(&before), Liveness::Dead);
        let elsewhere = Owner { host: format!("{}-2", me.host), ..me.clone() };
        assert_eq!(me.liveness_of(&elsewhere), Liveness::OutOfSight);
        let in_a_container = Owner { pid_namespace: me.pid_namespace + 1, ..me.clone() };
        assert_eq!(me.liveness_of(&in_a_container), Liveness::OutOfSight);
    }
}
