//! One tick as an object, for programs.

use super::snapshot::Snapshot;
use super::state::State;
use crate::commands::cgroup::{limit_field, pressure_field};
use crate::commands::cpu::verdict::Cpus;
use crate::render::{Object, Row as _};

/// Writes the fields of the latest tick.
pub(super) fn fields(state: &State, snapshot: &Snapshot, object: &mut Object<'_>) {
    object.number("sampled_unix_nanos", snapshot.unix_nanos);
    object.text("container", state.subject.name.as_str());
    object.text("image", state.subject.image.as_str());
    object.text("level", state.subject.level);
    object.object("cpu", |object| {
        let facts = &snapshot.cpu.facts;
        object.decimal("used_cpus", facts.used_cpus);
        match facts.limit {
            Some(Cpus::At(limit)) => object.decimal("limit_cpus", limit),
            Some(Cpus::Unlimited) => object.text("limit_cpus", "max"),
            None => object.null("limit_cpus"),
        }
        object.number("usable_cpus", facts.usable_cpus.map(u64::from));
        object.decimal("throttled_percent", facts.throttled_percent);
        object.decimal("waiting_percent", facts.waiting_percent);
        let load = |nth: usize| snapshot.cpu.load.map(|load| load[nth]);
        object.decimal("load_1_minute", load(0));
        object.decimal("load_5_minutes", load(1));
        object.decimal("load_15_minutes", load(2));
        pressure_field(snapshot.cpu.pressure.as_ref(), object);
    });
    object.object("memory", |object| {
        let memory = &snapshot.memory;
        let cgroup = memory.cgroup.as_ref();
        object.number("current_bytes", memory.current_bytes());
        limit_field("limit", cgroup.and_then(|cgroup| cgroup.limit.as_ref()), object);
        object.number("working_set_bytes", cgroup.and_then(|cgroup| cgroup.working_set_bytes));
        object.number("headroom_bytes", memory.headroom.map(|headroom| headroom.conservative_bytes));
        object.number("oom_kill", cgroup.and_then(|cgroup| cgroup.events?.oom_kill));
        pressure_field(cgroup.and_then(|cgroup| cgroup.pressure.as_ref()), object);
    });
    object.object("io", |object| pressure_field(snapshot.io_pressure.as_ref(), object));
    match &snapshot.interfaces {
        Some(interfaces) => object.objects("interfaces", interfaces, |row, object| row.fields(object)),
        None => object.null("interfaces"),
    }
    object.text("cpu_percent_since", snapshot.since.name());
    object.objects("processes", state.rows(), |row, object| row.fields(object));
    object.texts("absent", snapshot.absent.iter().map(String::as_str));
}
