//! The whole path: a request, a service that answers it, the text that comes out.

use std::sync::{Arc, Mutex};

use clap::Parser as _;
use dbgctl_proto::v1::dns_service_server::{DnsService, DnsServiceServer};
use dbgctl_proto::v1::look_up_name_response::Part;
use dbgctl_proto::v1::{
    DnsAnswer, DnsEdns, DnsOutcome, DnsQuestion, DnsQuestionBatch, DnsRecord, DnsTransport, End,
    LookUpNameRequest, LookUpNameResponse, Summary,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Line, Replies, Written, agent_with};
use crate::render::Format;

#[derive(Clone)]
struct Fake {
    parts: Vec<Part>,
    asked: Arc<Mutex<Option<LookUpNameRequest>>>,
}

#[tonic::async_trait]
impl DnsService for Fake {
    type LookUpNameStream = Replies<LookUpNameResponse>;

    async fn look_up_name(
        &self,
        request: Request<LookUpNameRequest>,
    ) -> Result<Response<Self::LookUpNameStream>, Status> {
        *self.asked.lock().unwrap() = Some(request.into_inner());
        let replies = self.parts.iter().map(|part| Ok(LookUpNameResponse { part: Some(part.clone()) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }

    type LookUpNameInEnvironmentStream = Replies<LookUpNameResponse>;

    async fn look_up_name_in_environment(
        &self,
        request: Request<LookUpNameRequest>,
    ) -> Result<Response<Self::LookUpNameStream>, Status> {
        self.look_up_name(request).await
    }
}

fn header() -> LookUpHeader {
    LookUpHeader {
        resolver: Resolver::Glibc.into(),
        resolver_reason: "/app is linked with the GNU C library".into(),
        servers: vec!["10.0.0.53:53".into()],
        search: vec![b"a.test".to_vec()],
        ndots: 2,
        timeout_nanos: 5_000_000_000,
        attempts: 2,
        options: vec!["rotate".into()],
        ..LookUpHeader::default()
    }
}

fn question(candidate: u32, name: &str, kind: u32, outcome: DnsOutcome) -> DnsQuestion {
    DnsQuestion {
        round: 1,
        candidate,
        name: name.into(),
        record_type: kind,
        server: "10.0.0.53:53".into(),
        transport: DnsTransport::Udp.into(),
        attempt: 1,
        sent_nanos: 1000,
        nanos: 350_000,
        outcome: outcome.into(),
        ..DnsQuestion::default()
    }
}

fn answered(candidate: u32, name: &str, rcode: u32, values: &[&str]) -> DnsQuestion {
    let record = |value: &&str| DnsRecord {
        name: name.into(),
        record_type: 1,
        ttl_seconds: 60,
        value: (*value).into(),
    };
    DnsQuestion {
        answer: Some(DnsAnswer {
            rcode,
            recursion_available: true,
            bytes: 60,
            records: values.iter().map(record).collect(),
            ..DnsAnswer::default()
        }),
        ..question(candidate, name, 1, DnsOutcome::Answered)
    }
}

fn verdict(outcome: LookUpOutcome, candidate: u32, addresses: &[&str]) -> Part {
    Part::Verdict(LookUpVerdict {
        round: 1,
        outcome: outcome.into(),
        source: if outcome == LookUpOutcome::Found { "dns".into() } else { String::new() },
        addresses: addresses.iter().map(|&address| address.into()).collect(),
        candidate,
        nanos: 1_250_000,
        ..LookUpVerdict::default()
    })
}

fn parts(questions: Vec<DnsQuestion>, verdict: Part) -> Vec<Part> {
    let sent = u64::try_from(questions.len()).unwrap();
    let summary = Summary { sent, end: End::Complete.into(), ..Summary::default() };
    vec![Part::Header(header()), Part::Batch(DnsQuestionBatch { questions }), verdict, Part::Summary(summary)]
}

struct Shown {
    stdout: String,
    stderr: String,
    exit: Exit,
    asked: LookUpNameRequest,
}

async fn shown(words: &str, format: Format, parts: Vec<Part>) -> Shown {
    let super::super::Verb::Dns(args) = Line::parse_from(words.split(' ')).verb else { panic!("{words}") };
    let asked = Arc::default();
    let agent = agent_with(DnsServiceServer::new(Fake { parts, asked: Arc::clone(&asked) })).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    let asked = asked.lock().unwrap().take().unwrap();
    Shown { stdout: stdout.text(), stderr: stderr.text(), exit, asked }
}

#[tokio::test]
async fn each_question_is_a_row_and_waste_is_told() {
    let questions =
        vec![answered(1, "db.x.a.test.", 3, &[]), answered(2, "db.x.", 0, &["10.0.0.7", "10.0.0.8"])];
    let parts = parts(questions, verdict(LookUpOutcome::Found, 2, &["10.0.0.7", "10.0.0.8"]));
    let shown = shown("dns db.x", Format::Table, parts).await;
    assert_eq!(
        shown.stdout,
        "NAME          TYPE  SERVER     VIA  RESULT      TIME  ANSWER\n\
         db.x.a.test.  A     10.0.0.53  udp  NXDOMAIN  350 µs  -\n\
         db.x.         A     10.0.0.53  udp  NOERROR   350 µs  10.0.0.7 (60 s), 10.0.0.8 (60 s)\n\
         db.x: 10.0.0.7, 10.0.0.8 (2 questions, 1.2 ms)\n\
         1 of 2 questions were wasted on names that do not exist: it has 1 dot and ndots is 2; a dot at its end asks \
         for nothing else\n"
    );
    assert_eq!(
        shown.stderr,
        "asked as the GNU C library does (/app is linked with the GNU C library): 10.0.0.53:53; search a.test; ndots 2, \
         5.00 s for each of 2 attempts, rotate\n"
    );
    assert_eq!(shown.exit, Exit::Answered);
}

#[tokio::test]
async fn options_become_the_request() {
    let parts = || parts(vec![], verdict(LookUpOutcome::NoSuchName, 0, &[]));
    let words = "dns db --type mx --type 257 --resolver musl --server 10.0.0.1 --server [fd00::1]:5353 --tcp --repeat 3 \
                 --interval 1s --timeout 500ms --every-server";
    let Shown { asked, exit, .. } = shown(words, Format::Json, parts()).await;
    assert_eq!((asked.name.as_slice(), asked.record_types), (&b"db"[..], vec![15, 257]));
    assert_eq!((asked.servers, asked.tcp), (vec!["10.0.0.1".to_owned(), "[fd00::1]:5353".to_owned()], true));
    assert_eq!((asked.resolver, asked.rounds, asked.every_server), (Resolver::Musl.into(), 3, true));
    assert_eq!(asked.interval, Some(prost_types::Duration { seconds: 1, nanos: 0 }));
    assert_eq!(asked.timeout, Some(prost_types::Duration { seconds: 0, nanos: 500_000_000 }));
    assert_eq!(exit, Exit::No);
    let Shown { asked, .. } = shown("dns 10.0.0.7 --type ptr", Format::Json, parts()).await;
    assert_eq!(asked.name, b"7.0.0.10.in-addr.arpa.");
    let long = "a".repeat(256);
    for wrong in ["--server db", "--server 10.0.0.1:0", "--type nothing", "--repeat 0", "--timeout 0s", &long]
    {
        assert!(Line::try_parse_from(format!("dns x {wrong}").split(' ')).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn json_has_the_names_of_the_contract() {
    let mut row = answered(1, "db.", 0, &["10.0.0.7"]);
    row.answer.as_mut().unwrap().edns = Some(DnsEdns {
        udp_payload_bytes: 1232,
        extended_error: Some(3),
        extended_error_text: b"stale".to_vec(),
        ..DnsEdns::default()
    });
    let parts = parts(vec![row], verdict(LookUpOutcome::Found, 1, &["10.0.0.7"]));
    let shown = shown("dns db", Format::Json, parts).await;
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert_eq!(
        lines[1],
        concat!(
            r#"{"round":1,"candidate":1,"name":"db.","record_type":1,"server":"10.0.0.53:53","transport":"udp","attempt":1,"#,
            r#""sent_nanos":1000,"nanos":350000,"outcome":"answered","error":"","answer":{"rcode":0,"authoritative":false,"#,
            r#""truncated":false,"recursion_available":true,"authentic_data":false,"bytes":60,"records":[{"name":"db.","#,
            r#""record_type":1,"ttl_seconds":60,"value":"10.0.0.7"}],"records_left_out":0,"negative_ttl_seconds":null,"#,
            r#""edns":{"version":0,"udp_payload_bytes":1232,"extended_error":3,"extended_error_text":"stale"}},"#,
            r#""strays":0,"garbled":0}"#
        )
    );
    assert_eq!(
        lines[2],
        concat!(
            r#"{"verdict":{"round":1,"outcome":"found","source":"dns","addresses":["10.0.0.7"],"canonical_name":"","#,
            r#""candidate":1,"nanos":1250000,"reason":""}}"#
        )
    );
}

#[tokio::test]
async fn what_is_wrong_with_servers_is_told_in_sentences() {
    let mut forged = answered(1, "db.", 2, &[]);
    (forged.strays, forged.garbled) = (3, 1);
    forged.answer.as_mut().unwrap().edns = Some(DnsEdns {
        extended_error: Some(9),
        extended_error_text: b"no key\x1b".to_vec(),
        ..DnsEdns::default()
    });
    let mut elsewhere = answered(1, "db.", 0, &["10.0.0.9"]);
    elsewhere.server = "10.0.0.54:53".into();
    let questions = vec![
        question(1, "db.", 1, DnsOutcome::Refused),
        question(1, "db.", 1, DnsOutcome::TimedOut),
        question(1, "db.", 1, DnsOutcome::Abandoned),
        forged,
        answered(1, "db.", 3, &[]),
        elsewhere,
        DnsQuestion { outcome: 99, ..question(1, "db.", 1, DnsOutcome::Failed) },
    ];
    let shown =
        shown("dns db", Format::Table, parts(questions, verdict(LookUpOutcome::TryAgain, 1, &[]))).await;
    for sentence in [
        "3 packets from 10.0.0.53 carried another id or answered another question",
        "1 packet from 10.0.0.53 was no DNS: something else listens on that port",
        "server 10.0.0.53 refused 1 of 6: its machine is there, and nothing listens on that port",
        "server 10.0.0.53 left 1 of 6 unanswered for 350 µs: packets are lost, or it is overloaded",
        "server 10.0.0.53 said SERVFAIL once: it could not find out",
        "; extended error 9: no key\\x1b",
        "servers differ about db. A: 10.0.0.53 says no such name; 10.0.0.54 says 10.0.0.9",
        "unknown(99)",
    ] {
        assert!(shown.stdout.contains(sentence), "no {sentence:?} in\n{}", shown.stdout);
    }
    assert_eq!(shown.exit, Exit::Unknown);
}

#[tokio::test]
async fn many_rounds_are_counted() {
    let mut questions: Vec<_> = (1..=10)
        .map(|nth| DnsQuestion {
            round: nth,
            nanos: u64::from(nth) * 1000,
            ..answered(1, "db.", 0, &["10.0.0.7"])
        })
        .collect();
    questions.push(DnsQuestion { round: 11, ..question(1, "db.", 1, DnsOutcome::TimedOut) });
    let mut parts = parts(questions, verdict(LookUpOutcome::Found, 1, &["10.0.0.7"]));
    parts.insert(2, verdict(LookUpOutcome::TryAgain, 1, &[]));
    let shown = shown("dns db --repeat 11", Format::Table, parts).await;
    assert!(
        shown.stdout.starts_with(
            "NAME  TYPE  SERVER     VIA  ASKED  LOST  LOST%   MIN   P50   P90    P99    MAX\n\
             db.   A     10.0.0.53  udp     11     1    9.1  1 µs  5 µs  9 µs  10 µs  10 µs\n"
        ),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("db: found in 1 of 2 look-ups, the longest 1.2 ms\n"), "{}", shown.stdout);
    assert_eq!(shown.exit, Exit::Unknown);
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_no_answer() {
    let summary = Summary { end: End::Complete.into(), ..Summary::default() };
    let shown = shown("dns db", Format::Table, vec![Part::Summary(summary)]).await;
    assert_eq!((shown.stdout.as_str(), shown.exit), ("", Exit::Unknown));
}
