//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::environment_service_server::{EnvironmentService, EnvironmentServiceServer};
use dbgctl_proto::v1::list_environments_response::Part;
use dbgctl_proto::v1::{End, EnvironmentBatch, EnvironmentVariable, ListEnvironmentsRequest, Summary};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl EnvironmentService for Fake {
    type ListEnvironmentsStream = crate::commands::testing::Replies<v1::ListEnvironmentsResponse>;

    async fn list_environments(
        &self,
        _: Request<ListEnvironmentsRequest>,
    ) -> Result<Response<Self::ListEnvironmentsStream>, Status> {
        let parts = self.0.clone();
        let replies = parts.into_iter().map(|part| Ok(v1::ListEnvironmentsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn shown_variable(name: &[u8], value: &[u8]) -> EnvironmentVariable {
    let value_bytes = value.len() as u64;
    EnvironmentVariable {
        name: name.to_vec(),
        value: Some(value.to_vec()),
        value_bytes,
        ..EnvironmentVariable::default()
    }
}

fn redacted(name: &[u8], redaction: Redaction, identity: u64) -> EnvironmentVariable {
    EnvironmentVariable {
        name: name.to_vec(),
        redaction: redaction.into(),
        value_bytes: 12,
        redacted_identity: identity,
        ..EnvironmentVariable::default()
    }
}

/// A parent, 40 workers that differ by their number only, and one that is equal to the parent.
fn parts() -> Vec<Part> {
    let common = || {
        vec![
            shown_variable(b"PATH", b"/bin"),
            redacted(b"API_KEY", Redaction::Name, 5),
            shown_variable(b"ODD\x1b", b"a\nb\xff"),
        ]
    };
    let process = |pid, variables| ProcessEnvironment { pid, variables, ..ProcessEnvironment::default() };
    let mut processes = vec![process(1, common())];
    for pid in 2..42_u32 {
        let mut variables = common();
        variables.push(shown_variable(b"WORKER", pid.to_string().as_bytes()));
        processes.push(process(pid, variables));
    }
    processes.push(ProcessEnvironment { same_as_pid: Some(1), ..process(42, Vec::new()) });
    vec![
        Part::Batch(EnvironmentBatch { processes }),
        Part::Summary(Summary { sent: 42, end: End::Complete.into(), ..Summary::default() }),
    ]
}

async fn shown(format: Format, parts: Vec<Part>) -> String {
    let agent = agent_with(EnvironmentServiceServer::new(Fake(parts))).await;
    let stdout = Written::default();
    let mut output = Output::to(format, stdout.clone());
    Args::default().ask(&agent, &mut output, &mut Talk::to(Written::default())).await.unwrap();
    stdout.text()
}

#[tokio::test]
async fn what_all_share_is_shown_once_and_what_differs_with_who_has_it() {
    let table = shown(Format::Table, parts()).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[0], "PIDS    NAME     VALUE");
    assert_eq!(lines[1], "all 42  API_KEY  [redacted: name looks like a secret, 12 B]");
    assert_eq!(lines[2], r"all 42  ODD\x1b  a\nb\xff");
    assert_eq!(lines[3], "all 42  PATH     /bin");
    assert_eq!(lines[4], "2       WORKER   2");
    assert_eq!(lines.len(), 1 + 3 + 40 + 1);
    let closing =
        "43 variables of 42 processes; 1 redacted: --reveal shows what looks like a secret, and records that";
    assert_eq!(lines[44], closing);
}

#[tokio::test]
async fn secrets_of_equal_length_are_not_taken_for_one() {
    let process = |pid, identity| ProcessEnvironment {
        pid,
        variables: vec![redacted(b"API_KEY", Redaction::Value, identity)],
        ..ProcessEnvironment::default()
    };
    let batch =
        EnvironmentBatch { processes: (1..=5).map(|pid| process(pid, u64::from(pid == 5) + 1)).collect() };
    let table = shown(Format::Table, vec![Part::Batch(batch)]).await;
    assert!(
        table.contains("1,2,3 and 1 more  API_KEY  [redacted: value looks like a secret, 12 B]\n"),
        "{table}"
    );
    assert!(table.contains("5                 API_KEY  "), "{table}");
}

#[tokio::test]
async fn json_has_each_process_with_bytes_as_they_are() {
    let text = shown(Format::Json, parts()).await;
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let variables = &lines[0]["variables"];
    assert_eq!((&variables[1]["value"], &variables[1]["redacted"]), (&().into(), &"name".into()));
    assert_eq!((&variables[1]["value_bytes"], &variables[0]["redacted"]), (&12.into(), &().into()));
    assert_eq!(variables[2]["value"]["base64"], "YQpi/w==");
    assert_eq!((lines.len(), &lines[41]["same_as_pid"]), (43, &1.into()));
}

#[test]
fn a_name_without_stars_is_looked_for_anywhere() {
    let args = Args { names: vec!["proxy".into(), "DB_*".into()], ..Args::default() };
    assert_eq!(args.request().names, ["*proxy*", "DB_*"]);
    assert_eq!((args.reveals_as(), Args { reveal: true, ..args }.reveals_as()), (None, Some("env")));
}
