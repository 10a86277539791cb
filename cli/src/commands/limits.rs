//! `limits`: which limit is nearest.

mod row;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::limit_service_client::LimitServiceClient;
use dbgctl_proto::v1::list_limits_response::Part;
use dbgctl_proto::v1::{self, LimitUse, Summary};

use self::row::LimitRow;
use super::agent::Agent;
use super::watch::{Turn, Watch};
use super::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk, closing};

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

/// What the agent sent.
#[derive(Debug, Default)]
struct Answer {
    limits: Vec<LimitUse>,
    summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    broken_off: Option<&'static str>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.LimitService/ListLimits"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        // Which rows are first is known only when all are there.
        let request = v1::ListLimitsRequest { all: self.all, pids: self.pid.clone(), limit: 0 };
        let ask = async |turn: Turn| {
            let answer = agent.within_limit(read(agent, request.clone())).await?;
            turn.begin(output)?;
            self.show(answer, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

/// Reads the whole stream, as far as there is room for it.
async fn read(agent: &Agent, request: v1::ListLimitsRequest) -> Result<Answer, Failure> {
    let mut client = LimitServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_limits(agent.request(request)).await?.into_inner();
    let mut answer = Answer::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Batch(batch)) => answer.limits.extend(batch.limits),
            Some(Part::Summary(summary)) => answer.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        answer.summary.is_some()
    });
    answer.broken_off = broken_off.await?;
    Ok(answer)
}

fn footprint(response: &v1::ListLimitsResponse) -> usize {
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    batch.limits.iter().map(|limit| size_of::<LimitUse>() + limit.command.capacity()).sum()
}

impl Args {
    fn show(&self, answer: Answer, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let Answer { limits, mut summary, broken_off } = answer;
        let mut rows: Vec<_> = limits.into_iter().map(LimitRow).collect();
        // Those of which use is not known come last, in the agent's order: cgroup, then processes.
        rows.sort_by_key(|row| Reverse(row.used_millionths()));
        let warnings: Vec<_> = rows.iter().filter_map(LimitRow::warning).take(MOST_SENTENCES).collect();
        let near = rows.iter().filter(|row| row.is_near()).count();
        closing::cut(&mut rows, self.limit, &mut summary);
        output.rows(&rows)?;
        if output.is_table() {
            for sentence in &warnings {
                output.sentence(sentence)?;
            }
            match near.saturating_sub(warnings.len()) {
                0 if near == 0 && !rows.is_empty() => output.sentence("no limit is used to 80% or more")?,
                0 => {}
                1 => output.sentence("1 more limit is used to 80% or more")?,
                more => output.sentence(format!("{more} more limits are used to 80% or more"))?,
            }
            let gaps = summary.iter().flat_map(|summary| closing::sentences(summary, "limits"));
            output.beside(talk, gaps.chain(broken_off.map(str::to_owned)))?;
        } else {
            output.object(|object| {
                match &summary {
                    Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
                    None => object.null("summary"),
                }
                object.raws("verdicts", warnings.iter().map(String::as_bytes));
            })?;
            talk.lines(broken_off);
        }
        output.flush()?;
        Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
    }
}
