//! From a host, as the user named it, to the addresses that the target's program would get for it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dbgctl_linux::Buffer;
use dbgctl_proto::bounds::LONGEST_HOST_BYTES;
use dbgctl_proto::v1::{self, LookUpOutcome};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::error::{self, BadRequest, ProbeError};
use crate::resolvers::{self, A, AAAA, Listener, Setup};
use crate::sources::Sources;
use crate::stream::Halt;
use crate::threads;

/// A look-up ends by itself when its time is over. Whoever waits for one that does not, waits so much longer.
const GRACE: Duration = Duration::from_millis(500);

/// `NameLookUp.questions`
const MOST_QUESTIONS: usize = 32;
/// Of `NameLookUp.header`.
const MOST_DOMAINS: usize = 8;
/// The same.
const LONGEST_DOMAIN_BYTES: usize = 255;

/// What came of a look-up.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// How long it took. `None`: the host is an address.
    pub(crate) took: Option<Duration>,
    /// The addresses in the resolver's order, each once and never none; or why there is none.
    pub(crate) addresses: Result<Vec<SocketAddr>, String>,
    /// How the name was looked up. `None`: the host is an address, or there was no beginning.
    pub(crate) look_up: Option<Box<v1::NameLookUp>>,
}

/// Checks a host of a request.
///
/// # Errors
///
/// If it is empty or longer than a name can be.
pub(crate) fn check(host: &str) -> Result<(), BadRequest> {
    if host.is_empty() || host.len() > LONGEST_HOST_BYTES {
        return Err(BadRequest::new("host", format!("is not between 1 and {LONGEST_HOST_BYTES} bytes")));
    }
    if host.contains('\0') {
        return Err(BadRequest::new("host", "has a NUL in it"));
    }
    Ok(())
}

/// The addresses of `host`, a name or an address, each with `port`: found as `dns` finds them, with the rules of the
/// target's program as far as the agent may see what that is.
pub(crate) async fn resolve(sources: &Arc<Sources>, host: &str, port: u16, limit: Duration) -> Resolved {
    if let Ok(address) = host.parse::<IpAddr>() {
        let addresses = Ok(vec![SocketAddr::new(address, port)]);
        return Resolved { took: None, addresses, look_up: None };
    }
    let started = Instant::now();
    let late = || Resolved {
        took: Some(started.elapsed()),
        addresses: Err(format!("no answer from the resolver within {limit:?}")),
        look_up: None,
    };
    let (asker, answered) = oneshot::channel();
    let (sources, host) = (Arc::clone(sources), host.to_owned());
    let waiting = async move {
        threads::run_look_up(move || run(&sources, &host, port, (started, limit), asker)).await?;
        answered.await.map_err(|_| ProbeError::Broken("the look-up ended without a word".to_owned()))
    };
    match timeout_at((started + limit + GRACE).into(), waiting).await {
        Ok(Ok(resolved)) => resolved,
        Ok(Err(error)) => Resolved { addresses: Err(error.to_string()), ..late() },
        Err(_) => late(),
    }
}

fn run(
    sources: &Sources,
    host: &str,
    port: u16,
    (started, limit): (Instant, Duration),
    asker: oneshot::Sender<Resolved>,
) {
    let mut heard = Heard { asker, until: started + limit, questions: Vec::new() };
    let resolved = match with_zone(sources, host, port) {
        Some(addresses) => Resolved { took: None, addresses, look_up: None },
        None => look_up(sources, host, port, &mut heard, limit).unwrap_or_else(|error| Resolved {
            took: Some(started.elapsed()),
            addresses: Err(error::chain(&error)),
            look_up: None,
        }),
    };
    // Whoever has gone does not want it any more.
    let _ = heard.asker.send(resolved);
}

/// An address of IPv6 that names its interface. `None`: it is none.
fn with_zone(sources: &Sources, host: &str, port: u16) -> Option<Result<Vec<SocketAddr>, String>> {
    let (address, zone) = host.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let number = resolvers::interface(sources, zone.as_bytes(), &mut Buffer::default());
    let number = number.ok_or_else(|| format!("the target has no interface {zone} with an IPv6 address"));
    Some(number.map(|number| vec![SocketAddrV6::new(address, port, 0, number).into()]))
}

fn look_up(
    sources: &Sources,
    host: &str,
    port: u16,
    heard: &mut Heard,
    limit: Duration,
) -> Result<Resolved, ProbeError> {
    let setup = Setup::read(sources, None, false)?;
    let mut told = v1::NameLookUp { header: Some(header(&setup, sources)), ..v1::NameLookUp::default() };
    let started = Instant::now();
    let verdict = match resolvers::look_up(&setup, sources.root(), host.as_bytes(), &[A, AAAA], 1, heard) {
        Ok(verdict) => Some(verdict),
        Err(Halt::Enough) => None,
        Err(Halt::Failed(error)) => return Err(error),
    };
    let mut addresses = Vec::new();
    for address in verdict.iter().flat_map(|verdict| &verdict.addresses) {
        let address = address.parse().ok().map(|ip| SocketAddr::new(ip, port));
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    let took = verdict.as_ref().map_or_else(|| started.elapsed(), |it| Duration::from_nanos(it.nanos));
    let is_address = verdict.as_ref().is_some_and(|verdict| verdict.source == "literal");
    let addresses = match &verdict {
        _ if !addresses.is_empty() => Ok(addresses),
        None => Err(format!("no answer from the resolver within {limit:?}")),
        Some(verdict) => Err(why(verdict)),
    };
    if addresses.is_err() {
        told.questions = std::mem::take(&mut heard.questions);
    }
    told.verdict = verdict;
    Ok(Resolved {
        took: Some(took).filter(|_| !is_address),
        addresses,
        look_up: Some(Box::new(told)).filter(|_| !is_address),
    })
}

/// What the resolver's program would be told.
fn why(verdict: &v1::LookUpVerdict) -> String {
    let outcome = match verdict.outcome() {
        LookUpOutcome::NoSuchName => "no such name",
        LookUpOutcome::Found | LookUpOutcome::NoRecords => "the name exists, and has no address",
        LookUpOutcome::TryAgain => "not found out, since no server gave an answer that counts",
        LookUpOutcome::Failed | LookUpOutcome::Unspecified => "not found out, and trying again does not help",
    };
    let reason = if verdict.reason.is_empty() { String::new() } else { format!(": {}", verdict.reason) };
    format!("{outcome}{reason}")
}

/// The header of the setup, short enough to go with every answer.
fn header(setup: &Setup, sources: &Sources) -> v1::LookUpHeader {
    let mut header = setup.header(sources.now().unix_nanos);
    header.search.truncate(MOST_DOMAINS);
    header.search.iter_mut().for_each(|domain| domain.truncate(LONGEST_DOMAIN_BYTES));
    header
}

/// Keeps what is told, until the time is over or nobody waits any more.
struct Heard {
    asker: oneshot::Sender<Resolved>,
    until: Instant,
    questions: Vec<v1::DnsQuestion>,
}

impl Listener for Heard {
    fn heard(&mut self, question: v1::DnsQuestion) -> Result<(), Halt> {
        if self.questions.len() < MOST_QUESTIONS {
            self.questions.push(question);
        }
        Ok(())
    }

    fn wanted(&mut self) -> Result<(), Halt> {
        if self.asker.is_closed() || Instant::now() >= self.until { Err(Halt::Enough) } else { Ok(()) }
    }

    fn until(&self) -> Option<Instant> {
        Some(self.until)
    }

    fn cares_for_the_slower(&self) -> bool {
        false
    }
}
