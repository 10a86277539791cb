//! What the figures mean, in plain sentences.

use dbgctl_proto::v1::limit::Limit;
use dbgctl_proto::v1::{self, DeviceIo, IoHeader, ProcessIo, ProcessState};

use super::{device_name, row};
use crate::commands::sample::{per_second, percent};
use crate::render::human::Bytes;
use crate::render::one_line;

/// So much of a limit is as good as all of it.
const BINDING: f64 = 0.9;
/// From here on waiting for storage is what a program does.
const NOTABLE_PERCENT: f64 = 10.0;

/// What holds the target's I/O back, and who does most of it. Never empty.
pub(super) fn verdicts(header: &IoHeader, processes: &[ProcessIo]) -> Vec<String> {
    let devices = header.cgroup.iter().flat_map(|cgroup| &cgroup.devices);
    let mut verdicts: Vec<_> = devices.flat_map(|device| limits(device, header.sampled_nanos)).collect();
    verdicts.extend(pressure(header));
    verdicts.extend(hanging(processes));
    verdicts.push(who(header, processes));
    verdicts
}

/// The limits of one device that are used up.
fn limits(device: &DeviceIo, sampled_nanos: u64) -> Vec<String> {
    let used = device.over_sample.unwrap_or_default();
    let bytes = |bytes: u64| format!("{}/s", Bytes(bytes));
    let requests = |requests: u64| format!("{requests} requests/s");
    let limits = [
        ("reading", used.read_bytes, &device.read_bytes_limit, true),
        ("writing", used.written_bytes, &device.written_bytes_limit, true),
        ("reading", used.reads, &device.reads_limit, false),
        ("writing", used.writes, &device.writes_limit, false),
    ];
    let binding = limits.into_iter().filter_map(|(what, used, limit, in_bytes)| {
        let show = |rate| if in_bytes { bytes(rate) } else { requests(rate) };
        let Limit::At(most) = limit.as_ref()?.limit? else { return None };
        let rate = per_second(used, sampled_nanos).filter(|rate| *rate >= most as f64 * BINDING)?;
        let (rate, most) = (show(row::whole(rate)), show(most));
        Some(format!("{what} {rate} on {}: the limit of {most} is the bottleneck", device_name(device)))
    });
    binding.collect()
}

fn pressure(header: &IoHeader) -> Option<String> {
    let some = header.cgroup.as_ref()?.pressure.as_ref()?.some.as_ref()?;
    let share = Some(some.avg10_percent).filter(|&share| share >= NOTABLE_PERCENT)?;
    Some(format!("storage holds it back: some task waited for I/O {share:.0}% of the last 10 s"))
}

fn hanging(processes: &[ProcessIo]) -> Option<String> {
    let hangs = |process: &&ProcessIo| ProcessState::try_from(process.state) == Ok(ProcessState::DiskSleep);
    match processes.iter().filter(hangs).count() {
        0 => None,
        1 => Some("1 process waits for I/O at this moment (disk-sleep)".to_owned()),
        more => Some(format!("{more} processes wait for I/O at this moment (disk-sleep)")),
    }
}

/// Who does most.
fn who(header: &IoHeader, processes: &[ProcessIo]) -> String {
    let Some(all) = &header.over_sample else {
        return "who reads and writes is not known".to_owned();
    };
    let of_storage = row::storage_bytes;
    let of_calls = |io: &v1::IoUse| io.read_chars_bytes.saturating_add(io.written_chars_bytes);
    let (total, of, what): (u64, fn(&v1::IoUse) -> u64, _) = match (of_storage(all), of_calls(all)) {
        (0, 0) => return "no I/O within the sample".to_owned(),
        (0, total) => (total, of_calls, "no I/O reached storage; most through memory, pipes and sockets"),
        (total, _) => (total, of_storage, "most I/O"),
    };
    let most = processes.iter().filter_map(|process| Some((of(process.over_sample.as_ref()?), process)));
    let Some((used, process)) = most.max_by_key(|(used, _)| *used) else {
        return "who reads and writes is not known".to_owned();
    };
    let name = String::from_utf8_lossy(&process.command);
    let rate = per_second(used, process.sampled_nanos).map(|rate| format!("{}/s", Bytes(row::whole(rate))));
    let share = percent(used, total).map(|share| format!("{share:.0}% of all"));
    let figures: Vec<_> = rate.into_iter().chain(share).collect();
    format!("{what}: pid {} `{}`, {}", process.pid, one_line(&name), figures.join(", "))
}

#[cfg(test)]
mod tests {
    use dbgctl_proto::v1::{CgroupIo, DeviceUse, IoUse, Pressure, Stall};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn wrote(bytes: u64, chars: u64) -> Option<IoUse> {
        Some(IoUse { written_bytes: bytes, written_chars_bytes: chars, ..IoUse::default() })
    }

    fn process(pid: u32, over_sample: Option<IoUse>) -> ProcessIo {
        ProcessIo { pid, command: b"db".to_vec(), sampled_nanos: SECOND, over_sample, ..ProcessIo::default() }
    }

    fn header(over_sample: Option<IoUse>, limit: Limit, avg10_percent: f64) -> IoHeader {
        let device = DeviceIo {
            major: 254,
            name: Some(b"vda".to_vec()),
            over_sample: Some(DeviceUse { written_bytes: 1 << 20, ..DeviceUse::default() }),
            written_bytes_limit: Some(v1::Limit { limit: Some(limit) }),
            ..DeviceIo::default()
        };
        let some = Some(Stall { avg10_percent, ..Stall::default() });
        let pressure = Some(Pressure { some, full: None });
        let cgroup = Some(CgroupIo { version: 2, devices: vec![device], pressure });
        IoHeader { sampled_nanos: SECOND, cgroup, over_sample }
    }

    #[test]
    fn a_limit_that_is_used_up_and_who_uses_it_are_named() {
        let processes = [process(7, wrote(1 << 20, 0)), process(9, wrote(1 << 18, 0))];
        let all = wrote((1 << 20) + (1 << 18), 0);
        assert_eq!(
            verdicts(&header(all, Limit::At(1 << 20), 0.0), &processes),
            [
                "writing 1.0 MiB/s on vda: the limit of 1.0 MiB/s is the bottleneck",
                "most I/O: pid 7 `db`, 1.0 MiB/s, 80% of all",
            ]
        );
        let far = verdicts(&header(all, Limit::At(1 << 30), 9.0), &processes);
        assert_eq!(far, ["most I/O: pid 7 `db`, 1.0 MiB/s, 80% of all"]);
        let unlimited = verdicts(&header(all, Limit::Unlimited(true), 41.3), &processes);
        assert_eq!(unlimited[0], "storage holds it back: some task waited for I/O 41% of the last 10 s");
    }

    #[test]
    fn what_stays_in_memory_is_told_from_what_reaches_storage_and_both_from_nothing() {
        let unlimited = Limit::Unlimited(true);
        let cached = verdicts(&header(wrote(0, 4096), unlimited, 0.0), &[process(7, wrote(0, 4096))]);
        assert_eq!(
            cached,
            [
                "no I/O reached storage; most through memory, pipes and sockets: pid 7 `db`, 4.0 KiB/s, 100% of all"
            ]
        );
        let idle = verdicts(&header(wrote(0, 0), unlimited, 0.0), &[process(7, wrote(0, 0))]);
        assert_eq!(idle, ["no I/O within the sample"]);
    }

    #[test]
    fn not_known_is_not_nothing_and_who_hangs_is_counted() {
        let hanging = ProcessIo { state: ProcessState::DiskSleep.into(), ..process(7, None) };
        let verdicts = verdicts(&IoHeader::default(), &[hanging]);
        assert_eq!(
            verdicts,
            ["1 process waits for I/O at this moment (disk-sleep)", "who reads and writes is not known"]
        );
    }
}
