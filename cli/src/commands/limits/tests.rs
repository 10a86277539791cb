//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::limit_service_server::{LimitService, LimitServiceServer};
use dbgctl_proto::v1::list_limits_response::Part;
use dbgctl_proto::v1::{
    End, Gap, LimitUse, LimitUseBatch, LimitedResource, ListLimitsRequest, ListLimitsResponse, Summary,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

struct Fake(Vec<LimitUse>, Vec<Gap>);

#[tonic::async_trait]
impl LimitService for Fake {
    type ListLimitsStream = Replies<ListLimitsResponse>;

    async fn list_limits(
        &self,
        _: Request<ListLimitsRequest>,
    ) -> Result<Response<Self::ListLimitsStream>, Status> {
        let gaps = self.1.clone();
        let parts = vec![
            Part::Batch(LimitUseBatch { limits: self.0.clone() }),
            Part::Summary(Summary { gaps, end: End::Complete.into(), ..Summary::default() }),
        ];
        let replies = parts.into_iter().map(|part| Ok(ListLimitsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn limit(pid: Option<u32>, resource: LimitedResource, used: Option<u64>, soft: Limit) -> LimitUse {
    let limit = |limit| Some(v1::Limit { limit: Some(limit) });
    LimitUse {
        pid,
        command: if pid.is_some() { b"ja\nva".to_vec() } else { Vec::new() },
        resource: resource.into(),
        soft: limit(soft),
        hard: pid.and_then(|_| limit(Limit::Unlimited(true))),
        used,
    }
}

fn limits() -> Vec<LimitUse> {
    vec![
        limit(None, LimitedResource::CgroupMemoryBytes, Some(512 << 20), Limit::At(1 << 30)),
        limit(None, LimitedResource::CgroupCpuMicrosPerSecond, None, Limit::At(500_000)),
        limit(Some(7), LimitedResource::OpenFiles, Some(60), Limit::At(64)),
        limit(Some(7), LimitedResource::CoreBytes, None, Limit::At(0)),
        limit(Some(9), LimitedResource::AddressSpaceBytes, Some(1 << 20), Limit::Unlimited(true)),
    ]
}

async fn shown(args: Args, format: Format, limits: Vec<LimitUse>, gaps: Vec<Gap>) -> (String, String) {
    let agent = agent_with(LimitServiceServer::new(Fake(limits, gaps))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    assert_eq!(exit, Exit::Answered);
    (stdout.text(), stderr.text())
}

#[tokio::test]
async fn the_nearest_limit_comes_first_and_what_is_not_known_last() {
    let (stdout, stderr) = shown(Args::default(), Format::Table, limits(), Vec::new()).await;
    assert_eq!(
        stdout,
        "   PID  LIMIT             USED      SOFT  USED%  HARD  COMMAND\n\
         \x20    7  open-files          60        64   93.8   max  ja\\nva\n\
         cgroup  memory         512 MiB   1.0 GiB   50.0     -  -\n\
         cgroup  cpu                  -  0.50 CPU      -     -  -\n\
         \x20    7  core                 -       0 B      -   max  ja\\nva\n\
         \x20    9  address-space  1.0 MiB       max      -   max  ja\\nva\n\
         pid 7 `ja\\nva` uses 60 of 64 open files: beyond it, open and accept fail (EMFILE)\n"
    );
    assert_eq!(stderr, "");
}

#[tokio::test]
async fn json_tells_absent_from_unlimited_and_warns_in_the_same_words() {
    let args = Args { limit: Some(1), ..Args::default() };
    let (stdout, _) = shown(args, Format::Json, limits(), Vec::new()).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["resource"]), (2, &"open_files".into()));
    assert_eq!((&lines[0]["soft"], &lines[0]["hard"]), (&64.into(), &"max".into()));
    assert_eq!(lines[0]["used_percent"], 93.75);
    let verdict = lines[1]["summary"]["verdicts"][0].as_str().unwrap();
    assert!(verdict.starts_with("pid 7 `ja\\nva` uses 60 of 64 open files"), "{stdout}");
}

#[tokio::test]
async fn figures_that_can_not_be_do_no_harm() {
    let odd = vec![
        limit(Some(1), LimitedResource::OpenFiles, Some(u64::MAX), Limit::At(1)),
        LimitUse { resource: 77, ..limit(Some(1), LimitedResource::OpenFiles, Some(9), Limit::At(10)) },
        LimitUse::default(),
    ];
    let gap = Gap { subject: "open files".into(), reason: "permission denied".into(), count: 1 };
    let (stdout, stderr) = shown(Args::default(), Format::Wide, odd, vec![gap]).await;
    assert!(stdout.contains("unknown(77)"), "{stdout}");
    assert_eq!(stderr, "open files: permission denied\n");
}
