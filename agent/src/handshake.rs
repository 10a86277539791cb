//! `AgentService`: who the agent is, what it holds, how long it stays.

use std::sync::Arc;
use std::time::Duration;

use dbgctl_linux::procfs::identity::Identity;
use dbgctl_linux::{Buffer, ProcName, ReadError, Root};
use dbgctl_proto::bounds::LONGEST_STAY;
use dbgctl_proto::v1::agent_service_server::{AgentService, AgentServiceServer};
use dbgctl_proto::{Effect, MAX_MESSAGE_BYTES, PROTOCOL, v1};
use nix::sys::utsname::uname;
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError, chain};
use crate::guard::Grant;
use crate::lifetime::Lifetime;
use crate::seccomp::SeccompError;

/// A profile's name is a path or a word with its mode.
const APPARMOR_BYTES: usize = 4096;

/// What the agent found out about itself at its start.
#[derive(Debug, Clone)]
pub struct Myself {
    answer: v1::HandshakeResponse,
    /// Whether a second client could join.
    has_socket: bool,
}

impl Myself {
    /// Puts together what was read back after the drop.
    ///
    /// # Errors
    ///
    /// If the agent's namespaces can not be read.
    pub fn new(
        root: &Root,
        identity: &Identity,
        grant: &Grant,
        filter: &Result<(), SeccompError>,
        target_init_pid: Option<u32>,
        has_socket: bool,
    ) -> Result<Self, ReadError> {
        let namespace = |name: &'static str| root.inode(&ProcName::own(name));
        let system = uname().ok();
        let kernel_release = system.map(|system| system.release().to_string_lossy().into_owned());
        let answer = v1::HandshakeResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            architecture: std::env::consts::ARCH.to_owned(),
            kernel_release: kernel_release.unwrap_or_default(),
            namespaces: Some(v1::Namespaces {
                pid: namespace("ns/pid")?,
                network: namespace("ns/net")?,
                user: namespace("ns/user")?,
                mount: namespace("ns/mnt")?,
            }),
            uid: identity.uids.get(1).copied().unwrap_or(u32::MAX),
            capabilities: identity.effective.names(),
            regainable_capabilities: identity.permitted.without(identity.effective).names(),
            seccomp: Some(v1::Seccomp {
                filters: identity.seccomp_filters,
                agent_filter: filter.is_ok(),
                problem: filter.as_ref().err().map(|error| chain(error)).unwrap_or_default(),
            }),
            apparmor_profile: apparmor_profile(root),
            no_new_privileges: identity.no_new_privileges,
            allowed_effects: grant.effects.iter().map(|effect| message(*effect).into()).collect(),
            target_init_pid,
            time_left: None,
        };
        Ok(Self { answer, has_socket })
    }

    /// The service that tells it.
    pub(crate) fn service(self, lifetime: Arc<Lifetime>) -> AgentServiceServer<impl AgentService> {
        AgentServiceServer::new(Service { myself: self, lifetime })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// The profile in force, or `None` where AppArmor is not: the file is absent, unreadable or belongs to another module.
fn apparmor_profile(root: &Root) -> Option<String> {
    let mut buffer = Buffer::default();
    let content = root.read(&ProcName::own("attr/apparmor/current"), APPARMOR_BYTES, &mut buffer).ok()?;
    let text = String::from_utf8_lossy(content.bytes);
    let profile = text.trim_end_matches(['\n', '\0']);
    (!profile.is_empty()).then(|| profile.to_owned())
}

fn message(effect: Effect) -> v1::Effect {
    match effect {
        Effect::Observes => v1::Effect::Observes,
        Effect::SendsTraffic => v1::Effect::SendsTraffic,
        Effect::Captures => v1::Effect::Captures,
        Effect::Changes => v1::Effect::Changes,
    }
}

struct Service {
    myself: Myself,
    lifetime: Arc<Lifetime>,
}

#[tonic::async_trait]
impl AgentService for Service {
    async fn handshake(
        &self,
        _request: Request<v1::HandshakeRequest>,
    ) -> Result<Response<v1::HandshakeResponse>, Status> {
        let time_left = self.lifetime.left().and_then(|left| left.try_into().ok());
        Ok(Response::new(v1::HandshakeResponse { time_left, ..self.myself.answer.clone() }))
    }

    async fn keep(&self, request: Request<v1::KeepRequest>) -> Result<Response<v1::KeepResponse>, Status> {
        let request = request.into_inner();
        if !self.myself.has_socket {
            // No one could ever reach it again.
            let problem = "this agent was started without a private socket";
            return Err(ProbeError::from(BadRequest::new("time_to_live", problem)).into());
        }
        let time_to_live = stay(request.time_to_live.as_ref(), "time_to_live")?
            .ok_or_else(|| ProbeError::from(BadRequest::new("time_to_live", "is required")))?;
        let idle = stay(request.idle.as_ref(), "idle")?.unwrap_or(time_to_live);
        self.lifetime.keep(time_to_live, idle);
        Ok(Response::new(v1::KeepResponse {}))
    }
}

/// A time that the agent may be told to stay.
fn stay(given: Option<&prost_types::Duration>, field: &'static str) -> Result<Option<Duration>, ProbeError> {
    let Some(given) = given else { return Ok(None) };
    match Duration::try_from(*given) {
        Ok(time) if !time.is_zero() && time <= LONGEST_STAY => Ok(Some(time)),
        _ => Err(BadRequest::new(
            field,
            format!("is not between 0 and {} hours", LONGEST_STAY.as_secs() / 3600),
        )
        .into()),
    }
}
