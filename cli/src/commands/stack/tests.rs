//! The whole path: a request, a service that answers it, the text that comes out.

use dbgctl_proto::v1::list_stacks_response::Part;
use dbgctl_proto::v1::stack_service_server::{StackService, StackServiceServer};
use dbgctl_proto::v1::{End, ListStacksRequest, StackBatch, Summary, SystemCall, ThreadActivity, ThreadRun};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

struct Fake(Vec<Part>);

#[tonic::async_trait]
impl StackService for Fake {
    type ListStacksStream = crate::commands::testing::Replies<v1::ListStacksResponse>;

    async fn list_stacks(
        &self,
        _: Request<ListStacksRequest>,
    ) -> Result<Response<Self::ListStacksStream>, Status> {
        let parts = self.0.clone();
        let replies = parts.into_iter().map(|part| Ok(v1::ListStacksResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn thread(tid: u32, name: &str, state: ProcessState, call: Option<(&str, &[u8])>) -> ThreadStack {
    let system_call = call.map(|(name, about)| SystemCall {
        number: 202,
        name: name.to_owned(),
        arguments: vec![u64::from(tid), 128, 0, 0, 0, 0],
        about: about.to_vec(),
    });
    ThreadStack {
        pid: 7,
        tid,
        command: b"we\x1bb".into(),
        thread: name.into(),
        state: state.into(),
        wait_channel: Some(if call.is_some() { "futex_wait" } else { "" }.to_owned()),
        activity: if call.is_some() { ThreadActivity::SystemCall } else { ThreadActivity::Running }.into(),
        system_call,
        ..ThreadStack::default()
    }
}

fn threads() -> Vec<ThreadStack> {
    let waits = Some(("futex", &b"FUTEX_WAIT_PRIVATE"[..]));
    let mut threads: Vec<_> =
        (8..46).map(|tid| thread(tid, &format!("pool-{tid}"), ProcessState::Sleeping, waits)).collect();
    threads.push(thread(7, "main", ProcessState::Running, None));
    let stuck = Some(("read", &b"fd 5 = /mnt/a\nb, at most 512 bytes"[..]));
    threads.push(thread(50, "reader", ProcessState::DiskSleep, stuck));
    threads
}

async fn shown(args: Args, format: Format, threads: Vec<ThreadStack>) -> String {
    let parts = vec![
        Part::Batch(StackBatch { threads }),
        Part::Summary(Summary { end: End::Complete.into(), ..Summary::default() }),
    ];
    let agent = agent_with(StackServiceServer::new(Fake(parts))).await;
    let stdout = Written::default();
    let mut output = Output::to(format, stdout.clone());
    args.ask(&agent, &mut output, &mut Talk::to(Written::default())).await.unwrap();
    stdout.text()
}

#[tokio::test]
async fn equal_threads_are_one_row_and_what_hangs_comes_first() {
    let table = shown(Args::default(), Format::Table, threads()).await;
    assert_eq!(
        table,
        "THREADS  PIDS  COMMAND  NAMES                                  STATE       WAIT-CHANNEL  CALL\n\
         \x20     1  7     we\\x1bb  reader                                 disk-sleep  futex_wait    read(fd 5 = /mnt/a\\nb, at most 512 bytes)\n\
         \x20    38  7     we\\x1bb  pool-10, pool-11, pool-12 and 35 more  sleeping    futex_wait    futex(FUTEX_WAIT_PRIVATE)\n\
         \x20     1  7     we\\x1bb  main                                   running     -             (runs)\n\
         40 threads of 1 process: 1 running, 38 sleeping, 1 disk-sleep\n\
         1 thread waits in the kernel, usually for I/O, and cannot be killed before it is done (disk-sleep)\n"
    );
}

#[tokio::test]
async fn one_row_per_thread_has_registers_when_wide_and_json_never_groups() {
    let args = Args { threads: true, ..Args::default() };
    let wide = shown(args, Format::Wide, threads()).await;
    assert_eq!(wide.lines().count(), 1 + 40 + 2, "{wide}");
    assert!(wide.contains("  0x8 0x80 0x0 0x0 0x0 0x0   futex(FUTEX_WAIT_PRIVATE)\n"), "{wide}");
    let json = shown(Args::default(), Format::Json, threads()).await;
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["system_call"]["arguments"][1]), (41, &128.into()));
    assert_eq!((&lines[38]["activity"], &lines[38]["run"]), (&"running".into(), &().into()));
    assert_eq!(lines[39]["system_call"]["about"], "fd 5 = /mnt/a\nb, at most 512 bytes");
}

#[tokio::test]
async fn a_sample_tells_who_ran_and_how_much() {
    let run = |ran_nanos, timeslices| {
        Some(ThreadRun { sampled_nanos: 2_000_000_000, ran_nanos, waited_nanos: 0, timeslices })
    };
    let mut threads = threads();
    threads.truncate(3);
    threads[0].run = run(0, 0);
    threads[1].run = run(1_900_000_000, 7);
    let table = shown(Args::default(), Format::Table, threads).await;
    assert!(table.contains("  95.0  futex_wait"), "{table}");
    let sentence =
        "within 2.00 s 1 of 2 threads ran; most of all thread 9 of process 7 (pool-9): 95.0% of a CPU\n";
    assert!(table.ends_with(sentence), "{table}");
}

#[tokio::test]
async fn workers_that_wait_for_the_same_under_different_numbers_are_one_row() {
    let wait = |tid, about: &'static [u8]| thread(tid, "w", ProcessState::Sleeping, Some(("accept", about)));
    let listener = "tcp 0.0.0.0:80";
    let threads =
        vec![wait(8, b"fd 3 = tcp 0.0.0.0:80"), wait(9, b"fd 4 = tcp 0.0.0.0:80"), wait(10, b"fd 4")];
    let table = shown(Args::default(), Format::Table, threads).await;
    assert!(
        table.contains(&format!("  accept({listener})\n")) && table.contains("  accept(fd 4)\n"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 4, "{table}");
}
