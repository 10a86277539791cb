//! What all lists of the contract have in common: a header where there is one, rows in batches, a summary.

use std::convert::Infallible;
use std::fmt::Debug;
use std::mem::size_of_val;

use prost::Message;

use crate::{SocketBatch, v1};

/// The stream that one RPC answers with.
pub trait List: Message + Debug + Default + 'static {
    /// What it answers.
    type Request: Message + 'static;
    /// What is neither row nor summary. [`Infallible`] where there is no such thing.
    type Header: Debug + Send + 'static;
    /// What is counted and limited.
    type Row: Debug + Send + 'static;

    /// Path of the RPC.
    const RPC: &'static str;

    /// The message of one part.
    fn from_part(part: Part<Self>) -> Self;

    /// The part of one message. `None`: one that only a newer peer knows.
    fn into_part(self) -> Option<Part<Self>>;

    /// About how much memory a row takes, with all that it holds.
    fn row_bytes(row: &Self::Row) -> usize;

    /// The same of what is no row, if there can be many of it.
    fn header_bytes(_header: &Self::Header) -> usize {
        0
    }
}

/// What a message of a list carries.
#[derive(Debug)]
pub enum Part<L: List> {
    /// What is neither row nor summary.
    Header(L::Header),
    /// Some rows.
    Rows(Vec<L::Row>),
    /// The end.
    Summary(v1::Summary),
}

/// A list in a line or two: its RPC as the contract has it, then its parts.
///
/// What a row holds counts with its length on the wire, which is little less than it takes in memory. An element of a list
/// is another matter, since an empty one has two bytes there, and the size of its type here: `holds` adds the lists in a row.
macro_rules! list {
    (
        $service:ident.$rpc:ident($request:ident) -> $response:ident,
        $parts:ident: Batch($batch:ident { $rows:ident: $row:ident })
        $(, holds |$of:ident| $held:expr)?
    ) => {
        list!(
            @impl $service.$rpc($request) -> $response, $parts, $batch, $rows, $row, Infallible,
            { Part::Header(never) => match never {} } {} { $(|$of| $held)? }
        );
    };
    (
        $service:ident.$rpc:ident($request:ident) -> $response:ident,
        $parts:ident: $header:ident($header_type:ident), Batch($batch:ident { $rows:ident: $row:ident })
        $(, holds |$of:ident| $held:expr)?
    ) => {
        list!(
            @impl $service.$rpc($request) -> $response, $parts, $batch, $rows, $row, v1::$header_type,
            { Part::Header(header) => v1::$parts::Part::$header(header) }
            { v1::$parts::Part::$header(header) => Part::Header(header), }
            { $(|$of| $held)? }
        );
    };
    (
        $service:ident.$rpc:ident($request:ident) -> $response:ident,
        $parts:ident: $(#[$about:meta])* enum $name:ident { $($header:ident($header_type:ty)),+ $(,)? },
        Batch($batch:ident { $rows:ident: $row:ident })
        $(, holds |$of:ident| $held:expr)?
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub enum $name {
            $(#[doc = concat!("As `", stringify!($header), "` in the contract.")] $header($header_type),)+
        }

        list!(
            @impl $service.$rpc($request) -> $response, $parts, $batch, $rows, $row, $name,
            {
                Part::Header(header) => match header {
                    $($name::$header(header) => v1::$parts::Part::$header(header),)+
                }
            }
            { $(v1::$parts::Part::$header(header) => Part::Header($name::$header(header)),)+ }
            { $(|$of| $held)? }
        );
    };
    (
        @impl $service:ident.$rpc:ident($request:ident) -> $response:ident,
        $parts:ident, $batch:ident, $rows:ident, $row:ident, $header:ty,
        { $($from_header:tt)+ } { $($into_header:tt)* } { $(|$of:ident| $held:expr)? }
    ) => {
        impl List for v1::$response {
            type Request = v1::$request;
            type Header = $header;
            type Row = v1::$row;

            const RPC: &'static str = concat!("/dbgctl.v1.", stringify!($service), "/", stringify!($rpc));

            fn from_part(part: Part<Self>) -> Self {
                let part = match part {
                    $($from_header)+,
                    Part::Rows($rows) => v1::$parts::Part::Batch(v1::$batch { $rows }),
                    Part::Summary(summary) => v1::$parts::Part::Summary(summary),
                };
                Self { part: Some(part) }
            }

            fn into_part(self) -> Option<Part<Self>> {
                Some(match self.part? {
                    $($into_header)*
                    v1::$parts::Part::Batch(batch) => Part::Rows(batch.$rows),
                    v1::$parts::Part::Summary(summary) => Part::Summary(summary),
                })
            }

            fn row_bytes(row: &v1::$row) -> usize {
                size_of::<v1::$row>() + row.encoded_len() $(+ { let $of = row; $held })?
            }
        }
    };
}

list!(ProcessService.ListProcesses(ListProcessesRequest) -> ListProcessesResponse,
    list_processes_response: Header(ProcessListHeader), Batch(ProcessBatch { processes: Process }),
    holds |process| size_of_val(process.arguments.as_slice()));
list!(MemoryService.ListMemory(ListMemoryRequest) -> ListMemoryResponse,
    list_memory_response:
        /// What comes ahead of the processes.
        #[expect(clippy::large_enum_variant, reason = "it is handed on at once, and never kept in a list")]
        enum MemoryAccount { Cgroup(v1::CgroupMemory), Header(v1::MemoryHeader) },
    Batch(ProcessMemoryBatch { processes: ProcessMemory }));
list!(MemoryService.ListMappings(ListMappingsRequest) -> ListMappingsResponse,
    list_mappings_response: Batch(MappingGroupBatch { groups: MappingGroup }));
list!(CpuService.ListCpu(ListCpuRequest) -> ListCpuResponse,
    list_cpu_response: Header(CpuHeader), Batch(TaskCpuBatch { tasks: TaskCpu }));
list!(IoService.ListIo(ListIoRequest) -> ListIoResponse,
    list_io_response: Header(IoHeader), Batch(ProcessIoBatch { processes: ProcessIo }));
list!(PidService.ListPids(ListPidsRequest) -> ListPidsResponse,
    list_pids_response: Header(PidsHeader), Batch(ProcessThreadsBatch { processes: ProcessThreads }));
list!(LimitService.ListLimits(ListLimitsRequest) -> ListLimitsResponse,
    list_limits_response: Batch(LimitUseBatch { limits: LimitUse }));
list!(EnvironmentService.ListEnvironments(ListEnvironmentsRequest) -> ListEnvironmentsResponse,
    list_environments_response: Batch(EnvironmentBatch { processes: ProcessEnvironment }),
    holds |process| size_of_val(process.variables.as_slice()));
list!(StackService.ListStacks(ListStacksRequest) -> ListStacksResponse,
    list_stacks_response: Batch(StackBatch { threads: ThreadStack }),
    holds |thread| thread.system_call.as_ref().map_or(0, |call| size_of_val(call.arguments.as_slice())));
list!(DnsService.LookUpName(LookUpNameRequest) -> LookUpNameResponse,
    look_up_name_response:
        /// What is told of a look-up beside its questions.
        enum LookUpNews { Header(v1::LookUpHeader), Verdict(v1::LookUpVerdict) },
    Batch(DnsQuestionBatch { questions: DnsQuestion }),
    holds |question| question.answer.as_ref().map_or(0, |answer| size_of_val(answer.records.as_slice())));
list!(NetworkService.ListNetwork(ListNetworkRequest) -> ListNetworkResponse,
list_network_response: Header(NetworkHeader), Batch(NetworkBatch { items: NetworkItem }),
holds |item| match &item.item {
    Some(v1::network_item::Item::Route(route)) => size_of_val(route.next_hops.as_slice()),
    _ => 0,
});
list!(PingService.Ping(PingRequest) -> PingResponse,
    ping_response:
        /// What is told beside the replies.
        enum PingNews { Header(v1::PingHeader), PathMtu(v1::PathMtu) },
    Batch(PingReplyBatch { replies: PingReply }));
list!(TraceService.Trace(TraceRequest) -> TraceResponse,
    trace_response: Header(TraceHeader), Batch(TraceHopBatch { hops: TraceHop }),
    holds |hop| size_of_val(hop.answers.as_slice()));
list!(DirectoryService.ListDirectory(ListDirectoryRequest) -> ListDirectoryResponse,
    list_directory_response: Batch(DirectoryEntryBatch { entries: DirectoryEntry }),
    holds |entry| attributes(entry.status.as_ref()));
list!(SearchService.FindFiles(FindFilesRequest) -> FindFilesResponse,
    find_files_response: Walked(Walked), Batch(FoundFileBatch { files: FoundFile }),
    holds |file| attributes(file.status.as_ref()));
list!(MountService.ListMounts(ListMountsRequest) -> ListMountsResponse,
    list_mounts_response: Batch(MountBatch { mounts: Mount }));
list!(UsageService.MeasureUsage(MeasureUsageRequest) -> MeasureUsageResponse,
    measure_usage_response: Total(UsageTotal), Batch(UsageBatch { rows: Usage }));
list!(ContentService.ReadFile(ReadFileRequest) -> ReadFileResponse,
    read_file_response:
        /// What is told about a file between its content.
        #[expect(clippy::large_enum_variant, reason = "it is handed on at once, and never kept in a list")]
        enum ContentNews { Header(v1::ContentHeader), Event(i32) },
    Batch(ContentChunkBatch { chunks: ContentChunk }));
list!(CopyService.CopyOut(CopyOutRequest) -> CopyOutResponse,
    copy_out_response:
        /// The content of the file that was the last entry, and the end of that.
        enum CopyContent { Data(v1::CopyData), End(v1::CopyEnd) },
    Batch(CopyEntryBatch { entries: CopyEntry }),
    holds |entry| size_of_val(entry.extents.as_slice()) + attributes(entry.status.as_ref()));

fn attributes(status: Option<&v1::FileStatus>) -> usize {
    status.map_or(0, |status| size_of_val(status.attributes.as_slice()))
}

/// A row of [`v1::ListDescriptorsResponse`]: what a process has open, and the process itself if that is the first of it.
#[derive(Debug, Clone)]
pub struct OpenDescriptor {
    /// Whose it is, if nothing of it was listed before.
    pub process: Option<v1::DescriptorProcess>,
    /// What is open.
    pub descriptor: v1::Descriptor,
}

impl List for v1::ListDescriptorsResponse {
    type Request = v1::ListDescriptorsRequest;
    type Header = Infallible;
    type Row = OpenDescriptor;

    const RPC: &'static str = "/dbgctl.v1.DescriptorService/ListDescriptors";

    fn from_part(part: Part<Self>) -> Self {
        use v1::list_descriptors_response::Part as Message;
        let part = match part {
            Part::Header(never) => match never {},
            Part::Rows(rows) => {
                let descriptors = Vec::with_capacity(rows.len());
                let mut batch = v1::DescriptorBatch { processes: Vec::new(), descriptors };
                for row in rows {
                    batch.processes.extend(row.process);
                    batch.descriptors.push(row.descriptor);
                }
                Message::Batch(batch)
            }
            Part::Summary(summary) => Message::Summary(summary),
        };
        Self { part: Some(part) }
    }

    fn into_part(self) -> Option<Part<Self>> {
        use v1::list_descriptors_response::Part as Message;
        Some(match self.part? {
            Message::Batch(batch) => {
                let mut processes = batch.processes.into_iter().peekable();
                let row = |descriptor: v1::Descriptor| OpenDescriptor {
                    process: processes.next_if(|process| process.pid == descriptor.pid),
                    descriptor,
                };
                Part::Rows(batch.descriptors.into_iter().map(row).collect())
            }
            Message::Summary(summary) => Part::Summary(summary),
        })
    }

    fn row_bytes(row: &OpenDescriptor) -> usize {
        let OpenDescriptor { process, descriptor } = row;
        let socket = descriptor.socket.as_deref().map_or(0, size_of_val);
        let details = descriptor.details.as_deref().map_or(0, |details| {
            size_of_val(details) + size_of_val(&*details.flags) + size_of_val(&*details.locks)
        });
        let on_the_wire = process.as_ref().map_or(0, Message::encoded_len) + descriptor.encoded_len();
        size_of::<OpenDescriptor>() + on_the_wire + socket + details
    }
}

/// What is told of sockets beside them.
#[derive(Debug, Clone)]
pub enum SocketNews {
    /// As `Header` in the contract.
    Header(v1::SocketListHeader),
    /// As `Owner` in the contract. One for each process, or more.
    Owner(v1::SocketOwner),
}

impl List for v1::ListSocketsResponse {
    type Request = v1::ListSocketsRequest;
    type Header = SocketNews;
    type Row = Box<v1::Socket>;

    const RPC: &'static str = "/dbgctl.v1.SocketService/ListSockets";

    fn from_part(part: Part<Self>) -> Self {
        use v1::list_sockets_response::Part as Message;
        let part = match part {
            Part::Header(SocketNews::Header(header)) => Message::Header(header),
            Part::Header(SocketNews::Owner(owner)) => Message::Owner(owner),
            Part::Rows(sockets) => Message::Batch(SocketBatch { encoded: Vec::new(), sockets }),
            Part::Summary(summary) => Message::Summary(summary),
        };
        Self { part: Some(part) }
    }

    fn into_part(self) -> Option<Part<Self>> {
        use v1::list_sockets_response::Part as Message;
        Some(match self.part? {
            Message::Header(header) => Part::Header(SocketNews::Header(header)),
            Message::Owner(owner) => Part::Header(SocketNews::Owner(owner)),
            Message::Batch(batch) => Part::Rows(batch.sockets),
            Message::Summary(summary) => Part::Summary(summary),
        })
    }

    fn row_bytes(socket: &Box<v1::Socket>) -> usize {
        let boxed = |is_there: bool, bytes: usize| if is_there { bytes } else { 0 };
        size_of::<v1::Socket>()
            + socket.encoded_len()
            + boxed(socket.memory.is_some(), size_of::<v1::SocketMemory>())
            + boxed(socket.tcp.is_some(), size_of::<v1::TcpInfo>())
            + boxed(socket.unix.is_some(), size_of::<v1::UnixSocket>())
            + boxed(socket.packet.is_some(), size_of::<v1::PacketSocket>())
            + boxed(socket.netlink.is_some(), size_of::<v1::NetlinkSocket>())
    }

    fn header_bytes(news: &SocketNews) -> usize {
        match news {
            SocketNews::Header(_) => 0,
            SocketNews::Owner(owner) => {
                size_of_val(owner) + owner.encoded_len() + size_of_val(owner.inodes.as_slice())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs_of;

    /// Whether its parts are the same after they were a message.
    fn is_faithful<L: List>(parts: Vec<Part<L>>) -> bool {
        parts.into_iter().all(|part| {
            let before = format!("{part:?}");
            needs_of(L::RPC).is_some() && before == format!("{:?}", L::from_part(part).into_part().unwrap())
        })
    }

    fn parts<L: List<Row: Default>>(headers: Vec<L::Header>) -> Vec<Part<L>> {
        let others =
            [Part::Rows(vec![L::Row::default(), L::Row::default()]), Part::Summary(v1::Summary::default())];
        headers.into_iter().map(Part::Header).chain(others).collect()
    }

    #[test]
    fn a_part_is_the_same_after_it_was_a_message_and_its_rpc_is_in_the_contract() {
        let total = v1::UsageTotal { rows_left_out: 7, ..v1::UsageTotal::default() };
        assert!(is_faithful::<v1::MeasureUsageResponse>(parts(vec![total])));
        let accounts = vec![
            MemoryAccount::Cgroup(v1::CgroupMemory { version: 2, ..v1::CgroupMemory::default() }),
            MemoryAccount::Header(v1::MemoryHeader::default()),
        ];
        assert!(is_faithful::<v1::ListMemoryResponse>(parts(accounts)));
        assert!(is_faithful::<v1::ListLimitsResponse>(parts(vec![])));
        let descriptor = |pid| v1::Descriptor { pid, ..v1::Descriptor::default() };
        let process = |pid| v1::DescriptorProcess { pid, ..v1::DescriptorProcess::default() };
        let row = |is_first: bool, pid| OpenDescriptor {
            process: is_first.then(|| process(pid)),
            descriptor: descriptor(pid),
        };
        let rows = vec![row(false, 1), row(true, 2), row(false, 2), row(false, 3), row(true, 4)];
        assert!(is_faithful::<v1::ListDescriptorsResponse>(vec![Part::Rows(rows)]));
    }

    #[test]
    fn what_is_short_on_the_wire_and_long_in_memory_counts_as_that() {
        let short = |count| v1::Process { arguments: vec![Vec::new(); count], ..v1::Process::default() };
        let more = |list: fn(&v1::Process) -> usize| list(&short(1000)) - list(&short(0));
        assert_eq!(more(Message::encoded_len), 2 * 1000);
        assert!(more(v1::ListProcessesResponse::row_bytes) >= 1000 * size_of::<Vec<u8>>());
    }
}
