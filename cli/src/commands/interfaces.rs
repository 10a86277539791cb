//! `net`: the network interfaces of the target.

mod row;
#[cfg(test)]
mod tests;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;

pub(super) use self::row::{History, InterfaceRow, per_second};
use super::agent::Agent;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl net web              what each interface has carried, and what it lost
  dbgctl net web --watch      the same with rates, once a second
  dbgctl net web -o wide      with overruns, framing, collisions, carrier, multicast
  dbgctl net web -o json | jq 'select(.name) | {name, received}'

RX is what the container received, TX what it sent; both count from when the interface was made, which is \
when the container was started. ERR are damaged packets; DROP are good ones that there was no room or no use \
for. Containers that share a network share these figures.";

/// List the network interfaces and what they carry
///
/// Reads one file of the kernel: nothing is sent.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    watch: Watch,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListInterfacesResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut history = History::default();
        let request = v1::ListInterfacesRequest { limit: 0 };
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, request)).await?;
            turn.begin(output)?;
            show(listing, &mut history, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

fn show(
    listing: Listing<v1::ListInterfacesResponse>,
    history: &mut History,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { header, rows: interfaces, mut closing } = listing;
    let rows = history.rows(header, interfaces);
    let verdicts: Vec<_> = rows.iter().flat_map(row::losses).collect();
    output.header(header, |header, object| {
        object.number("sampled_boottime_nanos", header.sampled_boottime_nanos);
        object.number("sampled_unix_nanos", header.sampled_unix_nanos);
        object.raws("verdicts", verdicts.iter().map(String::as_bytes));
    })?;
    output.rows(&rows)?;
    output.sentences(&verdicts)?;
    let nouns = if rows.len() == 1 { "interface" } else { "interfaces" };
    closing.notes.push(format!("{} {nouns}; bytes and packets are since each one was made", rows.len()));
    Ok(closing.show("interfaces", output, talk)?)
}
