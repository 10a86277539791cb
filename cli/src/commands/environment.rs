//! `env`: what the processes of the target were started with.

mod row;
#[cfg(test)]
mod tests;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, ProcessEnvironment, Redaction};

use self::row::{ProcessRow, Variables};
use super::agent::Agent;
use super::stream::{self, Listing};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl env web                       what the processes were started with, secrets left out
  dbgctl env web --name 'DB_*'         only these variables
  dbgctl env web --name proxy          whatever has \"proxy\" in its name
  dbgctl env web --pid 7               of one process
  dbgctl env web --name DB_PASSWORD --reveal --reason 'ticket 4711'

A variable that several processes share is shown once; PIDS says which have it.

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
    #[arg(long = "pid", value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pids: Vec<u32>,

    /// Only variables with this in their name, or, with * and ?, with a name of this form; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,

    /// Show what looks like a secret, too, and record that you did
    #[arg(long)]
    reveal: bool,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListEnvironmentsResponse::RPC
    }

    fn reveals_as(&self) -> Option<&'static str> {
        self.reveal.then_some("env")
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let listing = agent.within_limit(stream::read(agent, self.request())).await?;
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

fn show(
    listing: Listing<v1::ListEnvironmentsResponse>,
    all_wanted: bool,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { rows: processes, closing, .. } = listing;
    if output.is_table() {
        let variables = Variables::of(&processes, output.is_wide());
        output.rows(&variables.rows)?;
        output.sentences(sentences(&processes, &variables, all_wanted))?;
    } else {
        let rows: Vec<_> = processes.into_iter().map(ProcessRow).collect();
        output.rows(&rows)?;
    }
    Ok(closing.show("processes", output, talk)?)
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
