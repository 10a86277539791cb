//! `connect`: can the target reach a host and port, and if not, why?

pub(super) mod peer;
mod statistics;
#[cfg(test)]
mod tests;
pub(super) mod words;

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::{LONGEST_CONNECT_TIMEOUT, LONGEST_INTERFACE_BYTES, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::connect_service_client::ConnectServiceClient;
use dbgctl_proto::v1::{self, ConnectAttempt, ConnectOutcome, ConnectResponse, NameLookUp};
use tokio::time::{MissedTickBehavior, interval};

use self::peer::{Peer, with_port};
use self::statistics::Statistics;
use super::agent::Agent;
use super::{Failure, Question, dns, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Took;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl connect web db:5432                 as the target resolves and reaches it
  dbgctl connect web 10.0.0.7:443 --timeout 1s
  dbgctl connect web '[::1]:8080'            IPv6 in brackets
  dbgctl connect web db:5432 --repeat 100 --interval 100ms
                                             percentiles and loss
  dbgctl connect web 10.0.0.7:514 --udp      one empty datagram, and what comes back
  dbgctl connect web db:5432 --interface eth1
                                             through that interface, whatever the routes say
  dbgctl connect web db:5432 && echo up      exit status 0: connected, 1: not, 2: not found out

Every address of the name is tried once, in the resolver's order. Each connection is closed at once and \
nothing is written on it, but the other side sees it: this sends traffic from the target's address.

Results: connected; refused (no one listens on the port, or a firewall rejects); reset (cut while it was made, often \
by a proxy or firewall); timed out (no answer); unreachable (a router said so); no route (the target's own routes lead \
nowhere); prohibited (a firewall or a route forbids it); no neighbour (nobody on the local network answers for it); no \
local address (nothing to come from); failed (anything else). Over UDP: answered; silent (nothing came back, which says \
little). Who said so is named: TIME is what the agent saw, RTT from SYN to SYN-ACK as the kernel measured it.";

/// Try to reach a host and port from the target's network
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name or address, and port; IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT")]
    peer: Peer,

    /// Time for each address, and for the look-up; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,

    /// Send an empty datagram instead of making a connection
    #[arg(long)]
    udp: bool,

    /// Come from this address of the target
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,

    /// Leave through this interface, whatever the routes say
    #[arg(long, value_name = "NAME", value_parser = interface_name)]
    interface: Option<String>,

    /// Try so many times, and show percentiles and loss
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,

    /// Time from one try to the next
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration, requires = "repeat")]
    interval: Duration,
}

pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(timeout) if !timeout.is_zero() && timeout <= LONGEST_CONNECT_TIMEOUT => Ok(timeout),
        Ok(_) => Err("expected more than 0 and at most 60s".to_owned()),
        Err(_) => Err("expected a time such as 500ms or 5s".to_owned()),
    }
}

fn interface_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LONGEST_INTERFACE_BYTES {
        return Err(format!("the name of an interface has 1 to {LONGEST_INTERFACE_BYTES} bytes"));
    }
    Ok(text.to_owned())
}

/// Why a host was not reached, in sentences.
pub(super) fn not_reached(
    peer: &Peer,
    (resolve_error, look_up): (&str, Option<&NameLookUp>),
    attempts: &[ConnectAttempt],
) -> Vec<String> {
    if attempts.is_empty() {
        let mut lines = vec![not_resolved(peer, resolve_error)];
        lines.extend(dns::look_up::sentences(&peer.host, look_up));
        return lines;
    }
    let mut lines = Vec::new();
    for attempt in attempts.iter().take(MOST_CONNECT_ATTEMPTS) {
        let line = words::cause(attempt).unwrap_or_else(|| format!("{}: {}", attempt.address, attempt.error));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn not_resolved(peer: &Peer, resolve_error: &str) -> String {
    let layer = if words::is_name(&peer.host) { "the name does not resolve: " } else { "" };
    let why = Some(resolve_error).filter(|why| !why.is_empty());
    format!("{layer}{}", why.unwrap_or("the agent tried no address and did not say why"))
}

/// One address and what came of it.
pub(super) struct AttemptRow {
    attempt: ConnectAttempt,
    /// The address with its port.
    address: String,
    outcome: Result<ConnectOutcome, i32>,
}

/// Text of the agent's that may be empty.
fn unless_empty(text: &str) -> Option<Cow<'_, str>> {
    Some(text).filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

impl Row for AttemptRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ADDRESS", |row| Cow::Borrowed(&row.address)),
        Column::text("RESULT", |row| row.result()),
        Column::written("TIME", |row: &Self, cell| cell.show(Took(Duration::from_nanos(row.attempt.nanos))))
            .right(),
        Column::written("RTT", |row: &Self, cell| {
            let rtt = row.attempt.rtt_nanos.into_iter();
            rtt.for_each(|nanos| cell.show(Took(Duration::from_nanos(nanos))));
        })
        .right()
        .if_any(),
        Column::maybe("LOCAL", |row| row.attempt.local.as_deref().map(Cow::Borrowed)),
        Column::maybe("INTERFACE", |row: &Self| unless_empty(&row.attempt.interface)).if_any(),
        Column::number("MSS", |row: &Self| row.attempt.mss_bytes.map(i64::from)).if_any(),
        Column::number("PATH-MTU", |row: &Self| row.attempt.path_mtu_bytes.map(i64::from))
            .if_any()
            .wide_only(),
        Column::number("SYN-AGAIN", |row: &Self| row.attempt.syn_retransmits.map(i64::from))
            .if_any()
            .wide_only(),
        Column::maybe("ERROR", |row: &Self| unless_empty(&row.attempt.error)).if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let attempt = &self.attempt;
        object.text("address", attempt.address.as_str());
        object.text("outcome", &*self.result().replace(' ', "_"));
        object.number("nanos", attempt.nanos);
        object.number("rtt_nanos", attempt.rtt_nanos);
        object.text("local", attempt.local.as_deref());
        object.text("interface", attempt.interface.as_str());
        object.number("mss_bytes", attempt.mss_bytes.map(u64::from));
        object.number("path_mtu_bytes", attempt.path_mtu_bytes.map(u64::from));
        object.number("syn_retransmits", attempt.syn_retransmits.map(u64::from));
        object.text("error", attempt.error.as_str());
        match &attempt.icmp {
            None => object.null("icmp"),
            Some(icmp) => object.object("icmp", |object| {
                object.flag("v6", icmp.v6);
                object.number("type", u64::from(icmp.r#type));
                object.number("code", u64::from(icmp.code));
                object.text("sender", icmp.sender.as_str());
                object.flag("sent_by_target", icmp.sent_by_target);
                object.number("mtu_bytes", u64::from(icmp.mtu_bytes));
            }),
        }
        match attempt.accept_queue {
            None => object.null("accept_queue"),
            Some(queue) => object.object("accept_queue", |object| {
                object.number("waiting", u64::from(queue.waiting));
                object.number("limit", u64::from(queue.limit));
            }),
        }
    }

    fn emphasis(&self) -> Emphasis {
        match self.outcome {
            Ok(ConnectOutcome::Connected | ConnectOutcome::Answered) => Emphasis::None,
            Ok(ConnectOutcome::Silent) => Emphasis::Notable,
            _ => Emphasis::Alarming,
        }
    }
}

impl AttemptRow {
    pub(super) fn new(attempt: ConnectAttempt, port: NonZeroU16) -> Self {
        let address = with_port(&attempt.address, port);
        let outcome = ConnectOutcome::try_from(attempt.outcome).map_err(|_| attempt.outcome);
        Self { attempt, address, outcome }
    }

    fn is_connected(&self) -> bool {
        matches!(self.outcome, Ok(ConnectOutcome::Connected | ConnectOutcome::Answered))
    }

    fn result(&self) -> Cow<'static, str> {
        self.outcome
            .map_or_else(|number| Cow::Owned(format!("unknown({number})")), |it| words::result(it).into())
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.ConnectService/Connect"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut client =
            ConnectServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = self.request()?;
        let mut ticks = interval(self.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Told::default();
        for _ in 0..self.repeat {
            if self.repeat > 1 {
                ticks.tick().await;
            }
            let asked = client.connect(request.clone());
            let response = agent.within_limit(async { Ok(asked.await?.into_inner()) }).await?;
            let shown = self.show(response, &mut told, output);
            if let Err(error) = shown {
                return unless_pipe_closed(Err(error.into()));
            }
        }
        unless_pipe_closed(self.close(told, output, talk))
    }
}

/// What was learned, all rounds together.
#[derive(Default)]
struct Told {
    statistics: Vec<Statistics>,
    /// Each once.
    verdicts: Vec<String>,
    /// The last response, without its attempts.
    response: ConnectResponse,
    connected: bool,
    /// Nothing says that it is a no.
    only_silence: bool,
    /// Of the last round: addresses, and how many of them connected.
    tried: (usize, usize),
}

impl Args {
    fn request(&self) -> Result<v1::ConnectRequest, Failure> {
        let timeout = prost_types::Duration::try_from(self.timeout).map_err(|_| Failure::Request {
            because: "the time-out is too long".to_owned(),
            suggestion: "at most 60s".to_owned(),
        })?;
        Ok(v1::ConnectRequest {
            host: self.peer.host.clone(),
            port: self.peer.port.get().into(),
            timeout: Some(timeout),
            udp: self.udp,
            source: self.source.map(|source| source.to_string()).unwrap_or_default(),
            interface: self.interface.clone().unwrap_or_default(),
        })
    }

    /// Shows one round, unless only their sum is shown.
    fn show(
        &self,
        mut response: ConnectResponse,
        told: &mut Told,
        output: &mut Output,
    ) -> std::io::Result<()> {
        // No agent of ours sends more; one that does is not to be trusted with the screen.
        let beyond =
            u32::try_from(response.attempts.len().saturating_sub(MOST_CONNECT_ATTEMPTS)).unwrap_or(u32::MAX);
        response.addresses_left_out = response.addresses_left_out.saturating_add(beyond);
        let attempts = std::mem::take(&mut response.attempts).into_iter().take(MOST_CONNECT_ATTEMPTS);
        let rows: Vec<_> = attempts.map(|attempt| AttemptRow::new(attempt, self.peer.port)).collect();
        if !output.is_table() || (self.repeat == 1 && !rows.is_empty()) {
            output.rows(&rows)?;
            output.flush()?;
        }
        let connected = rows.iter().filter(|row| row.is_connected()).count();
        told.tried = (rows.len(), connected);
        told.connected |= connected > 0;
        told.only_silence =
            !rows.is_empty() && rows.iter().all(|row| row.outcome == Ok(ConnectOutcome::Silent));
        for verdict in rows.iter().filter_map(|row| words::cause(&row.attempt)) {
            // As many as there can be addresses: times and the like do not make them different.
            if told.verdicts.len() < MOST_CONNECT_ATTEMPTS && !told.verdicts.contains(&verdict) {
                told.verdicts.push(verdict);
            }
        }
        if self.repeat > 1 {
            Statistics::add(&mut told.statistics, &rows);
            // A name may lead elsewhere each time.
            told.statistics.truncate(4 * MOST_CONNECT_ATTEMPTS);
        }
        told.response = response;
        Ok(())
    }

    fn close(&self, told: Told, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        if output.is_table() {
            if !told.statistics.is_empty() {
                output.rows(&told.statistics)?;
            }
            output.beside(talk, self.closing(&told))?;
        } else {
            let Told { statistics, verdicts, response, .. } = &told;
            output.object(|object| {
                object.object("summary", |object| {
                    object.number("resolve_nanos", response.resolve_nanos);
                    object.text("resolve_error", response.resolve_error.as_str());
                    dns::look_up::fields(response.look_up.as_deref(), object);
                    object.number("addresses_left_out", u64::from(response.addresses_left_out));
                    if self.repeat > 1 {
                        object.objects("statistics", statistics, |row, object| row.fields(object));
                    }
                    object.raws("verdicts", verdicts.iter().map(String::as_bytes));
                });
            })?;
        }
        output.flush()?;
        Ok(match told {
            Told { connected: true, .. } => Exit::Answered,
            // Silence is no answer.
            Told { only_silence: true, .. } => Exit::Unknown,
            Told { .. } => Exit::No,
        })
    }

    /// What came of it, and the usual cause of each way in which it failed.
    fn closing(&self, told: &Told) -> Vec<String> {
        let (peer, response) = (&self.peer, &told.response);
        let resolved = response.resolve_nanos.map_or_else(String::new, |nanos| {
            let rules = dns::look_up::rules(response.look_up.as_deref());
            let rules = rules.map_or_else(String::new, |rules| format!(", {rules}"));
            format!("; the look-up took {}{rules}", Took(Duration::from_nanos(nanos)))
        });
        let done = if self.udp { "answered" } else { "connected" };
        let mut lines = vec![match told.tried {
            (0, _) => {
                format!("{peer}: not {done}: {}{resolved}", not_resolved(peer, &response.resolve_error))
            }
            (1, 1) => format!("{peer}: {done}{resolved}"),
            (1, _) => format!("{peer}: not {done}{resolved}"),
            (all, 0) => format!("{peer}: not {done}, {all} addresses tried{resolved}"),
            (all, some) => format!("{peer}: {some} of {all} addresses {done}{resolved}"),
        }];
        lines.extend(dns::look_up::sentences(&peer.host, response.look_up.as_deref()));
        lines.extend(told.verdicts.iter().cloned());
        if response.addresses_left_out > 0 {
            lines.push(format!("{} more addresses were not tried", response.addresses_left_out));
        }
        lines
    }
}
