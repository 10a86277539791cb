//! `sockets`: the sockets of the target's network namespace, worst first.

mod address;
mod filter;
mod findings;
mod list;
mod row;
mod sort;
mod summary;
#[cfg(test)]
mod tests;
mod trouble;
mod words;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, SocketProtocol, SocketState};

use self::filter::{Holder, Network};
use self::list::{History, Sockets};
use self::row::SocketRow;
use self::sort::Sort;
use super::agent::Agent;
use super::stream::Listing;
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::closing::Nouns;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl sockets web                       every socket, the troubled ones first
  dbgctl sockets web --listening           what can be connected to, and how full the queues are
  dbgctl sockets web --summary             how many of each kind and state
  dbgctl sockets web --state close-wait    what the peer has closed and the program has not
  dbgctl sockets web --port 5432 -o wide   round trip times, windows, rates, retransmissions
  dbgctl sockets web --process nginx --type tcp --watch
  dbgctl sockets web -o json | jq 'select(.tcp.total_retransmits > 0)'

Types: tcp, udp, udplite, icmp, raw, unix, packet, netlink. States: established, syn-sent, syn-recv, fin-wait-1, \
fin-wait-2, time-wait, unconnected, close-wait, last-ack, listen, closing. Fields for --sort: worst, type, state, \
recv-q, send-q, local, peer, rtt, retrans, sent, received, drops, uid, inode, pid.

Worst first: listening sockets whose accept queue is full; connections that wait for an answer that does not \
come, or for a peer that takes no more; connections that the peer has closed (CLOSE-WAIT); data that nobody reads; then \
the rest by type, state and port.

Of a listening socket RECV-Q is how many connections wait to be accepted and SEND-Q how many may. `*` as local address \
takes IPv4 and IPv6. To tell who holds a socket costs a look at every open file, and takes level 1.";

/// List the sockets, the troubled ones first
///
/// The kernel is asked; nothing is sent to anyone else. Sockets come and go while the list is made: it is not a snapshot.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only of this type, for example tcp or unix; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = words::parse_protocol)]
    protocols: Vec<SocketProtocol>,

    /// Only what waits for others: listening sockets, and those of udp and the like that are not connected
    #[arg(long)]
    listening: bool,

    /// Only in this state, for example established or close-wait; may be given several times
    #[arg(long = "state", value_name = "STATE", value_parser = words::parse_state)]
    states: Vec<SocketState>,

    /// Only with this port, its own or the peer's; may be given several times
    #[arg(long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,

    /// Only with this address or network, its own or the peer's, for example 10.0.0.0/8; may be given several times
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<Network>,

    /// Only those that this process holds, by its number or name; may be given several times
    #[arg(long = "process", value_name = "PID|NAME", conflicts_with = "no_owners")]
    processes: Vec<Holder>,

    /// Count the sockets of each type and state
    #[arg(long, conflicts_with_all = ["sort", "limit"])]
    summary: bool,

    /// Sort by this field; figures biggest first, unless + or - (descending) says otherwise [default: worst]
    #[arg(long, value_name = "[+-]FIELD", allow_hyphen_values = true)]
    sort: Option<Sort>,

    /// Do not look for the processes that hold them
    #[arg(long)]
    no_owners: bool,

    /// Also the sockets of dbgctl's own sidecars, and the kernel's own of netlink
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    watch: Watch,

    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListSocketsResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut history = self.watch.interval().map(|_| History::default());
        let ask = async |turn: Turn| {
            let sockets = agent.within_limit(list::read(agent, self.request(output))).await?;
            turn.begin(output)?;
            self.show(sockets, history.as_mut(), output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self, output: &Output) -> v1::ListSocketsRequest {
        v1::ListSocketsRequest {
            protocols: self.protocols.iter().map(|&protocol| protocol.into()).collect(),
            states: self.states.iter().map(|&state| state.into()).collect(),
            listening: self.listening,
            details: output.is_wide() && !self.summary,
            owners: !self.no_owners && (!self.summary || !self.processes.is_empty()),
            all: self.all,
            // Which ones come first is decided here.
            limit: 0,
        }
    }

    fn accepts(&self, row: &SocketRow) -> bool {
        (self.ports.is_empty() || self.ports.iter().any(|&port| row.has_port(port)))
            && (self.addresses.is_empty()
                || self.addresses.iter().any(|network| network.holds_either_end(row)))
            && (self.processes.is_empty() || self.processes.iter().any(|holder| holder.holds(row)))
    }

    fn show(
        &self,
        sockets: Sockets,
        history: Option<&mut History>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Sockets { header, owners, list } = sockets;
        let Listing { rows: sockets, mut closing, .. } = list;
        let mut rows = list::rows(header, sockets, owners, history);
        let all = rows.len();
        rows.retain(|row| self.accepts(row));
        let matching = rows.len();
        let totals = findings::totals(&rows, all);
        let findings = findings::of(&rows, header.as_ref());
        output.header(header, |header, object| {
            object.number("sampled_boottime_nanos", header.sampled_boottime_nanos);
            object.number("listen_overflows", header.listen_overflows);
            object.number("listen_drops", header.listen_drops);
            object.texts("findings", findings.iter().map(String::as_str));
        })?;
        if self.summary {
            output.rows(&summary::rows(&rows))?;
        } else {
            self.sort.unwrap_or_default().apply(&mut rows);
            closing.cut(&mut rows, self.limit);
            output.rows(&rows)?;
        }
        if rows.len() < matching {
            output.sentences([format!("{} of {matching} shown", rows.len())])?;
        }
        output.sentences([totals])?;
        output.sentences(&findings)?;
        Ok(closing.show(Nouns { rows: "sockets", gaps: "processes" }, output, talk)?)
    }
}
