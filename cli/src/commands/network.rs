//! `net`: the network of the target as its kernel has it, and what the kernel counted of lost traffic.

mod counted;
mod findings;
mod rows;
mod state;
#[cfg(test)]
mod tests;
mod way;
mod words;

use std::net::IpAddr;

use dbgctl_proto::bounds::SHORTEST_SAMPLE;
use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;

use self::counted::CounterRow;
use self::findings::Finding;
use self::state::State;
use super::agent::Agent;
use super::sample::Sample;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl net web                              what is wrong, interfaces with addresses, routes, neighbours
  dbgctl net web --sample 10s                 a longer look, for what comes and goes
  dbgctl net web --all                        also local routes, usual rules, addresses that are not asked for
  dbgctl net web --counters                   every counter of the kernel that is not 0, as nstat(8) names them
  dbgctl net web -o wide                      with flags, hardware addresses, queues, lifetimes
  dbgctl net web --watch
  dbgctl net web get-route 10.0.0.7           which way the kernel would send a packet
  dbgctl net web -o json | jq 'select(.header).header.findings'

serious: something does not work now. warning: something was lost during the sample, or will be. note: worth \
knowing, often of the past. RX is what the container received, TX what it sent, since the interface was made; \
/S is per second of the sample. ERR are damaged packets; DROP are good ones that there was no room or no use for.

Counters of the kernel are since the network namespace was made. Containers that share it share all of this.";

/// Show interfaces, addresses, routes and neighbours, and what the kernel counted of lost traffic
///
/// The kernel is asked; nothing is sent to anyone else.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show also what every network has: local routes, the usual rules, neighbours that nobody asks for
    #[arg(long)]
    all: bool,

    /// Show every counter of the kernel that is not 0, those that grew first
    #[arg(long, conflicts_with = "all")]
    counters: bool,

    #[command(flatten)]
    sample: Sample,

    #[command(flatten)]
    watch: Watch,

    #[command(subcommand)]
    other: Option<Other>,
}

/// Which way the kernel would send to `destination`: whether it would, and what there is to say about it.
pub(super) async fn way(
    agent: &Agent,
    destination: IpAddr,
    interface: Option<String>,
) -> Result<(bool, Vec<String>), Failure> {
    way::Args::to(destination, interface).in_words(agent).await
}

/// What has been counted until now, as soon as the agent can tell it.
pub(super) async fn counted_now(agent: &Agent) -> Result<Listing<v1::ListNetworkResponse>, Failure> {
    let sample_millis = u32::try_from(SHORTEST_SAMPLE.as_millis()).unwrap_or(u32::MAX);
    agent.within_limit(stream::read(agent, v1::ListNetworkRequest { limit: 0, sample_millis })).await
}

/// What else can be asked of a network.
#[derive(Debug, Clone, clap::Subcommand)]
enum Other {
    /// Ask the kernel which way it would send a packet; none is sent
    GetRoute(way::Args),
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        match self.other {
            None => v1::ListNetworkResponse::RPC,
            Some(Other::GetRoute(_)) => way::RPC,
        }
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        if let Some(Other::GetRoute(way)) = &self.other {
            return unless_pipe_closed(way.ask(agent, output).await);
        }
        let agent = agent.with_more_time(self.sample.length(self.watch));
        let request = v1::ListNetworkRequest { limit: 0, sample_millis: self.sample.millis(self.watch) };
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(&agent, request)).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn show(
        &self,
        listing: Listing<v1::ListNetworkResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { header, rows: items, closing } = listing;
        let header = header.unwrap_or_default();
        let state = State::new(items);
        let findings = findings::of(&header, &state);
        if output.is_table() {
            self.tables(&header, state, &findings, output)?;
        } else {
            output.header(Some(&header), |header, object| {
                object.number("sampled_boottime_nanos", header.sampled_boottime_nanos);
                object.number("sampled_unix_nanos", header.sampled_unix_nanos);
                object.number("sampled_nanos", header.sampled_nanos);
                object.objects("findings", &findings, |finding, object| {
                    object.text("severity", finding.severity.word());
                    object.text("about", finding.about);
                    object.text("text", finding.text.as_str());
                });
                object.objects("counters", &header.counters, |counter, object| {
                    object.text("name", counter.name.as_str());
                    object.number("since_start", counter.since_start);
                    object.number("over_sample", counter.over_sample);
                });
                object.objects("gauges", &header.gauges, |gauge, object| {
                    object.text("name", gauge.name.as_str());
                    object.number("value", gauge.value);
                });
            })?;
            if !self.counters {
                let sampled_nanos = header.sampled_nanos;
                output.rows(&rows::interfaces(&state, sampled_nanos))?;
                output.rows(&rows::addresses(&state))?;
                output.rows(&rows::routes(&state, true))?;
                output.rows(&rows::rules(&state, true))?;
                output.rows(&rows::neighbours(&state, true))?;
            }
        }
        Ok(closing.show("items", output, talk)?)
    }

    fn tables(
        &self,
        header: &v1::NetworkHeader,
        state: State,
        findings: &[Finding],
        output: &mut Output,
    ) -> Result<(), Failure> {
        output.sentences(findings.iter().map(Finding::to_string))?;
        if self.counters {
            output.rows(&CounterRow::sorted(header))?;
            return Ok(());
        }
        output.sentence("")?;
        output.rows(&rows::interfaces(&state, header.sampled_nanos))?;
        if output.is_wide() {
            section(&rows::addresses(&state), output)?;
        }
        section(&rows::routes(&state, self.all), output)?;
        section(&rows::rules(&state, self.all), output)?;
        section(&rows::neighbours(&state, self.all), output)
    }
}

/// A table below another one. None where there is nothing to show.
fn section<R: crate::render::Row>(rows: &[R], output: &mut Output) -> Result<(), Failure> {
    if !rows.is_empty() {
        output.sentence("")?;
        output.rows(rows)?;
    }
    Ok(())
}

/// An address of the contract: 4 or 16 bytes.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}
