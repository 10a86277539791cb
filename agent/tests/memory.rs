//! Memory of recorded and of hand-written targets, through the service itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers, too")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dbgctl_agent::guard::Lacking;
use dbgctl_agent::probes::memory::Memory;
use dbgctl_agent::sources::Sources;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_service_server::MemoryService;
use dbgctl_proto::v1::{
    CgroupMemory, End, Gap, Limit, ListMappingsRequest, ListMemoryRequest, MappingGroup, MemoryHeader,
    ProcessMemory, Summary, Unread, limit,
};
use tokio_stream::StreamExt;
use tonic::{Request, Status};

/// What one question was answered.
struct Answer {
    cgroup: CgroupMemory,
    header: MemoryHeader,
    rows: Vec<ProcessMemory>,
    summary: Summary,
}

async fn ask(scene: &Path, request: ListMemoryRequest) -> Answer {
    let service = Memory::new(Arc::new(Sources::recorded(scene).unwrap()));
    let mut request = Request::new(request);
    // As the guard tells it.
    request.extensions_mut().insert(Lacking(vec!["CAP_SYS_PTRACE"]));
    let stream = service.list_memory(request).await.unwrap().into_inner();
    let mut parts: Vec<_> = stream.map(|message| message.unwrap().part.unwrap()).collect().await;
    let Some(Part::Summary(summary)) = parts.pop() else { panic!("no summary at the end") };
    let Part::Cgroup(cgroup) = parts.remove(0) else { panic!("no cgroup at the start") };
    let Part::Header(header) = parts.remove(0) else { panic!("no header before the processes") };
    let rows = parts.into_iter().flat_map(|part| match part {
        Part::Batch(batch) => batch.processes,
        other => panic!("{other:?} among the processes"),
    });
    Answer { rows: rows.collect(), cgroup, header, summary }
}

async fn hostile_target(request: ListMemoryRequest) -> Answer {
    ask(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hostile-target"), request).await
}

fn gap(subject: &str, reason: &str, count: u64) -> Gap {
    Gap { subject: subject.into(), reason: reason.into(), count }
}

fn pids(answer: &Answer) -> Vec<u32> {
    answer.rows.iter().map(|process| process.pid).collect()
}

#[tokio::test]
async fn memory_begins_with_the_cgroup_and_then_the_biggest_process() {
    let answer = hostile_target(ListMemoryRequest::default()).await;
    assert_eq!((answer.cgroup.version, answer.cgroup.current_bytes), (1, Some(1835008)));
    assert_eq!(answer.cgroup.limit, Some(Limit { limit: Some(limit::Limit::At(64 << 20)) }));
    assert_eq!(pids(&answer), [8, 1, 7, 11], "by the resident set of stat");
    let init = &answer.rows[1];
    assert_eq!((init.command.as_slice(), init.swap_pss_bytes), (&b"init"[..], Some(0)));
    assert_eq!(init.started_boottime_nanos, 1_884_680_000_000);
}

#[tokio::test]
async fn what_may_not_be_read_keeps_its_row_and_its_resident_set() {
    let answer = hostile_target(ListMemoryRequest::default()).await;
    let denied = &answer.rows[0];
    assert_eq!((denied.unread(), denied.pss_bytes, denied.uss_bytes), (Unread::Failed, None, None));
    assert!(denied.rss_bytes > 0 && answer.rows[1].pss_bytes.is_some(), "{denied:?}");
    let gaps = vec![
        gap("processes", "ended while the list was made", 1),
        // The scene has no such file.
        gap("memory of the machine", "no such file or directory", 1),
        gap("memory of processes", "permission denied (needs CAP_SYS_PTRACE)", 1),
    ];
    assert_eq!(answer.summary, Summary { sent: 4, dropped: 0, gaps, end: End::Complete.into() });
}

#[tokio::test]
async fn a_limited_memory_list_keeps_the_biggest() {
    let answer = hostile_target(ListMemoryRequest { limit: 1, ..Default::default() }).await;
    assert_eq!((pids(&answer), answer.summary.sent, answer.summary.end()), (vec![8], 1, End::Limit));
}

#[tokio::test]
async fn strangers_are_weighed_only_if_asked_for_and_others_than_named_never() {
    let all = hostile_target(ListMemoryRequest { all: true, ..Default::default() }).await;
    assert!(pids(&all).contains(&12), "{:?}", pids(&all));
    let one = hostile_target(ListMemoryRequest { pids: vec![11, 4711], ..Default::default() }).await;
    assert_eq!(pids(&one), [11]);
}

#[tokio::test]
async fn what_is_left_alone_is_listed_with_its_reason_and_costs_nothing() {
    let whole = hostile_target(ListMemoryRequest::default()).await;
    for (request, unread, gaps) in [
        (ListMemoryRequest { budget_nanos: Some(0), ..Default::default() }, Unread::Budget, 1),
        (ListMemoryRequest { biggest_to_read_bytes: Some(0), ..Default::default() }, Unread::TooBig, 0),
        (ListMemoryRequest { rest_pids: vec![1, 7, 8, 11], ..Default::default() }, Unread::Rests, 0),
    ] {
        let answer = hostile_target(request).await;
        assert!(
            answer.rows.iter().all(|row| row.unread() == unread && row.pss_bytes.is_none()),
            "{unread:?}"
        );
        assert_eq!(answer.rows.len(), whole.rows.len());
        let told =
            answer.summary.gaps.iter().filter(|gap| gap.subject == "memory of processes" && gap.count == 4);
        assert_eq!(told.count(), gaps, "{:?}", answer.summary);
        let to_read = if unread == Unread::Budget { whole.header.resident_bytes_to_read } else { 0 };
        assert_eq!(answer.header.resident_bytes_to_read, to_read, "{unread:?}");
    }
}

/// A target of one process on a kernel with control groups of version 2.
fn on_version_2() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let id = "a".repeat(64);
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "scene",
        &format!("target {id}\nboottime_nanos 1\nunix_nanos 1\nticks_per_second 100\npage_bytes 4096\n"),
    );
    write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 8 kB\nSwapFree: 4 kB\n");
    write("proc/self/cgroup", "0::/\n");
    write("proc/1/cgroup", &format!("0::/../{id}\n"));
    write("proc/1/stat", "1 (x) S 0 0 0 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 5 1 25 0\n");
    write(
        "proc/1/smaps_rollup",
        "Rss: 100 kB\nPss: 60 kB\nPrivate_Clean: 8 kB\nPrivate_Dirty: 12 kB\nSwap: 4 kB\n",
    );
    write("proc/1/oom_score", "667\n");
    write("proc/1/oom_score_adj", "-17\n");
    let cgroup = "proc/1/root/sys/fs/cgroup";
    for (file, text) in [
        ("cgroup.events", "populated 1\n"),
        ("memory.current", "409600\n"),
        ("memory.max", "max\n"),
        ("memory.high", "8192000\n"),
        ("memory.stat", "anon 40960\nfile 81920\ninactive_file 61440\nsock 4096\n"),
        ("memory.events", "low 0\nhigh 3\nmax 0\noom 0\noom_kill 2\n"),
        ("memory.pressure", "some avg10=1.50 avg60=0.00 avg300=0.00 total=5\n"),
    ] {
        write(&format!("{cgroup}/{file}"), text);
    }
    dir
}

#[tokio::test]
async fn version_2_is_told_in_the_contracts_words() {
    let scene = on_version_2();
    let answer = ask(scene.path(), ListMemoryRequest::default()).await;
    let CgroupMemory { stat, events, pressure, .. } = answer.cgroup;
    assert_eq!((answer.cgroup.version, answer.cgroup.working_set_bytes), (2, Some(409_600 - 61_440)));
    assert_eq!(answer.cgroup.limit, Some(Limit { limit: Some(limit::Limit::Unlimited(true)) }));
    assert_eq!(answer.cgroup.high, Some(Limit { limit: Some(limit::Limit::At(8_192_000)) }));
    assert_eq!((answer.cgroup.peak_bytes, answer.cgroup.swap_bytes, answer.cgroup.low), (None, None, None));
    let stat = stat.unwrap();
    assert_eq!((stat.anon_bytes, stat.sock_bytes, stat.kernel_bytes), (Some(40_960), Some(4096), None));
    let events = events.unwrap();
    assert_eq!((events.oom_kill, events.high, events.oom_group_kill), (Some(2), Some(3), None));
    assert_eq!(pressure.unwrap().some.unwrap().avg10_percent, 1.5);
    assert_eq!(answer.header.machine.unwrap().available_bytes, Some(600 << 10));
    assert_eq!(answer.header.resident_bytes_to_read, 25 * 4096);
    let row = &answer.rows[0];
    assert_eq!((row.oom_score, row.oom_score_adj), (Some(667), Some(-17)));
    assert_eq!((row.swap_bytes, row.swap_pss_bytes, row.uss_bytes), (Some(4096), None, Some(20 << 10)));
    assert_eq!(row.unread(), Unread::Unspecified);
    assert!(answer.summary.gaps.is_empty(), "{:?}", answer.summary);
}

async fn mappings(scene: &Path, pid: u32) -> Result<(Vec<MappingGroup>, Summary), Status> {
    use dbgctl_proto::v1::list_mappings_response::Part;
    let service = Memory::new(Arc::new(Sources::recorded(scene).unwrap()));
    let request = Request::new(ListMappingsRequest { pid, limit: 0 });
    let stream = service.list_mappings(request).await.unwrap().into_inner();
    let messages = stream.collect::<Result<Vec<_>, _>>().await?;
    let mut parts: Vec<_> = messages.into_iter().map(|message| message.part.unwrap()).collect();
    let Some(Part::Summary(summary)) = parts.pop() else { panic!("no summary at the end") };
    let groups = parts.into_iter().flat_map(|part| match part {
        Part::Batch(batch) => batch.groups,
        Part::Summary(_) => panic!("a second summary"),
    });
    Ok((groups.collect(), summary))
}

#[tokio::test]
async fn mappings_of_a_process_are_grouped_and_those_of_a_stranger_are_not_told() {
    let scene = on_version_2();
    let smaps = "1000-3000 r--p 0 0:1 7 /bin/x\nSize: 8 kB\nRss: 4 kB\n5000-6000 rw-p 0 0:0 0\nRss: 8 kB\n";
    fs::write(scene.path().join("proc/1/smaps"), smaps).unwrap();
    let (groups, summary) = mappings(scene.path(), 1).await.unwrap();
    let told: Vec<_> = groups.iter().map(|group| (group.name.as_slice(), group.rss_bytes)).collect();
    assert_eq!(told, [(&b""[..], 8 << 10), (b"/bin/x", 4 << 10)]);
    assert!(summary.gaps.is_empty(), "{summary:?}");

    let refusal = mappings(scene.path(), 4711).await.unwrap_err();
    assert_eq!(refusal.message(), "pid: no process of the target has number 4711");
}

#[tokio::test]
async fn a_cgroup_file_that_makes_no_sense_is_named() {
    let scene = on_version_2();
    fs::write(scene.path().join("proc/1/root/sys/fs/cgroup/memory.stat"), "rubbish\n").unwrap();
    let answer = ask(scene.path(), ListMemoryRequest::default()).await;
    assert_eq!(answer.cgroup.stat, None);
    let expected = gap("memory.stat", "unexpected format: no a key and a number", 1);
    assert_eq!(answer.summary.gaps, [expected]);
}
