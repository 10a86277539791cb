//! The whole path: a request, a service that answers it, the text that comes out.

use std::sync::Mutex;

use clap::{Args as _, FromArgMatches as _};
use dbgctl_proto::v1::interface_service_server::{InterfaceService, InterfaceServiceServer};
use dbgctl_proto::v1::list_interfaces_response::Part;
use dbgctl_proto::v1::{
    End, Interface, InterfaceBatch, InterfaceListHeader, ListInterfacesRequest, ListInterfacesResponse,
    Summary,
};
use dbgctl_proto::v1::{Received, Transmitted};
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Replies, Written, agent_with};
use crate::render::Format;

const SECOND: u64 = 1_000_000_000;

/// Gives one answer after the other, then says that the target is gone.
struct Fake(Mutex<std::vec::IntoIter<Vec<Part>>>);

#[tonic::async_trait]
impl InterfaceService for Fake {
    type ListInterfacesStream = Replies<ListInterfacesResponse>;

    async fn list_interfaces(
        &self,
        _: Request<ListInterfacesRequest>,
    ) -> Result<Response<Self::ListInterfacesStream>, Status> {
        let answer = self.0.lock().unwrap().next().ok_or_else(|| Status::not_found("the target is gone"))?;
        let replies = answer.into_iter().map(|part| Ok(ListInterfacesResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn interface(name: &[u8], received_bytes: u64, transmitted_bytes: u64) -> Interface {
    Interface {
        name: name.to_vec(),
        received: Some(Received {
            bytes: received_bytes,
            packets: received_bytes / 1000,
            ..Received::default()
        }),
        transmitted: Some(Transmitted {
            bytes: transmitted_bytes,
            packets: transmitted_bytes / 100,
            ..Transmitted::default()
        }),
    }
}

fn answer(seconds: u64, interfaces: Vec<Interface>) -> Vec<Part> {
    let header = InterfaceListHeader { sampled_boottime_nanos: seconds * SECOND, sampled_unix_nanos: SECOND };
    let sent = u64::try_from(interfaces.len()).unwrap();
    let summary = Summary { sent, end: End::Complete.into(), ..Summary::default() };
    vec![Part::Header(header), Part::Batch(InterfaceBatch { interfaces }), Part::Summary(summary)]
}

async fn shown(words: &[&str], format: Format, answers: Vec<Vec<Part>>) -> (String, String) {
    let command = Args::augment_args(clap::Command::new("net"));
    let matches = command.try_get_matches_from(["net"].iter().chain(words)).unwrap();
    let args = Args::from_arg_matches(&matches).unwrap();
    let agent = agent_with(InterfaceServiceServer::new(Fake(Mutex::new(answers.into_iter())))).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let _gone_when_watched = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await;
    (stdout.text(), stderr.text())
}

#[tokio::test]
async fn totals_stand_in_a_table_and_losses_in_a_sentence() {
    let mut lossy = interface(b"eth0", 5 << 20, 2 << 10);
    lossy.received.as_mut().unwrap().dropped = 12;
    let (stdout, stderr) =
        shown(&[], Format::Table, vec![answer(5, vec![interface(b"lo", 0, 0), lossy])]).await;
    assert_eq!(
        stdout,
        "NAME       RX  RX-PKTS  RX-ERR  RX-DROP       TX  TX-PKTS  TX-ERR  TX-DROP\n\
         lo        0 B        0       0        0      0 B        0       0        0\n\
         eth0  5.0 MiB     5242       0       12  2.0 KiB       20       0        0\n\
         eth0 dropped 12 of 5254 packets that came in (0.2%)\n"
    );
    assert_eq!(stderr, "2 interfaces; bytes and packets are since each one was made\n");
}

#[tokio::test(start_paused = true)]
async fn watching_shows_rates_and_none_for_an_interface_that_was_made_anew() {
    let first = answer(5, vec![interface(b"eth0", 1000, 100), interface(b"eth1", 5000, 5000)]);
    let second = answer(7, vec![interface(b"eth0", 5000, 100), interface(b"eth1", 1000, 1000)]);
    let (stdout, _) = shown(&["--watch"], Format::Json, vec![first, second]).await;
    let rates: Vec<_> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line.get("name").is_some())
        .map(|line| line["received"]["bytes_per_second"].as_f64())
        .collect();
    assert_eq!(rates, [None, None, Some(2000.0), None]);
}

#[tokio::test]
async fn what_an_agent_leaves_out_is_absent_and_a_hostile_name_is_harmless() {
    let nameless = Interface { name: b"\x1b[2J\xff".to_vec(), ..Interface::default() };
    let (stdout, _) = shown(&[], Format::Table, vec![answer(5, vec![nameless.clone()])]).await;
    assert!(
        stdout.ends_with("\\x1b[2J\\xff   -        -       -        -   -        -       -        -\n"),
        "{stdout}"
    );
    let (stdout, _) = shown(&[], Format::Json, vec![answer(5, vec![nameless])]).await;
    assert!(
        stdout.contains("\n{\"name\":{\"base64\":\"G1sySv8=\"},\"received\":null,\"transmitted\":null}\n"),
        "{stdout}"
    );
}
