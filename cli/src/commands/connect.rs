//! `connect`: can the target open a TCP connection, and if not, why?

pub(super) mod peer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::num::NonZeroU16;
use std::time::Duration;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::{LONGEST_CONNECT_TIMEOUT, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::connect_service_client::ConnectServiceClient;
use dbgctl_proto::v1::{self, ConnectAttempt, ConnectOutcome, ConnectResponse};

use self::peer::{Peer, with_port};
use super::agent::Agent;
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Took;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl connect web db:5432                 as the target resolves and reaches it
  dbgctl connect web 10.0.0.7:443 --timeout 1s
  dbgctl connect web '[::1]:8080'            IPv6 in brackets
  dbgctl connect web db:5432 && echo up      exit status 0: connected, 1: not, 2: not found out

Every address of the name is tried once, in the resolver's order. Each connection is closed at once and \
nothing is written on it, but the other side sees it: this sends traffic from the target's address.

Results: connected; refused (the host is there, no one listens on the port); reset (cut while it was \
made, often by a proxy or firewall); timed out (no answer, often a firewall that drops); unreachable \
(no route, or a router said so); failed (anything else).";

/// Open a TCP connection from the target's network
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name or address, and port; IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT")]
    peer: Peer,

    /// Time for each address, and for the look-up; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
}

pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(timeout) if !timeout.is_zero() && timeout <= LONGEST_CONNECT_TIMEOUT => Ok(timeout),
        Ok(_) => Err("expected more than 0 and at most 60s".to_owned()),
        Err(_) => Err("expected a time such as 500ms or 5s".to_owned()),
    }
}

/// One address and what came of it.
struct AttemptRow {
    attempt: ConnectAttempt,
    /// The address with its port.
    address: String,
    outcome: Result<ConnectOutcome, i32>,
}

impl Row for AttemptRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ADDRESS", |row| Cow::Borrowed(&row.address)),
        Column::text("RESULT", |row| row.result()),
        Column::written("TIME", |row: &Self, cell| cell.show(Took(Duration::from_nanos(row.attempt.nanos))))
            .right(),
        Column::maybe("LOCAL", |row| row.attempt.local.as_deref().map(Cow::Borrowed)),
        Column::maybe("ERROR", |row: &Self| {
            Some(row.attempt.error.as_str()).filter(|e| !e.is_empty()).map(Cow::Borrowed)
        })
        .if_any(),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("address", self.attempt.address.as_str());
        object.text("outcome", &*self.result().replace(' ', "_"));
        object.number("nanos", self.attempt.nanos);
        object.text("local", self.attempt.local.as_deref());
        object.text("error", self.attempt.error.as_str());
    }

    fn emphasis(&self) -> Emphasis {
        if self.is_connected() { Emphasis::None } else { Emphasis::Alarming }
    }
}

impl AttemptRow {
    fn new(attempt: ConnectAttempt, port: NonZeroU16) -> Self {
        let address = with_port(&attempt.address, port);
        let outcome = ConnectOutcome::try_from(attempt.outcome).map_err(|_| attempt.outcome);
        Self { attempt, address, outcome }
    }

    fn is_connected(&self) -> bool {
        self.outcome == Ok(ConnectOutcome::Connected)
    }

    fn result(&self) -> Cow<'static, str> {
        self.outcome.map_or_else(|number| Cow::Owned(format!("unknown({number})")), |it| result(it).into())
    }
}

/// An outcome in a word or two.
pub(super) fn result(outcome: ConnectOutcome) -> &'static str {
    match outcome {
        ConnectOutcome::Unspecified => "unknown",
        ConnectOutcome::Connected => "connected",
        ConnectOutcome::Refused => "refused",
        ConnectOutcome::Reset => "reset",
        ConnectOutcome::TimedOut => "timed out",
        ConnectOutcome::Unreachable => "unreachable",
        ConnectOutcome::Failed => "failed",
    }
}

/// The usual cause, in words that a person can act on.
pub(super) fn usual_cause(outcome: ConnectOutcome) -> Option<&'static str> {
    match outcome {
        ConnectOutcome::Refused => {
            Some("refused: the host is there, but no one listens on that port, or a firewall rejects it")
        }
        ConnectOutcome::Reset => {
            Some("reset: the connection was cut while it was made, often by a proxy or a firewall")
        }
        ConnectOutcome::TimedOut => {
            Some("timed out: no answer; the host is down, or a firewall drops what is sent")
        }
        ConnectOutcome::Unreachable => {
            Some("unreachable: the target has no route there, or a router on the way said so")
        }
        ConnectOutcome::Failed | ConnectOutcome::Unspecified | ConnectOutcome::Connected => None,
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
        let response = agent.within_limit(async { Ok(client.connect(request).await?.into_inner()) }).await?;
        unless_pipe_closed(self.show(response, output, talk))
    }
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
        })
    }

    fn show(
        &self,
        mut response: ConnectResponse,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        // No agent of ours sends more; one that does is not to be trusted with the screen.
        let beyond =
            u32::try_from(response.attempts.len().saturating_sub(MOST_CONNECT_ATTEMPTS)).unwrap_or(u32::MAX);
        response.addresses_left_out = response.addresses_left_out.saturating_add(beyond);
        let attempts = std::mem::take(&mut response.attempts).into_iter().take(MOST_CONNECT_ATTEMPTS);
        let rows: Vec<_> = attempts.map(|attempt| AttemptRow::new(attempt, self.peer.port)).collect();

        if output.is_table() {
            if !rows.is_empty() {
                output.rows(&rows)?;
            }
            output.beside(talk, self.closing(&response, &rows))?;
        } else {
            output.rows(&rows)?;
            output.object(|object| {
                object.object("summary", |object| {
                    object.number("resolve_nanos", response.resolve_nanos);
                    object.text("resolve_error", response.resolve_error.as_str());
                    object.number("addresses_left_out", u64::from(response.addresses_left_out));
                });
            })?;
        }
        output.flush()?;
        Ok(if rows.iter().any(AttemptRow::is_connected) { Exit::Answered } else { Exit::No })
    }

    /// What came of it, and the usual cause of each way in which it failed.
    fn closing(&self, response: &ConnectResponse, rows: &[AttemptRow]) -> Vec<String> {
        let peer = &self.peer;
        let resolved = response.resolve_nanos.map_or_else(String::new, |nanos| {
            format!("; the look-up took {}", Took(Duration::from_nanos(nanos)))
        });
        if rows.is_empty() {
            let why = Some(response.resolve_error.as_str()).filter(|why| !why.is_empty());
            let why = why.unwrap_or("the agent tried no address and did not say why");
            return vec![format!("{peer}: not connected: {why}{resolved}")];
        }
        let connected = rows.iter().filter(|row| row.is_connected()).count();
        let mut lines = vec![match (connected, rows.len()) {
            (1, 1) => format!("{peer}: connected{resolved}"),
            (0, 1) => format!("{peer}: not connected{resolved}"),
            (0, all) => format!("{peer}: not connected, {all} addresses tried{resolved}"),
            (some, all) => format!("{peer}: {some} of {all} addresses connected{resolved}"),
        }];
        for cause in rows.iter().filter_map(|row| usual_cause(row.outcome.ok()?)) {
            if !lines.iter().any(|line| line == cause) {
                lines.push(cause.to_owned());
            }
        }
        if response.addresses_left_out > 0 {
            lines.push(format!("{} more addresses were not tried", response.addresses_left_out));
        }
        lines
    }
}
