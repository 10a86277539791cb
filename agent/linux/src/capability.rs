//! Linux capabilities: names, bits and sets. See capabilities(7).

use std::fmt;
use std::str::FromStr;

/// Names in the order of their bits, as in `include/uapi/linux/capability.h`.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A set of capabilities, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapabilitySet(u64);

/// A name that is no capability's.
#[derive(Debug, thiserror::Error)]
#[error("no capability is named {0:?}")]
pub struct UnknownCapability(String);

impl CapabilitySet {
    /// No capability at all.
    pub const EMPTY: Self = Self(0);

    /// The set with these bits, as the kernel counts them.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, as the kernel counts them.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the capability of that name is in the set. False for a name that does not exist.
    pub fn holds(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names in the set, by bit. A bit that this program has no name for reads `CAP_<number>`.
    pub fn names(self) -> Vec<String> {
        (0..64)
            .filter(|bit| self.0 & (1 << bit) != 0)
            .map(|bit| NAMES.get(bit).map_or_else(|| format!("CAP_{bit}"), |name| (*name).to_owned()))
            .collect()
    }
}

fn bit(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// Parses names joined by commas. The empty text is the empty set.
impl FromStr for CapabilitySet {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(Self::EMPTY, |set, name| {
            let bit = bit(name).ok_or_else(|| UnknownCapability(name.to_owned()))?;
            Ok(Self(set.0 | 1 << bit))
        })
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_are_the_kernels() {
        let set: CapabilitySet = "CAP_SYS_PTRACE,CAP_NET_RAW".parse().unwrap();
        assert_eq!(set.bits(), 1 << 19 | 1 << 13);
        assert_eq!(set.to_string(), "CAP_NET_RAW,CAP_SYS_PTRACE");
        assert!(set.holds("CAP_SYS_PTRACE"));
        assert!(!set.holds("CAP_SYS_ADMIN"));
    }

    #[test]
    fn a_capability_of_a_newer_kernel_is_shown_by_number() {
        assert_eq!(CapabilitySet::from_bits(1 << 45).names(), ["CAP_45"]);
    }

    #[test]
    fn a_misspelt_name_is_refused() {
        let error = "CAP_SYS_PTRAC".parse::<CapabilitySet>().unwrap_err();
        assert_eq!(error.to_string(), "no capability is named \"CAP_SYS_PTRAC\"");
    }
}
