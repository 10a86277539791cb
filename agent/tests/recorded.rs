//! Processes of a recorded target, through the service itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dbgctl_agent::error::{BadRequest, ProbeError};
use dbgctl_agent::sources::Sources;
use dbgctl_agent::stream::Bounded;
use dbgctl_agent::{probes, stream};
use dbgctl_proto::v1::process_service_server::ProcessService;
use dbgctl_proto::v1::{
    End, Gap, ListMemoryResponse, ListProcessesRequest, ListProcessesResponse, Process, ProcessOrigin,
    ProcessState, Summary, list_processes_response,
};
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status};

const HOSTILE_NAME: &[u8] = b"\x1b[2J\xff\xe2\x80\xae";

fn scene() -> Arc<Sources> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hostile-target");
    Arc::new(Sources::recorded(&dir).unwrap())
}

async fn drain<M>(stream: Bounded<M>) -> Vec<M> {
    stream.map(Result::unwrap).collect().await
}

async fn processes(request: ListProcessesRequest) -> (Vec<Process>, Summary) {
    use list_processes_response::Part;
    let service = probes::processes::Processes::new(scene());
    let stream = service.list_processes(Request::new(request)).await.unwrap().into_inner();
    let mut parts: Vec<_> = drain(stream).await.into_iter().map(|message| message.part.unwrap()).collect();
    let Some(Part::Summary(summary)) = parts.pop() else { panic!("no summary at the end") };
    let Part::Header(header) = parts.remove(0) else { panic!("no header at the start") };
    assert_eq!(header.sampled_boottime_nanos, 1_908_810_000_000);
    let rows = parts.into_iter().flat_map(|part| match part {
        Part::Batch(batch) => batch.processes,
        other => panic!("{other:?} among the rows"),
    });
    (rows.collect(), summary)
}

fn gap(subject: &str, reason: &str, count: u64) -> Gap {
    Gap { subject: subject.into(), reason: reason.into(), count }
}

fn ended() -> Gap {
    gap("processes", "ended while the list was made", 1)
}

fn pids(rows: &[Process]) -> Vec<u32> {
    rows.iter().map(|process| process.pid).collect()
}

#[tokio::test]
async fn the_targets_processes_are_listed_and_no_others() {
    let (rows, summary) = processes(ListProcessesRequest::default()).await;
    assert_eq!(pids(&rows), [1, 7, 8, 10, 11]);
    assert!(rows.iter().all(|process| process.origin() == ProcessOrigin::Target));
    assert_eq!(summary, Summary { sent: 5, dropped: 0, gaps: vec![ended()], end: End::Complete.into() });
}

#[tokio::test]
async fn hostile_names_and_arguments_arrive_byte_for_byte() {
    let (rows, _) = processes(ListProcessesRequest::default()).await;
    assert_eq!(rows[1].command, b"w) R 1 1 (x\n");
    assert_eq!((rows[1].parent_pid, rows[1].state()), (1, ProcessState::Sleeping));
    assert_eq!(rows[2].command, HOSTILE_NAME);
    assert_eq!(rows[2].arguments, [&b"/target"[..], HOSTILE_NAME, b"", b"forged\n1 root\x1b]0;x\x07"]);
    assert_eq!(rows[4].arguments, [b"web: worker process"]);
}

#[tokio::test]
async fn figures_are_in_the_units_of_the_contract() {
    let (rows, _) = processes(ListProcessesRequest::default()).await;
    let init = &rows[0];
    assert_eq!((init.resident_bytes, init.virtual_bytes), (150 * 4096, 1_105_920));
    assert_eq!(init.started_boottime_nanos, 1_884_680_000_000);
    assert_eq!((init.user_time_nanos, init.system_time_nanos), (10_000_000, 0));
    assert_eq!((init.threads, init.nice, init.tid), (1, 0, None));
}

#[tokio::test]
async fn users_have_the_names_of_the_targets_own_passwd() {
    let (rows, _) = processes(ListProcessesRequest::default()).await;
    let users: Vec<_> = rows.iter().map(|process| (process.uid, process.user.as_deref())).collect();
    assert_eq!(users[0], (0, Some(&b"root"[..])));
    assert_eq!(users[1], (65532, Some(&b"nonroot"[..])));
    assert_eq!(users[4], (1000, None));
}

#[tokio::test]
async fn a_zombie_has_no_arguments_and_that_is_no_gap() {
    let (rows, summary) = processes(ListProcessesRequest { details: true, ..Default::default() }).await;
    let zombie = &rows[3];
    assert_eq!((zombie.state(), zombie.arguments.len()), (ProcessState::Zombie, 0));
    let details = zombie.details.clone().unwrap();
    assert_eq!((details.swap_bytes, details.wait_channel.as_deref()), (None, Some("")));
    let details = rows[0].details.clone().unwrap();
    assert_eq!((details.swap_bytes, details.wait_channel.as_deref()), (Some(0), Some("__do_sys_pause")));
    assert_eq!(summary.gaps, [ended()]);
}

#[tokio::test]
async fn all_shows_strangers_too_and_says_whose_they_are() {
    let (rows, summary) =
        processes(ListProcessesRequest { all: true, details: true, ..Default::default() }).await;
    assert_eq!(pids(&rows), [1, 2, 7, 8, 10, 11, 12]);
    let kernel_thread = &rows[1];
    assert!(
        kernel_thread.kernel_thread && kernel_thread.arguments.is_empty() && kernel_thread.user.is_none()
    );
    assert_eq!((kernel_thread.origin(), rows[6].origin()), (ProcessOrigin::Other, ProcessOrigin::Dbgctl));
    assert_eq!(summary.sent, 7);
}

#[tokio::test]
async fn a_list_of_threads_has_a_row_for_each() {
    let (rows, _) = processes(ListProcessesRequest { threads: true, ..Default::default() }).await;
    let tids: Vec<_> = rows.iter().map(|process| (process.pid, process.tid.unwrap())).collect();
    assert_eq!(tids, [(1, 1), (7, 7), (7, 9), (8, 8), (10, 10), (11, 11)]);
    assert_eq!(rows[2].arguments, rows[1].arguments);
}

#[tokio::test]
async fn a_limit_is_told_only_if_there_was_more() {
    let (rows, summary) = processes(ListProcessesRequest { limit: 2, ..Default::default() }).await;
    assert_eq!((pids(&rows), summary.sent, summary.end()), (vec![1, 7], 2, End::Limit));
    let (rows, summary) = processes(ListProcessesRequest { limit: 5, ..Default::default() }).await;
    assert_eq!((rows.len(), summary.end()), (5, End::Complete));
}

fn row(pid: u32) -> Process {
    Process { pid, ..Default::default() }
}

fn terms(timeout: &str) -> stream::Terms {
    let mut request = Request::new(());
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    stream::Terms::of(&request, 0)
}

#[tokio::test]
async fn a_producer_without_end_is_ended_when_the_client_goes_away() {
    let (done, ended) = tokio::sync::oneshot::channel();
    let stream = stream::bounded::<ListProcessesResponse, _>(terms("60S"), move |out| {
        let error = (0..).try_for_each(|pid| out.row(row(pid))).unwrap_err();
        let _ = done.send(format!("{error:?}"));
        Err(error)
    });
    drop(stream);
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap(), "Enough");
}

#[tokio::test]
async fn a_slow_client_gets_what_fits_and_is_told_what_was_dropped() {
    let stream = stream::bounded::<ListProcessesResponse, _>(terms("2S"), |out| {
        (0..1_000_000).try_for_each(|pid| out.row(row(pid)))
    });
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let messages = drain(stream).await;
    let Some(list_processes_response::Part::Summary(summary)) = &messages[messages.len() - 1].part else {
        panic!("no summary at the end")
    };
    assert_eq!((summary.end(), summary.sent, summary.dropped), (End::Deadline, 4 * 256, 256));
}

async fn last<F>(produce: F) -> Status
where
    F: FnOnce(&mut stream::Out<ListMemoryResponse>) -> Result<(), stream::Halt> + Send + 'static,
{
    let stream = stream::bounded(terms("60S"), produce);
    stream.collect::<Vec<_>>().await.pop().unwrap().unwrap_err()
}

#[tokio::test]
async fn a_failure_ends_the_stream_with_its_status_and_a_panic_does_too() {
    let failed = last(|_| Err(ProbeError::from(BadRequest::new("limit", "must be small")).into())).await;
    assert_eq!((failed.code(), failed.message()), (Code::InvalidArgument, "limit: must be small"));
    let broken = last(|_| panic!("at the disco")).await;
    assert_eq!((broken.code(), broken.message()), (Code::Internal, "the probe broke: at the disco"));
}

#[tokio::test]
async fn the_time_between_two_readings_ends_when_the_client_goes_away() {
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let hour = Duration::from_secs(3600);
    let before = move |_: &mut stream::Out<ListProcessesResponse>| Ok(done);
    let stream = stream::sampled::<ListProcessesResponse, _, _, _>(terms("60S"), hour, before, |_, _| Ok(()));
    drop(stream);
    // What the first reading kept is let go.
    assert!(tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().is_err());
}

#[tokio::test]
async fn a_second_reading_that_would_be_too_late_is_told_as_such() {
    let hour = Duration::from_secs(3600);
    let after = |(), _: &mut stream::Out<ListProcessesResponse>| panic!("not wanted any more");
    let messages = drain(stream::sampled(terms("2S"), hour, |_| Ok(()), after)).await;
    let [ListProcessesResponse { part: Some(list_processes_response::Part::Summary(summary)) }] =
        &messages[..]
    else {
        panic!("{messages:?}")
    };
    assert_eq!((summary.end(), summary.sent), (End::Deadline, 0));
}

#[tokio::test]
async fn what_is_missing_from_both_readings_is_told_once() {
    let read = |out: &mut stream::Out<ListProcessesResponse>| {
        out.gaps.add("user names", "permission denied");
        Ok(())
    };
    let stream = stream::sampled(terms("60S"), Duration::ZERO, read, move |(), out| read(out));
    let messages = drain(stream).await;
    let Some(list_processes_response::Part::Summary(summary)) = &messages[0].part else {
        panic!("{messages:?}")
    };
    assert_eq!(summary.gaps, [gap("user names", "permission denied", 1)]);
}
