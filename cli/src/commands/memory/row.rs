//! One process as it is shown.

use std::borrow::Cow;
use std::time::Duration;

use dbgctl_proto::v1::{ProcessMemory, ProcessOrigin, Unread};

use crate::commands::processes::origin;
use crate::render::human::Took;
use crate::render::{Column, Emphasis, Object, Row};

/// A process, and how old its figures are.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryRow {
    pub(super) process: ProcessMemory,
    /// Present if they were read for an earlier list.
    pub(super) age: Option<Duration>,
}

impl MemoryRow {
    /// Whether its memory is accounted to the target.
    pub(super) fn is_of_target(&self) -> bool {
        // An agent that lists only these may say nothing.
        matches!(self.process.origin(), ProcessOrigin::Target | ProcessOrigin::Unspecified)
    }

    /// Why it has no figures but its resident set.
    fn unread(&self) -> Option<&'static str> {
        if self.process.pss_bytes.is_some() {
            return None;
        }
        Some(match self.process.unread() {
            Unread::Budget => "budget",
            Unread::TooBig => "too big",
            Unread::Rests => "rests",
            Unread::Failed => "failed",
            Unread::Unspecified => "unknown",
        })
    }

    fn huge_bytes(&self) -> Option<u64> {
        let ProcessMemory { anon_huge_bytes, shmem_huge_bytes, file_huge_bytes, .. } = self.process;
        sum([anon_huge_bytes, shmem_huge_bytes, file_huge_bytes])
    }

    fn hugetlb_bytes(&self) -> Option<u64> {
        sum([self.process.private_hugetlb_bytes, self.process.shared_hugetlb_bytes])
    }
}

/// The sum of what is there, absent if nothing is.
fn sum<const N: usize>(figures: [Option<u64>; N]) -> Option<u64> {
    figures.into_iter().flatten().reduce(u64::saturating_add)
}

impl Row for MemoryRow {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::number("PID", |row| Some(row.process.pid.into())),
        Column::bytes("RSS", |row| Some(row.process.rss_bytes)),
        Column::bytes("PSS", |row| row.process.pss_bytes),
        Column::bytes("USS", |row| row.process.uss_bytes),
        Column::bytes("ANON", |row: &Self| row.process.pss_anon_bytes).wide_only(),
        Column::bytes("FILE", |row: &Self| row.process.pss_file_bytes).wide_only(),
        Column::bytes("SHMEM", |row: &Self| row.process.pss_shmem_bytes).wide_only(),
        Column::bytes("DIRTY", |row: &Self| row.process.pss_dirty_bytes).wide_only().if_any(),
        Column::bytes("SWAP", |row: &Self| row.process.swap_pss_bytes).wide_only(),
        Column::bytes("LOCKED", |row: &Self| row.process.locked_bytes).wide_only(),
        Column::bytes("HUGE", |row: &Self| row.huge_bytes()).wide_only(),
        Column::bytes("HUGETLB", |row: &Self| row.hugetlb_bytes()).wide_only(),
        Column::number("OOM", |row: &Self| row.process.oom_score.map(i64::from)).wide_only().if_any(),
        Column::number("ADJ", |row: &Self| row.process.oom_score_adj.map(i64::from)).wide_only().if_any(),
        Column::maybe("ORIGIN", |row: &Self| (!row.is_of_target()).then(|| origin(row.process.origin)))
            .if_any(),
        Column::maybe("UNREAD", |row: &Self| row.unread().map(Cow::Borrowed)).if_any(),
        Column::written("AGE", |row: &Self, cell| {
            if let Some(age) = row.age {
                cell.show(Took(age));
            }
        })
        .right()
        .if_any(),
        Column::written("COMMAND", |row, cell| cell.raw(&row.process.command)),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let process = &self.process;
        object.number("pid", u64::from(process.pid));
        object.raw("command", process.command.as_slice());
        object.number("rss_bytes", process.rss_bytes);
        object.number("pss_bytes", process.pss_bytes);
        object.number("uss_bytes", process.uss_bytes);
        object.number("pss_anon_bytes", process.pss_anon_bytes);
        object.number("pss_file_bytes", process.pss_file_bytes);
        object.number("pss_shmem_bytes", process.pss_shmem_bytes);
        object.number("swap_pss_bytes", process.swap_pss_bytes);
        object.number("pss_dirty_bytes", process.pss_dirty_bytes);
        object.number("swap_bytes", process.swap_bytes);
        object.number("locked_bytes", process.locked_bytes);
        object.number("anon_huge_bytes", process.anon_huge_bytes);
        object.number("shmem_huge_bytes", process.shmem_huge_bytes);
        object.number("file_huge_bytes", process.file_huge_bytes);
        object.number("private_hugetlb_bytes", process.private_hugetlb_bytes);
        object.number("shared_hugetlb_bytes", process.shared_hugetlb_bytes);
        object.number("oom_score", process.oom_score.map(u64::from));
        object.signed("oom_score_adj", process.oom_score_adj.map(i64::from));
        object.number("started_boottime_nanos", process.started_boottime_nanos);
        object.text("origin", &*origin(process.origin));
        object.text("unread", self.unread().map(|why| if why == "too big" { "too_big" } else { why }));
        object.number("read_boottime_nanos", process.read_boottime_nanos);
        object.number("read_took_nanos", process.read_took_nanos);
    }

    fn emphasis(&self) -> Emphasis {
        if !self.is_of_target() { Emphasis::Dim } else { Emphasis::None }
    }
}
