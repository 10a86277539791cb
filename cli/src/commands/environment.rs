//! `env`: what the processes of the target were started with.

mod row;
#[cfg(test)]
mod tests;

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::v1::environment_service_client::EnvironmentServiceClient;
use dbgctl_proto::v1::list_environments_response::Part;
use dbgctl_proto::v1::{self, EnvironmentVariable, ProcessEnvironment, Redaction, Summary};

use self::row::{ProcessRow, Variables};
use super::agent::Agent;
use super::{Failure, Question, stream, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk, closing};

const EXAMPLES: &str = "\
Examples:
  dbgctl env web                       what the processes were started with, secrets left out
  dbgctl env web --name 'DB_*'         only these variables
  dbgctl env web --name proxy          whatever has \"proxy\" in its name
  dbgctl env web --pid 7               of one process
  dbgctl env web --name DB_PASSWORD --reveal --reason 'ticket 4711'

A variable that several processes share is shown once; PROCESSES says which have it.

What looks like a secret by its name or by its value never leaves the container: the sidecar sends its length \
only. --reveal asks for it, after writing who did so, when and why to $XDG_STATE_HOME/dbgctl/audit.jsonl (or \
below ~/.local/state).

It is what each process was started with. What a program has changed since is its own affair, and some write \
their title over it.";

/// Show the environment, without secrets
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only of this process; may be given several times
    #[arg(long = "pid", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pids: Vec<u32>,

    /// Only variables with this in their name, or, with * and ?, with a name of this form; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,

    /// Show what looks like a secret, too, and record that you did
    #[arg(long)]
    reveal: bool,
}

/// What the agent sent.
#[derive(Debug, Default)]
struct Listing {
    processes: Vec<ProcessEnvironment>,
    summary: Option<Summary>,
    /// Why the list cannot be trusted to be whole.
    broken_off: Option<&'static str>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.EnvironmentService/ListEnvironments"
    }

    fn reveals_as(&self) -> Option<&'static str> {
        self.reveal.then_some("env")
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let listing = agent.within_limit(read(agent, self.request())).await?;
        unless_pipe_closed(show(listing, self.names.is_empty(), output, talk))
    }
}

impl Args {
    fn request(&self) -> v1::ListEnvironmentsRequest {
        let pattern = |name: &String| {
            if name.contains(['*', '?']) { name.clone() } else { format!("*{name}*") }
        };
        v1::ListEnvironmentsRequest {
            pids: self.pids.clone(),
            names: self.names.iter().map(pattern).collect(),
            reveal: self.reveal,
            limit: 0,
        }
    }
}

/// Reads the whole stream, as far as there is room for it.
async fn read(agent: &Agent, request: v1::ListEnvironmentsRequest) -> Result<Listing, Failure> {
    let mut client =
        EnvironmentServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let responses = client.list_environments(agent.request(request)).await?.into_inner();
    let mut listing = Listing::default();
    let broken_off = stream::read(responses, footprint, |response| {
        match response.part {
            Some(Part::Batch(batch)) => listing.processes.extend(batch.processes),
            Some(Part::Summary(summary)) => listing.summary = Some(summary),
            // A part that only a newer agent knows.
            None => {}
        }
        listing.summary.is_some()
    });
    listing.broken_off = broken_off.await?;
    Ok(listing)
}

fn footprint(response: &v1::ListEnvironmentsResponse) -> usize {
    let Some(Part::Batch(batch)) = &response.part else { return 0 };
    let of_variable = |variable: &EnvironmentVariable| {
        // Its row as well.
        2 * size_of::<EnvironmentVariable>()
            + 2 * variable.name.capacity()
            + 2 * variable.value.as_ref().map_or(0, Vec::capacity)
    };
    let of_process = |process: &ProcessEnvironment| {
        size_of::<ProcessEnvironment>()
            + process.command.capacity()
            + process.variables.iter().map(of_variable).sum::<usize>()
    };
    batch.processes.iter().map(of_process).sum()
}

fn show(listing: Listing, all_wanted: bool, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
    let Listing { processes, summary, broken_off } = listing;
    if output.is_table() {
        let variables = Variables::of(&processes, output.is_wide());
        output.rows(&variables.rows)?;
        for sentence in sentences(&processes, &variables, all_wanted) {
            output.sentence(sentence)?;
        }
        let gaps = summary.iter().flat_map(|summary| closing::sentences(summary, "processes"));
        output.beside(talk, gaps.chain(broken_off.map(str::to_owned)))?;
    } else {
        let rows: Vec<_> = processes.into_iter().map(ProcessRow).collect();
        output.rows(&rows)?;
        output.object(|object| match &summary {
            Some(summary) => object.object("summary", |object| closing::fields(summary, object)),
            None => object.null("summary"),
        })?;
        talk.lines(broken_off);
    }
    output.flush()?;
    Ok(if broken_off.is_none() { Exit::Answered } else { Exit::Unknown })
}

fn sentences(processes: &[ProcessEnvironment], variables: &Variables, all_wanted: bool) -> Vec<String> {
    let count =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let redacted = variables.rows.iter().filter(|row| row.variable.redaction() != Redaction::Unspecified);
    let mut line = format!(
        "{} of {}",
        count(variables.rows.len(), "variable", "variables"),
        count(processes.len(), "process", "processes")
    );
    match redacted.count() {
        0 => {}
        redacted => line.push_str(&format!(
            "; {redacted} redacted: --reveal shows what looks like a secret, and records that"
        )),
    }
    let mut lines = vec![line];
    // Those who share an empty one have it of the first.
    let empty = |process: &&ProcessEnvironment| process.variables.is_empty() && process.same_as_pid.is_none();
    let is_empty = |pid: u32| processes.iter().filter(empty).any(|process| process.pid == pid);
    let without = processes.iter().filter(|process| is_empty(process.same_as_pid.unwrap_or(process.pid)));
    let without = if all_wanted { without.count() } else { 0 };
    if without > 0 {
        let of = count(without, "process shows", "processes show");
        lines.push(format!("{of} no environment: started without one, or written over by a title"));
    }
    let cut = processes.iter().filter(|process| process.cut).count();
    if cut > 0 {
        let of = count(cut, "process has", "processes have");
        lines.push(format!(
            "{of} more than 128 KiB of environment or 4,096 variables, of which the rest is left out"
        ));
    }
    lines
}
