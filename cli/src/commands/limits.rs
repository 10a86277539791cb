//! `limits`: which limit is nearest.

mod row;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;

use self::row::LimitRow;
use super::agent::Agent;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl limits web                  the nearest limit of each process, and those of the container
  dbgctl limits web --pid 1 --all    every limit of process 1
  dbgctl limits web -o json | jq 'select(.used_percent > 50)'

Limits are those of the container (memory, tasks, cpu: its control group; PID is then `cgroup`) and of each process (see \
getrlimit(2)): SOFT is enforced, and the process may raise it up to HARD; `max` is no limit. USED is - where the kernel \
does not tell how much is used; how much CPU is used, `dbgctl cpu` says.

open-files counts descriptors. user-threads counts the threads of the process's user: those of the container here, all \
of the machine for the kernel; it does not bind root. pending-signals counts those of the user.";

/// Sentences about limits that are nearly used up, at most.
const MOST_SENTENCES: usize = 10;

/// Show which limit is nearest
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show every limit, not only the nearest of each process and those that are used to 80% or more
    #[arg(long)]
    all: bool,

    /// Only this process, or these, without the limits of the container
    #[arg(long, value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pid: Vec<u32>,

    #[command(flatten)]
    watch: Watch,

    /// Show at most this many rows
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListLimitsResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        // Which rows are first is known only when all are there.
        let request = v1::ListLimitsRequest { all: self.all, pids: self.pid.clone(), limit: 0 };
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, request.clone())).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn show(
        &self,
        listing: Listing<v1::ListLimitsResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { rows: limits, mut closing, .. } = listing;
        let mut rows: Vec<_> = limits.into_iter().map(LimitRow).collect();
        // Those of which use is not known come last, in the agent's order: cgroup, then processes.
        rows.sort_by_key(|row| Reverse(row.used_millionths()));
        closing.verdicts = Some(verdicts(&rows));
        closing.cut(&mut rows, self.limit);
        output.rows(&rows)?;
        Ok(closing.show("limits", output, talk)?)
    }
}

/// One sentence for each limit that is nearly used up, the nearest first.
fn verdicts(rows: &[LimitRow]) -> Vec<String> {
    let mut sentences: Vec<_> = rows.iter().filter_map(LimitRow::warning).take(MOST_SENTENCES).collect();
    let near = rows.iter().filter(|row| row.is_near()).count();
    match near.saturating_sub(sentences.len()) {
        0 if near == 0 && !rows.is_empty() => sentences.push("no limit is used to 80% or more".to_owned()),
        0 => {}
        1 => sentences.push("1 more limit is used to 80% or more".to_owned()),
        more => sentences.push(format!("{more} more limits are used to 80% or more")),
    }
    sentences
}
