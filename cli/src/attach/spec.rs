//! The sidecar to create, from the target and what is needed. Pure: nothing is asked of the engine here.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dbgctl_proto::{AGENT_ID, Effect, SOCKET_DIRECTORY};

use super::facts::Container;
use super::level::Level;
use super::owner::Owner;

/// User and group of the agent, as the engine takes it.
pub(crate) fn agent_user() -> String {
    format!("{AGENT_ID}:{AGENT_ID}")
}

/// The agent in its image.
pub(crate) const AGENT_PATH: &str = "/agent";

/// The engine's default list of system calls minus what no sidecar ever needs. The agent narrows it further.
const SECCOMP_PROFILE: &str = include_str!("../../../images/agent/seccomp.json");

/// The directory of the agent's private socket, and what makes it private.
fn socket_tmpfs() -> (String, String) {
    let private = format!("mode=0700,uid={AGENT_ID},gid={AGENT_ID},size=64k,nosuid,nodev,noexec");
    (SOCKET_DIRECTORY.to_owned(), private)
}

/// What every sidecar of dbgctl carries.
pub(crate) mod label {
    pub(crate) const SESSION: &str = "dbgctl.session";
    pub(crate) const KIND: &str = "dbgctl.kind";
    pub(crate) const TARGET: &str = "dbgctl.target";
    pub(crate) const TARGET_NAME: &str = "dbgctl.target-name";
    pub(crate) const LEVEL: &str = "dbgctl.level";
    pub(crate) const EFFECTS: &str = "dbgctl.effects";
    pub(crate) const EXPIRES: &str = "dbgctl.expires";
    pub(crate) const OWNER: &str = "dbgctl.owner";
    pub(crate) const USER: &str = "dbgctl.user";
    pub(crate) const REASON: &str = "dbgctl.reason";
    pub(crate) const VERSION: &str = "dbgctl.version";
}

/// The name of a sidecar.
fn sidecar_name(session: &str, level: &str) -> String {
    format!("dbgctl-{session}-{level}")
}

/// Whether a container of that name, with these labels, is a sidecar of dbgctl.
///
/// Labels alone prove nothing: an image can bring any, and its containers must neither be hidden from dbgctl nor
/// be removed by it. An image can not choose its container's name.
pub(crate) fn is_sidecar(name: &str, labels: &HashMap<String, String>) -> bool {
    let (session, level) = (labels.get(label::SESSION), labels.get(label::LEVEL));
    session.zip(level).is_some_and(|(session, level)| name == sidecar_name(session, level))
}

/// What a sidecar is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One question; removed when it is answered.
    Question,
    /// A session, which others may join.
    Session,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Session => "session",
        }
    }
}

/// What the sidecar may use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Memory and swap together.
    pub(crate) memory_bytes: i64,
    /// Processes and threads.
    pub(crate) pids: i64,
    /// Billionths of a CPU.
    pub(crate) nano_cpus: i64,
    /// Weight against other containers, whose default is 1024.
    pub(crate) cpu_shares: i64,
    /// 1000: the first to go when memory runs out.
    pub(crate) oom_score_adj: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            pids: 64,
            nano_cpus: 1_000_000_000,
            cpu_shares: 128,
            oom_score_adj: 1000,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) level: Level,
    /// What the agent's guard shall let pass.
    pub(crate) effects: Vec<Effect>,
    /// Id of the session, shared by its sidecars.
    pub(crate) session: String,
    /// After this time the sidecar may be removed by anyone.
    pub(crate) expires_in: Duration,
    /// Why the user looks into the target. May be empty.
    pub(crate) reason: String,
}

/// A container to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) entrypoint: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) user: String,
    pub(crate) target_id: String,
    pub(crate) userns_mode: String,
    pub(crate) capabilities: Vec<String>,
    pub(crate) seccomp: String,
    /// Path and options.
    pub(crate) tmpfs: Option<(String, String)>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) limits: Limits,
}

impl Spec {
    /// The sidecar of `target` that grants `wish`, from the image with the id `image`.
    pub(crate) fn new(target: &Container, wish: &Wish, owner: &Owner, image: &str, now: SystemTime) -> Self {
        let expires = now.duration_since(UNIX_EPOCH).unwrap_or_default() + wish.expires_in;
        let effects: Vec<_> = wish.effects.iter().map(|effect| effect.name()).collect();
        let labels = [
            (label::SESSION, wish.session.clone()),
            (label::KIND, wish.kind.name().to_owned()),
            (label::TARGET, target.id.clone()),
            (label::TARGET_NAME, target.name.clone()),
            (label::LEVEL, wish.level.name().to_owned()),
            (label::EFFECTS, effects.join(",")),
            (label::EXPIRES, expires.as_secs().to_string()),
            (label::OWNER, owner.to_string()),
            (label::USER, owner.user.clone()),
            (label::REASON, wish.reason.clone()),
            (label::VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ];
        Self {
            name: sidecar_name(&wish.session, wish.level.name()),
            image: image.to_owned(),
            entrypoint: AGENT_PATH.to_owned(),
            arguments: arguments(target, wish),
            user: match wish.level {
                Level::Zero => agent_user(),
                // Added capabilities reach a root process only. The agent drops itself to its own user.
                Level::One | Level::OneB | Level::Two => "0:0".to_owned(),
            },
            target_id: target.id.clone(),
            userns_mode: target.userns_mode.clone(),
            capabilities: wish.level.granted().iter().map(|&name| name.to_owned()).collect(),
            seccomp: SECCOMP_PROFILE.to_owned(),
            tmpfs: (wish.kind == Kind::Session).then(socket_tmpfs),
            labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            limits: Limits::default(),
        }
    }
}

fn arguments(target: &Container, wish: &Wish) -> Vec<String> {
    let mut arguments = vec!["serve".to_owned(), "--target".to_owned(), target.id.clone()];
    let held = wish.level.held();
    if !held.is_empty() {
        arguments.extend(["--hold".to_owned(), held.join(",")]);
    }
    for effect in &wish.effects {
        arguments.extend(["--allow".to_owned(), effect.name().to_owned()]);
    }
    if wish.kind == Kind::Session {
        arguments.push("--socket".to_owned());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: Kind, level: Level) -> Spec {
        let target = Container { id: "ab".repeat(32), name: "web".to_owned(), ..Container::default() };
        let wish = Wish {
            kind,
            level,
            effects: vec![Effect::Observes],
            session: "0123abcd".to_owned(),
            expires_in: Duration::from_secs(60),
            reason: String::new(),
        };
        Spec::new(&target, &wish, &Owner::default(), "sha256:1", UNIX_EPOCH + Duration::from_secs(1000))
    }

    #[test]
    fn at_level_0_nothing_is_granted_and_root_is_never_used() {
        let spec = spec(Kind::Question, Level::Zero);
        assert_eq!(spec.user, "65533:65533");
        assert!(spec.capabilities.is_empty());
        assert_eq!(spec.tmpfs, None);
    }

    #[test]
    fn a_root_start_holds_ptrace_and_tells_the_agent_what_to_keep() {
        let spec = spec(Kind::Question, Level::One);
        assert_eq!(spec.user, "0:0");
        assert_eq!(spec.capabilities, ["CAP_SYS_PTRACE", "CAP_SETUID", "CAP_SETGID"]);
        let line = spec.arguments.join(" ");
        assert!(line.ends_with("--hold CAP_SYS_PTRACE --allow observes"), "{line}");
    }

    #[test]
    fn only_a_session_has_a_socket() {
        let spec = spec(Kind::Session, Level::Zero);
        assert!(spec.tmpfs.is_some_and(|(_, options)| options.contains("mode=0700,uid=65533")));
        assert!(spec.arguments.contains(&"--socket".to_owned()));
    }

    #[test]
    fn the_labels_tell_whose_it_is_and_when_it_may_go() {
        let spec = spec(Kind::Question, Level::Zero);
        assert!(spec.labels.contains(&(label::EXPIRES.to_owned(), "1060".to_owned())));
        assert!(spec.labels.contains(&(label::TARGET_NAME.to_owned(), "web".to_owned())));
    }

    #[test]
    fn a_container_whose_image_brings_our_labels_is_no_sidecar() {
        let spec = spec(Kind::Session, Level::One);
        let labels: HashMap<_, _> = spec.labels.into_iter().collect();
        assert!(is_sidecar(&spec.name, &labels));
        assert!(!is_sidecar("web", &labels));
        assert!(!is_sidecar(&spec.name, &HashMap::new()));
    }

    #[test]
    fn the_engines_profile_denies_what_reads_the_host_or_touches_the_target() {
        let profile: serde_json::Value = serde_json::from_str(SECCOMP_PROFILE).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let allowed = profile["syscalls"][0]["names"].as_array().unwrap();
        let never = [
            "open_by_handle_at",
            "ptrace",
            "process_vm_writev",
            "pidfd_getfd",
            "pidfd_send_signal",
            "rt_sigqueueinfo",
            "mount",
            "setns",
            "unshare",
            "bpf",
            "io_uring_setup",
            "io_submit",
            "unlinkat",
            "renameat2",
            "truncate",
        ];
        for name in never {
            assert!(!allowed.contains(&name.into()), "{name}");
        }
        assert!(allowed.contains(&"execve".into()));
        let families =
            profile["syscalls"].as_array().unwrap().iter().filter(|rule| rule["names"][0] == "socket");
        let families: Vec<_> = families.map(|rule| &rule["args"][0]["value"]).collect();
        // Local, IPv4, IPv6, netlink and packet. For others the kernel would load modules.
        assert_eq!(families, [1, 2, 10, 16, 17]);
    }
}
