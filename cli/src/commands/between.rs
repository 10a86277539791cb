//! `between`: connections from one container to another, looked at from both ends.

mod far_end;
mod judgement;
mod near_end;
mod networks;

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::list::List as _;
use dbgctl_proto::needs_of;
use dbgctl_proto::v1::connect_service_client::ConnectServiceClient;
use dbgctl_proto::v1::{self, ConnectAttempt, LookUpOutcome};

use self::far_end::{FarEnd, Listener};
use self::judgement::{Facts, Fault, Place};
use self::near_end::Transmitted;
use self::networks::Meeting;
use super::agent::Agent;
use super::connect::peer::{Peer, with_port};
use super::step::{Layer, Step};
use super::{Failure, agent_of, connect, dns, explain, network, unless_pipe_closed};
use crate::attach::{Attacher, Sidecar, Survey};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Format, Output};

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl between web db:5432               from the container web to the port 5432 of db
  dbgctl between web compose:shop/db:5432 --timeout 2s
  dbgctl between web db:5432 -o json | jq -r .summary.broken_in

A connection is opened from the first container to each address that the second one has in a network which both share, \
and closed again. Before and after, the second one is looked at: who listens on the port and on which address, how full \
its accept queue is, what arrived. So the verdict says where it ends: it never left the first one (its routes, its \
firewall); it is lost between them; or the second one is at fault (nobody listens, or on 127.0.0.1 only, the accept queue \
is full, its firewall drops it).

Exit status 1: no connection. JSON: summary.broken_in is from, between, to, or null.";

const CONNECT: &str = "/dbgctl.v1.ConnectService/Connect";

/// Arguments of `between`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The container that connects
    from: String,

    /// The container that is connected to, and the port in it
    #[arg(value_name = "TO:PORT")]
    to: End,

    /// Time for each connection; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = connect::timeout)]
    timeout: Duration,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    container: String,
    port: NonZeroU16,
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once(':') {
            Some((container, port)) if !container.is_empty() => {
                Ok(Self { container: container.to_owned(), port: Peer::of_target(port)?.port })
            }
            _ => Err("expected a container and a port, for example db:5432".to_owned()),
        }
    }
}

/// A container with an agent beside it.
struct Side<'a> {
    attacher: &'a Attacher,
    survey: &'a Survey,
    sidecar: Sidecar,
    agent: Agent,
}

impl<'a> Side<'a> {
    /// With what answers to this RPC need.
    async fn start(attacher: &'a Attacher, survey: &'a Survey, rpc: &str) -> Result<Self, Error> {
        let needs = needs_of(rpc).ok_or_else(|| {
            Error::new("ask that", format!("the contract has no {rpc}"), "this is a bug: please report it")
        })?;
        let sidecar = attacher.for_question(survey, needs).await?;
        let agent = agent_of(attacher, survey, &sidecar);
        Ok(Self { attacher, survey, sidecar, agent })
    }

    async fn answered<T>(&self, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Error> {
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(explain(self.attacher, self.survey, &self.sidecar, failure).await),
        }
    }
}

pub(crate) async fn run(attacher: &Attacher, args: Args, format: Format) -> Result<Exit, Error> {
    let (from, to) = tokio::try_join!(attacher.survey(&args.from), attacher.survey(&args.to.container))?;
    let (maker_of_from, maker_of_to) =
        tokio::try_join!(attacher.network_maker(&from), attacher.network_maker(&to))?;
    let meeting = networks::meet(&maker_of_from, &maker_of_to, &args.to.container);
    let mut story = Story {
        from: from.target.name.clone(),
        to: to.target.name.clone(),
        port: args.to.port,
        steps: Vec::new(),
        fault: None,
    };
    story.met(&meeting);
    if !meeting.addresses.is_empty() {
        // Of all that is asked there this needs the most.
        let asked_of_near = if meeting.name.is_some() { v1::LookUpNameResponse::RPC } else { CONNECT };
        let (near, far) = tokio::try_join!(
            Side::start(attacher, &from, asked_of_near),
            Side::start(attacher, &to, v1::ListSocketsResponse::RPC),
        )?;
        if let Some(name) = &meeting.name {
            let (verdict, findings) = near.answered(dns::look_up(&near.agent, name)).await?;
            story.named(name, &verdict, findings, &meeting.addresses);
        }
        story.go(&args, &meeting.addresses, &near, &far).await?;
    }
    let shown = unless_pipe_closed(story.show(&mut Output::stdout(format)));
    shown.map_err(|failure| match failure {
        Failure::Output(error) => super::unwritten(&error),
        other => Error::new("show the answer", other.to_string(), "this is a bug: please report it"),
    })
}

/// What was found on the way from one to the other.
struct Story {
    from: String,
    to: String,
    port: NonZeroU16,
    steps: Vec<Step>,
    /// `None`: a connection was made.
    fault: Option<Fault>,
}

impl Story {
    fn met(&mut self, meeting: &Meeting) {
        let is_broken = meeting.addresses.is_empty();
        let (what, to) = (meeting.what.clone(), &self.to);
        let mut findings = Vec::new();
        if is_broken {
            let because = format!("{what}; `docker network connect NETWORK {to}` would let them meet");
            findings.push(because.clone());
            self.fault = Some(Fault { place: Place::Between, layer: Layer::Networks, because });
        }
        self.steps.push(Step { layer: Layer::Networks, is_broken, took: None, what, findings });
    }

    /// What the first container's resolver makes of a name of the second. Connections are made to addresses, so nothing
    /// is broken by it here.
    fn named(&mut self, name: &str, verdict: &v1::LookUpVerdict, told: Vec<String>, addresses: &[IpAddr]) {
        let (from, to) = (&self.from, &self.to);
        let found: Vec<IpAddr> = verdict.addresses.iter().filter_map(|it| it.parse().ok()).collect();
        let mut told = told.into_iter();
        let what = told.next().unwrap_or_default();
        let mut findings: Vec<_> = told.collect();
        if verdict.outcome() != LookUpOutcome::Found {
            findings.insert(0, format!("{from} does not find {to} by the name {name}"));
        } else if !found.iter().any(|ip| addresses.contains(ip)) {
            findings.insert(0, format!("in {from} the name {name} leads elsewhere, not to {to}"));
        }
        let took = Some(Duration::from_nanos(verdict.nanos));
        self.steps.push(Step { layer: Layer::Name, is_broken: false, took, what, findings });
    }

    /// Tries each address, until one connects.
    async fn go(
        &mut self,
        args: &Args,
        addresses: &[IpAddr],
        near: &Side<'_>,
        far: &Side<'_>,
    ) -> Result<(), Error> {
        for &ip in addresses {
            let (_, route) = near.answered(network::way(&near.agent, ip, None)).await?;
            let (sent, before) = near_and_far(near, far, ip).await?;
            let attempt = near.answered(connect_to(&near.agent, ip, args)).await?;
            let (all_sent, after) = near_and_far(near, far, ip).await?;
            let facts = Facts {
                from: &self.from,
                to: &self.to,
                ip,
                port: self.port,
                attempt: &attempt,
                left: all_sent.since(&sent, &attempt.interface),
                far_end: &after,
                meanwhile: after.counters.since(before.counters),
            };
            let (fault, listening) = (facts.judge(), listening(&facts));
            self.steps.push(listening);
            let what = route.join("; ");
            self.steps.push(Step {
                layer: Layer::Route,
                is_broken: false,
                took: None,
                what,
                findings: Vec::new(),
            });
            self.steps.push(connection(&attempt, self.port, fault.as_ref()));
            let is_connected = fault.is_none();
            // The first address is the one that programs try first.
            if is_connected || self.fault.is_none() {
                self.fault = fault;
            }
            if is_connected {
                return Ok(());
            }
        }
        Ok(())
    }

    fn verdict(&self) -> String {
        let Self { from, to, port, .. } = self;
        match &self.fault {
            None => format!("{from} reaches {to}:{port}"),
            Some(Fault { place, because, .. }) => {
                let place = match place {
                    Place::From => format!("in {from}"),
                    Place::Between => "between them".to_owned(),
                    Place::To => format!("in {to}"),
                };
                format!("{from} does not reach {to}:{port}: broken {place}: {because}")
            }
        }
    }

    fn show(&self, output: &mut Output) -> Result<Exit, Failure> {
        let verdict = self.verdict();
        output.sentences([&verdict])?;
        output.rows(&self.steps)?;
        let told = self.fault.as_ref().map(|fault| fault.because.as_str());
        let findings = self.steps.iter().flat_map(|step| &step.findings);
        output.sentences(findings.filter(|finding| Some(finding.as_str()) != told))?;
        if !output.is_table() {
            output.object(|object| {
                object.object("summary", |object| {
                    object.text("verdict", verdict.as_str());
                    object.text("broken_in", self.fault.as_ref().map(|fault| fault.place.name()));
                    object.text("broken_layer", self.fault.as_ref().map(|fault| fault.layer.name()));
                });
            })?;
        }
        output.flush()?;
        Ok(if self.fault.is_some() { Exit::No } else { Exit::Answered })
    }
}

/// What has left the one, and what the other one sees.
async fn near_and_far(near: &Side<'_>, far: &Side<'_>, ip: IpAddr) -> Result<(Transmitted, FarEnd), Error> {
    let sent = near.answered(Transmitted::look(&near.agent));
    tokio::try_join!(sent, far.answered(far_end::look(&far.agent, ip)))
}

async fn connect_to(agent: &Agent, ip: IpAddr, args: &Args) -> Result<ConnectAttempt, Failure> {
    let mut client = ConnectServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let request = v1::ConnectRequest {
        host: ip.to_string(),
        port: args.to.port.get().into(),
        timeout: prost_types::Duration::try_from(args.timeout).ok(),
        ..v1::ConnectRequest::default()
    };
    let response = agent.within_limit(async { Ok(client.connect(request).await?.into_inner()) }).await?;
    response.attempts.into_iter().next().ok_or_else(|| Failure::Request {
        because: format!("the agent did not try {ip}: {}", response.resolve_error),
        suggestion: "try `dbgctl connect`".to_owned(),
    })
}

/// The socket that takes connections at the other end, or that there is none.
fn listening(facts: &Facts<'_>) -> Step {
    let what = match facts.listener() {
        None => format!("none for {}", with_port(&facts.ip.to_string(), facts.port)),
        Some(listener) => match listener.queue {
            None => listener.in_words(),
            Some((waiting, limit)) => {
                format!("{}, {waiting} of {limit} waiting to be accepted", listener.in_words())
            }
        },
    };
    let is_broken = facts.listener().is_none_or(Listener::is_full);
    let findings = facts.nobody_listens().into_iter().collect();
    Step { layer: Layer::Listener, is_broken, took: None, what, findings }
}

fn connection(attempt: &ConnectAttempt, port: NonZeroU16, fault: Option<&Fault>) -> Step {
    let result = connect::words::result(attempt.outcome());
    Step {
        layer: Layer::Connection,
        is_broken: fault.is_some(),
        took: Some(Duration::from_nanos(attempt.nanos)),
        what: format!("{}: {result}", with_port(&attempt.address, port)),
        findings: match fault {
            Some(fault) => vec![fault.because.clone()],
            None => connect::words::cause(attempt).into_iter().collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_container_and_a_port() {
        let end = |container: &str, port| {
            Ok(End { container: container.to_owned(), port: NonZeroU16::new(port).unwrap() })
        };
        assert_eq!("db:5432".parse(), end("db", 5432));
        assert_eq!("compose:shop/db:80".parse(), end("compose:shop/db", 80));
        assert!("db".parse::<End>().unwrap_err().contains("db:5432"));
        assert!("db:x".parse::<End>().unwrap_err().contains("not a port"));
        assert!(":80".parse::<End>().is_err());
    }
}
