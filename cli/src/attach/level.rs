//! Privilege levels: what a sidecar is given, and what the agent in it keeps.

use std::fmt;

use dbgctl_proto::Needs;

/// How much a sidecar may do. Ordered: a higher level answers everything that a lower one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    /// An unprivileged user without any capability, from the first instruction.
    Zero,
    /// Starts as root and becomes the same user at once, keeping CAP_SYS_PTRACE alone.
    One,
    /// The same, keeping CAP_DAC_READ_SEARCH as well: for what only the owner of a process or file may read.
    OneB,
}

impl Level {
    pub(crate) const ALL: [Self; 3] = [Self::Zero, Self::One, Self::OneB];

    /// The level of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::OneB => "1b",
        }
    }

    /// The capabilities that the agent keeps.
    pub(crate) fn held(self) -> &'static [&'static str] {
        match self {
            Self::Zero => &[],
            Self::One => &["CAP_SYS_PTRACE"],
            Self::OneB => &["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"],
        }
    }

    /// The capabilities that the container is created with: those that the agent keeps, and those that it
    /// needs to get rid of root.
    pub(crate) fn granted(self) -> &'static [&'static str] {
        match self {
            Self::Zero => &[],
            Self::One => &["CAP_SYS_PTRACE", "CAP_SETUID", "CAP_SETGID"],
            Self::OneB => &["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SETGID"],
        }
    }

    /// The lowest level with which the answer is whole. `None` if no level gives what the probe declares.
    pub(crate) fn whole(needs: &Needs) -> Option<Self> {
        Self::covering(needs.capabilities.iter().map(|capability| capability.name))
    }

    /// The lowest level with which there is an answer, perhaps with gaps.
    pub(crate) fn least(needs: &Needs) -> Option<Self> {
        let required = needs.capabilities.iter().filter(|capability| !capability.optional);
        Self::covering(required.map(|capability| capability.name))
    }

    fn covering<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<Self> {
        Self::ALL.into_iter().find(|level| names.clone().all(|name| level.held().contains(&name)))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::{NEEDS, needs_of};

    use super::*;

    #[test]
    fn each_probe_gets_the_least_level_that_makes_its_answer_whole() {
        let levels = |path| {
            let needs = needs_of(path).unwrap();
            (Level::least(needs), Level::whole(needs))
        };
        assert_eq!(levels("/dbgctl.v1.ConnectService/Connect"), (Some(Level::Zero), Some(Level::Zero)));
        assert_eq!(levels("/dbgctl.v1.ProcessService/ListProcesses"), (Some(Level::Zero), Some(Level::One)));
        assert_eq!(levels("/dbgctl.v1.CpuService/ListCpu"), (Some(Level::Zero), Some(Level::One)));
        assert_eq!(levels("/dbgctl.v1.MemoryService/ListMemory"), (Some(Level::One), Some(Level::One)));
        let fds = levels("/dbgctl.v1.DescriptorService/ListDescriptors");
        assert_eq!(fds, (Some(Level::One), Some(Level::OneB)));
    }

    #[test]
    fn every_probe_of_the_contract_has_a_level() {
        for needs in NEEDS {
            assert!(Level::whole(needs).is_some(), "{}", needs.path);
        }
    }

    #[test]
    fn no_level_is_granted_what_must_never_be() {
        for level in Level::ALL {
            for never in ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_DAC_OVERRIDE", "CAP_KILL"] {
                assert!(!level.granted().contains(&never), "{level}: {never}");
            }
        }
    }
}
