//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::connect_service_server::{ConnectService, ConnectServiceServer};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

struct Fake(ConnectResponse);

#[tonic::async_trait]
impl ConnectService for Fake {
    async fn connect(
        &self,
        request: Request<v1::ConnectRequest>,
    ) -> Result<Response<ConnectResponse>, Status> {
        let request = request.into_inner();
        assert_eq!((request.host.as_str(), request.port), ("db", 5432));
        assert_eq!(request.timeout, Some(prost_types::Duration { seconds: 5, nanos: 0 }));
        Ok(Response::new(self.0.clone()))
    }
}

fn attempt(address: &str, outcome: ConnectOutcome) -> ConnectAttempt {
    let connected = outcome == ConnectOutcome::Connected;
    ConnectAttempt {
        address: address.into(),
        outcome: outcome.into(),
        nanos: 1_250_000,
        local: connected.then(|| "172.17.0.2:40000".into()),
        error: if connected { String::new() } else { "connection refused (ECONNREFUSED)".into() },
        ..ConnectAttempt::default()
    }
}

async fn shown(format: Format, response: ConnectResponse) -> (String, String, Exit) {
    repeated(1, format, response).await
}

async fn repeated(repeat: u32, format: Format, response: ConnectResponse) -> (String, String, Exit) {
    let agent = agent_with(ConnectServiceServer::new(Fake(response))).await;
    let args = Args {
        peer: "db:5432".parse().unwrap(),
        timeout: Duration::from_secs(5),
        udp: false,
        source: None,
        interface: None,
        repeat,
        interval: Duration::ZERO,
    };
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit)
}

#[tokio::test]
async fn every_address_gets_a_row_and_one_connection_is_enough() {
    let response = ConnectResponse {
        resolve_nanos: Some(350_000),
        attempts: vec![
            attempt("fd00::7", ConnectOutcome::Refused),
            attempt("10.0.0.7", ConnectOutcome::Connected),
        ],
        addresses_left_out: 2,
        ..ConnectResponse::default()
    };
    let (stdout, stderr, exit) = shown(Format::Table, response.clone()).await;
    assert_eq!(
        stdout,
        "ADDRESS         RESULT       TIME  LOCAL             ERROR\n\
         [fd00::7]:5432  refused    1.2 ms  -                 connection refused (ECONNREFUSED)\n\
         10.0.0.7:5432   connected  1.2 ms  172.17.0.2:40000  -\n"
    );
    assert_eq!(
        stderr,
        "db:5432: 1 of 2 addresses connected; the look-up took 350 µs\n\
         refused: the host is there, but no one listens on that port, or a firewall rejects it\n\
         2 more addresses were not tried\n"
    );
    assert_eq!(exit, Exit::Answered);

    let (stdout, ..) = shown(Format::Json, response).await;
    assert_eq!(
        stdout,
        concat!(
            r#"{"address":"fd00::7","outcome":"refused","nanos":1250000,"rtt_nanos":null,"local":null,"interface":"","mss_bytes":null,"path_mtu_bytes":null,"syn_retransmits":null,"error":"connection refused (ECONNREFUSED)","icmp":null,"accept_queue":null}"#,
            "\n",
            r#"{"address":"10.0.0.7","outcome":"connected","nanos":1250000,"rtt_nanos":null,"local":"172.17.0.2:40000","interface":"","mss_bytes":null,"path_mtu_bytes":null,"syn_retransmits":null,"error":"","icmp":null,"accept_queue":null}"#,
            "\n",
            r#"{"summary":{"resolve_nanos":350000,"resolve_error":"","look_up":null,"addresses_left_out":2,"verdicts":["refused: the host is there, but no one listens on that port, or a firewall rejects it"]}}"#,
            "\n",
        )
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_no() {
    let response =
        ConnectResponse { resolve_error: "no such name\x1b[2J".into(), ..ConnectResponse::default() };
    let (stdout, stderr, exit) = shown(Format::Table, response).await;
    assert_eq!(stdout, "");
    assert_eq!(stderr, "db:5432: not connected: the name does not resolve: no such name\\x1b[2J\n");
    assert_eq!(exit, Exit::No);
}

#[tokio::test]
async fn an_outcome_of_a_newer_agent_and_a_flood_of_rows_do_no_harm() {
    let strange = ConnectAttempt { outcome: 99, address: "1.2.3.4".into(), ..ConnectAttempt::default() };
    let response = ConnectResponse { attempts: vec![strange; 100], ..ConnectResponse::default() };
    let (stdout, stderr, exit) = shown(Format::Table, response).await;
    assert_eq!(stdout.lines().count(), 1 + MOST_CONNECT_ATTEMPTS);
    assert!(stdout.contains("unknown(99)"), "{stdout}");
    assert!(stderr.contains("84 more addresses were not tried"), "{stderr}");
    assert_eq!(exit, Exit::No);
}

#[tokio::test]
async fn of_many_tries_the_percentiles_and_the_loss_are_shown() {
    let attempts =
        vec![attempt("10.0.0.7", ConnectOutcome::Connected), attempt("10.0.0.8", ConnectOutcome::Refused)];
    let response = ConnectResponse { attempts, ..ConnectResponse::default() };
    let (stdout, stderr, exit) = repeated(3, Format::Table, response.clone()).await;
    assert_eq!(
        stdout,
        "ADDRESS        TRIED  OK     LOSS     MIN     P50     P90     P99     MAX  OTHERWISE\n\
         10.0.0.7:5432      3   3    0.00%  1.2 ms  1.2 ms  1.2 ms  1.2 ms  1.2 ms  -\n\
         10.0.0.8:5432      3   0  100.00%       -       -       -       -       -  refused\n"
    );
    assert_eq!(stderr.lines().count(), 2, "each cause once: {stderr}");
    assert_eq!(exit, Exit::Answered);
    let (stdout, ..) = repeated(3, Format::Json, response).await;
    assert_eq!(stdout.lines().count(), 7);
    assert!(
        stdout.contains(r#""statistics":[{"address":"10.0.0.7:5432","attempts":3,"succeeded":3,"#),
        "{stdout}"
    );
}

#[tokio::test]
async fn silence_is_no_answer() {
    let response = ConnectResponse {
        attempts: vec![attempt("10.0.0.7", ConnectOutcome::Silent)],
        ..ConnectResponse::default()
    };
    let (_, stderr, exit) = shown(Format::Table, response).await;
    assert!(stderr.contains("UDP can not tell"), "{stderr}");
    assert_eq!(exit, Exit::Unknown);
}
