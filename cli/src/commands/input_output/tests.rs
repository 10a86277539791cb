//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::io_service_server::{IoService, IoServiceServer};
use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::list_io_response::Part;
use dbgctl_proto::v1::{
    End, Gap, IoUse, ListIoRequest, ListIoResponse, ProcessIoBatch, ProcessState, Summary,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

const SECOND: u64 = 1_000_000_000;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl IoService for Fake {
    type ListIoStream = Replies<ListIoResponse>;

    async fn list_io(&self, _: Request<ListIoRequest>) -> Result<Response<Self::ListIoStream>, Status> {
        let replies = self.0.clone().into_iter().map(|part| Ok(ListIoResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn used(mib: u64) -> IoUse {
    IoUse {
        read_bytes: 0,
        written_bytes: mib << 20,
        cancelled_bytes: 4096,
        read_chars_bytes: 100,
        written_chars_bytes: mib << 20,
        read_calls: 2,
        write_calls: 40,
    }
}

fn process(pid: u32, mib: u64, command: &[u8]) -> ProcessIo {
    ProcessIo {
        pid,
        command: command.to_vec(),
        state: ProcessState::Sleeping.into(),
        sampled_nanos: SECOND,
        over_sample: Some(used(mib)),
        since_start: Some(used(mib * 10)),
        blocked_nanos: Some(SECOND / 4),
        ..ProcessIo::default()
    }
}

fn limit(limit: Limit) -> Option<v1::Limit> {
    Some(v1::Limit { limit: Some(limit) })
}

fn header() -> IoHeader {
    let done = DeviceUse { written_bytes: 3 << 20, writes: 30, ..DeviceUse::default() };
    let device = DeviceIo {
        major: 254,
        minor: 0,
        name: Some(b"vd\na".to_vec()),
        over_sample: Some(done),
        since_start: Some(DeviceUse { read_bytes: 1 << 30, ..done }),
        read_bytes_limit: limit(Limit::Unlimited(true)),
        written_bytes_limit: limit(Limit::At(3 << 20)),
        reads_limit: limit(Limit::Unlimited(true)),
        writes_limit: None,
    };
    IoHeader {
        sampled_nanos: SECOND,
        cgroup: Some(CgroupIo { version: 1, devices: vec![device], pressure: None }),
        over_sample: Some(used(3)),
    }
}

async fn shown(args: Args, format: Format, parts: Vec<Part>) -> (String, String, Exit) {
    let agent = agent_with(IoServiceServer::new(Fake(parts))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit)
}

fn parts(processes: Vec<ProcessIo>, gaps: Vec<Gap>) -> Vec<Part> {
    vec![
        Part::Header(header()),
        Part::Batch(ProcessIoBatch { processes }),
        Part::Summary(Summary { gaps, end: End::Complete.into(), ..Summary::default() }),
    ]
}

#[tokio::test]
async fn below_the_table_stand_the_limit_that_binds_and_who_reaches_it() {
    let processes = vec![process(9, 3, b"ja\nva\x1b[0m"), process(1, 0, b"init")];
    let (stdout, stderr, exit) = shown(Args::default(), Format::Table, parts(processes, Vec::new())).await;
    assert_eq!(
        stdout,
        "PID  STATE     READ/S  WRITE/S  RCHAR/S  WCHAR/S  TOTAL-READ  TOTAL-WRITE  COMMAND\n\
         \x20 9  sleeping     0 B  3.0 MiB    100 B  3.0 MiB         0 B     30.0 MiB  ja\\nva\\x1b[0m\n\
         \x20 1  sleeping     0 B      0 B    100 B      0 B         0 B          0 B  init\n\
         writing 3.0 MiB/s on vd\\na: the limit of 3.0 MiB/s is the bottleneck\n\
         most I/O: pid 9 `ja\\nva\\x1b[0m`, 3.0 MiB/s, 100% of all\n\
         vd\\na: read 0 B/s, 0 requests/s; written 3.0 MiB/s (limit 3.0 MiB/s), 30 requests/s; since the start 1.0 GiB \
         read, 3.0 MiB written\n"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
}

#[tokio::test]
async fn json_tells_absent_from_unlimited_and_what_could_not_be_read_from_zero() {
    let unreadable = ProcessIo { over_sample: None, since_start: None, ..process(9, 3, b"java") };
    let gap = Gap { subject: "I/O of processes".into(), reason: "permission denied".into(), count: 1 };
    let (stdout, ..) = shown(Args::default(), Format::Json, parts(vec![unreadable], vec![gap])).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let device = &lines[0]["header"]["cgroup"]["devices"][0];
    assert_eq!((&device["reads_limit"], &device["writes_limit"]), (&"max".into(), &serde_json::Value::Null));
    assert_eq!(device["name"], "vd\na");
    assert!(lines[1]["over_sample"].is_null() && lines[1]["since_start"].is_null());
    assert_eq!(lines[2]["summary"]["gaps"][0]["subject"], "I/O of processes");
}

#[tokio::test]
async fn rows_are_sorted_and_cut_as_asked() {
    let args = Args { sort: Sort::Pid, limit: Some(1), ..Args::default() };
    let processes = vec![process(9, 3, b"java"), process(1, 0, b"init")];
    let (stdout, ..) = shown(args, Format::Wide, parts(processes, Vec::new())).await;
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].contains("READS/S  WRITES/S  TOTAL-READ  TOTAL-WRITE  CANCELLED  BLOCKED%"), "{stdout}");
    assert!(lines[1].contains("4.0 KiB      25.0  init") && lines[2].starts_with("writing"), "{stdout}");
}

#[tokio::test]
async fn figures_that_can_not_be_do_no_harm() {
    let most = u64::MAX;
    let huge = IoUse { read_bytes: most, written_bytes: most, read_calls: most, ..IoUse::default() };
    let processes =
        vec![ProcessIo { over_sample: Some(huge), sampled_nanos: 1, state: 99, ..ProcessIo::default() }];
    let header = IoHeader { over_sample: Some(huge), ..IoHeader::default() };
    let batch = Part::Batch(ProcessIoBatch { processes });
    let (stdout, stderr, exit) =
        shown(Args::default(), Format::Wide, vec![Part::Header(header), batch]).await;
    assert!(stdout.contains("cgroup: not readable"), "{stdout}");
    assert!(stderr.contains("broke off"), "{stderr}");
    assert_eq!(exit, Exit::Unknown);
}
