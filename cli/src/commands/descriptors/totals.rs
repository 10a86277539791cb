//! What all open files together amount to, in sentences.

use std::collections::{BTreeMap, BTreeSet};

use dbgctl_proto::v1::{Descriptor, DescriptorProcess};

use super::kind;
use crate::render::human::{Bytes, Percent};

/// From this share of its limit on, a process is warned of.
const NEARLY_OUT_PERCENT: f64 = 90.0;

pub(super) fn sentences(processes: &[DescriptorProcess], descriptors: &[Descriptor]) -> Vec<String> {
    let mut lines = vec![counts(processes.len(), descriptors)];
    lines.extend(deleted(descriptors));
    lines.extend(nearest(processes));
    lines
}

/// `31 open files of 4 processes: 12 sockets, 10 files, 9 pipe ends`
fn counts(processes: usize, descriptors: &[Descriptor]) -> String {
    let mut counts = BTreeMap::new();
    for descriptor in descriptors {
        *counts.entry(descriptor.kind).or_insert(0_usize) += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    let counted: Vec<_> = counts.into_iter().map(|(kind, count)| kind::counted(kind, count)).collect();
    let (open, of) = (descriptors.len(), if processes == 1 { "process" } else { "processes" });
    let files = if open == 1 { "file" } else { "files" };
    let colon = if counted.is_empty() { "" } else { ": " };
    format!("{open} open {files} of {processes} {of}{colon}{}", counted.join(", "))
}

/// `deleted but open: 2 files take 5.0 MiB until they are closed; biggest: 4.0 MiB by process 7, fd 5`
fn deleted(descriptors: &[Descriptor]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let deleted: Vec<_> = descriptors
        .iter()
        .filter(|descriptor| descriptor.deleted)
        // Several descriptors may lead to one file.
        .filter(|file| {
            let device = file.device.map(|device| (device.major, device.minor));
            file.inode.is_none() || seen.insert((file.inode, device))
        })
        .collect();
    let bytes = |file: &Descriptor| file.allocated_bytes.or(file.size_bytes).unwrap_or(0);
    let biggest = deleted.iter().max_by_key(|file| bytes(file))?;
    let sum = deleted.iter().fold(0_u64, |sum, file| sum.saturating_add(bytes(file)));
    let (takes, them) = if deleted.len() == 1 { ("file takes", "it is") } else { ("files take", "they are") };
    let mut line = format!("deleted but open: {} {takes} {} until {them} closed", deleted.len(), Bytes(sum));
    if deleted.len() > 1 {
        let (pid, number) = (biggest.pid, biggest.number);
        line.push_str(&format!("; the biggest: {} by process {pid}, fd {number}", Bytes(bytes(biggest))));
    }
    Some(line)
}

/// `closest to its limit: process 7 (web) with 980 of 1024 (95.7%); soon it can open no more`
fn nearest(processes: &[DescriptorProcess]) -> Option<String> {
    let share = |process: &DescriptorProcess| {
        let limit = process.limit.filter(|&limit| limit > 0)?;
        Some(f64::from(process.open) / limit as f64 * 100.0)
    };
    let shares = processes.iter().filter_map(|process| Some((share(process)?, process)));
    let (percent, process) = shares.max_by(|one, other| one.0.total_cmp(&other.0))?;
    let command = String::from_utf8_lossy(&process.command);
    let verdict = if percent >= NEARLY_OUT_PERCENT { ": soon it can open no more" } else { "" };
    let (open, limit) = (process.open, process.limit.unwrap_or_default());
    let percent = Percent(percent);
    // Where few files are open the agent does not look at the limit.
    let among = match processes.iter().all(|process| process.limit.is_some()) {
        true => "closest to its limit",
        false => "of those with most open files, closest to its limit",
    };
    Some(format!("{among}: process {} ({command}) with {open} of {limit} ({percent}%){verdict}", process.pid))
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{DescriptorDevice, DescriptorKind};

    use super::*;

    fn deleted_file(pid: u32, inode: u64, bytes: u64) -> Descriptor {
        Descriptor {
            pid,
            number: 5,
            kind: DescriptorKind::Regular.into(),
            deleted: true,
            allocated_bytes: Some(bytes),
            inode: Some(inode),
            device: Some(DescriptorDevice { major: 8, minor: 1 }),
            ..Descriptor::default()
        }
    }

    #[test]
    fn a_deleted_file_that_several_have_open_counts_once() {
        let files =
            [deleted_file(1, 40, 1 << 20), deleted_file(2, 40, 1 << 20), deleted_file(2, 41, 4 << 20)];
        assert_eq!(
            deleted(&files).unwrap(),
            "deleted but open: 2 files take 5.0 MiB until they are closed; the biggest: 4.0 MiB by process 2, fd 5"
        );
        assert_eq!(
            deleted(&files[..1]).unwrap(),
            "deleted but open: 1 file takes 1.0 MiB until it is closed"
        );
        assert_eq!(deleted(&[]), None);
    }

    #[test]
    fn the_process_that_runs_out_first_is_named() {
        let process = |pid, open, limit| DescriptorProcess { pid, command: b"web".into(), open, limit };
        let line =
            nearest(&[process(1, 900, Some(524_288)), process(7, 980, Some(1024)), process(8, 1, None)]);
        assert_eq!(
            line.unwrap(),
            "of those with most open files, closest to its limit: process 7 (web) with 980 of 1024 (95.7%): soon it can open no more"
        );
        assert_eq!(nearest(&[process(8, 1, None)]), None);
    }

    #[test]
    fn kinds_are_counted_and_those_of_a_newer_agent_are_others() {
        let of = |kind: i32| Descriptor { kind, ..Descriptor::default() };
        let (pipe, socket) = (DescriptorKind::Pipe.into(), DescriptorKind::Socket.into());
        let line = counts(1, &[of(pipe), of(socket), of(socket), of(99)]);
        assert_eq!(line, "4 open files of 1 process: 2 sockets, 1 pipe end, 1 other");
    }
}
