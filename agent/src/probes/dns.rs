//! `LookUpName`: what the target's resolver would ask, and what it would be told.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dbgctl_linux::etc::resolv_conf::Resolver;
use dbgctl_proto::bounds::{
    LONGEST_DNS_WAIT, LONGEST_NAME_BYTES, MOST_NAME_SERVERS, MOST_RECORD_TYPES, MOST_ROUNDS,
};
use dbgctl_proto::list::LookUpNews;
use dbgctl_proto::v1;
use dbgctl_proto::v1::dns_service_server::{DnsService, DnsServiceServer};
use futures_util::stream::{BoxStream, StreamExt as _, iter};
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::error::{BadRequest, ProbeError};
use crate::resolvers::{self, A, AAAA, Listener, Setup};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, waiting};

const PORT: u16 = 53;

/// Nobody looks for so long whether the next round is still wanted.
const SLICE: Duration = Duration::from_millis(200);

/// Nobody notices that an answer begins so much later.
const SOON: Duration = Duration::from_millis(5);

/// The service, reading from `sources`.
pub(crate) fn service(sources: Arc<Sources>) -> DnsServiceServer<impl DnsService> {
    DnsServiceServer::new(Dns { sources })
}

type Answer = BoxStream<'static, Result<v1::LookUpNameResponse, Status>>;

#[derive(Debug)]
struct Dns {
    sources: Arc<Sources>,
}

#[tonic::async_trait]
impl DnsService for Dns {
    type LookUpNameStream = Answer;
    type LookUpNameInEnvironmentStream = Answer;

    async fn look_up_name(
        &self,
        request: Request<v1::LookUpNameRequest>,
    ) -> Result<Response<Self::LookUpNameStream>, Status> {
        self.look_up(request, false).await
    }

    async fn look_up_name_in_environment(
        &self,
        request: Request<v1::LookUpNameRequest>,
    ) -> Result<Response<Self::LookUpNameStream>, Status> {
        self.look_up(request, true).await
    }
}

impl Dns {
    async fn look_up(
        &self,
        request: Request<v1::LookUpNameRequest>,
        must_heed_environment: bool,
    ) -> Result<Response<Answer>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let plan = Plan::try_from(request.into_inner()).map_err(ProbeError::from)?;
        let plan = Plan { must_heed_environment, ..plan };
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(together(waiting(terms, move |out| collect(&sources, &plan, out))?).await))
    }
}

/// A stream whose beginning goes to the client together with the head of the answer, if it comes soon: a server that is
/// near has answered by then.
async fn together(mut stream: Bounded<v1::LookUpNameResponse>) -> Answer {
    match timeout(SOON, stream.next()).await {
        Ok(first) => iter(first).chain(stream).boxed(),
        Err(_) => stream.boxed(),
    }
}

/// What to look up and how, with every field checked.
#[derive(Debug)]
struct Plan {
    name: Vec<u8>,
    kinds: Vec<u16>,
    resolver: Option<Resolver>,
    servers: Vec<SocketAddr>,
    tcp: bool,
    rounds: u32,
    interval: Duration,
    timeout: Option<Duration>,
    every_server: bool,
    must_heed_environment: bool,
}

impl TryFrom<v1::LookUpNameRequest> for Plan {
    type Error = BadRequest;

    fn try_from(request: v1::LookUpNameRequest) -> Result<Self, BadRequest> {
        let name = request.name;
        if name.is_empty() || name.len() > LONGEST_NAME_BYTES || name.contains(&0) {
            return Err(BadRequest::new(
                "name",
                format!("is not between 1 and {LONGEST_NAME_BYTES} bytes, none of them NUL"),
            ));
        }
        if request.record_types.len() > MOST_RECORD_TYPES || request.servers.len() > MOST_NAME_SERVERS {
            return Err(BadRequest::new("record_types", "there are too many of them, or of servers"));
        }
        let mut kinds = Vec::new();
        for kind in request.record_types {
            let kind = u16::try_from(kind).ok().filter(|&kind| kind > 0);
            kinds.push(kind.ok_or_else(|| BadRequest::new("record_types", "is not between 1 and 65535"))?);
        }
        if kinds.is_empty() {
            kinds = vec![A, AAAA];
        }
        let resolver = match v1::Resolver::try_from(request.resolver) {
            Ok(v1::Resolver::Unspecified) => None,
            Ok(v1::Resolver::Glibc) => Some(Resolver::Glibc),
            Ok(v1::Resolver::Musl) => Some(Resolver::Musl),
            Ok(v1::Resolver::Go) => Some(Resolver::Go),
            Err(_) => return Err(BadRequest::new("resolver", "is none that this agent knows")),
        };
        let servers = request.servers.iter().map(|server| {
            let address = server.parse().or_else(|_| Ok((server.parse::<IpAddr>()?, PORT).into()));
            address.map_err(|_: std::net::AddrParseError| BadRequest::new("servers", "is no address"))
        });
        Ok(Self {
            name,
            kinds,
            resolver,
            servers: servers.collect::<Result<_, _>>()?,
            tcp: request.tcp,
            rounds: request.rounds.clamp(1, MOST_ROUNDS),
            interval: wait(request.interval, "interval")?.unwrap_or_default(),
            timeout: wait(request.timeout, "timeout")?.filter(|timeout| !timeout.is_zero()),
            every_server: request.every_server,
            must_heed_environment: false,
        })
    }
}

fn wait(given: Option<prost_types::Duration>, field: &'static str) -> Result<Option<Duration>, BadRequest> {
    let Some(given) = given else { return Ok(None) };
    let wait = Duration::try_from(given).ok().filter(|wait| *wait <= LONGEST_DNS_WAIT);
    wait.map(Some).ok_or_else(|| BadRequest::new(field, "is not between 0 and 60 seconds"))
}

/// Rows go out a moment after they are known: whoever waits for an answer wants to see what is waited for. What is
/// known at the same time goes out together.
impl Listener for Out<v1::LookUpNameResponse> {
    fn heard(&mut self, question: v1::DnsQuestion) -> Result<(), Halt> {
        self.row(question)
    }

    fn wanted(&mut self) -> Result<(), Halt> {
        self.flush()?;
        Out::wanted(self)
    }
}

fn collect(sources: &Sources, plan: &Plan, out: &mut Out<v1::LookUpNameResponse>) -> Result<(), Halt> {
    let mut setup = Setup::read(sources, plan.resolver, plan.must_heed_environment)?;
    setup.tcp = plan.tcp;
    if !plan.servers.is_empty() {
        setup.servers.clone_from(&plan.servers);
    }
    if let Some(timeout) = plan.timeout {
        setup.wait(timeout);
    }
    out.hold(LookUpNews::Header(setup.header(sources.now().unix_nanos)))?;
    let started = Instant::now();
    let mut candidate = 0;
    for round in 1..=plan.rounds {
        let verdict = resolvers::look_up(&setup, sources.root(), &plan.name, &plan.kinds, round, out)?;
        candidate = verdict.candidate;
        out.hold(LookUpNews::Verdict(verdict))?;
        if round < plan.rounds {
            out.flush()?;
            pause(started + plan.interval * round, out)?;
        }
    }
    if plan.every_server {
        resolvers::ask_every_server(&setup, &plan.name, &plan.kinds, candidate, out)?;
    }
    Ok(())
}

fn pause(until: Instant, out: &mut Out<v1::LookUpNameResponse>) -> Result<(), Halt> {
    loop {
        out.wanted()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(SLICE));
    }
}
