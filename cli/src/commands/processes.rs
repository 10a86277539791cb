//! `ps`: the processes of the target.

#[cfg(test)]
pub(super) mod fake;
pub(super) mod field;
mod filter;
pub(super) mod list;
#[cfg(test)]
mod measure;
pub(super) mod row;
pub(super) mod sort;
#[cfg(test)]
mod tests;
pub(super) mod tree;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;

use self::filter::Filter;
pub(super) use self::filter::size;
use self::list::{History, Since};
use self::row::ProcessRow;
pub(super) use self::row::{State, origin};
use self::sort::Sort;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::commands::agent::Agent;
use crate::exit::Exit;
use crate::render::{Format, Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl ps web                              all processes of the container
  dbgctl ps web --tree                       who started whom
  dbgctl ps web --sort rss --limit 5         the five biggest
  dbgctl ps web --filter pid=7               one process
  dbgctl ps web --filter state=disk-sleep    what hangs in I/O
  dbgctl ps web --filter 'cpu>5' --watch     what is busy, once a second
  dbgctl ps web -o json | jq -r 'select(.pid).pid'

Fields for --sort and --filter: pid, ppid, tid, user, uid, state, cpu, time, rss, virt, swap, threads, nice, \
elapsed, wait, origin, command; for --sort also start.

States: running; sleeping; disk-sleep (waits for I/O and cannot be killed); zombie (ended, its parent \
has not asked for its exit status); stopped and traced; idle and parked (kernel threads only).";

/// List the processes
///
/// CPU% is the share of one CPU since the process started; with --watch, since the list before.
/// Processes come and go while the list is made: it is not a snapshot.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show children below their parents
    #[arg(long, conflicts_with = "threads")]
    tree: bool,

    /// Show one row per thread
    #[arg(long)]
    threads: bool,

    /// Sort by this field; figures biggest first, unless + or - (descending) says otherwise
    #[arg(long, value_name = "[+-]FIELD", allow_hyphen_values = true)]
    sort: Option<Sort>,

    /// Show only what matches, for example state=zombie, user=www, command~nginx, rss>100M, cpu>5
    ///
    /// Comparisons are = != > >= < <= and, for text, ~ (contains) and !~. Given several times, all must
    /// match.
    #[arg(long, value_name = "FIELD=VALUE")]
    filter: Vec<Filter>,

    #[command(flatten)]
    watch: Watch,

    /// Also show processes in the same PID namespace that do not belong to the target
    #[arg(long)]
    all: bool,

    /// Show at most this many rows
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListProcessesResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut history = History::default();
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, self.request(output))).await?;
            turn.begin(output)?;
            self.show(listing, &mut history, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self, output: &Output) -> v1::ListProcessesRequest {
        let detail = self.fields().any(field::Field::is_detail);
        v1::ListProcessesRequest {
            threads: self.threads,
            details: detail || output.is_wide(),
            all: self.all,
            // The agent can leave out rows only if it knows which ones would come first.
            limit: if self.agent_can_limit() { self.limit.unwrap_or(0) } else { 0 },
        }
    }

    fn fields(&self) -> impl Iterator<Item = field::Field> {
        self.sort.iter().map(|sort| sort.field).chain(self.filter.iter().map(|filter| filter.field))
    }

    fn agent_can_limit(&self) -> bool {
        self.filter.is_empty() && !self.tree && self.sort.unwrap_or_default().is_agents_own()
    }

    fn show(
        &self,
        listing: Listing<v1::ListProcessesResponse>,
        history: &mut History,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { header, rows: processes, mut closing } = listing;
        let total = processes.len();
        let since = if history.is_empty() { Since::Start } else { Since::LastList };
        let zone = (output.format() == Format::Wide).then(|| output.zone().clone());
        let rows = history.rows(header, processes, zone.as_ref());
        let rows = self.arrange(rows);

        output.header(header, |header, object| {
            object.number("sampled_boottime_nanos", header.sampled_boottime_nanos);
            object.number("sampled_unix_nanos", header.sampled_unix_nanos);
            object.text("cpu_percent_since", since.name());
        })?;
        output.rows(&rows)?;
        closing.notes.push(self.counted(rows.len(), total, since));
        Ok(closing.show(self.nouns(), output, talk)?)
    }

    /// Keeps the rows that are wanted, in the order that is wanted.
    fn arrange(&self, mut rows: Vec<ProcessRow>) -> Vec<ProcessRow> {
        rows.retain(|row| self.filter.iter().all(|filter| filter.accepts(row)));
        if let Some(sort) = self.sort {
            sort.apply(&mut rows);
        }
        if self.tree {
            rows = tree::arrange(rows);
        }
        rows.truncate(self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
        rows
    }

    fn nouns(&self) -> &'static str {
        if self.threads { "threads" } else { "processes" }
    }

    fn counted(&self, shown: usize, total: usize, since: Since) -> String {
        let nouns = match total {
            1 if self.threads => "thread",
            1 => "process",
            _ => self.nouns(),
        };
        let of = if shown == total { String::new() } else { format!(" of {total}") };
        format!("{shown}{of} {nouns}; CPU% is {}", since.words())
    }
}
