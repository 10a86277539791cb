//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::cpu_service_server::{CpuService, CpuServiceServer};
use dbgctl_proto::v1::list_cpu_response::Part;
use dbgctl_proto::v1::{
    BusiestThread, End, Gap, Limit, ListCpuRequest, ListCpuResponse, ProcessState, SchedulingPolicy, Summary,
    TaskCpuBatch, TaskCpuUse, limit,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

const SECOND: u64 = 1_000_000_000;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl CpuService for Fake {
    type ListCpuStream = Replies<ListCpuResponse>;

    async fn list_cpu(&self, _: Request<ListCpuRequest>) -> Result<Response<Self::ListCpuStream>, Status> {
        let replies = self.0.clone().into_iter().map(|part| Ok(ListCpuResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn task(pid: u32, run_millis: u64, command: &[u8]) -> TaskCpu {
    let used = TaskCpuUse {
        user_nanos: run_millis * 900_000,
        system_nanos: run_millis * 100_000,
        run_nanos: Some(run_millis * 1_000_000),
        wait_nanos: Some(250_000_000),
        timeslices: Some(9),
        voluntary_switches: Some(30),
        involuntary_switches: Some(7),
    };
    TaskCpu {
        pid,
        command: command.to_vec(),
        state: ProcessState::Running.into(),
        sampled_nanos: SECOND,
        over_sample: Some(used),
        since_start: Some(TaskCpuUse { user_nanos: 61 * SECOND, ..used }),
        last_cpu: Some(3),
        policy: Some(SchedulingPolicy::RoundRobin.into()),
        realtime_priority: Some(50),
        nice: -5,
        threads: 2,
        ..TaskCpu::default()
    }
}

fn header() -> CpuHeader {
    let used = CgroupCpuUse {
        usage_nanos: Some(SECOND / 2),
        user_nanos: Some(SECOND / 5 * 2),
        system_nanos: Some(SECOND / 10),
        periods: Some(10),
        throttled_periods: Some(4),
        throttled_nanos: Some(210_000_000),
    };
    CpuHeader {
        sampled_nanos: SECOND,
        cgroup: Some(CgroupCpu {
            version: 2,
            over_sample: Some(used),
            since_start: Some(CgroupCpuUse { periods: Some(1000), ..used }),
            quota_micros: Some(Limit { limit: Some(limit::Limit::At(50_000)) }),
            period_micros: Some(100_000),
            weight: Some(100),
            pressure: Some(v1::Pressure {
                some: Some(v1::Stall { avg10_percent: 12.34, ..v1::Stall::default() }),
                full: None,
            }),
        }),
        machine: Some(MachineCpu {
            cpus: Some(8),
            busy_nanos: Some(SECOND),
            idle_nanos: Some(7 * SECOND),
            stolen_nanos: Some(0),
            load_1_minute: Some(1.5),
            load_5_minutes: Some(1.25),
            load_15_minutes: Some(0.0),
        }),
        usable_cpus: Some(2),
        tasks_over_sample: task(1, 500, b"").over_sample,
        busiest_thread: Some(BusiestThread {
            pid: 9,
            tid: 17,
            command: b"par\nser".to_vec(),
            run_nanos: SECOND,
            sampled_nanos: SECOND,
        }),
    }
}

fn parts(header: CpuHeader) -> Vec<Part> {
    let tasks = vec![task(9, 480, b"ja\nva\x1b[0m"), task(1, 20, b"init")];
    vec![
        Part::Header(header),
        Part::Batch(TaskCpuBatch { tasks }),
        Part::Summary(Summary { sent: 2, end: End::Complete.into(), ..Summary::default() }),
    ]
}

async fn shown(args: Args, format: Format, parts: Vec<Part>) -> (String, String, Exit) {
    let agent = agent_with(CpuServiceServer::new(Fake(parts))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit)
}

#[tokio::test]
async fn below_the_table_stands_what_holds_it_back_and_the_figures_behind_that() {
    let (stdout, stderr, exit) = shown(Args::default(), Format::Table, parts(header())).await;
    assert_eq!(
        stdout,
        "PID  STATE    CPU%  USER%  SYS%  WAIT%  TIME  THR  COMMAND\n\
         \x20 9  running  48.0   43.2   4.8   25.0  1:01    2  ja\\nva\\x1b[0m\n\
         \x20 1  running   2.0    1.8   0.2   25.0  1:01    2  init\n\
         throttled in 40% of periods: the limit of 0.5 CPU is the bottleneck\n\
         one thread (tid 17 `par\\nser`) uses a whole CPU\n\
         cgroup v2: 0.50 CPUs (user 0.40, system 0.10), limit 0.5 CPU, weight 100\n\
         throttled: 4 of 10 periods (40.0%) for 210 ms; since the start 4 of 1000 periods (0.4%) for 210 ms\n\
         cpu pressure: some task waited 12.3% of the last 10 s (60 s: 0.0%, 5 min: 0.0%)\n\
         whole machine: 8 CPUs, 2 usable by the container, 1.00 busy, load average 1.50 1.25 0.00\n"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
}

#[tokio::test]
async fn json_has_the_verdicts_and_tells_absent_from_unlimited() {
    let mut unlimited = header();
    if let Some(cgroup) = &mut unlimited.cgroup {
        cgroup.quota_micros = Some(Limit { limit: Some(limit::Limit::Unlimited(true)) });
        cgroup.period_micros = None;
    }
    let (stdout, ..) = shown(Args::default(), Format::Json, parts(unlimited)).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let header = &lines[0]["header"];
    assert_eq!(header["cgroup"]["quota_micros"], "max");
    assert!(header["cgroup"]["period_micros"].is_null());
    assert_eq!(header["cgroup"]["over_sample"]["throttled_percent"], 40.0);
    assert_eq!(header["verdicts"][0], "throttled in 40% of periods: a limit is the bottleneck");
    assert_eq!(header["cgroup"]["pressure"]["some"]["avg10_percent"], 12.34);
    assert_eq!((&lines[1]["policy"], &lines[1]["cpu_percent"]), (&"round_robin".into(), &48.0.into()));
    assert_eq!(lines[1]["over_sample"]["wait_nanos"], 250_000_000);
    assert_eq!(lines[3]["summary"]["sent"], 2);
}

#[tokio::test]
async fn rows_are_sorted_and_cut_as_asked() {
    let by = |sort, limit| Args { sort, limit, ..Args::default() };
    let (stdout, ..) = shown(by(Sort::Pid, Some(1)), Format::Wide, parts(header())).await;
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].contains("VOL/S  INVOL/S  CPU  NICE  POLICY       RTPRIO  COMMAND"), "{stdout}");
    assert!(lines[1].contains("30        7    3    -5  round-robin      50  init"), "{stdout}");
    assert!(lines[2].starts_with("throttled"), "{stdout}");
}

#[tokio::test]
async fn without_the_cgroup_the_tasks_are_told_all_the_same() {
    let gap = Gap { subject: "CPU of the cgroup".into(), reason: "permission denied".into(), count: 1 };
    let summary = Summary { gaps: vec![gap], end: End::Complete.into(), ..Summary::default() };
    let header = CpuHeader { cgroup: None, busiest_thread: None, ..header() };
    let parts = vec![Part::Header(header), Part::Summary(summary)];
    let (stdout, stderr, exit) = shown(Args::default(), Format::Table, parts).await;
    assert!(stdout.contains("runnable 33% of the time without a CPU: whether"), "{stdout}");
    assert!(stdout.contains("\ncgroup: not readable\n"), "{stdout}");
    assert_eq!((stderr.as_str(), exit), ("CPU of the cgroup: permission denied\n", Exit::Answered));
}

#[tokio::test]
async fn figures_that_can_not_be_do_no_harm_and_a_clock_that_stands_still_makes_no_rates() {
    let huge = TaskCpuUse {
        user_nanos: u64::MAX,
        system_nanos: u64::MAX,
        wait_nanos: Some(u64::MAX),
        run_nanos: Some(u64::MAX),
        ..TaskCpuUse::default()
    };
    let task =
        TaskCpu { over_sample: Some(huge), since_start: Some(huge), policy: Some(77), ..TaskCpu::default() };
    let header = CpuHeader { tasks_over_sample: Some(huge), ..CpuHeader::default() };
    let batch = Part::Batch(TaskCpuBatch { tasks: vec![task] });
    let (stdout, stderr, exit) =
        shown(Args::default(), Format::Wide, vec![Part::Header(header), batch]).await;
    assert!(stdout.contains("how much CPU it uses is not known\n"), "{stdout}");
    assert!(stderr.contains("broke off"), "{stderr}");
    assert_eq!(exit, Exit::Unknown);
}
