//! The cgroup, the machine and what was worked out of them, as fields under the names of the contract.

use dbgctl_proto::v1::{CgroupMemory, CgroupMemoryEvents, CgroupMemoryStat, MachineMemory, MemoryHeader};

use super::headroom::{Bound, Headroom, Victims};
use super::reconcile::{Account, Reconciliation};
use super::sentences;
use crate::commands::cgroup::{limit_field, pressure_field};
use crate::render::Object;

pub(super) fn cgroup(cgroup: &CgroupMemory, object: &mut Object<'_>) {
    object.number("version", u64::from(cgroup.version));
    object.number("current_bytes", cgroup.current_bytes);
    limit_field("limit", cgroup.limit.as_ref(), object);
    limit_field("high", cgroup.high.as_ref(), object);
    limit_field("low", cgroup.low.as_ref(), object);
    limit_field("min", cgroup.min.as_ref(), object);
    object.number("peak_bytes", cgroup.peak_bytes);
    object.number("working_set_bytes", cgroup.working_set_bytes);
    object.number("swap_bytes", cgroup.swap_bytes);
    limit_field("swap_limit", cgroup.swap_limit.as_ref(), object);
    limit_field("hierarchical_limit", cgroup.hierarchical_limit.as_ref(), object);
    match &cgroup.stat {
        Some(stat) => object.object("stat", |object| stat_fields(stat, object)),
        None => object.null("stat"),
    }
    match &cgroup.events {
        Some(events) => object.object("events", |object| event_fields(events, object)),
        None => object.null("events"),
    }
    match cgroup.kills_all {
        Some(kills_all) => object.flag("kills_all", kills_all),
        None => object.null("kills_all"),
    }
    pressure_field(cgroup.pressure.as_ref(), object);
}

fn stat_fields(stat: &CgroupMemoryStat, object: &mut Object<'_>) {
    object.number("anon_bytes", stat.anon_bytes);
    object.number("anon_huge_bytes", stat.anon_huge_bytes);
    object.number("file_bytes", stat.file_bytes);
    object.number("file_mapped_bytes", stat.file_mapped_bytes);
    object.number("file_dirty_bytes", stat.file_dirty_bytes);
    object.number("file_writeback_bytes", stat.file_writeback_bytes);
    object.number("active_file_bytes", stat.active_file_bytes);
    object.number("inactive_file_bytes", stat.inactive_file_bytes);
    object.number("shmem_bytes", stat.shmem_bytes);
    object.number("unevictable_bytes", stat.unevictable_bytes);
    object.number("swap_cached_bytes", stat.swap_cached_bytes);
    object.number("slab_reclaimable_bytes", stat.slab_reclaimable_bytes);
    object.number("slab_unreclaimable_bytes", stat.slab_unreclaimable_bytes);
    object.number("kernel_stack_bytes", stat.kernel_stack_bytes);
    object.number("page_tables_bytes", stat.page_tables_bytes);
    object.number("percpu_bytes", stat.percpu_bytes);
    object.number("kernel_bytes", stat.kernel_bytes);
    object.number("sock_bytes", stat.sock_bytes);
}

fn event_fields(events: &CgroupMemoryEvents, object: &mut Object<'_>) {
    object.number("low", events.low);
    object.number("high", events.high);
    object.number("max", events.max);
    object.number("oom", events.oom);
    object.number("oom_kill", events.oom_kill);
    object.number("oom_group_kill", events.oom_group_kill);
}

pub(super) fn header(header: Option<&MemoryHeader>, object: &mut Object<'_>) {
    object.number("sampled_boottime_nanos", header.map(|header| header.sampled_boottime_nanos));
    object.number("resident_bytes_to_read", header.map(|header| header.resident_bytes_to_read));
    match header.and_then(|header| header.machine.as_ref()) {
        Some(machine) => object.object("machine", |object| machine_fields(machine, object)),
        None => object.null("machine"),
    }
    object.objects("tmpfs", header.iter().flat_map(|header| &header.tmpfs), |mount, object| {
        object.raw("mount_point", mount.mount_point.as_slice());
        object.number("used_bytes", mount.used_bytes);
        object.number("size_bytes", mount.size_bytes);
    });
}

fn machine_fields(machine: &MachineMemory, object: &mut Object<'_>) {
    object.number("total_bytes", machine.total_bytes);
    object.number("available_bytes", machine.available_bytes);
    object.number("swap_total_bytes", machine.swap_total_bytes);
    object.number("swap_free_bytes", machine.swap_free_bytes);
    object.number("cpus", machine.cpus.map(u64::from));
    object.number("page_bytes", machine.page_bytes);
}

pub(super) fn reconciliation(
    reconciliation: Option<&Reconciliation>,
    header: Option<&MemoryHeader>,
    object: &mut Object<'_>,
) {
    let Some(reconciliation) = reconciliation else { return object.null("reconciliation") };
    object.object("reconciliation", |object| {
        object.objects("accounts", &reconciliation.accounts, |account: &Account, object| {
            object.text("account", &*account.kind.name().replace(' ', "_"));
            object.number("bytes", account.bytes);
            object.number("pss_bytes", account.processes_bytes);
        });
        object.number("unmapped_cache_bytes", reconciliation.unmapped_cache_bytes);
        object.number("foreign_bytes", reconciliation.foreign_bytes);
        object.number("newer_bytes", reconciliation.newer_bytes);
        object.number("tmpfs_bytes", reconciliation.tmpfs_bytes);
        object.number("unexplained_bytes", reconciliation.unexplained_bytes);
        let because = reconciliation.because.iter().map(|reason| sentences::reason_words(*reason, header));
        let because: Vec<_> = because.collect();
        object.text("because", Some(because.join("; ").as_str()).filter(|because| !because.is_empty()));
    });
}

pub(super) fn headroom(headroom: Option<&Headroom>, victims: Option<&Victims<'_>>, object: &mut Object<'_>) {
    let Some(headroom) = headroom else { return object.null("headroom") };
    object.object("headroom", |object| {
        let (name, bytes) = match headroom.bound {
            Bound::Cgroup { limit_bytes } => ("cgroup", limit_bytes),
            Bound::Above { limit_bytes } => ("cgroup_above", limit_bytes),
            Bound::Machine { total_bytes } => ("machine", total_bytes),
        };
        object.text("bound", name);
        object.number("bound_bytes", bytes);
        object.number("conservative_bytes", headroom.conservative_bytes);
        object.number("optimistic_bytes", headroom.optimistic_bytes);
        object.number("killed_first_pid", victims.map(|victims| u64::from(victims.first.pid)));
    });
}
