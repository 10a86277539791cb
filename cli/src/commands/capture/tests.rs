//! The command against a service in memory, which sends what no agent would.

use clap::Parser as _;
use dbgctl_proto::v1::capture_frame::Part;
use dbgctl_proto::v1::capture_service_server::{CaptureService, CaptureServiceServer};
use dbgctl_proto::v1::{
    CaptureBatch, CaptureCommand, CaptureEnd, CaptureFrame, CaptureInterface, CaptureOpened, CaptureReason,
    CaptureStarted,
};
use tonic::{Request, Response, Status, Streaming};

use crate::commands::Failure;
use crate::commands::testing::{Line, Replies, Written, agent_with};
use crate::exit::Exit;
use crate::render::{Format, Output, Talk};

/// Says the same to everyone, whatever it is told.
#[derive(Clone)]
struct Fake(Vec<Part>);

#[tonic::async_trait]
impl CaptureService for Fake {
    type CapturePacketsStream = Replies<CaptureFrame>;

    async fn capture_packets(
        &self,
        _: Request<Streaming<CaptureCommand>>,
    ) -> Result<Response<Self::CapturePacketsStream>, Status> {
        let frames: Vec<_> =
            self.0.iter().map(|part| Ok(CaptureFrame { part: Some(part.clone()) })).collect();
        Ok(Response::new(tokio_stream::iter(frames)))
    }
}

fn opened(name: &[u8]) -> Part {
    let interface =
        CaptureInterface { index: 7, name: name.to_vec(), is_up: true, ..CaptureInterface::default() };
    Part::Opened(CaptureOpened {
        link_type: 1,
        interface: Some(interface.clone()),
        interfaces: vec![interface],
        ..CaptureOpened::default()
    })
}

/// Two packets: UDP from 192.0.2.1, and what is none.
fn batch() -> CaptureBatch {
    let mut packet = vec![0; 42];
    packet[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
    packet[23] = 17;
    packet[26..34].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
    packet[34..38].copy_from_slice(&[0x30, 0x39, 0, 53]);
    packet.extend(b"\x1b[31m");
    CaptureBatch {
        first_unix_nanos: 1_700_000_000_000_000_000,
        later_nanos: vec![0, 1000],
        captured_bytes: vec![42, 5],
        wire_bytes: vec![60, 60],
        directions: vec![1, 5],
        data: packet.into(),
    }
}

fn end(sent: u64) -> Part {
    let reason = CaptureReason::Limit.into();
    Part::End(CaptureEnd { accepted: sent + 3, sent, dropped_by_kernel: 3, beyond_limit: 0, reason })
}

/// What is shown, and what is said.
async fn ask(line: &str, format: Format, parts: Vec<Part>) -> (Result<Exit, Failure>, String, String) {
    let agent = agent_with(CaptureServiceServer::new(Fake(parts))).await;
    let (shown, said) = (Written::default(), Written::default());
    let mut output = Output::to(format, shown.clone());
    let verb = Line::parse_from(line.split(' ')).verb;
    let exit = verb.ask(&agent, &mut output, &mut Talk::to(said.clone())).await;
    (exit, shown.text(), said.text())
}

#[tokio::test]
async fn each_packet_is_a_line_and_what_is_missing_is_said() {
    let parts = vec![opened(b"eth0"), Part::Started(CaptureStarted {}), Part::Batch(batch()), end(2)];
    let (exit, shown, said) = ask("capture -x", Format::Table, parts).await;
    assert!(matches!(exit, Ok(Exit::Answered)), "{exit:?}");
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[0].starts_with("22:13:20.000000 eth0 in: IP 192.0.2.1"), "{}", lines[0]);
    assert!(lines[1].starts_with("\t0x0000:  0000 0000"), "{}", lines[1]);
    assert!(lines[4].starts_with("22:13:20.000001 eth0 out: "), "{}", lines[4]);
    assert_eq!(lines[5].split_whitespace().last(), Some(".[31m"));
    assert_eq!(
        said,
        "capturing on eth0, Ethernet\n2 packets, 3 dropped by the kernel, stopped by the packet limit\n"
    );
}

#[tokio::test]
async fn in_json_a_packet_is_an_object_and_the_end_as_well() {
    let parts = vec![opened(b"eth0"), Part::Started(CaptureStarted {}), Part::Batch(batch()), end(2)];
    let (_, shown, _) = ask("capture", Format::Json, parts).await;
    let lines: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[1]["wire_bytes"], &lines[1]["captured_bytes"]), (&60.into(), &5.into()));
    assert_eq!(lines[2]["summary"]["dropped_by_kernel"], 3);
    assert_eq!(lines[2]["summary"]["end"], "limit");
}

#[tokio::test]
async fn an_interface_of_a_hostile_name_leaves_the_terminal_alone() {
    let parts = vec![opened(b"\x1b[2Jeth\n"), Part::Started(CaptureStarted {}), Part::Batch(batch()), end(2)];
    let (_, shown, said) = ask("capture", Format::Table, parts).await;
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    assert!(is_plain(&shown) && is_plain(&said), "{shown:?} {said:?}");
    assert_eq!((shown.lines().count(), said.lines().count()), (2, 2));
}

#[tokio::test]
async fn what_makes_no_sense_is_not_shown() {
    let lies: [fn(&mut CaptureBatch); 3] = [
        |batch| batch.captured_bytes[1] = 6,
        |batch| batch.directions.clear(),
        |batch| batch.data = vec![0; 600 << 10].into(),
    ];
    for lie in lies {
        let mut batch = batch();
        lie(&mut batch);
        let parts = vec![opened(b"eth0"), Part::Started(CaptureStarted {}), Part::Batch(batch), end(2)];
        let (exit, shown, _) = ask("capture", Format::Table, parts).await;
        let Err(Failure::Here(error)) = exit else { panic!("{exit:?}") };
        assert!(error.because.contains("makes no sense"), "{error:?}");
        assert_eq!(shown, "");
    }
    let without_end = vec![opened(b"eth0"), Part::Started(CaptureStarted {}), Part::Batch(batch())];
    let (exit, shown, _) = ask("capture", Format::Table, without_end).await;
    assert!(matches!(exit, Err(Failure::Here(_))), "{exit:?}");
    assert_eq!(shown.lines().count(), 2, "what came before is shown");
    let other_link = Part::Opened(CaptureOpened { link_type: 9999, ..CaptureOpened::default() });
    let (exit, ..) = ask("capture", Format::Table, vec![other_link]).await;
    assert!(matches!(exit, Err(Failure::Here(_))), "{exit:?}");
}
