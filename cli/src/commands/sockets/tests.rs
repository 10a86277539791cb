//! The whole path: a request, a service that answers it, the text that comes out.

use std::sync::Mutex;

use clap::{Args as _, FromArgMatches as _};
use dbgctl_proto::SocketBatch;
use dbgctl_proto::v1::list_sockets_response::Part;
use dbgctl_proto::v1::socket_address::Ip;
use dbgctl_proto::v1::socket_service_server::{SocketService, SocketServiceServer};
use dbgctl_proto::v1::{
    End, Gap, ListSocketsRequest, ListSocketsResponse, Socket, SocketAddress, SocketListHeader, SocketOwner,
    SocketTimer, SocketTimerKind, Summary, TcpInfo, UnixSocket,
};
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

const SECOND: u64 = 1_000_000_000;

/// Gives one answer after the other, then says that the target is gone.
struct Fake(Mutex<std::vec::IntoIter<Vec<Part>>>);

#[tonic::async_trait]
impl SocketService for Fake {
    type ListSocketsStream = Replies<ListSocketsResponse>;

    async fn list_sockets(
        &self,
        _: Request<ListSocketsRequest>,
    ) -> Result<Response<Self::ListSocketsStream>, Status> {
        let answer = self.0.lock().unwrap().next().ok_or_else(|| Status::not_found("the target is gone"))?;
        let replies = answer.into_iter().map(|part| Ok(ListSocketsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn end(port: u32) -> Option<SocketAddress> {
    Some(SocketAddress { ip: Some(Ip::Ipv4(0x0a00_0001)), port })
}

fn tcp(inode: u64, state: SocketState, port: u32) -> Socket {
    Socket {
        protocol: SocketProtocol::Tcp.into(),
        state: state.into(),
        inode,
        cookie: Some(inode + 1000),
        local: end(port),
        recv_queue_bytes: Some(0),
        send_queue_bytes: Some(0),
        ..Socket::default()
    }
}

fn listening(inode: u64, port: u32, waiting: u32, limit: u32) -> Socket {
    Socket {
        accept_queue: Some(waiting),
        accept_queue_limit: Some(limit),
        ..tcp(inode, SocketState::Listen, port)
    }
}

fn connected(inode: u64, port: u32) -> Socket {
    Socket { peer: end(40_000 + port), ..tcp(inode, SocketState::Established, port) }
}

fn owner(pid: u32, command: &[u8], inodes: &[u64]) -> Part {
    let numbers = (3..).take(inodes.len()).collect();
    Part::Owner(SocketOwner { pid, command: command.to_vec(), inodes: inodes.to_vec(), numbers })
}

fn answer(seconds: u64, sockets: Vec<Socket>, owners: Vec<Part>) -> Vec<Part> {
    let header = SocketListHeader { sampled_boottime_nanos: seconds * SECOND, ..SocketListHeader::default() };
    let sent = u64::try_from(sockets.len()).unwrap();
    let summary = Summary { sent, end: End::Complete.into(), ..Summary::default() };
    let mut parts = vec![
        Part::Header(header),
        Part::Batch(SocketBatch {
            encoded: Vec::new(),
            sockets: sockets.into_iter().map(Box::new).collect(),
        }),
    ];
    parts.extend(owners);
    parts.push(Part::Summary(summary));
    parts
}

async fn shown(words: &[&str], format: Format, answers: Vec<Vec<Part>>) -> (String, String) {
    let command = Args::augment_args(clap::Command::new("sockets"));
    let matches = command.try_get_matches_from(["sockets"].iter().chain(words)).unwrap();
    let args = Args::from_arg_matches(&matches).unwrap();
    let agent = agent_with(SocketServiceServer::new(Fake(Mutex::new(answers.into_iter())))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let _gone_when_watched = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await;
    (stdout.text(), stderr.text())
}

#[tokio::test]
async fn the_troubled_come_first_and_are_explained() {
    let unanswered = Socket {
        peer: end(5432),
        timer: Some(SocketTimer {
            kind: SocketTimerKind::Retransmit.into(),
            expires_millis: 1500,
            retransmits: 3,
        }),
        ..tcp(9, SocketState::SynSent, 40_000)
    };
    let unread = Socket { recv_queue_bytes: Some(70_000), ..connected(7, 81) };
    let sockets =
        vec![connected(5, 80), listening(6, 80, 0, 128), unread, unanswered, listening(8, 90, 129, 128)];
    let owners = vec![owner(1, b"web", &[5, 6, 7, 8, 9]), owner(2, b"worker", &[8])];
    let (stdout, stderr) = shown(&[], Format::Table, vec![answer(5, sockets, owners)]).await;
    assert_eq!(
        stdout,
        "TYPE  STATE     RECV-Q  SEND-Q  LOCAL           PEER            TIMER                         PROCESS\n\
         tcp   LISTEN       129     128  10.0.0.1:90     -               -                             1 web fd 6, 2 worker fd 3\n\
         tcp   SYN-SENT       0       0  10.0.0.1:40000  10.0.0.1:5432   retransmit in 1.50 s after 3  1 web fd 7\n\
         tcp   ESTAB      70000       0  10.0.0.1:81     10.0.0.1:40081  -                             1 web fd 5\n\
         tcp   LISTEN         0     128  10.0.0.1:80     -               -                             1 web fd 4\n\
         tcp   ESTAB          0       0  10.0.0.1:80     10.0.0.1:40080  -                             1 web fd 3\n\
         5 sockets: 5 tcp (2 LISTEN, 1 SYN-SENT, 2 ESTAB)\n\
         the accept queue of 10.0.0.1:90 of process 1 (web) and 1 more is full: 129 connections wait and 128 may, so that \
         new ones are dropped\n\
         1 attempt to connect to 10.0.0.1:5432 is not answered, after 3 retransmissions in a row\n\
         68.4 KiB were received on 1 socket of process 1 (web) and are not read\n"
    );
    assert_eq!(stderr, "");
}

#[tokio::test(start_paused = true)]
async fn watching_shows_rates_of_what_was_there_before() {
    let carried = |inode, bytes| {
        let info = TcpInfo { bytes_sent: Some(bytes), bytes_received: Some(0), ..TcpInfo::default() };
        Socket { tcp: Some(Box::new(info)), ..connected(inode, 80) }
    };
    let first = answer(5, vec![carried(5, 1000), carried(6, 9000)], vec![]);
    // The second has the inode of an older one, and is another.
    let other = Socket { cookie: Some(7), ..carried(6, 9500) };
    let second = answer(7, vec![carried(5, 5000), other], vec![]);
    let (stdout, _) = shown(&["--watch"], Format::Json, vec![first, second]).await;
    let rates: Vec<_> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line.get("protocol").is_some())
        .map(|line| line["sent_bytes_per_second"].as_f64())
        .collect();
    assert_eq!(rates, [None, None, Some(2000.0), None]);
}

#[tokio::test]
async fn both_ends_of_a_local_pair_name_each_other() {
    let local = |inode, peer, name: Option<&[u8]>| Socket {
        protocol: SocketProtocol::Unix.into(),
        state: SocketState::Established.into(),
        inode,
        unix: Some(Box::new(UnixSocket {
            name: name.map(<[u8]>::to_vec),
            peer_inode: Some(peer),
            ..UnixSocket::default()
        })),
        ..Socket::default()
    };
    let sockets = vec![local(5, 6, None), local(6, 5, Some(b"/run/\x1b[31m")), local(7, 99, None)];
    let owners = vec![owner(1, b"client", &[5]), owner(2, b"server", &[6])];
    let (stdout, _) = shown(&[], Format::Table, vec![answer(5, sockets, owners)]).await;
    let peers: Vec<_> = stdout.lines().skip(1).take(3).collect();
    assert!(peers[0].contains("inode 5 ") && peers[0].contains("/run/\\x1b[31m of 2 server"), "{stdout}");
    assert!(peers[1].contains("/run/\\x1b[31m ") && peers[1].contains("inode 5 of 1 client"), "{stdout}");
    assert!(peers[2].contains("inode 99"), "{stdout}");
}

#[tokio::test]
async fn a_list_that_is_cut_says_so_and_counts_all_that_match() {
    let sockets: Vec<_> = (1..=9).map(|nth| connected(nth, 80 + u32::try_from(nth % 2).unwrap())).collect();
    let words = ["--port", "81", "--limit", "2", "--sort", "-inode"];
    let (stdout, stderr) = shown(&words, Format::Table, vec![answer(5, sockets, vec![])]).await;
    assert!(stdout.ends_with("2 of 5 shown\n5 of 9 sockets: 5 tcp (5 ESTAB)\n"), "{stdout}");
    assert!(stderr.contains("stopped at the limit of 2"), "{stderr}");
}

#[tokio::test]
async fn a_summary_counts_by_type_and_state() {
    let sockets = vec![connected(1, 80), connected(2, 80), listening(3, 80, 2, 128)];
    let (stdout, _) = shown(&["--summary"], Format::Table, vec![answer(5, sockets, vec![])]).await;
    assert_eq!(
        stdout,
        "TYPE  STATE   COUNT  RECV-Q  SEND-Q  ACCEPT-Q\n\
         tcp   LISTEN      1     0 B     0 B         2\n\
         tcp   ESTAB       2     0 B     0 B         -\n\
         3 sockets: 3 tcp (1 LISTEN, 2 ESTAB)\n"
    );
}

#[tokio::test]
async fn what_an_agent_leaves_out_or_makes_up_breaks_nothing() {
    let odd = Socket {
        protocol: 99,
        state: -5,
        local: Some(SocketAddress { ip: Some(Ip::Ipv6(vec![1, 2, 3])), port: u32::MAX }),
        ..Socket::default()
    };
    let mut parts = answer(5, vec![Socket::default(), odd], vec![owner(1, b"x\x1b[2J", &[0, u64::MAX])]);
    let Some(Part::Summary(summary)) = parts.last_mut() else { panic!("no summary") };
    summary.gaps = vec![Gap { subject: "owners".into(), reason: "denied".into(), count: 3 }];
    let (stdout, stderr) = shown(&[], Format::Wide, vec![parts.clone()]).await;
    assert!(stdout.contains("unknown(99)  unknown(-5)") && !stdout.contains('\x1b'), "{stdout}");
    assert_eq!(stderr, "owners: denied, 3 processes\n");
    let (stdout, _) = shown(&[], Format::Json, vec![parts]).await;
    assert!(stdout.contains(r#""protocol":"unknown(99)","family":null,"state":"unknown(-5)""#), "{stdout}");
}
