//! The memory of a cgroup as it sees itself: `memory.*`, under the names of either version.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.

use super::keyed::{self, parse_limit, parse_number};
use super::memory_events::{self, MemoryEvents};
use super::memory_stat::{self, MemoryStat};
use super::pressure::{self, Pressure};
use super::{Cgroup, Limit, Version};
use crate::{BadLine, Buffer, ReadError};

const CONTROLLER: &str = "memory";

/// The files of one cgroup. What its kernel does not have is `None`.
#[derive(Debug, Default)]
pub struct Memory {
    /// Charged to the cgroup, page cache and kernel memory included.
    pub current_bytes: Option<u64>,
    /// The hard limit: beyond it the kernel reclaims, and then kills.
    pub limit: Option<Limit>,
    /// `memory.high`: beyond it the kernel slows the processes down. Not in version 1.
    pub high: Option<Limit>,
    /// `memory.low`: protected as long as others have something to give. Not in version 1.
    pub low: Option<Limit>,
    /// `memory.min`: protected always. Not in version 1.
    pub min: Option<Limit>,
    /// The most that was ever charged. In version 2 since Linux 5.19.
    pub peak_bytes: Option<u64>,
    /// Swapped out.
    pub swap_bytes: Option<u64>,
    /// The limit of that. In version 1 what the limit of memory and swap together leaves.
    pub swap_limit: Option<Limit>,
    /// What it consists of.
    pub stat: Option<MemoryStat>,
    /// What happened at the limits.
    pub events: Option<MemoryEvents>,
    /// Whether the kernel kills all processes when it kills one. Not in version 1.
    pub kills_all: Option<bool>,
    /// Time lost waiting for memory. Not in version 1.
    pub pressure: Option<Pressure>,
    /// What is there and could not be read.
    pub failed: Vec<(&'static str, ReadError)>,
}

/// Reads the files.
pub fn read(cgroup: &Cgroup<'_>, page_bytes: u64, buffer: &mut Buffer) -> Memory {
    let mut files = Files { cgroup, buffer, failed: Vec::new() };
    let memory = match cgroup.version() {
        Version::V1 => read_v1(&mut files, page_bytes),
        Version::V2 => read_v2(&mut files),
    };
    Memory { failed: files.failed, ..memory }
}

fn read_v2(files: &mut Files<'_, '_>) -> Memory {
    Memory {
        current_bytes: files.required("memory.current", parse_number),
        limit: files.required("memory.max", parse_limit),
        high: files.read("memory.high", parse_limit),
        low: files.read("memory.low", parse_limit),
        min: files.read("memory.min", parse_limit),
        peak_bytes: files.read("memory.peak", parse_number),
        swap_bytes: files.read("memory.swap.current", parse_number),
        swap_limit: files.read("memory.swap.max", parse_limit),
        stat: files.read("memory.stat", memory_stat::parse_v2),
        events: files.read("memory.events", memory_events::parse),
        kills_all: files.read("memory.oom.group", parse_number).map(|flag| flag != 0),
        pressure: files.read("memory.pressure", pressure::parse),
        failed: Vec::new(),
    }
}

fn read_v1(files: &mut Files<'_, '_>, page_bytes: u64) -> Memory {
    let in_bytes = |text: &[u8]| parse_limit_in_bytes(text, page_bytes);
    let limit = files.required("memory.limit_in_bytes", in_bytes);
    let limit_with_swap = files.read("memory.memsw.limit_in_bytes", in_bytes);
    let stat = files.read("memory.stat", |text| memory_stat::parse_v1(text, page_bytes));
    // What newer kernels have in memory.stat of version 2 has files of its own in version 1.
    let stat = stat.map(|stat| MemoryStat {
        kernel_bytes: files.read("memory.kmem.usage_in_bytes", parse_number),
        sock_bytes: files.read("memory.kmem.tcp.usage_in_bytes", parse_number),
        ..stat
    });
    let oom_control = files.read("memory.oom_control", keyed::parse);
    // Where both limits are the same, the one with swap is reached first.
    let reached =
        [files.read("memory.failcnt", parse_number), files.read("memory.memsw.failcnt", parse_number)];
    let events = MemoryEvents {
        max: reached.into_iter().flatten().reduce(u64::saturating_add),
        // Since Linux 4.13.
        oom_kill: oom_control.and_then(|lines| lines.get("oom_kill")),
        ..MemoryEvents::default()
    };
    Memory {
        current_bytes: files.required("memory.usage_in_bytes", parse_number),
        limit,
        peak_bytes: files.read("memory.max_usage_in_bytes", parse_number),
        swap_bytes: stat.as_ref().and_then(|stat| stat.swap_bytes),
        swap_limit: match (limit, limit_with_swap) {
            (Some(Limit::At(memory)), Some(Limit::At(both))) => Some(Limit::At(both.saturating_sub(memory))),
            (_, both) => both,
        },
        stat,
        events: Some(events).filter(|events| *events != MemoryEvents::default()),
        ..Memory::default()
    }
}

/// The cgroup that is read, and what went wrong with it.
struct Files<'c, 'r> {
    cgroup: &'c Cgroup<'r>,
    buffer: &'c mut Buffer,
    failed: Vec<(&'static str, ReadError)>,
}

impl Files<'_, '_> {
    /// What a file says, or `None` if the kernel has no such file.
    fn read<T>(&mut self, file: &'static str, parse: impl FnOnce(&[u8]) -> Result<T, BadLine>) -> Option<T> {
        match self.cgroup.read(CONTROLLER, file, self.buffer, parse) {
            Ok(value) => return Some(value),
            Err(error) if error.is_gone() => {}
            Err(error) => self.failed.push((file, error)),
        }
        None
    }

    /// The same of a file that every kernel has.
    fn required<T>(
        &mut self,
        file: &'static str,
        parse: impl FnOnce(&[u8]) -> Result<T, BadLine>,
    ) -> Option<T> {
        let read = self.cgroup.read(CONTROLLER, file, self.buffer, parse);
        read.map_err(|error| self.failed.push((file, error))).ok()
    }
}

/// Parses `memory.limit_in_bytes`, version 1, where the largest number of whole pages means no limit.
///
/// # Errors
///
/// [`BadLine`] if it is no number.
pub fn parse_limit_in_bytes(text: &[u8], page_bytes: u64) -> Result<Limit, BadLine> {
    parse_number(text).map(|bytes| limit_in_bytes(bytes, page_bytes))
}

/// A limit of version 1.
pub(super) fn limit_in_bytes(bytes: u64, page_bytes: u64) -> Limit {
    // PAGE_COUNTER_MAX of the kernel's include/linux/page_counter.h, in bytes.
    let page_bytes = page_bytes.max(1);
    let unlimited = i64::MAX.unsigned_abs() / page_bytes * page_bytes;
    if bytes >= unlimited { Limit::Unlimited } else { Limit::At(bytes) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Pid, Root};

    #[test]
    fn unlimited_is_not_a_large_number() {
        assert_eq!(parse_limit_in_bytes(b"9223372036854771712\n", 4096), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"9223372036854710272\n", 65536), Ok(Limit::Unlimited));
        assert_eq!(parse_limit_in_bytes(b"67108864\n", 4096), Ok(Limit::At(64 << 20)));
    }

    /// Reads a cgroup of these files.
    fn read_from(directory: &str, files: &[(&str, &str)]) -> Memory {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proc/1/root/sys/fs/cgroup").join(directory);
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            fs::write(path.join(file), text).unwrap();
        }
        let root = Root::recorded(dir.path()).unwrap();
        let mut buffer = Buffer::default();
        let target = "a".repeat(64).parse().unwrap();
        let cgroup = Cgroup::find(&root, Pid(1), &target, &mut buffer).unwrap();
        read(&cgroup, 4096, &mut buffer)
    }

    const V1: &[(&str, &str)] = &[
        ("memory.usage_in_bytes", "22110208\n"),
        ("memory.limit_in_bytes", "67108864\n"),
        ("memory.memsw.limit_in_bytes", "134217728\n"),
        ("memory.max_usage_in_bytes", "23068672\n"),
        ("memory.kmem.usage_in_bytes", "315392\n"),
        ("memory.kmem.tcp.usage_in_bytes", "0\n"),
        ("memory.failcnt", "1\n"),
        ("memory.memsw.failcnt", "2\n"),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
        ("memory.stat", "cache 1\nrss 2\ntotal_cache 524288\ntotal_rss 21016576\ntotal_swap 4096\n"),
    ];

    #[test]
    fn version_1_says_the_same_under_other_names() {
        let memory = read_from("memory", V1);
        assert!(memory.failed.is_empty(), "{memory:?}");
        assert_eq!((memory.current_bytes, memory.limit), (Some(22_110_208), Some(Limit::At(64 << 20))));
        assert_eq!((memory.swap_bytes, memory.swap_limit), (Some(4096), Some(Limit::At(64 << 20))));
        assert_eq!((memory.peak_bytes, memory.high, memory.pressure), (Some(23_068_672), None, None));
        let stat = memory.stat.unwrap();
        assert_eq!((stat.anon_bytes, stat.kernel_bytes), (Some(21_016_576), Some(315_392)));
        let events = memory.events.unwrap();
        assert_eq!((events.max, events.oom_kill, events.oom, events.high), (Some(3), Some(1), None, None));
    }

    #[test]
    fn an_old_kernel_of_version_1_has_no_swap_and_does_not_count_kills() {
        let old = V1.iter().filter(|(file, _)| !file.contains("memsw") && !file.contains("kmem"));
        let mut old: Vec<_> = old.copied().filter(|(file, _)| *file != "memory.oom_control").collect();
        old.push(("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n"));
        let memory = read_from("memory", &old);
        assert!(memory.failed.is_empty(), "{memory:?}");
        assert_eq!((memory.swap_limit, memory.events.unwrap().oom_kill), (None, None));
        assert_eq!(memory.stat.unwrap().kernel_bytes, None);
    }

    #[test]
    fn version_2_has_more_and_an_older_kernel_of_it_no_peak() {
        let memory = read_from(
            "",
            &[
                ("cgroup.events", "populated 1\n"),
                ("memory.current", "4096\n"),
                ("memory.max", "max\n"),
                ("memory.high", "8192\n"),
                ("memory.low", "0\n"),
                ("memory.swap.current", "0\n"),
                ("memory.swap.max", "max\n"),
                ("memory.oom.group", "1\n"),
                ("memory.events", "low 0\nhigh 2\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n"),
                ("memory.stat", "anon 4096\nfile 0\n"),
                ("memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=5\n"),
            ],
        );
        assert!(memory.failed.is_empty(), "{memory:?}");
        assert_eq!((memory.limit, memory.high), (Some(Limit::Unlimited), Some(Limit::At(8192))));
        assert_eq!((memory.low, memory.min, memory.peak_bytes), (Some(Limit::At(0)), None, None));
        assert_eq!((memory.swap_limit, memory.kills_all), (Some(Limit::Unlimited), Some(true)));
        assert_eq!(memory.events.unwrap().high, Some(2));
        assert_eq!(memory.pressure.unwrap().some.total_micros, 5);
    }

    #[test]
    fn what_is_there_and_makes_no_sense_is_told_and_the_rest_is_read() {
        let memory =
            read_from("", &[("cgroup.events", ""), ("memory.max", "plenty\n"), ("memory.peak", "1\n")]);
        assert_eq!(
            memory.failed.iter().map(|failed| failed.0).collect::<Vec<_>>(),
            ["memory.current", "memory.max"]
        );
        assert_eq!(memory.peak_bytes, Some(1));
    }
}
