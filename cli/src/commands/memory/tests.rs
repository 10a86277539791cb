//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::memory_service_server::{MemoryService, MemoryServiceServer};
use dbgctl_proto::v1::{End, Gap, ProcessMemoryBatch};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl MemoryService for Fake {
    type ListMemoryStream = crate::commands::testing::Replies<v1::ListMemoryResponse>;

    async fn list_memory(
        &self,
        _: Request<v1::ListMemoryRequest>,
    ) -> Result<Response<Self::ListMemoryStream>, Status> {
        let parts = self.0.clone();
        let replies = parts.into_iter().map(|part| Ok(v1::ListMemoryResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn process(pid: u32, mib: u64, command: &[u8]) -> ProcessMemory {
    ProcessMemory {
        pid,
        command: command.to_vec(),
        rss_bytes: (mib + 50) << 20,
        pss_bytes: mib << 20,
        uss_bytes: (mib - 1) << 20,
        pss_anon_bytes: Some(mib << 19),
        ..ProcessMemory::default()
    }
}

fn parts(limit: Option<Limit>) -> Vec<Part> {
    let cgroup =
        CgroupMemory { version: 2, current_bytes: Some(512 << 20), limit: Some(v1::Limit { limit }) };
    let processes = vec![process(1, 2, b"init"), process(9, 300, b"ja\nva\x1b[0m")];
    vec![
        Part::Cgroup(cgroup),
        Part::Batch(ProcessMemoryBatch { processes }),
        Part::Summary(Summary { sent: 2, end: End::Complete.into(), ..Summary::default() }),
    ]
}

async fn shown(format: Format, parts: Vec<Part>) -> (String, String, Exit) {
    let agent = agent_with(MemoryServiceServer::new(Fake(parts))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = Args::default().ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit)
}

#[tokio::test]
async fn the_biggest_share_comes_first_and_the_cgroup_last() {
    let (stdout, stderr, exit) = shown(Format::Table, parts(Some(Limit::At(1 << 30)))).await;
    assert_eq!(
        stdout,
        "PID       RSS      PSS      USS  COMMAND\n\
         \x20 9   350 MiB  300 MiB  299 MiB  ja\\nva\\x1b[0m\n\
         \x20 1  52.0 MiB  2.0 MiB  1.0 MiB  init\n\
         sum of PSS: 302 MiB\n\
         cgroup v2: 512 MiB of 1.0 GiB (50.0%), 210 MiB beyond the sum of PSS\n"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
}

#[tokio::test]
async fn json_has_the_cgroup_first_and_tells_absent_from_unlimited() {
    let (stdout, ..) = shown(Format::Json, parts(Some(Limit::Unlimited(true)))).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["cgroup"]["limit"], "max");
    assert_eq!(lines[0]["cgroup"]["current_bytes"], 512 << 20);
    assert_eq!(lines[1]["pid"], 9);
    assert_eq!(lines[1]["command"], "ja\nva\x1b[0m");
    assert!(lines[1]["swap_pss_bytes"].is_null());
    assert_eq!(lines[3]["summary"]["sent"], 2);

    let (stdout, ..) = shown(Format::Json, parts(None)).await;
    assert!(stdout.starts_with(r#"{"cgroup":{"version":2,"current_bytes":536870912,"limit":null}}"#));
}

#[tokio::test]
async fn a_cgroup_that_could_not_be_read_is_not_said_to_be_absent() {
    let gap = Gap { subject: "memory of the cgroup".into(), reason: "permission denied".into(), count: 1 };
    let summary = Summary { gaps: vec![gap], end: End::Complete.into(), ..Summary::default() };
    let (stdout, stderr, _) =
        shown(Format::Table, vec![Part::Cgroup(CgroupMemory::default()), Part::Summary(summary)]).await;
    assert!(stdout.contains("cgroup: no memory controller could be read\n"), "{stdout}");
    assert_eq!(stderr, "memory of the cgroup: permission denied\n");
}

#[tokio::test]
async fn figures_that_add_up_to_more_than_there_can_be_do_no_harm() {
    let huge = ProcessMemory { pss_bytes: u64::MAX, ..ProcessMemory::default() };
    let batch = ProcessMemoryBatch { processes: vec![huge.clone(), huge] };
    let (stdout, stderr, exit) = shown(Format::Wide, vec![Part::Batch(batch)]).await;
    assert!(stdout.contains("sum of PSS: more than there can be\n"), "{stdout}");
    assert!(stderr.contains("broke off"), "{stderr}");
    assert_eq!(exit, Exit::Unknown);
}
