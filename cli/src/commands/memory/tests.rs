//! The whole path: a request, a service that answers it, the text that comes out.

use std::sync::Mutex;

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::list_memory_response::Part;
use dbgctl_proto::v1::memory_service_server::{MemoryService, MemoryServiceServer};
use dbgctl_proto::v1::{
    CgroupMemory, CgroupMemoryEvents, CgroupMemoryStat, End, Gap, MachineMemory, MemoryHeader, ProcessMemory,
    ProcessMemoryBatch, Summary, TmpfsMount, Unread,
};
use tonic::{Request, Response, Status};

use super::*;
use crate::commands::testing::{Written, agent_with};
use crate::render::Format;

const MIB: u64 = 1 << 20;

/// Answers each request with the next list, and remembers it.
#[derive(Clone, Default)]
struct Fake {
    lists: std::sync::Arc<Mutex<Vec<Vec<Part>>>>,
    requests: std::sync::Arc<Mutex<Vec<v1::ListMemoryRequest>>>,
}

#[tonic::async_trait]
impl MemoryService for Fake {
    type ListMappingsStream = crate::commands::testing::Replies<v1::ListMappingsResponse>;

    async fn list_mappings(
        &self,
        _: Request<v1::ListMappingsRequest>,
    ) -> Result<Response<Self::ListMappingsStream>, Status> {
        use v1::list_mappings_response::Part;
        let group = |name: &[u8], others, rss_bytes| v1::MappingGroup {
            name: name.to_vec(),
            others,
            mappings: 2,
            rss_bytes,
            size_bytes: u64::MAX,
            ..v1::MappingGroup::default()
        };
        let groups = vec![group(b"/a\x1b[2J", false, 9 * MIB), group(b"", false, MIB), group(b"", true, 0)];
        let summary = Summary { sent: 3, end: End::Complete.into(), ..Summary::default() };
        let parts = [Part::Batch(v1::MappingGroupBatch { groups }), Part::Summary(summary)];
        let replies = parts.map(|part| Ok(v1::ListMappingsResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(Vec::from(replies))))
    }

    type ListMemoryStream = crate::commands::testing::Replies<v1::ListMemoryResponse>;

    async fn list_memory(
        &self,
        request: Request<v1::ListMemoryRequest>,
    ) -> Result<Response<Self::ListMemoryStream>, Status> {
        self.requests.lock().unwrap().push(request.into_inner());
        let parts = self.lists.lock().unwrap().remove(0);
        let replies = parts.into_iter().map(|part| Ok(v1::ListMemoryResponse { part: Some(part) }));
        Ok(Response::new(tokio_stream::iter(replies.collect::<Vec<_>>())))
    }
}

fn process(pid: u32, mib: u64, command: &[u8]) -> ProcessMemory {
    ProcessMemory {
        pid,
        command: command.to_vec(),
        rss_bytes: (mib + 50) * MIB,
        pss_bytes: Some(mib * MIB),
        uss_bytes: Some((mib - 1) * MIB),
        pss_anon_bytes: Some((mib - 1) * MIB),
        pss_file_bytes: Some(MIB),
        pss_shmem_bytes: Some(0),
        oom_score: Some(680),
        oom_score_adj: Some(0),
        ..ProcessMemory::default()
    }
}

fn summary() -> Part {
    Part::Summary(Summary { sent: 2, end: End::Complete.into(), ..Summary::default() })
}

fn parts(limit: Option<Limit>) -> Vec<Part> {
    let stat = CgroupMemoryStat {
        anon_bytes: Some(300 * MIB),
        file_bytes: Some(190 * MIB),
        file_mapped_bytes: Some(2 * MIB),
        file_dirty_bytes: Some(MIB),
        active_file_bytes: Some(50 * MIB),
        inactive_file_bytes: Some(120 * MIB),
        shmem_bytes: Some(20 * MIB),
        kernel_bytes: Some(12 * MIB),
        slab_reclaimable_bytes: Some(4 * MIB),
        page_tables_bytes: Some(MIB),
        ..CgroupMemoryStat::default()
    };
    let cgroup = CgroupMemory {
        version: 2,
        current_bytes: Some(512 * MIB),
        limit: Some(v1::Limit { limit }),
        working_set_bytes: Some(392 * MIB),
        peak_bytes: Some(600 * MIB),
        stat: Some(stat),
        events: Some(CgroupMemoryEvents { max: Some(1), oom_kill: Some(2), ..CgroupMemoryEvents::default() }),
        ..CgroupMemory::default()
    };
    let machine = MachineMemory {
        total_bytes: 8000 * MIB,
        available_bytes: Some(4000 * MIB),
        cpus: Some(4),
        page_bytes: 4096,
        ..MachineMemory::default()
    };
    let shm = TmpfsMount { mount_point: b"/dev/s\nm".to_vec(), used_bytes: 20 * MIB, size_bytes: None };
    let header = MemoryHeader { machine: Some(machine), tmpfs: vec![shm], ..MemoryHeader::default() };
    let processes = vec![process(1, 2, b"init"), process(9, 300, b"ja\nva\x1b[0m")];
    vec![Part::Cgroup(cgroup), Part::Header(header), Part::Batch(ProcessMemoryBatch { processes }), summary()]
}

async fn asked(args: Args, format: Format, lists: Vec<Vec<Part>>) -> (String, String, Exit, Fake) {
    let fake = Fake { lists: std::sync::Arc::new(Mutex::new(lists)), ..Fake::default() };
    let agent = agent_with(MemoryServiceServer::new(fake.clone())).await;
    let (stdout, stderr) = (Written::default(), Written::default());
    let mut output = Output::to(format, stdout.clone());
    let exit = args.ask(&agent, &mut output, &mut Talk::to(stderr.clone())).await.unwrap();
    (stdout.text(), stderr.text(), exit, fake)
}

async fn shown(format: Format, parts: Vec<Part>) -> (String, String, Exit) {
    let (stdout, stderr, exit, _) = asked(Args::default(), format, vec![parts]).await;
    (stdout, stderr, exit)
}

#[tokio::test]
async fn the_processes_come_first_then_what_the_cgroup_has_beyond_them_and_what_that_means() {
    let (stdout, stderr, exit) = shown(Format::Table, parts(Some(Limit::At(1 << 30)))).await;
    assert_eq!(
        stdout,
        "PID       RSS      PSS      USS  COMMAND\n\
         \x20 9   350 MiB  300 MiB  299 MiB  ja\\nva\\x1b[0m\n\
         \x20 1  52.0 MiB  2.0 MiB  1.0 MiB  init\n\
         CGROUP         BYTES  SHARE%      PSS  WHAT IT IS\n\
         anon         300 MiB    58.6  300 MiB  heaps and stacks of processes\n\
         page cache   170 MiB    33.2  2.0 MiB  files; 168 MiB mapped by no process: dropped when memory is short, 1.0 MiB to be written first\n\
         shmem       20.0 MiB     3.9      0 B  shared memory, and files in memory: 20.0 MiB in /dev/s\\nm\n\
         kernel      12.0 MiB     2.3        -  slab 4.0 MiB, page tables 1.0 MiB; 4.0 MiB of it can be dropped\n\
         rest        10.0 MiB     2.0        -  charged and not counted yet\n\
         sum of PSS: 302 MiB (anon 300 MiB, file 2.0 MiB, shmem 0 B)\n\
         cgroup v2: 512 MiB of 1.0 GiB (50.0%), at most 600 MiB so far, working set 392 MiB (all but inactive files)\n\
         since it was made: the limit was reached once, 2 processes were killed for lack of memory\n\
         not explained: 10.0 MiB (2.0%): 10.0 MiB is charged and in no figure of memory.stat: charges in flight, or a kind that this kernel does not count\n\
         headroom to the OOM killer: 631 MiB for sure (with clean inactive files dropped), 686 MiB at best (all page cache, the kernel's caches, and swap); limits of cgroups above cannot be seen\n\
         killed first: pid 9 ja\\nva\\x1b[0m (350 MiB resident, oom_score 680)\n"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
}

#[tokio::test]
async fn json_has_the_cgroup_in_its_header_and_tells_absent_from_unlimited() {
    let (stdout, ..) = shown(Format::Json, parts(Some(Limit::Unlimited(true)))).await;
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let header = &lines[0]["header"];
    assert_eq!(header["cgroup"]["limit"], "max");
    assert_eq!(header["cgroup"]["current_bytes"], 512 << 20);
    assert_eq!(header["cgroup"]["events"]["oom_kill"], 2);
    assert!(header["cgroup"]["high"].is_null() && header["cgroup"]["pressure"].is_null());
    assert_eq!(header["machine"]["cpus"], 4);
    assert_eq!(lines[1]["pid"], 9);
    assert_eq!(lines[1]["command"], "ja\nva\x1b[0m");
    assert!(lines[1]["swap_pss_bytes"].is_null());
    assert_eq!(lines[3]["summary"]["sent"], 2);
    assert_eq!(header["reconciliation"]["unexplained_bytes"], 10 << 20);
    assert_eq!(header["headroom"]["bound"], "machine");
    assert_eq!(header["headroom"]["killed_first_pid"], 9);

    let (stdout, ..) = shown(Format::Json, parts(None)).await;
    assert!(stdout.contains(r#""cgroup":{"version":2,"current_bytes":536870912,"limit":null,"#), "{stdout}");
}

#[tokio::test]
async fn a_cgroup_that_could_not_be_read_is_not_said_to_be_absent() {
    let gap = Gap { subject: "memory of the cgroup".into(), reason: "permission denied".into(), count: 1 };
    let summary = Summary { gaps: vec![gap], end: End::Complete.into(), ..Summary::default() };
    let (stdout, stderr, _) =
        shown(Format::Table, vec![Part::Cgroup(CgroupMemory::default()), Part::Summary(summary)]).await;
    assert!(stdout.contains("cgroup: no memory controller could be read\n"), "{stdout}");
    assert_eq!(stderr, "memory of the cgroup: permission denied\n");
}

#[tokio::test]
async fn figures_that_add_up_to_more_than_there_can_be_do_no_harm() {
    let huge = ProcessMemory {
        rss_bytes: u64::MAX,
        pss_bytes: Some(u64::MAX),
        oom_score_adj: Some(i32::MAX),
        ..ProcessMemory::default()
    };
    let batch = ProcessMemoryBatch { processes: vec![huge.clone(), huge] };
    let machine = MachineMemory {
        total_bytes: u64::MAX,
        cpus: Some(u32::MAX),
        page_bytes: u64::MAX,
        ..Default::default()
    };
    let header = MemoryHeader { machine: Some(machine), ..MemoryHeader::default() };
    let (stdout, stderr, exit) = shown(Format::Wide, vec![Part::Header(header), Part::Batch(batch)]).await;
    assert!(stdout.contains("sum of PSS of what is shown: more than there can be\n"), "{stdout}");
    assert!(stderr.contains("broke off"), "{stderr}");
    assert_eq!(exit, Exit::Unknown);
}

fn big(unread: Unread) -> Vec<Part> {
    let mut big =
        ProcessMemory { pid: 7, rss_bytes: 6 << 30, command: b"java".to_vec(), ..ProcessMemory::default() };
    match unread {
        Unread::Unspecified => big.pss_bytes = Some(5 << 30),
        unread => big.unread = unread.into(),
    }
    vec![Part::Batch(ProcessMemoryBatch { processes: vec![big, process(1, 2, b"init")] }), summary()]
}

#[tokio::test]
async fn a_big_process_is_read_only_with_consent_and_has_its_row_without() {
    let lists = || vec![big(Unread::TooBig), big(Unread::Unspecified)];
    let (stdout, stderr, exit, fake) = asked(Args::default(), Format::Table, lists()).await;
    assert!(stdout.contains("  7   6.0 GiB        -        -  too big  java\n"), "{stdout}");
    assert!(stdout.contains("sum of PSS: 2.0 MiB (anon 1.0 MiB, file 1.0 MiB, shmem 0 B), without 1 not read of 6.0 GiB resident"), "{stdout}");
    assert!(stderr.contains("pid 7 java (6.0 GiB resident) not read without consent: --yes"), "{stderr}");
    assert_eq!((fake.requests.lock().unwrap().len(), exit), (1, Exit::Answered));
    assert_eq!(fake.requests.lock().unwrap()[0].biggest_to_read_bytes, Some(4 << 30));

    for args in [
        Args { yes: true, ..Args::default() },
        Args { budget: Some(Duration::from_millis(5)), ..Args::default() },
    ] {
        let (.., fake) = asked(args, Format::Table, lists()).await;
        let request = fake.requests.lock().unwrap()[0].clone();
        assert_eq!(request.biggest_to_read_bytes, None);
    }
}

#[tokio::test]
async fn what_takes_long_to_read_is_said_before_it_is_read() {
    let header = MemoryHeader { resident_bytes_to_read: 10 << 30, ..MemoryHeader::default() };
    let (_, stderr, _) = shown(Format::Json, vec![Part::Header(header), summary()]).await;
    assert!(stderr.starts_with("reading 10.0 GiB takes up to about 120 ms"), "{stderr}");
}

#[test]
fn only_the_processes_in_question_replace_those_that_were_not_read() {
    let unread = ProcessMemory { pid: 7, started_boottime_nanos: 5, ..ProcessMemory::default() };
    let mut breakdown = Breakdown::default();
    breakdown.list.rows.push(unread);
    let another =
        ProcessMemory { pss_bytes: Some(1), started_boottime_nanos: 6, ..breakdown.list.rows[0].clone() };
    breakdown.replace(vec![another]);
    assert_eq!(breakdown.list.rows[0].pss_bytes, None, "another process has got the pid");
    let same = ProcessMemory { pss_bytes: Some(1), ..breakdown.list.rows[0].clone() };
    breakdown.replace(vec![same]);
    assert_eq!((breakdown.list.rows.len(), breakdown.list.rows[0].pss_bytes), (1, Some(1)));
}

#[tokio::test]
async fn what_is_mapped_is_named_and_the_names_are_escaped() {
    let args = || Args { pid: Some(7), maps: true, ..Args::default() };
    let (stdout, stderr, exit, _) = asked(args(), Format::Table, vec![]).await;
    assert_eq!(
        stdout,
        "\x20   RSS  PSS  DIRTY  SWAP      SIZE  MAPPINGS  MAPPED\n\
         9.0 MiB  0 B    0 B   0 B  16.0 EiB         2  /a\\x1b[2J\n\
         1.0 MiB  0 B    0 B   0 B  16.0 EiB         2  (anonymous)\n\
         \x20   0 B  0 B    0 B   0 B  16.0 EiB         2  (all others)\n\
         6 mappings: 10.0 MiB resident, 0 B by its share, of 16.0 EiB in the address space\n"
    );
    assert_eq!((stderr.as_str(), exit), ("", Exit::Answered));
    let (stdout, ..) = asked(args(), Format::Json, vec![]).await;
    assert!(stdout.starts_with(r#"{"name":"/a\u001b[2J","others":false,"mappings":2,"#), "{stdout}");
}
