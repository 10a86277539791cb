//! What the engine knows of containers and images, as far as dbgctl asks.

use std::collections::HashMap;
use std::net::IpAddr;

/// One container, in detail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    /// Without the leading slash.
    pub(crate) name: String,
    /// As it was asked for.
    pub(crate) image: String,
    pub(crate) state: State,
    /// User of the configuration, as given: a name, an id, or either with a group. Empty: root.
    pub(crate) user: String,
    pub(crate) labels: HashMap<String, String>,
    /// Empty for a PID namespace of its own, else "host" or "container:<id>".
    pub(crate) pid_mode: String,
    pub(crate) network_mode: String,
    pub(crate) userns_mode: String,
    pub(crate) privileged: bool,
    /// With or without the prefix "CAP_".
    pub(crate) added_capabilities: Vec<String>,
    /// The networks that it was connected to. Empty if it shares the network namespace of another.
    pub(crate) networks: Vec<Membership>,
}

/// A container's place in a network of the engine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    /// As people call it.
    pub(crate) network: String,
    pub(crate) network_id: String,
    /// IPv4 first. None while the container does not run.
    pub(crate) addresses: Vec<IpAddr>,
    /// What the engine's resolver knows the container by there, apart from its name.
    pub(crate) aliases: Vec<String>,
}

/// One container, as the engine lists it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) labels: HashMap<String, String>,
    pub(crate) status: Status,
    /// Seconds since the epoch.
    pub(crate) created_unix: i64,
}

impl Summary {
    /// The value of a label; empty if it has none.
    pub(crate) fn label(&self, key: &str) -> &str {
        self.labels.get(key).map(String::as_str).unwrap_or_default()
    }
}

/// What a container is doing, or how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) status: Status,
    /// Of the first process, in the engine's PID namespace. 0 if the container does not run.
    pub(crate) pid: i64,
    /// Of the last run. Means nothing while the container runs.
    pub(crate) exit_code: i64,
    pub(crate) oom_killed: bool,
    /// As the engine writes it. Changes with each start.
    pub(crate) started_at: String,
    /// Why the container could not be started. Empty if it could.
    pub(crate) error: String,
}

/// The engine's word for what a container is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// A word of an engine that is newer than this program.
    #[default]
    Unknown,
}

impl Status {
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "created" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" => Self::Exited,
            "dead" => Self::Dead,
            _ => Self::Unknown,
        }
    }

    /// Whether there are processes to look at.
    pub(crate) fn has_processes(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl State {
    /// How the container ended, in words: "exit code 137, SIGKILL, out of memory".
    pub(crate) fn ending(&self) -> String {
        let mut words = format!("exit code {}", self.exit_code);
        if let Some(signal) = self.exit_code.checked_sub(128).and_then(signal_name) {
            words = format!("{words}, {signal}");
        }
        if self.oom_killed {
            words.push_str(", out of memory");
        }
        words
    }
}

/// The name of a signal by its number: engines report a death by signal n as exit code 128 + n.
fn signal_name(number: i64) -> Option<&'static str> {
    let number = i32::try_from(number).ok()?;
    nix::sys::signal::Signal::try_from(number).ok().map(nix::sys::signal::Signal::as_str)
}

/// One image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    /// As this engine names it. Differs between engines for the same image.
    pub(crate) id: String,
    pub(crate) architecture: String,
    pub(crate) os: String,
    /// Diff ids: digests of the uncompressed layers.
    pub(crate) layers: Vec<String>,
    pub(crate) user: String,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) env: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_signal_is_named() {
        let killed = State { exit_code: 137, oom_killed: true, ..State::default() };
        assert_eq!(killed.ending(), "exit code 137, SIGKILL, out of memory");
        let failed = State { exit_code: 1, ..State::default() };
        assert_eq!(failed.ending(), "exit code 1");
    }
}
