//! `/proc/<pid>/status`, as far as it says who a process is and what it may do. See proc_pid_status(5).

use crate::capability::CapabilitySet;
use crate::{Buffer, Pid, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 64 << 10;

/// Credentials and confinement of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Real, effective, saved and file system user id.
    pub uids: Vec<u32>,
    /// Real, effective, saved and file system group id.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Threads in the process.
    pub threads: u32,
    /// What an exec may inherit.
    pub inheritable: CapabilitySet,
    /// What may be made effective.
    pub permitted: CapabilitySet,
    /// What is in force.
    pub effective: CapabilitySet,
    /// What an exec by root may give at most.
    pub bounding: CapabilitySet,
    /// What an unprivileged exec keeps.
    pub ambient: CapabilitySet,
    /// See PR_SET_NO_NEW_PRIVS in prctl(2).
    pub no_new_privileges: bool,
    /// Number of seccomp filters in force. `None` before Linux 5.9.
    pub seccomp_filters: Option<u32>,
}

/// Reads the file of the reader itself.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(root: &Root) -> Result<Identity, ReadError> {
    let mut buffer = Buffer::default();
    let content = root.read(&ProcName::own("status"), BOUND_BYTES, &mut buffer)?;
    Ok(parse(content.bytes))
}

/// Reads the file of process `pid`, whose main thread stands for all of them.
///
/// # Errors
///
/// [`ReadError`]; the process may have ended.
pub fn read_of(root: &Root, pid: Pid) -> Result<Identity, ReadError> {
    let mut buffer = Buffer::default();
    let content = root.read(&ProcName::of(pid, "status"), BOUND_BYTES, &mut buffer)?;
    Ok(parse(content.bytes))
}

/// Parses the file's text. What is not there keeps its default; what is not a number counts as absent.
pub fn parse(text: &[u8]) -> Identity {
    let text = String::from_utf8_lossy(text);
    let mut identity = Identity::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key {
            "Uid" => identity.uids = numbers(value),
            "Gid" => identity.gids = numbers(value),
            "Groups" => identity.groups = numbers(value),
            "Threads" => identity.threads = value.parse().unwrap_or_default(),
            "CapInh" => identity.inheritable = capabilities(value),
            "CapPrm" => identity.permitted = capabilities(value),
            "CapEff" => identity.effective = capabilities(value),
            "CapBnd" => identity.bounding = capabilities(value),
            "CapAmb" => identity.ambient = capabilities(value),
            "NoNewPrivs" => identity.no_new_privileges = value == "1",
            "Seccomp_filters" => identity.seccomp_filters = value.parse().ok(),
            _ => {}
        }
    }
    identity
}

fn numbers(value: &str) -> Vec<u32> {
    value.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn capabilities(value: &str) -> CapabilitySet {
    // Unreadable must not look like harmless.
    CapabilitySet::from_bits(u64::from_str_radix(value, 16).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_agent_is_recognised() {
        let identity = parse(
            b"Name:\tagent\nUid:\t65533\t65533\t65533\t65533\nGid:\t65533\t65533\t65533\t65533\n\
             Groups:\t \nThreads:\t1\nCapInh:\t0000000000000000\nCapPrm:\t0000000000080000\n\
             CapEff:\t0000000000080000\nCapBnd:\t00000000000800c0\nCapAmb:\t0000000000000000\n\
             NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n",
        );
        assert_eq!(identity.uids, [65533; 4]);
        assert!(identity.groups.is_empty());
        assert_eq!(identity.effective.to_string(), "CAP_SYS_PTRACE");
        assert_eq!(identity.seccomp_filters, Some(2));
        assert!(identity.no_new_privileges);
    }

    #[test]
    fn an_unreadable_capability_set_counts_as_full() {
        assert_eq!(parse(b"CapEff:\tzz\n").effective.bits(), u64::MAX);
    }
}
