//! `stack`: what the threads of the target are doing.

mod group;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, ProcessState, ThreadStack};

use self::row::ThreadRow;
use super::agent::Agent;
use super::processes::State;
use super::sample::{length, percent};
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Percent;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl stack web                    what all threads wait for, equal ones together
  dbgctl stack web --pid 7 --threads  one row per thread of one process
  dbgctl stack web --sample 2s        also which of them ran within two seconds, and how much
  dbgctl stack web --watch            again every second: what stays the same hangs
  dbgctl stack web --threads -o wide  with arguments, stack pointer and program counter

CALL is the system call that a thread waits in, with what its arguments tell: the file, pipe or connection \
behind a descriptor, the kind of futex, a time-out. Paths and addresses in its memory are not read. \
WAIT-CHANNEL is the function of the kernel that it sleeps in.

States are those of `ps`: a thread in disk-sleep waits in the kernel, usually for I/O, and cannot be killed.

The kernel does not tell since when a thread waits; --sample shows whether it ran meanwhile. No thread is \
stopped to be looked at. The kernel's own stack needs CAP_SYS_ADMIN, which dbgctl never takes.";

/// Show what each thread is doing
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only of this process; may be given several times
    #[arg(long = "pid", value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pids: Vec<u32>,

    /// Show one row per thread
    #[arg(long)]
    threads: bool,

    /// Look this long how much each thread runs, from 100ms to 60s
    #[arg(long, value_name = "TIME", value_parser = length)]
    sample: Option<Duration>,

    #[command(flatten)]
    watch: Watch,

    /// Read at most this many threads
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListStacksResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let agent = agent.with_more_time(self.sample.unwrap_or_default());
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(&agent, self.request())).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self) -> v1::ListStacksRequest {
        let millis = self.sample.map_or(0, |sample| u32::try_from(sample.as_millis()).unwrap_or(u32::MAX));
        v1::ListStacksRequest {
            pids: self.pids.clone(),
            sample_millis: millis,
            limit: self.limit.unwrap_or(0),
        }
    }

    fn show(
        &self,
        listing: Listing<v1::ListStacksResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { rows: threads, closing, .. } = listing;
        let sentences = sentences(&threads);
        let rows: Vec<_> = threads.into_iter().map(ThreadRow).collect();
        if output.is_table() && !self.threads {
            output.rows(&group::groups(&rows, output.is_wide()))?;
        } else {
            output.rows(&rows)?;
        }
        output.sentences(sentences)?;
        Ok(closing.show("threads", output, talk)?)
    }
}

fn sentences(threads: &[ThreadStack]) -> Vec<String> {
    let processes: BTreeSet<_> = threads.iter().map(|thread| thread.pid).collect();
    let mut states = BTreeMap::new();
    for thread in threads {
        *states.entry(thread.state).or_insert(0_usize) += 1;
    }
    let counted: Vec<_> =
        states.iter().map(|(state, count)| format!("{count} {}", State::new(*state).word())).collect();
    let colon = if counted.is_empty() { "" } else { ": " };
    let mut lines = vec![format!(
        "{} of {}{colon}{}",
        count(threads.len(), "thread", "threads"),
        count(processes.len(), "process", "processes"),
        counted.join(", ")
    )];
    if let Some(&stuck) = states.get(&ProcessState::DiskSleep.into()) {
        let (they, wait) = if stuck == 1 { ("thread waits", "it is") } else { ("threads wait", "they are") };
        lines.push(format!(
            "{stuck} {they} in the kernel, usually for I/O, and cannot be killed before {wait} done (disk-sleep)"
        ));
    }
    lines.extend(activity(threads));
    lines
}

/// `within 1.00 s 3 of 14 threads ran; most of all thread 9 of process 7 (worker): 99.8% of a CPU`
fn activity(threads: &[ThreadStack]) -> Option<String> {
    let sampled: Vec<_> = threads.iter().filter_map(|thread| Some((thread, thread.run.as_ref()?))).collect();
    let (busiest, run) = sampled.iter().max_by_key(|(_, run)| run.ran_nanos)?;
    let ran = sampled.iter().filter(|(_, run)| run.timeslices > 0 || run.ran_nanos > 0).count();
    let seconds = Duration::from_nanos(run.sampled_nanos).as_secs_f64();
    let mut line =
        format!("within {seconds:.2} s {ran} of {} ran", count(sampled.len(), "thread", "threads"));
    if run.ran_nanos > 0
        && let Some(share) = percent(run.ran_nanos, run.sampled_nanos)
    {
        let name = String::from_utf8_lossy(&busiest.thread);
        let (tid, pid, percent) = (busiest.tid, busiest.pid, Percent(share));
        line.push_str(&format!("; most of all thread {tid} of process {pid} ({name}): {percent}% of a CPU"));
    }
    Some(line)
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
