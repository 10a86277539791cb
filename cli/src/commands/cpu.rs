//! `cpu`: who uses the CPU, and what holds it back.

mod row;
#[cfg(test)]
mod tests;
pub(super) mod verdict;

use dbgctl_proto::list::List as _;
use dbgctl_proto::v1::{self, CgroupCpu, CgroupCpuUse, CpuHeader, MachineCpu, TaskCpu};

use self::row::CpuRow;
use self::verdict::{Cpus, Facts, verdicts};
use super::agent::Agent;
use super::cgroup::{limit_field, pressure_field, pressure_sentence};
use super::sample::{Sample, per_second, percent};
use super::stream::{self, Listing};
use super::watch::{Turn, Watch};
use super::{Failure, Question, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::{Percent, Took};
use crate::render::{Object, Output, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl cpu web                     who uses the CPU, and what holds it back
  dbgctl cpu web --threads -o wide   which thread, on which CPU, under which policy
  dbgctl cpu web --sample 10s        a longer look, for what comes and goes
  dbgctl cpu web --watch             sample after sample
  dbgctl cpu web -o json | jq 'select(.header).header.verdicts'

CPU% is the share of one CPU over the sample; USER% and SYS% are its parts in the program and in the kernel, \
which are counted in ticks of 10 ms. WAIT% is the share of the sample in which it was ready to run and had no \
CPU: because the limit of the container was used up, or because others had all CPUs. TIME is the CPU time since \
the start. With -o wide: context switches per second, of its own accord (VOL/S) and not (INVOL/S), the last CPU, \
nice value, scheduling policy and real-time priority.

A container with a limit of 0.5 CPU may run for 50 ms in each period of 100 ms, all its threads together. A period \
in which it wanted more is throttled.

Costs two files per thread (three with -o wide), read twice. No lock of the target is taken.";

/// Who uses the CPU, and what holds it back
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Show one row per thread
    #[arg(long)]
    threads: bool,

    #[command(flatten)]
    sample: Sample,

    #[command(flatten)]
    watch: Watch,

    /// Sort by this field, biggest first
    #[arg(long, value_enum, value_name = "FIELD", default_value_t)]
    sort: Sort,

    /// Show at most this many rows
    #[arg(long, value_name = "N", value_parser = crate::args::at_least_one::<u32>)]
    limit: Option<u32>,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// CPU%
    #[default]
    Cpu,
    /// USER%
    User,
    /// SYS%
    System,
    /// WAIT%
    Wait,
    /// CPU time since the start
    Time,
    /// Context switches
    Switches,
    /// Number of the process
    Pid,
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        v1::ListCpuResponse::RPC
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let agent = agent.with_more_time(self.sample.length(self.watch));
        let ask = async |turn: Turn| {
            let listing = agent.within_limit(stream::read(&agent, self.request(output))).await?;
            turn.begin(output)?;
            self.show(listing, output, talk)
        };
        unless_pipe_closed(self.watch.repeat(ask).await)
    }
}

impl Args {
    fn request(&self, output: &Output) -> v1::ListCpuRequest {
        v1::ListCpuRequest {
            sample_millis: self.sample.millis(self.watch),
            threads: self.threads,
            switches: output.is_wide() || self.sort == Sort::Switches,
            // The agent sends by CPU%; which rows are first by another figure is known only here.
            limit: if self.sort == Sort::Cpu { self.limit.unwrap_or(0) } else { 0 },
        }
    }

    fn show(
        &self,
        listing: Listing<v1::ListCpuResponse>,
        output: &mut Output,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let Listing { header, rows: tasks, mut closing } = listing;
        let header = header.unwrap_or_default();
        let verdicts = verdicts(&facts(&header));
        let mut rows = self.arrange(tasks);
        closing.cut(&mut rows, self.limit);
        let nouns = if self.threads { "threads" } else { "processes" };
        output.header(Some(&header), |header, object| header_fields(header, &verdicts, object))?;
        output.rows(&rows)?;
        output.sentences(verdicts.into_iter().chain(sentences(&header)))?;
        Ok(closing.show(nouns, output, talk)?)
    }

    fn arrange(&self, tasks: Vec<TaskCpu>) -> Vec<CpuRow> {
        let mut rows: Vec<_> = tasks.into_iter().map(CpuRow).collect();
        let by = |key: fn(&CpuRow) -> u64| move |row: &CpuRow| std::cmp::Reverse(key(row));
        match self.sort {
            // The agent's own order.
            Sort::Cpu => {}
            Sort::User => rows.sort_by_key(by(|row| row.over_sample().user_nanos)),
            Sort::System => rows.sort_by_key(by(|row| row.over_sample().system_nanos)),
            Sort::Wait => rows.sort_by_key(by(|row| row.over_sample().wait_nanos.unwrap_or(0))),
            Sort::Time => rows.sort_by_key(by(CpuRow::total_nanos)),
            Sort::Switches => rows.sort_by_key(by(CpuRow::switches)),
            Sort::Pid => rows.sort_by_key(|row| (row.0.pid, row.0.tid)),
        }
        rows
    }
}

/// What a verdict follows from.
pub(super) fn facts(header: &CpuHeader) -> Facts {
    let used = header.tasks_over_sample.unwrap_or_default();
    let cgroup = header.cgroup.as_ref();
    let of_cgroup = cgroup.and_then(|cgroup| cgroup.over_sample).unwrap_or_default();
    let machine = header.machine.unwrap_or_default();
    let cpus = |nanos: u64| per_second(nanos, header.sampled_nanos).map(|per_second| per_second / 1e9);
    let of_tasks = || used.run_nanos.unwrap_or_else(|| used.user_nanos.saturating_add(used.system_nanos));
    let machine_nanos = [machine.busy_nanos, machine.idle_nanos, machine.stolen_nanos];
    let machine_nanos = machine_nanos.into_iter().flatten().fold(0, u64::saturating_add);
    Facts {
        used_cpus: cpus(of_cgroup.usage_nanos.unwrap_or_else(of_tasks)),
        limit: cgroup.and_then(limit),
        throttled_percent: throttled_percent(&of_cgroup),
        waiting_percent: used
            .wait_nanos
            .zip(used.run_nanos)
            .and_then(|(wait, run)| percent(wait, wait.saturating_add(run))),
        waiting_cpus: used.wait_nanos.and_then(cpus),
        usable_cpus: header.usable_cpus,
        machine_cpus: machine.cpus,
        stolen_percent: machine.stolen_nanos.and_then(|stolen| percent(stolen, machine_nanos)),
        busiest: header.busiest_thread.as_ref().and_then(|thread| {
            let name = String::from_utf8_lossy(&thread.command).into_owned();
            Some((thread.tid, name, percent(thread.run_nanos, thread.sampled_nanos)?))
        }),
    }
}

fn throttled_percent(used: &CgroupCpuUse) -> Option<f64> {
    // In no period it wanted to run: then it was not held back either.
    used.throttled_periods.zip(used.periods).map(|(throttled, all)| percent(throttled, all).unwrap_or(0.0))
}

fn limit(cgroup: &CgroupCpu) -> Option<Cpus> {
    match cgroup.quota_micros.as_ref()?.limit? {
        v1::limit::Limit::Unlimited(_) => Some(Cpus::Unlimited),
        v1::limit::Limit::At(quota) => {
            let period = cgroup.period_micros.filter(|&period| period > 0)?;
            Some(Cpus::At(quota as f64 / period as f64))
        }
    }
}

/// The figures behind the verdict.
fn sentences(header: &CpuHeader) -> Vec<String> {
    let mut lines = Vec::new();
    match &header.cgroup {
        Some(cgroup) => lines.extend(cgroup_sentences(cgroup, header.sampled_nanos)),
        None => lines.push("cgroup: not readable".to_owned()),
    }
    if let Some(machine) = &header.machine {
        lines.push(machine_sentence(machine, header));
    }
    lines
}

fn cgroup_sentences(cgroup: &CgroupCpu, sampled_nanos: u64) -> Vec<String> {
    let used = cgroup.over_sample.unwrap_or_default();
    let cpus = |nanos: Option<u64>| match nanos.and_then(|nanos| per_second(nanos, sampled_nanos)) {
        Some(per_second) => format!("{:.2}", per_second / 1e9),
        None => "-".to_owned(),
    };
    let limit = match limit(cgroup) {
        Some(Cpus::At(limit)) => format!("limit {}", verdict::cpus(limit)),
        Some(Cpus::Unlimited) => "no limit".to_owned(),
        None => "limit not known".to_owned(),
    };
    let weight = cgroup.weight.map_or_else(String::new, |weight| format!(", weight {weight}"));
    let (user, system) = (cpus(used.user_nanos), cpus(used.system_nanos));
    let usage = cpus(used.usage_nanos);
    let mut lines = vec![format!(
        "cgroup v{}: {usage} CPUs (user {user}, system {system}), {limit}{weight}",
        cgroup.version
    )];
    let throttling = |used: &CgroupCpuUse| {
        let (throttled, all) = used.throttled_periods.zip(used.periods)?;
        let share =
            percent(throttled, all).map_or_else(String::new, |share| format!(" ({}%)", Percent(share)));
        let time = used
            .throttled_nanos
            .map(|nanos| format!(" for {}", Took(std::time::Duration::from_nanos(nanos))));
        Some(format!("{throttled} of {all} periods{share}{}", time.unwrap_or_default()))
    };
    let since_start = cgroup.since_start.unwrap_or_default();
    if let Some((now, ever)) = throttling(&used).zip(throttling(&since_start))
        && since_start.periods.is_some_and(|periods| periods > 0)
    {
        lines.push(format!("throttled: {now}; since the start {ever}"));
    }
    lines.extend(cgroup.pressure.as_ref().map(|pressure| pressure_sentence("cpu", pressure)));
    lines
}

/// `machine: 2 CPUs, 1.32 busy; load average 0.93 2.20 1.69`.
fn machine_sentence(machine: &MachineCpu, header: &CpuHeader) -> String {
    let cpus = |nanos: Option<u64>| Some(per_second(nanos?, header.sampled_nanos)? / 1e9);
    let mut parts = Vec::new();
    parts.extend(machine.cpus.map(verdict::count));
    if header.usable_cpus != machine.cpus {
        parts.extend(header.usable_cpus.map(|usable| format!("{usable} usable by the container")));
    }
    parts.extend(cpus(machine.busy_nanos).map(|busy| format!("{busy:.2} busy")));
    parts.extend(
        cpus(machine.stolen_nanos).filter(|&cpus| cpus >= 0.01).map(|cpus| format!("{cpus:.2} stolen")),
    );
    let MachineCpu { load_1_minute, load_5_minutes, load_15_minutes, .. } = *machine;
    if let (Some(one), Some(five), Some(fifteen)) = (load_1_minute, load_5_minutes, load_15_minutes) {
        parts.push(format!("load average {one:.2} {five:.2} {fifteen:.2}"));
    }
    format!("whole machine: {}", parts.join(", "))
}

fn header_fields(header: &CpuHeader, verdicts: &[String], object: &mut Object<'_>) {
    object.number("sampled_nanos", header.sampled_nanos);
    object.raws("verdicts", verdicts.iter().map(String::as_bytes));
    object.number("usable_cpus", header.usable_cpus.map(u64::from));
    match &header.cgroup {
        Some(cgroup) => object.object("cgroup", |object| {
            object.number("version", u64::from(cgroup.version));
            use_field("over_sample", cgroup.over_sample.as_ref(), object);
            use_field("since_start", cgroup.since_start.as_ref(), object);
            limit_field("quota_micros", cgroup.quota_micros.as_ref(), object);
            object.number("period_micros", cgroup.period_micros);
            object.number("weight", cgroup.weight);
            pressure_field(cgroup.pressure.as_ref(), object);
        }),
        None => object.null("cgroup"),
    }
    match &header.machine {
        Some(machine) => object.object("machine", |object| {
            object.number("cpus", machine.cpus.map(u64::from));
            object.number("busy_nanos", machine.busy_nanos);
            object.number("idle_nanos", machine.idle_nanos);
            object.number("stolen_nanos", machine.stolen_nanos);
            object.decimal("load_1_minute", machine.load_1_minute);
            object.decimal("load_5_minutes", machine.load_5_minutes);
            object.decimal("load_15_minutes", machine.load_15_minutes);
        }),
        None => object.null("machine"),
    }
    row::use_field("tasks_over_sample", header.tasks_over_sample.as_ref(), object);
    match &header.busiest_thread {
        Some(thread) => object.object("busiest_thread", |object| {
            object.number("pid", u64::from(thread.pid));
            object.number("tid", u64::from(thread.tid));
            object.raw("command", thread.command.as_slice());
            object.number("run_nanos", thread.run_nanos);
            object.number("sampled_nanos", thread.sampled_nanos);
        }),
        None => object.null("busiest_thread"),
    }
}

fn use_field(name: &str, used: Option<&CgroupCpuUse>, object: &mut Object<'_>) {
    let Some(used) = used else { return object.null(name) };
    object.object(name, |object| {
        object.number("usage_nanos", used.usage_nanos);
        object.number("user_nanos", used.user_nanos);
        object.number("system_nanos", used.system_nanos);
        object.number("periods", used.periods);
        object.number("throttled_periods", used.throttled_periods);
        object.number("throttled_nanos", used.throttled_nanos);
        object.decimal("throttled_percent", throttled_percent(used));
    });
}
