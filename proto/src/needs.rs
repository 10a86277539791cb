//! What each RPC requires, as declared beside it in the contract.

use std::fmt;

/// What a probe does to the world outside the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Reads kernel state and sends nothing.
    Observes,
    /// Visible on the network, from the target's address.
    SendsTraffic,
    /// Reads the payloads of others.
    Captures,
    /// Alters the target.
    Changes,
}

impl Effect {
    /// All effects, the mildest first.
    pub const ALL: [Self; 4] = [Self::Observes, Self::SendsTraffic, Self::Captures, Self::Changes];

    /// The effect's name on command lines and in tables, for example `sends-traffic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observes => "observes",
            Self::SendsTraffic => "sends-traffic",
            Self::Captures => "captures",
            Self::Changes => "changes",
        }
    }

    /// The effect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One Linux capability that a probe wants, see capabilities(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// As in the kernel's header, for example `CAP_SYS_PTRACE`.
    pub name: &'static str,
    /// Why; completes the sentence "needed …".
    pub reason: &'static str,
    /// Without it the answer has gaps. If false, there is no answer without it.
    pub optional: bool,
}

/// The needs of one RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The RPC's path, for example `/dbgctl.v1.ProcessService/ListProcesses`.
    pub path: &'static str,
    /// What a call does to the world.
    pub effect: Effect,
    /// Empty: works in a sidecar without any capability.
    pub capabilities: &'static [Capability],
}

include!("generated/needs.rs");

/// The needs of the RPC with that path, or `None` if the contract has no such RPC.
pub fn needs_of(path: &str) -> Option<&'static Needs> {
    NEEDS.iter().find(|needs| needs.path == path)
}
