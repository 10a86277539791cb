//! What the cgroup and the machine account for, as messages.

use dbgctl_linux::cgroupfs::memory::{self, Memory};
use dbgctl_linux::cgroupfs::memory_events::MemoryEvents;
use dbgctl_linux::cgroupfs::memory_stat::MemoryStat;
use dbgctl_linux::cgroupfs::{Cgroup, Version};
use dbgctl_linux::procfs::{meminfo, system_stat};
use dbgctl_linux::tmpfs::{self, Tmpfs};
use dbgctl_linux::{Buffer, Pid, ReadError, Root};
use dbgctl_proto::v1;

use crate::gaps::Gaps;
use crate::probes::cgroup::{limit_message, pressure_message, version_number};
use crate::sources::Sources;

/// Reads the cgroup; what could not be read is a gap.
pub(super) fn cgroup_message(
    cgroup: Result<Cgroup<'_>, ReadError>,
    page_bytes: u64,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> v1::CgroupMemory {
    let cgroup = match cgroup {
        Ok(cgroup) => cgroup,
        Err(error) => {
            match error.is_gone() {
                true => gaps.add("memory of the cgroup", "the target sees no control group of its own"),
                false => gaps.add_error("memory of the cgroup", &error),
            }
            return v1::CgroupMemory::default();
        }
    };
    let memory = memory::read(&cgroup, page_bytes, buffer);
    for (file, error) in &memory.failed {
        gaps.add_error(file, error);
    }
    message(cgroup.version(), memory)
}

fn message(version: Version, memory: Memory) -> v1::CgroupMemory {
    let stat = memory.stat.unwrap_or_default();
    let inactive_file = memory.current_bytes.zip(stat.inactive_file_bytes);
    v1::CgroupMemory {
        version: version_number(version),
        current_bytes: memory.current_bytes,
        limit: memory.limit.map(limit_message),
        high: memory.high.map(limit_message),
        low: memory.low.map(limit_message),
        min: memory.min.map(limit_message),
        peak_bytes: memory.peak_bytes,
        working_set_bytes: inactive_file.map(|(current, inactive)| current.saturating_sub(inactive)),
        swap_bytes: memory.swap_bytes,
        swap_limit: memory.swap_limit.map(limit_message),
        hierarchical_limit: stat.hierarchical_limit.map(limit_message),
        stat: memory.stat.map(stat_message),
        events: memory.events.map(events_message),
        kills_all: memory.kills_all,
        pressure: memory.pressure.as_ref().map(pressure_message),
    }
}

fn stat_message(stat: MemoryStat) -> v1::CgroupMemoryStat {
    v1::CgroupMemoryStat {
        anon_bytes: stat.anon_bytes,
        anon_huge_bytes: stat.anon_huge_bytes,
        file_bytes: stat.file_bytes,
        file_mapped_bytes: stat.file_mapped_bytes,
        file_dirty_bytes: stat.file_dirty_bytes,
        file_writeback_bytes: stat.file_writeback_bytes,
        active_file_bytes: stat.active_file_bytes,
        inactive_file_bytes: stat.inactive_file_bytes,
        shmem_bytes: stat.shmem_bytes,
        unevictable_bytes: stat.unevictable_bytes,
        swap_cached_bytes: stat.swap_cached_bytes,
        slab_reclaimable_bytes: stat.slab_reclaimable_bytes,
        slab_unreclaimable_bytes: stat.slab_unreclaimable_bytes,
        kernel_stack_bytes: stat.kernel_stack_bytes,
        page_tables_bytes: stat.page_tables_bytes,
        percpu_bytes: stat.percpu_bytes,
        kernel_bytes: stat.kernel_bytes,
        sock_bytes: stat.sock_bytes,
    }
}

fn events_message(events: MemoryEvents) -> v1::CgroupMemoryEvents {
    let MemoryEvents { low, high, max, oom, oom_kill, oom_group_kill } = events;
    v1::CgroupMemoryEvents { low, high, max, oom, oom_kill, oom_group_kill }
}

/// Reads the machine.
pub(super) fn machine_message(
    sources: &Sources,
    buffer: &mut Buffer,
    gaps: &mut Gaps,
) -> Option<v1::MachineMemory> {
    let cpus = system_stat::read(sources.root(), buffer).ok().map(|cpus| cpus.count);
    match meminfo::read(sources.root(), buffer) {
        Ok(memory) => Some(v1::MachineMemory {
            total_bytes: memory.total_bytes,
            available_bytes: memory.available_bytes,
            swap_total_bytes: memory.swap_total_bytes,
            swap_free_bytes: memory.swap_free_bytes,
            cpus,
            page_bytes: sources.units().page_bytes,
        }),
        Err(error) => {
            gaps.add_error("memory of the machine", &error);
            None
        }
    }
}

/// Looks into the file systems in memory; what could not be looked into is a gap.
pub(super) fn tmpfs_messages(root: &Root, init: Pid, gaps: &mut Gaps) -> Vec<v1::TmpfsMount> {
    let (found, failed) = match tmpfs::read(root, init) {
        Ok(read) => read,
        // An old recording, or a target that has just ended.
        Err(error) if error.is_gone() => return Vec::new(),
        Err(error) => (Vec::new(), vec![error]),
    };
    for error in failed.iter().filter(|error| !error.is_gone()) {
        gaps.add_error("files in memory", error);
    }
    let message = |mount: Tmpfs| v1::TmpfsMount {
        mount_point: mount.path,
        used_bytes: mount.used_bytes,
        size_bytes: mount.size_bytes,
    };
    found.into_iter().map(message).collect()
}
