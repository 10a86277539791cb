//! `pids`: how many processes and threads the target has, and how many it may have.

#[cfg(test)]
mod tests;
mod verdict;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{self, PidsHeader, ProcessThreads};

use self::verdict::{Room, verdicts};
use super::agent::Agent;
use super::cgroup::limit_field;
use super::processes::row::State;
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::{Column, Emphasis, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl pids web              how many processes and threads, and how many more it may have
  dbgctl pids web --limit 5    the five processes with most threads
  dbgctl pids web -o json | jq 'select(.header).header.cgroup'

Each thread is a task, and each process has at least one. Tasks are limited for the container (pids.max of its control \
group), for each user (RLIMIT_NPROC, which does not bind root), and for the machine. Beyond a limit, starting a process \
or a thread fails with EAGAIN: \"Resource temporarily unavailable\". Below the table the nearest limit comes first.

A zombie has ended and still counts, until its parent asks for its exit status.";

/// Count processes and threads against what is allowed
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    watch: Watch,

    /// Show at most this many processes, those with most threads
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

impl Row for ProcessThreads {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.pid.into())),
        Column::number("PPID", |row| Some(row.parent_pid.into())),
        Column::number("UID", |row| row.uid.map(i64::from)),
        Column::text("STATE", |row| State::new(row.state).word()),
        Column::number("THREADS", |row| Some(row.threads.into())),
        Column::written("COMMAND", |row, cell| cell.raw(&row.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.number("pid", u64::from(self.pid));
        object.number("parent_pid", u64::from(self.parent_pid));
        object.raw("command", self.command.as_slice());
        object.text("state", &*State::new(self.state).word().replace('-', "_"));
        object.number("threads", u64::from(self.threads));
        object.number("uid", self.uid.map(u64::from));
    }

    fn emphasis(&self) -> Emphasis {
        match v1::ProcessState::try_from(self.state) {
            Ok(v1::ProcessState::Zombie | v1::ProcessState::Dead) => Emphasis::Notable,
            _ => Emphasis::None,
        }
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListPidsResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let request = v1::ListPidsRequest { limit: self.limit.unwrap_or(0) };
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(agent, request)).await?;
            turn.begin(output)?;
            show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

fn show(
    listing: Listing<v1::ListPidsResponse>,
    output: &mut Output,
    talk: &mut Talk,
) -> Result<Exit, Failure> {
    let Listing { header, rows: processes, closing } = listing;
    let header = header.unwrap_or_default();
    let verdicts = verdicts(&rooms(&header));
    output.header(Some(&header), |header, object| header_fields(header, &verdicts, object))?;
    output.rows(&processes)?;
    output.sentences(verdicts.into_iter().chain(sentences(&header)))?;
    Ok(closing.show("processes", output, talk)?)
}

/// Every limit on tasks, with what is used of it.
fn rooms(header: &PidsHeader) -> Vec<Room> {
    let mut rooms = Vec::new();
    if let Some(cgroup) = &header.cgroup {
        let limit = cgroup.limit.as_ref().and_then(|limit| limit.limit);
        // Where the group does not tell, its threads have been counted.
        let used = cgroup.current.unwrap_or(header.threads);
        rooms.extend(limit.map(|limit| Room {
            whose: if used == 1 { "task" } else { "tasks" }.to_owned(),
            used,
            limit,
        }));
    }
    for user in &header.users {
        // RLIMIT_NPROC does not bind root.
        let limit = user.limit.as_ref().and_then(|limit| limit.limit).filter(|_| user.uid != 0);
        let limit = limit.filter(|limit| matches!(limit, Limit::At(_)));
        let whose = format!("tasks of uid {} in this container", user.uid);
        rooms.extend(limit.map(|limit| Room { whose, used: user.threads, limit }));
    }
    let of_machine = |most: Option<u64>, name: &str| {
        let whose = format!("tasks of the whole machine ({name})");
        Some(Room { whose, used: header.machine_threads?, limit: Limit::At(most?) })
    };
    rooms.extend(of_machine(header.machine_threads_max, "threads-max"));
    rooms.extend(of_machine(header.pid_max, "pid_max"));
    rooms
}

/// What is counted.
fn sentences(header: &PidsHeader) -> Vec<String> {
    let count =
        |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let mut lines = vec![format!(
        "{} with {}",
        count(header.processes, "process", "processes"),
        count(header.threads, "thread", "threads"),
    )];
    if header.zombies > 0 {
        let zombies = count(header.zombies, "zombie", "zombies");
        lines.push(format!("{zombies}: ended, but the parent has not asked for the exit status"));
    }
    let Some(cgroup) = &header.cgroup else {
        lines.push("cgroup: not readable".to_owned());
        return lines;
    };
    if let Some(refused) = cgroup.refused.filter(|&refused| refused > 0) {
        let times = count(refused, "time", "times");
        lines.push(format!(
            "the limit of the container was hit {times} since it was started: fork failed (EAGAIN)"
        ));
    }
    lines.extend(cgroup.peak.map(|peak| format!("cgroup v{}: at most {peak} tasks so far", cgroup.version)));
    lines
}

fn header_fields(header: &PidsHeader, verdicts: &[String], object: &mut Object<'_>) {
    object.raws("verdicts", verdicts.iter().map(String::as_bytes));
    match &header.cgroup {
        Some(cgroup) => object.object("cgroup", |object| {
            object.number("version", u64::from(cgroup.version));
            object.number("current", cgroup.current);
            limit_field("limit", cgroup.limit.as_ref(), object);
            object.number("peak", cgroup.peak);
            object.number("refused", cgroup.refused);
        }),
        None => object.null("cgroup"),
    }
    object.number("processes", header.processes);
    object.number("threads", header.threads);
    object.number("zombies", header.zombies);
    object.objects("users", &header.users, |user, object| {
        object.number("uid", u64::from(user.uid));
        object.number("threads", user.threads);
        limit_field("limit", user.limit.as_ref(), object);
    });
    object.number("machine_threads", header.machine_threads);
    object.number("machine_threads_max", header.machine_threads_max);
    object.number("pid_max", header.pid_max);
}
