//! `net`: the network interfaces of the target.

mod row;
#[cfg(test)]
mod tests;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::interface_service_client::InterfaceServiceClient;
use dbgctl_proto::v1::list_interfaces_response::Part;
use dbgctl_proto::v1::{self, Interface, InterfaceListHeader, Summary};

pub(super) use self::row::{History, InterfaceRow, per_second};
use super::agent::Agent;
use super::watch::{Turn, Watch};
use super::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk, closing};

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
        "/dbgctl.v1.InterfaceService/ListInterfaces"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut history = History::default();
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(read(agent)).await?;
            turn.begin(output)?;
            show(listing, &mut history, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

/// What the agent sent.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) header: Option<InterfaceListHeader>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    pub(super) broken_off: Option<&'static str>,
}

/// Reads the whole stream, as far as there is room for it.
pub(super) async fn read(agent: &Agent) -> Result<Listing, Failure> {
    let mut client =
        InterfaceServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let request = agent.request(v1::ListInterfacesRequest { limit: 0 });
    let responses = client.list_interfaces(request).await?.into_inner();
    let mut listing = Listing::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Header(header)) => listing.header = Some(header),
            Some(Part::Batch(batch)) => listing.interfaces.extend(batch.interfaces),
            Some(Part::Summary(summary)) => listing.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        listing.summary.is_some()
    });
    listing.broken_off = broken_off.await?;
    Ok(listing)
}

fn footprint(response: &v1::ListInterfacesResponse) -> usize {
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    // The history has the name as well.
    let of_row = |interface: &Interface| size_of::<InterfaceRow>() + 2 * (32 + interface.name.capacity());
    batch.interfaces.iter().map(of_row).sum()
}

fn show(
    listing: Listing,
    history: &mut History,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { header, interfaces, summary, broken_off } = listing;
    let rows = history.rows(header, interfaces);
    output.rows(&rows)?;
    if output.is_table() {
        rows.iter().flat_map(row::losses).try_for_each(|line| output.sentence(line))?;
        let nouns = if rows.len() == 1 { "interface" } else { "interfaces" };
        let since = "bytes and packets are since each one was made";
        let mut lines = vec![format!("{} {nouns}; {since}", rows.len())];
        lines.extend(summary.iter().flat_map(|summary| closing::sentences(summary, "interfaces")));
        lines.extend(broken_off.map(str::to_owned));
        output.beside(talk, lines)?;
    } else {
        output.object(|object| {
            match &summary {
                Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
                None => object.null("summary"),
            }
            object.object("header", |object| {
                object.number("sampled_boottime_nanos", header.map(|header| header.sampled_boottime_nanos));
                object.number("sampled_unix_nanos", header.map(|header| header.sampled_unix_nanos));
            });
        })?;
        talk.lines(broken_off);
    }
    output.flush()?;
    Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
}
