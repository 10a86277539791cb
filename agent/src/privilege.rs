//! Giving up what the start needed and the probes do not.
//!
//! Docker gives added capabilities to a root process only, so a sidecar that needs one starts as root.
//! Here it becomes an unprivileged user that keeps the capabilities it was told to hold and none other.
//! It must run before any thread exists: credentials belong to threads.

use std::io;

use dbgctl_linux::capability::CapabilitySet;
use dbgctl_linux::procfs::identity::{self, Identity};
use dbgctl_linux::{Root, sys};
use dbgctl_proto::AGENT_ID;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};

/// Why privileges could not be given up. The agent ends then.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// A system call refused.
    #[error("cannot {op}")]
    Call {
        /// What was tried.
        op: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The drop reported success, but what the kernel shows afterwards is not what was asked for.
    #[error("privileges were not dropped as asked: {0}")]
    NotDropped(String),
    /// The kernel's account of this process could not be read.
    #[error("cannot read back the agent's own credentials")]
    ReadBack(#[source] dbgctl_linux::ReadError),
}

/// Becomes [`AGENT_ID`] if started as root, keeping `hold` and nothing else; then reads the result back.
///
/// A process that was not started as root has nothing to drop, but must not hold more than `hold` either.
pub fn drop_to(hold: CapabilitySet) -> Result<Identity, PrivilegeError> {
    hide()?;
    let started_as_root = geteuid().is_root();
    if started_as_root {
        let (uid, gid) = (Uid::from_raw(AGENT_ID), Gid::from_raw(AGENT_ID));
        prctl::set_keepcaps(true).map_err(call("keep capabilities over the change of user"))?;
        setgroups(&[]).map_err(call("leave supplementary groups"))?;
        setresgid(gid, gid, gid).map_err(call("change the group"))?;
        setresuid(uid, uid, uid).map_err(call("change the user"))?;
        sys::set_capabilities(hold).map_err(call("set capabilities"))?;
        prctl::set_keepcaps(false).map_err(call("stop keeping capabilities"))?;
        // A change of user sets the flag to whatever /proc/sys/fs/suid_dumpable says.
        hide()?;
    }
    let identity = read_back()?;
    verify(&identity, hold, started_as_root)?;
    Ok(identity)
}

/// Makes this process not dumpable: there is no core file of it, and what is private of it in `/proc` belongs to
/// root, also for a process of the same user.
pub fn hide() -> Result<(), PrivilegeError> {
    prctl::set_dumpable(false).map_err(call("clear the dumpable flag"))
}

/// The kernel's account of this process.
pub fn read_back() -> Result<Identity, PrivilegeError> {
    Root::live().and_then(|root| identity::read(&root)).map_err(PrivilegeError::ReadBack)
}

fn call(op: &'static str) -> impl Fn(nix::Error) -> PrivilegeError {
    move |error| PrivilegeError::Call { op, source: error.into() }
}

fn verify(identity: &Identity, hold: CapabilitySet, dropped: bool) -> Result<(), PrivilegeError> {
    let excess = identity.permitted.without(hold);
    let problem = if dropped && identity.threads != 1 {
        format!("{} threads existed", identity.threads)
    } else if dropped && (identity.uids != [AGENT_ID; 4] || identity.gids != [AGENT_ID; 4]) {
        format!("user ids are {:?}, group ids {:?}", identity.uids, identity.gids)
    } else if dropped && !identity.groups.is_empty() {
        format!("supplementary groups {:?} remain", identity.groups)
    } else if !excess.is_empty() {
        format!("{excess} remain permitted")
    } else if identity.effective != hold || !identity.inheritable.is_empty() || !identity.ambient.is_empty() {
        format!(
            "effective {}, inheritable {}, ambient {}, asked to hold {hold}",
            identity.effective, identity.inheritable, identity.ambient
        )
    } else {
        return Ok(());
    };
    Err(PrivilegeError::NotDropped(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped() -> Identity {
        Identity { uids: vec![AGENT_ID; 4], gids: vec![AGENT_ID; 4], threads: 1, ..Identity::default() }
    }

    #[test]
    fn a_capability_that_remains_is_noticed() {
        let hold: CapabilitySet = "CAP_SYS_PTRACE".parse().unwrap();
        let more: CapabilitySet = "CAP_SYS_PTRACE,CAP_SETUID".parse().unwrap();
        let identity = Identity { permitted: more, effective: hold, ..dropped() };
        let error = verify(&identity, hold, true).unwrap_err();
        assert!(error.to_string().contains("CAP_SETUID remain permitted"), "{error}");
    }

    #[test]
    fn a_change_of_user_that_reached_no_one_is_noticed() {
        let identity = Identity { uids: vec![0; 4], ..dropped() };
        assert!(verify(&identity, CapabilitySet::EMPTY, true).is_err());
    }

    #[test]
    fn a_clean_drop_passes() {
        assert!(verify(&dropped(), CapabilitySet::EMPTY, true).is_ok());
    }
}
