//! Sockets of recorded targets, through the service itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dbgctl_agent::guard::Lacking;
use dbgctl_agent::probes::sockets;
use dbgctl_agent::sources::Sources;
use dbgctl_proto::SocketBatch;
use dbgctl_proto::v1::list_sockets_response::Part;
use dbgctl_proto::v1::socket_service_server::SocketService;
use dbgctl_proto::v1::{
    End, Gap, ListSocketsRequest, Socket, SocketOwner, SocketProtocol, SocketState, Summary,
};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use prost::Message as _;
use tokio_stream::StreamExt;
use tonic::Request;

/// What one question was answered.
struct Answer {
    sockets: Vec<Socket>,
    owners: Vec<SocketOwner>,
    summary: Summary,
}

async fn ask(scene: &Path, request: ListSocketsRequest, lacking: &[&'static str]) -> Answer {
    let service = sockets::Sockets::new(Arc::new(Sources::recorded(scene).unwrap()));
    let mut request = Request::new(request);
    // As the guard tells it.
    request.extensions_mut().insert(Lacking(lacking.to_vec()));
    let stream = service.list_sockets(request).await.unwrap().into_inner();
    let mut parts: Vec<_> = stream.map(|message| message.unwrap().part.unwrap()).collect().await;
    let Some(Part::Summary(summary)) = parts.pop() else { panic!("no summary at the end") };
    let Part::Header(_) = parts.remove(0) else { panic!("no header at the start") };
    let mut answer = Answer { sockets: Vec::new(), owners: Vec::new(), summary };
    for part in parts {
        match part {
            // As it goes over the wire.
            Part::Batch(batch) => {
                let received = SocketBatch::decode(batch.encode_to_vec().as_slice()).unwrap();
                answer.sockets.extend(received.sockets.into_iter().map(|socket| *socket));
            }
            Part::Owner(owner) => answer.owners.push(owner),
            other => panic!("{other:?} among the sockets"),
        }
    }
    answer
}

async fn in_trouble(request: ListSocketsRequest) -> Answer {
    ask(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/sockets-in-trouble"), request, &[])
        .await
}

fn count(answer: &Answer, is: impl Fn(&Socket) -> bool) -> usize {
    answer.sockets.iter().filter(|socket| is(socket)).count()
}

#[tokio::test]
async fn listening_sockets_of_tcp_come_first_and_each_socket_once() {
    let answer = in_trouble(ListSocketsRequest { all: true, ..Default::default() }).await;
    let listens = |socket: &Socket| socket.state() == SocketState::Listen;
    let listening = count(&answer, |socket| listens(socket) && socket.protocol() == SocketProtocol::Tcp);
    assert!(listening == 6 && answer.sockets[..6].iter().all(listens));
    let mut cookies: Vec<_> = answer.sockets.iter().map(|socket| socket.cookie).collect();
    cookies.sort();
    cookies.dedup();
    assert_eq!(cookies.len(), answer.sockets.len());
    assert_eq!(answer.summary.sent, answer.sockets.len() as u64);
    assert!(answer.owners.is_empty(), "not asked for");
}

#[tokio::test]
async fn a_limit_is_kept_to_the_socket_and_said() {
    for limit in [1, 7, 30, 40] {
        let answer = in_trouble(ListSocketsRequest { limit, ..Default::default() }).await;
        assert_eq!((answer.sockets.len(), answer.summary.end()), (limit as usize, End::Limit));
        assert_eq!(answer.summary.sent, u64::from(limit));
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_told() {
    let states = vec![SocketState::CloseWait.into(), SocketState::TimeWait.into()];
    let answer = in_trouble(ListSocketsRequest { states, ..Default::default() }).await;
    assert_eq!(answer.sockets.len(), 5 + 1);
    let protocols = vec![SocketProtocol::Unix.into()];
    let answer = in_trouble(ListSocketsRequest { protocols, listening: true, ..Default::default() }).await;
    assert_eq!(answer.sockets.len(), 3, "two listen, one is bound and takes datagrams");
    assert!(answer.sockets.iter().all(|socket| socket.unix.as_ref().unwrap().name.is_some()));
}

#[tokio::test]
async fn who_holds_a_socket_is_told_for_each_process() {
    let answer = in_trouble(ListSocketsRequest { owners: true, ..Default::default() }).await;
    let pids: Vec<_> = answer.owners.iter().map(|owner| (owner.pid, owner.command.as_slice())).collect();
    assert_eq!(pids, [(1, &b"target-program"[..]), (7, b"shares")]);
    assert_eq!(answer.owners[0].inodes, answer.owners[1].inodes, "the child has inherited all");
    let held = |socket: &Socket| answer.owners[0].inodes.contains(&socket.inode);
    let full = answer.sockets.iter().find(|socket| socket.accept_queue == Some(2)).unwrap();
    assert!(held(full) && answer.summary.gaps.is_empty(), "{:?}", answer.summary);
}

/// A target of one process whose descriptors may not be listed, on a kernel that does not tell inodes of sockets.
fn closed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let id = "a".repeat(64);
    let scene =
        format!("target {id}\nboottime_nanos 9\nunix_nanos 9\nticks_per_second 100\npage_bytes 4096\n");
    fs::write(dir.path().join("scene"), scene).unwrap();
    let process = dir.path().join("proc/1");
    fs::create_dir_all(&process).unwrap();
    let between = "0 0 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0";
    fs::write(process.join("stat"), format!("1 (web) S 0 {between} 5 4096 1 0\n")).unwrap();
    fs::write(process.join("cgroup"), format!("0::/docker/{id}\n")).unwrap();
    fs::write(process.join("fd.denied"), "").unwrap();
    dir
}

#[tokio::test]
async fn where_owners_can_not_be_told_the_gap_names_what_is_lacking() {
    let dir = closed();
    let gap = |reason: &str| vec![Gap { subject: "owners".into(), reason: reason.into(), count: 1 }];
    for (lacking, reason) in [
        (&["CAP_SYS_PTRACE"][..], "permission denied (needs CAP_SYS_PTRACE)"),
        (
            &[],
            "this kernel is older than Linux 5.14 and tells them with CAP_DAC_READ_SEARCH only: --level 1b",
        ),
    ] {
        let request = ListSocketsRequest { owners: true, ..Default::default() };
        assert_eq!(ask(dir.path(), request, lacking).await.summary.gaps, gap(reason));
    }
}

#[tokio::test]
async fn an_answer_in_an_unknown_form_is_a_gap_or_an_error_that_procfs_makes_good() {
    let dir = closed();
    fs::create_dir_all(dir.path().join("netlink")).unwrap();
    fs::create_dir_all(dir.path().join("proc/self/net")).unwrap();
    let listening =
        "0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0 0 1588 1 0\n";
    fs::write(dir.path().join("proc/self/net/tcp"), format!("heading\n{listening}")).unwrap();
    // A message whose length is beyond the end.
    fs::write(dir.path().join("netlink/tcp"), [255; 40]).unwrap();
    let answer = ask(dir.path(), ListSocketsRequest::default(), &[]).await;
    assert_eq!(answer.sockets.len(), 1);
    let gap = &answer.summary.gaps[0];
    assert!(gap.subject == "TCP sockets" && gap.reason.contains("the answer is malformed"), "{gap:?}");

    // A message of the right kind that is too short for a socket.
    let short =
        [&20_u32.to_ne_bytes()[..], &20_u16.to_ne_bytes(), &[0; 2], &1_u32.to_ne_bytes(), &[0; 8]].concat();
    fs::write(dir.path().join("netlink/tcp"), short).unwrap();
    let answer = ask(dir.path(), ListSocketsRequest::default(), &[]).await;
    // Once among the listening ones and once among the others.
    assert_eq!((answer.sockets.len(), answer.summary.gaps[0].count), (0, 2), "{:?}", answer.summary);
}

/// Run with `cargo test --release -p dbgctl-agent --test sockets -- --ignored --nocapture`, in a network namespace with very
/// many sockets.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "figures for whoever runs the measurement")]
#[ignore = "a measurement, to be made with optimisations"]
async fn what_it_costs_to_tell_of_the_sockets_of_this_network_namespace() {
    for details in [false, true] {
        for _ in 0..5 {
            let target = "a".repeat(64).parse().unwrap();
            let service = sockets::Sockets::new(Arc::new(Sources::live(target).unwrap()));
            let request = ListSocketsRequest { details, ..Default::default() };
            let begun = getrusage(UsageWho::RUSAGE_SELF).unwrap();
            let mut stream = service.list_sockets(Request::new(request)).await.unwrap().into_inner();
            let (mut bytes, mut sent) = (0, 0);
            while let Some(message) = stream.next().await {
                let message = message.unwrap();
                bytes += message.encode_to_vec().len();
                if let Some(Part::Summary(summary)) = message.part {
                    sent = summary.sent;
                }
            }
            let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
            let millis = |now: TimeVal, then: TimeVal| (now - then).num_milliseconds();
            println!(
                "{sent} sockets, details {details}: {bytes} bytes, user {} ms, system {} ms",
                millis(used.user_time(), begun.user_time()),
                millis(used.system_time(), begun.system_time())
            );
        }
    }
}
