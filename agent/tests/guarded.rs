//! The real server behind its guard, over memory: what passes, and with which status the rest is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::collections::BTreeSet;
use std::future::pending;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};

use dbgctl_agent::guard::{Grant, GuardLayer};
use dbgctl_agent::handshake::Myself;
use dbgctl_agent::lifetime::Lifetime;
use dbgctl_agent::server;
use dbgctl_agent::sources::Sources;
use dbgctl_agent::transport::{Connection, only};
use dbgctl_linux::Root;
use dbgctl_linux::procfs::identity::Identity;
use dbgctl_proto::{Effect, NEEDS};
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

const PS: &str = "/dbgctl.v1.ProcessService/ListProcesses";
const MEM: &str = "/dbgctl.v1.MemoryService/ListMemory";
const CONNECT: &str = "/dbgctl.v1.ConnectService/Connect";

/// An agent that holds `capabilities` and may do `effects`, looking at a recorded target.
async fn agent(capabilities: &str, effects: &[Effect]) -> Channel {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hostile-target");
    let sources = Arc::new(Sources::recorded(&scene).unwrap());
    let capabilities = capabilities.parse().unwrap();
    let identity = Identity { permitted: capabilities, effective: capabilities, ..Identity::default() };
    let grant = Grant { capabilities, effects: effects.iter().copied().collect::<BTreeSet<_>>() };
    let myself = Myself::new(&Root::live().unwrap(), &identity, &grant, &Ok(()), Some(1), false).unwrap();
    let guard = GuardLayer { grant: Arc::new(grant), lifetime: Arc::new(Lifetime::new()) };

    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(server::serve(guard, myself, sources, only(Connection::Pipe(theirs)), pending()));
    let ours = Mutex::new(Some(TokioIo::new(ours)));
    let connector = tower::service_fn(move |_: Uri| {
        let stream = ours.lock().unwrap().take();
        async { stream.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)) }
    });
    Endpoint::from_static("http://agent.invalid").connect_with_connector(connector).await.unwrap()
}

/// Calls `path` with an empty request and waits for the first answer, or for the end without one.
async fn call(channel: &Channel, path: &str) -> Result<(), Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = PathAndQuery::from_str(path).unwrap();
    // An empty message fits every request, and what it answers is not looked at.
    let answer = client.server_streaming(Request::new(()), path, ProstCodec::<(), ()>::default()).await?;
    answer.into_inner().message().await.map(drop)
}

#[tokio::test]
async fn an_agent_that_may_only_observe_refuses_to_send_traffic() {
    let agent = agent("CAP_SYS_PTRACE", &[Effect::Observes]).await;
    let refusal = call(&agent, CONNECT).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
    assert!(refusal.message().contains("sends-traffic"), "{refusal:?}");
    assert!(call(&agent, PS).await.is_ok());
}

#[tokio::test]
async fn an_agent_at_level_0_refuses_what_needs_ptrace_and_answers_the_rest() {
    let agent = agent("", &Effect::ALL).await;
    let refusal = call(&agent, MEM).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition, "{refusal:?}");
    assert!(refusal.message().contains("CAP_SYS_PTRACE, needed to read smaps_rollup"), "{refusal:?}");
    assert!(call(&agent, PS).await.is_ok());
    // It got as far as the probe, which asks for a host.
    assert_eq!(call(&agent, CONNECT).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_agent_without_any_leave_refuses_everything() {
    let agent = agent("CAP_SYS_PTRACE", &[]).await;
    for needs in NEEDS {
        let refusal = call(&agent, needs.path).await.unwrap_err();
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{}: {refusal:?}", needs.path);
    }
}

#[tokio::test]
async fn every_rpc_of_the_contract_is_served() {
    let agent = agent("CAP_SYS_PTRACE,CAP_DAC_READ_SEARCH,CAP_NET_RAW", &Effect::ALL).await;
    for needs in NEEDS {
        if let Err(status) = call(&agent, needs.path).await {
            // It got as far as the probe, which asks for more, or does not find it in this scene.
            assert_ne!(status.code(), Code::Unimplemented, "{}: {status:?}", needs.path);
            assert_ne!(status.code(), Code::FailedPrecondition, "{}: {status:?}", needs.path);
        }
    }
}

#[tokio::test]
async fn a_path_that_is_not_in_the_contract_is_not_implemented() {
    let agent = agent("CAP_SYS_PTRACE", &Effect::ALL).await;
    let near_misses = [
        "/dbgctl.v1.MemoryService/listmemory",
        "/dbgctl.v1.MemoryService/ListMemory/",
        "//dbgctl.v1.MemoryService/ListMemory",
        "/dbgctl.v1.MemoryService/%4cistMemory",
        "/dbgctl.v1.MemoryService/ListMemory%00",
        "/dbgctl.v1.MemoryService",
        "/",
    ];
    for path in near_misses {
        let refusal = call(&agent, path).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unimplemented, "{path}: {refusal:?}");
    }
}

/// If the guard and the router understood a path differently, one could be passed by the other.
#[tokio::test]
async fn no_other_spelling_of_a_path_slips_past_the_guard() {
    let agent = agent("", &[]).await;
    for path in ["/dbgctl.v1.MemoryService/ListMemory?x", "/dbgctl.v1.AgentService/Handshake?"] {
        let refusal = call(&agent, path).await.unwrap_err();
        assert_eq!(refusal.code(), Code::FailedPrecondition, "{path}: {refusal:?}");
    }
}
