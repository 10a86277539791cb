//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::list_pids_response::Part;
use dbgctl_proto::v1::pid_service_server::{PidService, PidServiceServer};
use dbgctl_proto::v1::{
    CgroupPids, End, ListPidsRequest, ListPidsResponse, ProcessState, ProcessThreadsBatch, Summary, UserTasks,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl PidService for Fake {
    type ListPidsStream = Replies<ListPidsResponse>;

    async fn list_pids(&self, _: Request<ListPidsRequest>) -> Result<Response<Self::ListPidsStream>, Status> {
        let replies = self.0.clone().into_iter().map(|part| Ok(ListPidsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn at(limit: u64) -> Option<v1::Limit> {
    Some(v1::Limit { limit: Some(Limit::At(limit)) })
}

fn header() -> PidsHeader {
    PidsHeader {
        cgroup: Some(CgroupPids {
            version: 2,
            current: Some(248),
            limit: at(256),
            peak: Some(256),
            refused: Some(12),
        }),
        processes: 2,
        threads: 248,
        zombies: 1,
        users: vec![
            UserTasks { uid: 0, threads: 247, limit: at(1) },
            UserTasks {
                uid: 1000,
                threads: 1,
                limit: Some(v1::Limit { limit: Some(Limit::Unlimited(true)) }),
            },
        ],
        machine_threads: Some(900),
        machine_threads_max: Some(100_000),
        pid_max: Some(1000),
    }
}

async fn shown(format: Format, header: PidsHeader) -> (String, String, Exit) {
    let process = |pid, threads, state: ProcessState, command: &[u8]| ProcessThreads {
        pid,
        parent_pid: pid - 1,
        command: command.to_vec(),
        state: state.into(),
        threads,
        uid: Some(1000),
    };
    let processes = vec![
        process(1, 247, ProcessState::Sleeping, b"ja\nva"),
        process(2, 1, ProcessState::Zombie, b"gone"),
    ];
    let parts = vec![
        Part::Header(header),
        Part::Batch(ProcessThreadsBatch { processes }),
        Part::Summary(Summary { sent: 2, end: End::Complete.into(), ..Summary::default() }),
    ];
    let agent = agent_with(PidServiceServer::new(Fake(parts))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = Args::default().ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit)
}

#[tokio::test]
async fn below_the_table_stands_how_many_more_threads_there_may_be() {
    let (stdout, stderr, exit) = shown(Format::Table, header()).await;
    assert_eq!(
        stdout,
        "PID  PPID   UID  STATE     THREADS  COMMAND\n\
         \x20 1     0  1000  sleeping      247  ja\\nva\n\
         \x20 2     1  1000  zombie          1  gone\n\
         248 of 256 tasks: 8 more threads and fork fails (EAGAIN)\n\
         900 of 1000 tasks of the whole machine (pid_max): 100 more threads and fork fails (EAGAIN)\n\
         2 processes with 248 threads\n\
         1 zombie: ended, but the parent has not asked for the exit status\n\
         the limit of the container was hit 12 times since it was started: fork failed (EAGAIN)\n\
         cgroup v2: at most 256 tasks so far\n",
        "the limit of root's tasks does not bind it"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
}

#[tokio::test]
async fn json_tells_absent_from_unlimited() {
    let (stdout, ..) = shown(Format::Json, PidsHeader { cgroup: None, ..header() }).await;
    let first: serde_json::Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert!(first["header"]["cgroup"].is_null(), "{stdout}");
    assert_eq!(first["header"]["users"][1]["limit"], "max");
    assert_eq!(first["header"]["pid_max"], 1000);
}
