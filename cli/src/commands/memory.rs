//! `mem`: the memory of the target, by process and as its cgroup accounts for it.

mod consent;
mod fields;
pub(super) mod headroom;
pub(super) mod list;
mod mappings;
mod reconcile;
mod rest;
mod row;
mod sentences;
#[cfg(test)]
mod tests;
mod trend;
mod verdict;

use std::time::{Duration, Instant};

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1;

use self::list::Breakdown;
use self::reconcile::Sums;
use self::rest::Resting;
use self::row::MemoryRow;
use self::verdict::{History, Verdict};
use super::agent::Agent;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl mem web                      who holds the memory, what else there is, and how much is left
  dbgctl mem web --limit 10           the ten processes with the biggest resident set
  dbgctl mem web --watch --for 60s    whether it leaks, how fast, and when that ends
  dbgctl mem web --pid 7 --maps       what one process has mapped: files, heap, stacks
  dbgctl mem web -o wide              with anon, file, shmem, swap, locked and huge pages
  dbgctl mem web -o json | jq 'select(.header).header.cgroup'

RSS counts shared pages in full for each process; PSS divides them by their users, so that the sum over \
all processes makes sense; USS is what would be freed if the process ended. The second table is what the \
cgroup is charged with, beside what the processes hold of it.

Headroom is the limit less what is charged, with what the kernel could drop. `For sure` counts clean page \
cache that was not used lately; `at best` all page cache, the kernel's own caches and what fits into swap. \
Working set is what is charged less inactive_file, as Kubernetes counts it.

Watching tells a leak from a busy program: anonymous and shared memory that was never given back and rose all the time, for at least 30 s. Page cache is no part of it.

Reading a process holds the lock of its memory map for about 12 ms per GiB. What has more than 4 GiB \
resident is read only with --yes, with --budget, or when asked on a terminal; with --watch a process is read \
for at most 5% of the time, and AGE says how old its figures are.";

/// Break down the memory
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Read at most this many processes, those with the biggest resident set, without the table of the cgroup; with
    /// --maps, show so many groups
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,

    /// Only this process
    #[arg(long, value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pid: Option<u32>,

    /// What that process has mapped, grouped by file, heap and stack
    #[arg(long, requires = "pid", conflicts_with_all = ["all", "budget", "yes"])]
    maps: bool,

    /// Also show processes in the same PID namespace that do not belong to the target
    #[arg(long)]
    all: bool,

    /// Stop reading processes after this time; the rest is listed with its resident set alone
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    budget: Option<Duration>,

    /// Read processes of more than 4 GiB without asking
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    watch: Watch,
}

/// What the user said to reading big processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Refused,
    NotAsked,
}

/// What is kept from one list to the next.
#[derive(Debug)]
struct Watched {
    consent: Consent,
    resting: Resting,
    history: History,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        match self.maps {
            true => v1::ListMappingsResponse::RPC,
            false => v1::ListMemoryResponse::RPC,
        }
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        if self.maps {
            return self.ask_for_mappings(agent, output, talk).await;
        }
        let consent = if self.yes || self.budget.is_some() { Consent::Given } else { Consent::NotAsked };
        let mut watched = Watched { consent, resting: Resting::default(), history: History::default() };
        let ask = async |turn: Turn| {
            let breakdown = self.read(agent, &mut watched, turn, talk).await?;
            turn.begin(output)?;
            self.show(breakdown, &mut watched, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    async fn ask_for_mappings(
        &self,
        agent: &Agent,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let request = v1::ListMappingsRequest { pid: self.pid.unwrap_or(0), limit: self.limit.unwrap_or(0) };
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, request)).await?;
            turn.begin(output)?;
            mappings::show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }

    fn request(&self, watched: &Watched, now: Instant) -> v1::ListMemoryRequest {
        let is_free = watched.consent == Consent::Given;
        v1::ListMemoryRequest {
            limit: self.limit.unwrap_or(0),
            all: self.all,
            pids: self.pid.into_iter().collect(),
            budget_nanos: self.budget.map(|budget| u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX)),
            biggest_to_read_bytes: (!is_free).then_some(consent::BIGGEST_UNASKED_BYTES),
            rest_pids: watched.resting.pids(now),
        }
    }

    /// Asks the agent, and a second time for what the user consents to be read.
    async fn read(
        &self,
        agent: &Agent,
        watched: &mut Watched,
        turn: Turn,
        talk: &mut Talk,
    ) -> Result<Breakdown, Failure> {
        let request = self.request(watched, Instant::now());
        let mut announce = |header: &v1::MemoryHeader| {
            let line = consent::announcement(header, self.budget).filter(|_| turn != Turn::Later);
            talk.lines(line);
        };
        let mut breakdown = agent.within_limit(list::read(agent, request.clone(), &mut announce)).await?;
        let too_big: Vec<_> = consent::too_big(&breakdown.list.rows).collect();
        if too_big.is_empty() {
            return Ok(breakdown);
        }
        if watched.consent == Consent::NotAsked {
            let says_yes = talk.confirm(&consent::question(&too_big)).await;
            watched.consent = if says_yes == Some(true) { Consent::Given } else { Consent::Refused };
        }
        if watched.consent == Consent::Given {
            let pids = too_big.iter().map(|process| process.pid).collect();
            let request = v1::ListMemoryRequest { pids, biggest_to_read_bytes: None, ..request };
            let read = agent.within_limit(list::read(agent, request, |_| {})).await?;
            breakdown.replace(read.list.rows);
        }
        if let Some(summary) = &mut breakdown.list.closing.summary {
            summary.gaps.extend(consent::too_big(&breakdown.list.rows).map(consent::gap));
        }
        Ok(breakdown)
    }

    fn show(
        &self,
        breakdown: Breakdown,
        watched: &mut Watched,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Breakdown { cgroup, header, list: Listing { rows: processes, closing, .. } } = breakdown;
        let (cgroup, header) = (cgroup.as_ref(), header.as_ref());
        let interval = self.watch.interval().unwrap_or_default();
        let mut rows = watched.resting.rows(header, processes, interval, Instant::now());
        // By what the sum is made of; the agent's order is by RSS.
        rows.sort_by_key(|row| {
            let process = &row.process;
            (std::cmp::Reverse(process.pss_bytes.unwrap_or(process.rss_bytes)), process.pid)
        });
        let is_whole = self.pid.is_none() && closing.is_complete();
        watched.history.add(cgroup, header, &rows);
        let mut found = Found::of(cgroup, header, &rows, is_whole);
        found.verdict = self.watch.interval().map(|_| watched.history.verdict(found.headroom.as_ref()));

        output.header(Some(&found), |found, object| {
            fields::header(header, object);
            match cgroup {
                Some(cgroup) => object.object("cgroup", |object| fields::cgroup(cgroup, object)),
                None => object.null("cgroup"),
            }
            fields::reconciliation(found.reconciliation.as_ref(), header, object);
            fields::headroom(found.headroom.as_ref(), found.victims.as_ref(), object);
            match &found.verdict {
                Some(verdict) => object.object("verdict", |object| verdict.fields(object)),
                None => object.null("verdict"),
            }
        })?;
        let accounts = cgroup.zip(found.reconciliation.as_ref()).filter(|_| output.is_table());
        let accounts = accounts.map(|(cgroup, found)| sentences::account_rows(cgroup, header, found));
        let accounts = accounts.unwrap_or_default();
        let sentences = found.sentences(cgroup, header);
        output.keep_free(accounts.len() + sentences.len() + usize::from(!accounts.is_empty()));
        output.rows(&rows)?;
        if !accounts.is_empty() {
            output.rows(&accounts)?;
        }
        output.sentences(sentences)?;
        Ok(closing.show("processes", output, talk)?)
    }
}

/// What follows from the figures.
struct Found<'r> {
    sums: Sums,
    /// Absent if not all processes are in the list.
    reconciliation: Option<reconcile::Reconciliation>,
    headroom: Option<headroom::Headroom>,
    victims: Option<headroom::Victims<'r>>,
    /// Absent if nothing is watched.
    verdict: Option<Verdict>,
    /// Whether no process is missing.
    is_whole: bool,
}

impl<'r> Found<'r> {
    fn of(
        cgroup: Option<&v1::CgroupMemory>,
        header: Option<&v1::MemoryHeader>,
        rows: &'r [MemoryRow],
        is_whole: bool,
    ) -> Self {
        let sums = Sums::of(rows);
        let headroom = headroom::headroom(cgroup, header);
        Self {
            sums,
            reconciliation: cgroup
                .filter(|_| is_whole)
                .and_then(|cgroup| reconcile::reconcile(cgroup, header, &sums)),
            headroom,
            victims: headroom::victims(rows, headroom.as_ref(), header).filter(|_| is_whole),
            verdict: None,
            is_whole,
        }
    }

    fn sentences(&self, cgroup: Option<&v1::CgroupMemory>, header: Option<&v1::MemoryHeader>) -> Vec<String> {
        let mut lines = vec![sentences::sum(&self.sums, self.is_whole)];
        lines.extend(sentences::cgroup(cgroup));
        let reconciled = cgroup.zip(self.reconciliation.as_ref());
        lines.extend(
            reconciled.iter().flat_map(|(cgroup, found)| sentences::unexplained(cgroup, header, found)),
        );
        lines.extend(self.headroom.as_ref().map(|headroom| sentences::headroom(cgroup, headroom)));
        lines.extend(self.victims.as_ref().map(|victims| sentences::victims(cgroup, victims)));
        lines.extend(self.verdict.as_ref().map(Verdict::sentence));
        lines
    }
}
