//! The whole path: a request, a service that answers it, the text that comes out.

use std::sync::{Arc, Mutex};

use dbgctl_proto::v1::descriptor_service_server::{DescriptorService, DescriptorServiceServer};
use dbgctl_proto::v1::list_descriptors_response::Part;
use dbgctl_proto::v1::{
    DescriptorAccess, DescriptorBatch, DescriptorDetails, DescriptorProcess, DescriptorSocket, End,
    ListDescriptorsRequest, Summary,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

#[derive(Default)]
struct Fake {
    parts: Vec<Part>,
    asked: Arc<Mutex<Vec<ListDescriptorsRequest>>>,
}

#[tonic::async_trait]
impl DescriptorService for Fake {
    type ListDescriptorsStream = crate::commands::testing::Replies<v1::ListDescriptorsResponse>;

    async fn list_descriptors(
        &self,
        request: Request<ListDescriptorsRequest>,
    ) -> Result<Response<Self::ListDescriptorsStream>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let parts = self.parts.clone();
        let replies = parts.into_iter().map(|part| Ok(v1::ListDescriptorsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn descriptor(number: u32, kind: DescriptorKind, name: &[u8]) -> Descriptor {
    Descriptor { pid: 7, number, kind: kind.into(), name: Some(name.to_vec()), ..Descriptor::default() }
}

fn parts() -> Vec<Part> {
    let process = DescriptorProcess { pid: 7, command: b"we\x1bb".into(), open: 4, limit: Some(1024) };
    let log = Descriptor {
        deleted: true,
        size_bytes: Some(5 << 20),
        details: Some(Box::new(DescriptorDetails {
            access: DescriptorAccess::Write.into(),
            flags: vec!["O_APPEND".into(), "O_CLOEXEC".into()],
            ..DescriptorDetails::default()
        })),
        ..descriptor(5, DescriptorKind::Regular, b"/var/log/a\nb")
    };
    let socket = DescriptorSocket {
        protocol: "tcp".into(),
        local: b"10.0.0.1:443".into(),
        remote: "10.0.0.2:5123".into(),
        state: "established".into(),
    };
    let connected = Descriptor {
        socket: Some(Box::new(socket)),
        ..descriptor(9, DescriptorKind::Socket, b"socket:[4242]")
    };
    let descriptors = vec![
        descriptor(0, DescriptorKind::CharacterDevice, b"/dev/null"),
        log,
        connected,
        Descriptor { name: None, ..descriptor(11, DescriptorKind::File, b"") },
    ];
    vec![
        Part::Batch(DescriptorBatch { processes: vec![process], descriptors }),
        Part::Summary(Summary { sent: 4, end: End::Complete.into(), ..Summary::default() }),
    ]
}

async fn shown(args: Args, format: Format) -> (String, ListDescriptorsRequest) {
    let fake = Fake { parts: parts(), ..Fake::default() };
    let asked = fake.asked.clone();
    let agent = agent_with(DescriptorServiceServer::new(fake)).await;
    let stdout = Written::default();
    let mut output = Output::to(format, stdout.clone());
    args.ask(&agent, &mut output, &mut Talk::to(Written::default())).await.unwrap();
    let asked = asked.lock().unwrap().pop().unwrap();
    (stdout.text(), asked)
}

#[tokio::test]
async fn a_table_says_what_is_open_and_what_that_amounts_to() {
    let (stdout, asked) = shown(Args::default(), Format::Table).await;
    assert_eq!(
        stdout,
        "PID  COMMAND  FD  TYPE        SIZE  NAME\n\
         \x20 7  we\\x1bb   0  char           -  /dev/null\n\
         \x20 7  we\\x1bb   5  regular  5.0 MiB  /var/log/a\\nb (deleted)\n\
         \x20 7  we\\x1bb   9  socket         -  tcp 10.0.0.1:443 -> 10.0.0.2:5123 established\n\
         \x20 7  we\\x1bb  11  file           -  (longer than a path may be)\n\
         4 open files of 1 process: 1 file, 1 regular file, 1 character device, 1 socket\n\
         deleted but open: 1 file takes 5.0 MiB until it is closed\n\
         closest to its limit: process 7 (we\\x1bb) with 4 of 1024 (0.4%)\n"
    );
    assert!(!asked.details, "the narrow table costs one call per file");
}

#[tokio::test]
async fn filters_are_applied_here_and_only_then_the_limit() {
    let kinds = vec![DescriptorKind::File];
    let (stdout, asked) = shown(Args { kinds, limit: Some(2), ..Args::default() }, Format::Table).await;
    assert!(stdout.contains("/dev/null\n") && stdout.contains("(deleted)\n"), "{stdout}");
    assert!(stdout.contains("2 of 4 open files shown\n"), "{stdout}");
    assert_eq!((asked.limit, asked.details), (0, false));
    let kinds = vec![DescriptorKind::Regular];
    let (stdout, asked) = shown(Args { kinds, deleted: true, ..Args::default() }, Format::Table).await;
    assert!(asked.details && stdout.contains("1 of 4 open files shown\n"), "{stdout}");
    let (_, asked) = shown(Args { limit: Some(2), pids: vec![7], ..Args::default() }, Format::Table).await;
    assert_eq!((asked.limit, asked.pids), (2, vec![7]));
}

#[tokio::test]
async fn wide_has_access_and_flags_and_json_gives_bytes_back() {
    let (stdout, asked) = shown(Args::default(), Format::Wide).await;
    assert!(asked.details && stdout.contains("w       append,cloexec"), "{stdout}");
    let (stdout, _) = shown(Args::default(), Format::Json).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[1]["name"], &lines[1]["deleted"]), (&"/var/log/a\nb".into(), &true.into()));
    assert_eq!(lines[1]["details"]["access"], "write");
    assert_eq!((&lines[2]["socket"]["remote"], &lines[3]["name"]), (&"10.0.0.2:5123".into(), &().into()));
    assert_eq!(lines[4]["process"]["limit"], 1024);
    assert_eq!(lines[5]["summary"]["end"], "complete");
}
