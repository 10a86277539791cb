//! Privilege levels: what a sidecar is given, and what the agent in it keeps.

use std::fmt;

use dbgctl_proto::Needs;

/// How much a sidecar may do. 1b and 2 both answer everything that 1 does, and neither what the other does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Level {
    /// An unprivileged user without any capability, from the first instruction.
    Zero,
    /// Starts as root and becomes the same user at once, keeping CAP_SYS_PTRACE alone.
    One,
    /// The same, keeping CAP_DAC_READ_SEARCH as well: for what only the owner of a process or file may read.
    OneB,
    /// As level 1, keeping CAP_NET_RAW as well: for what is sent and received in the target's network.
    Two,
}

impl Level {
    /// All levels. None is before one that it covers.
    pub(crate) const ALL: [Self; 4] = [Self::Zero, Self::One, Self::OneB, Self::Two];

    /// The level of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::OneB => "1b",
            Self::Two => "2",
        }
    }

    /// The capabilities that the agent keeps.
    pub(crate) fn held(self) -> &'static [&'static str] {
        match self {
            Self::Zero => &[],
            Self::One => &["CAP_SYS_PTRACE"],
            Self::OneB => &["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"],
            Self::Two => &["CAP_SYS_PTRACE", "CAP_NET_RAW"],
        }
    }

    /// The capabilities that the container is created with: those that the agent keeps, and those that it
    /// needs to get rid of root.
    pub(crate) fn granted(self) -> &'static [&'static str] {
        match self {
            Self::Zero => &[],
            Self::One => &["CAP_SYS_PTRACE", "CAP_SETUID", "CAP_SETGID"],
            Self::OneB => &["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SETGID"],
            Self::Two => &["CAP_SYS_PTRACE", "CAP_NET_RAW", "CAP_SETUID", "CAP_SETGID"],
        }
    }

    /// Whether it answers everything that `other` does.
    pub(crate) fn covers(self, other: Self) -> bool {
        other.held().iter().all(|name| self.held().contains(name))
    }

    /// The highest level that both cover.
    pub(crate) fn common(self, other: Self) -> Self {
        let common = Self::ALL.into_iter().rev().find(|&level| self.covers(level) && other.covers(level));
        common.unwrap_or(Self::Zero)
    }

    /// How little it may do, compared with others that may do enough: the less comes first.
    pub(crate) fn weight(self) -> usize {
        Self::ALL.into_iter().position(|level| level == self).unwrap_or_default()
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
        let capture = levels("/dbgctl.v1.CaptureService/CapturePackets");
        assert_eq!(capture, (Some(Level::Two), Some(Level::Two)));
    }

    #[test]
    fn what_two_levels_have_in_common_is_a_level_that_both_cover() {
        assert_eq!(Level::Two.common(Level::OneB), Level::One);
        assert_eq!(Level::Two.common(Level::One), Level::One);
        assert_eq!(Level::OneB.common(Level::Zero), Level::Zero);
        for level in Level::ALL {
            assert_eq!(level.common(level), level);
            assert!(level.covers(Level::Zero) && !Level::Zero.covers(Level::One));
        }
        assert!(!Level::Two.covers(Level::OneB) && !Level::OneB.covers(Level::Two));
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
