//! `fds`: the open files of the target.

mod kind;
mod row;
#[cfg(test)]
mod tests;
mod totals;

use std::cmp::Reverse;
use std::collections::HashMap;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, Descriptor, DescriptorKind};

use self::row::DescriptorRow;
use super::agent::Agent;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::closing::Nouns;
use crate::render::{Output, Talk};

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

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListDescriptorsResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, self.request(output))).await?;
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

    fn show(
        &self,
        listing: Listing<v1::ListDescriptorsResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { mut rows, closing, .. } = listing;
        let processes: Vec<_> = rows.iter_mut().filter_map(|row| row.process.take()).collect();
        let mut descriptors: Vec<_> = rows.into_iter().map(|row| row.descriptor).collect();
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
        output.sentences((shown != all).then(|| format!("{shown} of {all} open files shown")))?;
        output.sentences(totals)?;
        if !output.is_table() {
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
        }
        Ok(closing.show(Nouns { rows: "open files", gaps: "processes" }, output, talk)?)
    }
}
