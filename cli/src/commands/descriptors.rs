//! `fds`: the open files of the target.

mod kind;
mod row;
#[cfg(test)]
mod tests;
mod totals;

use std::cmp::Reverse;
use std::collections::HashMap;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::descriptor_service_client::DescriptorServiceClient;
use dbgctl_proto::v1::list_descriptors_response::Part;
use dbgctl_proto::v1::{self, Descriptor, DescriptorKind, DescriptorProcess, Summary};

use self::row::DescriptorRow;
use super::agent::Agent;
use super::watch::{Turn, Watch};
use super::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl fds web                        what every process of the container has open
  dbgctl fds web --pid 7 -o wide        one process: access, flags, offset, locks and more
  dbgctl fds web --deleted              deleted files that still take space, biggest first
  dbgctl fds web --type socket          connections and listeners, and who holds them
  dbgctl fds web -o json | jq -r 'select(.name) | .name'

Types: file (has a path), of which regular, directory, char, block and fifo are told apart by -o wide and \
by --type; pipe, socket, memfd, eventfd, epoll, inotify, fanotify, timerfd, signalfd, pidfd, io_uring, bpf, \
perf_event, userfaultfd, namespace, other.

A deleted file keeps its space until the last process closes it. The limit of open files is that of \
RLIMIT_NOFILE (`ulimit -n`): at the limit, opening anything fails with EMFILE, \"too many open files\".

The narrow table looks at the limit only of processes with many open files, -o wide at all of them. It costs one system call per open file, three with -o wide, json or yaml. Nothing is opened through a \
descriptor.";

/// List the open files
///
/// Files are opened and closed while the list is made: it is not a snapshot.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only of this process; may be given several times
    #[arg(long = "pid", value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pids: Vec<u32>,

    /// Only of this type, for example socket; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = kind::parse)]
    kinds: Vec<DescriptorKind>,

    /// Only deleted files, biggest first
    #[arg(long)]
    deleted: bool,

    #[command(flatten)]
    watch: Watch,

    /// Show at most this many
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

/// What the agent sent.
#[derive(Debug, Default)]
struct Listing {
    processes: Vec<DescriptorProcess>,
    descriptors: Vec<Descriptor>,
    summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    broken_off: Option<&'static str>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.DescriptorService/ListDescriptors"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(read(agent, self.request(output))).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self, output: &Output) -> v1::ListDescriptorsRequest {
        let agent_can_limit = self.kinds.is_empty() && !self.deleted;
        v1::ListDescriptorsRequest {
            pids: self.pids.clone(),
            details: output.is_wide() || self.kinds.iter().any(|&kind| kind::is_detail(kind)),
            limit: self.limit.filter(|_| agent_can_limit).unwrap_or(0),
        }
    }

    fn accepts(&self, descriptor: &Descriptor) -> bool {
        let is_kind = |&wanted: &DescriptorKind| kind::is(descriptor.kind, wanted);
        (self.kinds.is_empty() || self.kinds.iter().any(is_kind)) && (!self.deleted || descriptor.deleted)
    }

    fn show(&self, listing: Listing, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let Listing { processes, mut descriptors, summary, broken_off } = listing;
        let (all, totals) = (descriptors.len(), totals::sentences(&processes, &descriptors));
        descriptors.retain(|descriptor| self.accepts(descriptor));
        if self.deleted {
            descriptors.sort_by_key(|found| (Reverse(found.size_bytes), found.pid, found.number));
        }
        descriptors.truncate(self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        let shown = descriptors.len();
        let commands: HashMap<_, _> =
            processes.iter().map(|process| (process.pid, process.command.as_slice())).collect();
        let row = |descriptor: Descriptor| {
            let command = commands.get(&descriptor.pid).map_or_else(Vec::new, |&command| command.to_vec());
            DescriptorRow { command, descriptor }
        };
        let rows: Vec<_> = descriptors.into_iter().map(row).collect();

        output.rows(&rows)?;
        if output.is_table() {
            if shown != all {
                output.sentence(format!("{shown} of {all} open files shown"))?;
            }
            totals.iter().try_for_each(|line| output.sentence(line))?;
            let gaps =
                summary.iter().flat_map(|summary| closing::sentences_of(summary, "open files", "processes"));
            output.beside(talk, gaps.chain(broken_off.map(str::to_owned)))?;
        } else {
            for process in &processes {
                output.object(|object| {
                    object.object("process", |object| {
                        object.number("pid", u64::from(process.pid));
                        object.raw("command", process.command.as_slice());
                        object.number("open", u64::from(process.open));
                        object.number("limit", process.limit);
                    });
                })?;
            }
            output.object(|object| match &summary {
                Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
                None => object.null("summary"),
            })?;
            talk.lines(broken_off);
        }
        output.flush()?;
        Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
    }
}

/// Reads the whole stream, as far as there is room for it.
async fn read(agent: &Agent, request: v1::ListDescriptorsRequest) -> Result<Listing, Failure> {
    let mut client =
        DescriptorServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_descriptors(agent.request(request)).await?.into_inner();
    let mut listing = Listing::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Batch(batch)) => {
                listing.processes.extend(batch.processes);
                listing.descriptors.extend(batch.descriptors);
            }
            Some(Part::Summary(summary)) => listing.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        listing.summary.is_some()
    });
    listing.broken_off = broken_off.await?;
    Ok(listing)
}

fn footprint(response: &v1::ListDescriptorsResponse) -> usize {
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    let of_process =
        |process: &DescriptorProcess| size_of::<DescriptorProcess>() + process.command.capacity();
    let of_descriptor = |descriptor: &Descriptor| {
        let socket = descriptor.socket.as_ref().map_or(0, |socket| {
            size_of::<v1::DescriptorSocket>()
                + socket.protocol.capacity()
                + socket.local.capacity()
                + socket.remote.capacity()
                + socket.state.capacity()
        });
        let texts = descriptor.details.iter().flat_map(|details| details.flags.iter().chain(&details.locks));
        // The row holds the command as well.
        size_of::<DescriptorRow>()
            + 64
            + descriptor.details.as_ref().map_or(0, |_| size_of::<v1::DescriptorDetails>())
            + descriptor.name.as_ref().map_or(0, Vec::capacity)
            + socket
            + texts.map(|text| size_of::<String>() + text.capacity()).sum::<usize>()
    };
    batch.processes.iter().map(of_process).sum::<usize>()
        + batch.descriptors.iter().map(of_descriptor).sum::<usize>()
}
