//! `path`: everything on the way to a service, in order, until something is broken.

mod destination;
mod mtu;

use std::net::IpAddr;
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::MOST_CONNECT_ATTEMPTS;
use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::connect_service_client::ConnectServiceClient;
use dbgctl_proto::v1::http_service_client::HttpServiceClient;
use dbgctl_proto::v1::tls_service_client::TlsServiceClient;
use dbgctl_proto::v1::{self, ConnectAttempt, ConnectOutcome, HttpOutcome, LookUpOutcome, TlsOutcome};

use self::destination::Destination;
use self::mtu::Reached;
use super::agent::Agent;
use super::step::{Layer, Step};
use super::{Failure, Question, connect, dns, http, network, tls, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl path web db:5432                    the name, the route, the connection
  dbgctl path web api:443 --tls              and the TLS handshake, judged as the container would
  dbgctl path web https://api/health         and a request
  dbgctl path web 10.0.0.7:80 -o json | jq -r .summary.broken_layer
  dbgctl path web db:5432 && echo up         exit status 0: all of it works, 1: something is broken

Asked in this order, each time as the container's own program would: the resolver, the kernel's route to each address, a \
connection to each, TLS where it is spoken, and HTTP for a URL. If a connection opens and hangs, \
echoes tell whether only large packets vanish. It ends at the first layer that is broken, and says which \
one that is; `dns`, `net`, `connect`, `tls`, `http` and `trace` tell more of each. A URL is asked for once, with GET.";

/// Check every layer on the way to a service, and name the broken one (sends traffic)
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where to: name or address with port, or a URL with http:// or https://
    #[arg(value_name = "HOST:PORT|URL")]
    destination: Destination,

    /// Shake hands over TLS as well; of https:// that goes without saying
    #[arg(long)]
    tls: bool,

    /// Time for each connection, handshake and answer; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = connect::timeout)]
    timeout: Duration,
}

impl Question for Args {
    /// It asks several. This is one of those with the highest needs, all of them optional.
    fn rpc(&self) -> &'static str {
        v1::LookUpNameResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, _: &mut Talk) -> Result<Exit, Failure> {
        let mut walk = Walk { args: self, agent, steps: Vec::new(), name_leads_to: None, reached: None };
        walk.go().await?;
        unless_pipe_closed(self.show(&walk, output))
    }
}

impl Args {
    fn show(&self, walk: &Walk<'_>, output: &mut Output) -> Result<Exit, Failure> {
        let steps = walk.steps.as_slice();
        let broken = steps.iter().find(|step| step.is_broken);
        let verdict = self.verdict(broken, walk.name_leads_to.as_deref());
        output.sentences([&verdict])?;
        output.rows(steps)?;
        let told = broken.and_then(|step| step.findings.first());
        let findings = steps.iter().flat_map(|step| &step.findings);
        output.sentences(findings.filter(|finding| Some(*finding) != told))?;
        if !output.is_table() {
            output.object(|object| {
                object.object("summary", |object| {
                    object.text("verdict", verdict.as_str());
                    object.text("broken_layer", broken.map(|step| step.layer.name()));
                });
            })?;
        }
        output.flush()?;
        Ok(if broken.is_some() { Exit::No } else { Exit::Answered })
    }

    /// `name_leads_to`: the host is a name, and that is where it leads to. The service may be elsewhere.
    fn verdict(&self, broken: Option<&Step>, name_leads_to: Option<&str>) -> String {
        let to = &self.destination;
        match broken {
            None => format!("{to}: works, as far as it was tried"),
            Some(step) => {
                let layer = step.layer.words();
                let why = step.findings.first().unwrap_or(&step.what);
                // What is said of some layers begins with their name.
                let why = why.strip_prefix(layer).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(why);
                let or = name_leads_to.filter(|_| step.may_be_elsewhere());
                let or = or.map_or_else(String::new, |leads| {
                    format!("; or the name is wrong, which leads to {leads}")
                });
                format!("{to}: broken at {layer}: {why}{or}")
            }
        }
    }

    fn speaks_tls(&self) -> bool {
        self.tls || self.destination.is_https()
    }
}

/// The way so far.
struct Walk<'a> {
    args: &'a Args,
    agent: &'a Agent,
    steps: Vec<Step>,
    /// The addresses of the name, and who says so. `None`: the host is an address.
    name_leads_to: Option<String>,
    /// The first address that took a connection.
    reached: Option<Reached>,
}

impl Walk<'_> {
    /// Goes on until something is broken.
    async fn go(&mut self) -> Result<(), Failure> {
        let addresses = self.name().await?;
        if self.goes_on() {
            self.routes(&addresses).await?;
        }
        if self.goes_on() {
            self.connection().await?;
        }
        // A request shakes hands itself.
        match &self.args.destination.url {
            _ if !self.goes_on() => Ok(()),
            Some(url) => self.request(url).await,
            None if self.args.speaks_tls() => self.handshake().await,
            None => Ok(()),
        }
    }

    fn goes_on(&self) -> bool {
        self.steps.iter().all(|step| !step.is_broken)
    }

    /// The addresses of the host, and the interface that an address names.
    async fn name(&mut self) -> Result<Vec<(IpAddr, Option<String>)>, Failure> {
        let host = &self.args.destination.peer.host;
        let (address, zone) =
            host.split_once('%').map_or((host.as_str(), None), |(ip, zone)| (ip, Some(zone)));
        if let Ok(address) = address.parse() {
            return Ok(vec![(address, zone.map(str::to_owned))]);
        }
        let (verdict, mut findings) = dns::look_up(self.agent, host).await?;
        let is_broken = verdict.outcome() != LookUpOutcome::Found;
        // The first sentence says what was found.
        let what = if findings.is_empty() { String::new() } else { findings.remove(0) };
        if is_broken && findings.is_empty() {
            findings.push(what.clone());
        }
        if !is_broken {
            let whose = if verdict.source == "files" { "/etc/hosts" } else { "the DNS" };
            self.name_leads_to = Some(format!("{} by {whose}", verdict.addresses.join(", ")));
        }
        let took = Some(Duration::from_nanos(verdict.nanos));
        self.steps.push(Step { layer: Layer::Name, is_broken, took, what, findings });
        let addresses = verdict.addresses.iter().filter_map(|address| address.parse().ok());
        Ok(addresses.map(|address| (address, None)).collect())
    }

    /// Which way the kernel would send to each address. Broken if there is none to any of them.
    async fn routes(&mut self, addresses: &[(IpAddr, Option<String>)]) -> Result<(), Failure> {
        let (mut found, mut steps) = (false, Vec::new());
        for (address, zone) in addresses.iter().take(MOST_CONNECT_ATTEMPTS) {
            let (gets_away, says) = network::way(self.agent, *address, zone.clone()).await?;
            found |= gets_away;
            let (what, findings) = (says.join("; "), if gets_away { Vec::new() } else { says });
            steps.push(Step { layer: Layer::Route, is_broken: false, took: None, what, findings });
        }
        if let Some(last) = steps.last_mut().filter(|_| !found) {
            last.is_broken = true;
        }
        self.steps.extend(steps);
        Ok(())
    }

    async fn connection(&mut self) -> Result<(), Failure> {
        let peer = &self.args.destination.peer;
        let mut client =
            ConnectServiceClient::new(self.agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::ConnectRequest {
            host: peer.host.clone(),
            port: peer.port.get().into(),
            timeout: prost_types::Duration::try_from(self.args.timeout).ok(),
            ..v1::ConnectRequest::default()
        };
        let response =
            self.agent.within_limit(async { Ok(client.connect(request).await?.into_inner()) }).await?;
        let attempts = response.attempts.get(..MOST_CONNECT_ATTEMPTS).unwrap_or(&response.attempts);
        let connected = attempts.iter().find(|it| it.outcome() == ConnectOutcome::Connected);
        let is_connected = connected.is_some();
        self.reached = connected
            .and_then(|it| Some(Reached { address: it.address.clone(), path_mtu_bytes: it.path_mtu_bytes? }));
        for attempt in attempts {
            let findings = connect::words::cause(attempt).into_iter().collect();
            let what = format!("{}: {}", attempt.address, connect::words::result(attempt.outcome()));
            let took = Some(Duration::from_nanos(attempt.nanos));
            let layer = if is_connected { Layer::Connection } else { layer(attempt) };
            self.steps.push(Step { layer, is_broken: !is_connected, took, what, findings });
        }
        if attempts.is_empty() {
            let resolved = (response.resolve_error.as_str(), response.look_up.as_deref());
            let findings = connect::not_reached(peer, resolved, attempts);
            let what = "not tried".to_owned();
            self.steps.push(Step { layer: Layer::Name, is_broken: true, took: None, what, findings });
        }
        Ok(())
    }

    async fn handshake(&mut self) -> Result<(), Failure> {
        let peer = &self.args.destination.peer;
        let mut client =
            TlsServiceClient::new(self.agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::TlsRequest {
            host: peer.host.clone(),
            port: peer.port.get().into(),
            timeout: prost_types::Duration::try_from(self.args.timeout).ok(),
            options: None,
        };
        let response =
            self.agent.within_limit(async { Ok(client.handshake(request).await?.into_inner()) }).await?;
        match response.handshake {
            Some(handshake) => {
                self.unless_too_large(handshake.outcome() == TlsOutcome::TimedOut).await?;
                self.steps.push(of_handshake(&handshake));
            }
            None => {
                let resolved = (response.resolve_error.as_str(), response.look_up.as_deref());
                let findings = connect::not_reached(peer, resolved, &response.attempts);
                let what = "not connected this time".to_owned();
                self.steps.push(Step {
                    layer: Layer::Connection,
                    is_broken: true,
                    took: None,
                    what,
                    findings,
                });
            }
        }
        Ok(())
    }

    async fn request(&mut self, url: &str) -> Result<(), Failure> {
        let mut client =
            HttpServiceClient::new(self.agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::HttpRequest {
            url: url.to_owned(),
            timeout: prost_types::Duration::try_from(self.args.timeout).ok(),
            ..v1::HttpRequest::default()
        };
        let response =
            self.agent.within_limit(async { Ok(client.exchange(request).await?.into_inner()) }).await?;
        let Some(exchange) = response.exchanges.into_iter().next() else {
            return Err(Failure::Request {
                because: "the agent did not say what came of the request".to_owned(),
                suggestion: "try `dbgctl http`".to_owned(),
            });
        };
        let shaken = exchange.handshake.as_ref().map(v1::TlsHandshake::outcome);
        let is_late = matches!(exchange.outcome(), HttpOutcome::NoFirstByte | HttpOutcome::BodyBroken);
        self.unless_too_large(is_late || shaken == Some(TlsOutcome::TimedOut)).await?;
        if let Some(handshake) = &exchange.handshake {
            self.steps.push(of_handshake(handshake));
        }
        let (what, verdicts) = http::in_words(exchange.clone());
        let layer = match exchange.outcome() {
            HttpOutcome::NotConnected => Layer::Connection,
            _ => Layer::Http,
        };
        let is_broken = exchange.outcome() != HttpOutcome::Answered || exchange.status >= 400;
        // What is wrong with the handshake was said already.
        if self.steps.last().is_none_or(|step| !step.is_broken || step.layer == Layer::Mtu) {
            let took = exchange.first_byte_nanos.map(Duration::from_nanos);
            let told = self.steps.last().map_or(&[][..], |step| &step.findings);
            let findings = verdicts.into_iter().filter(|it| !told.contains(it)).collect();
            self.steps.push(Step { layer, is_broken, took, what, findings });
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// Whether it is the size of the packets that makes a connection hang.
    async fn unless_too_large(&mut self, hangs: bool) -> Result<(), Failure> {
        if let Some(reached) = self.reached.as_ref().filter(|_| hangs) {
            self.steps.extend(reached.black_hole(self.agent).await?);
        }
        Ok(())
    }
}

/// At which layer an attempt failed.
fn layer(attempt: &ConnectAttempt) -> Layer {
    match attempt.outcome() {
        ConnectOutcome::NoRoute | ConnectOutcome::NoLocalAddress => Layer::Route,
        ConnectOutcome::NoNeighbour => Layer::Neighbour,
        _ => Layer::Connection,
    }
}

fn of_handshake(handshake: &v1::TlsHandshake) -> Step {
    let is_finished = handshake.outcome() == TlsOutcome::Finished;
    let what = if is_finished {
        tls::agreed(handshake)
    } else {
        tls::words::outcome(handshake.outcome()).to_owned()
    };
    Step {
        layer: Layer::Tls,
        is_broken: !is_finished || !handshake.problems.is_empty(),
        took: Some(Duration::from_nanos(handshake.nanos)),
        what,
        findings: tls::words::verdicts(handshake, &tls::certificates(handshake)),
    }
}
