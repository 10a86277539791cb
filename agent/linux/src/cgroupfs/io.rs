//! The block I/O of a cgroup, by device: what it did, and what it may do.
//!
//! Format: Linux, Documentation/admin-guide/cgroup-v2.rst, "IO", and cgroup-v1/blkio-controller.rst.

use std::collections::BTreeMap;

use super::pressure::{self, Pressure};
use super::{Cgroup, Limit, Version};
use crate::number::{unsigned, unsigned32};
use crate::{Buffer, ReadError};

const CONTROLLER: &str = "blkio";

/// Number of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl Device {
    /// `254:0`.
    fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().position(|&byte| byte == b':')?;
        Some(Self { major: unsigned32(&text[..colon])?, minor: unsigned32(&text[colon + 1..])? })
    }
}

/// What was done on one device since the group was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Requests to read.
    pub reads: u64,
    /// Requests to write.
    pub writes: u64,
    /// Bytes discarded (TRIM).
    pub discarded_bytes: u64,
}

/// How much may be done on one device in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Bytes read.
    pub read_bytes: Limit,
    /// Bytes written.
    pub written_bytes: Limit,
    /// Requests to read.
    pub reads: Limit,
    /// Requests to write.
    pub writes: Limit,
}

impl Default for Ceilings {
    fn default() -> Self {
        let none = Limit::Unlimited;
        Self { read_bytes: none, written_bytes: none, reads: none, writes: none }
    }
}

/// Reads what was done. A device that was never used is not in it.
///
/// # Errors
///
/// [`ReadError`]; gone if the controller is not enabled for the group.
pub fn read_counters(
    cgroup: &Cgroup<'_>,
    buffer: &mut Buffer,
) -> Result<BTreeMap<Device, Counters>, ReadError> {
    if cgroup.version() == Version::V2 {
        return cgroup.read(CONTROLLER, "io.stat", buffer, |text| Ok(parse_stat(text)));
    }
    // Those below the group, as in version 2; before Linux 5.0 or so of the group alone.
    let mut of_v1 = |file: &str, recursive: &str| {
        let below = cgroup.read(CONTROLLER, recursive, buffer, |text| Ok(parse_operations(text)));
        match below {
            Err(error) if error.is_gone() => {
                cgroup.read(CONTROLLER, file, buffer, |text| Ok(parse_operations(text)))
            }
            below => below,
        }
    };
    let bytes = of_v1("blkio.throttle.io_service_bytes", "blkio.throttle.io_service_bytes_recursive")?;
    let requests = of_v1("blkio.throttle.io_serviced", "blkio.throttle.io_serviced_recursive")?;
    let mut counters = BTreeMap::<Device, Counters>::new();
    for (device, bytes) in bytes {
        let counters = counters.entry(device).or_default();
        (counters.read_bytes, counters.written_bytes) = (bytes.reads, bytes.writes);
        counters.discarded_bytes = bytes.discards;
    }
    for (device, requests) in requests {
        let counters = counters.entry(device).or_default();
        (counters.reads, counters.writes) = (requests.reads, requests.writes);
    }
    Ok(counters)
}

/// Parses `io.stat` of version 2: `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. What is not of that form is
/// skipped: kernels add new keys, and name a device that was never used without any.
pub fn parse_stat(text: &[u8]) -> BTreeMap<Device, Counters> {
    by_device(text, |words| {
        let number =
            |key: &[u8]| words.iter().find_map(|word| unsigned(word.strip_prefix(key)?)).unwrap_or(0);
        let has_any = words.iter().any(|word| word.starts_with(b"rbytes="));
        has_any.then(|| Counters {
            read_bytes: number(b"rbytes="),
            written_bytes: number(b"wbytes="),
            reads: number(b"rios="),
            writes: number(b"wios="),
            discarded_bytes: number(b"dbytes="),
        })
    })
}

/// One figure for each kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations {
    /// `Read`
    pub reads: u64,
    /// `Write`
    pub writes: u64,
    /// `Discard`
    pub discards: u64,
}

/// Parses a file of version 1 with lines such as `254:0 Read 4096`. What is not of that form is skipped.
pub fn parse_operations(text: &[u8]) -> BTreeMap<Device, Operations> {
    let mut devices = BTreeMap::<Device, Operations>::new();
    for line in text.split(|&byte| byte == b'\n') {
        let mut words = line.split(|&byte| byte == b' ');
        let Some(device) = words.next().and_then(Device::parse) else { continue };
        let (Some(kind), Some(figure)) = (words.next(), words.next().and_then(unsigned)) else { continue };
        let operations = devices.entry(device).or_default();
        match kind {
            b"Read" => operations.reads = figure,
            b"Write" => operations.writes = figure,
            b"Discard" => operations.discards = figure,
            _ => {}
        }
    }
    devices
}

/// A file of version 1, and the limit in it.
type CeilingOfV1 = (&'static str, fn(&mut Ceilings) -> &mut Limit);

/// Reads what may be done. A device without limits is not in it.
///
/// # Errors
///
/// [`ReadError`]; gone if the kernel knows no such limits.
pub fn read_ceilings(
    cgroup: &Cgroup<'_>,
    buffer: &mut Buffer,
) -> Result<BTreeMap<Device, Ceilings>, ReadError> {
    if cgroup.version() == Version::V2 {
        return cgroup.read(CONTROLLER, "io.max", buffer, |text| Ok(parse_max(text)));
    }
    let mut ceilings = BTreeMap::<Device, Ceilings>::new();
    let files: [CeilingOfV1; 4] = [
        ("blkio.throttle.read_bps_device", |ceilings| &mut ceilings.read_bytes),
        ("blkio.throttle.write_bps_device", |ceilings| &mut ceilings.written_bytes),
        ("blkio.throttle.read_iops_device", |ceilings| &mut ceilings.reads),
        ("blkio.throttle.write_iops_device", |ceilings| &mut ceilings.writes),
    ];
    for (file, limit) in files {
        for (device, most) in cgroup.read(CONTROLLER, file, buffer, |text| Ok(parse_ceiling(text)))? {
            *limit(ceilings.entry(device).or_default()) = Limit::At(most);
        }
    }
    Ok(ceilings)
}

/// Parses `io.max` of version 2: `254:0 rbps=1048576 wbps=max riops=max wiops=120`.
pub fn parse_max(text: &[u8]) -> BTreeMap<Device, Ceilings> {
    by_device(text, |words| {
        let limit = |key: &[u8]| {
            let most = words.iter().find_map(|word| unsigned(word.strip_prefix(key)?));
            most.map_or(Limit::Unlimited, Limit::At)
        };
        Some(Ceilings {
            read_bytes: limit(b"rbps="),
            written_bytes: limit(b"wbps="),
            reads: limit(b"riops="),
            writes: limit(b"wiops="),
        })
    })
}

/// Parses a limit of version 1: `254:0 1048576`.
pub fn parse_ceiling(text: &[u8]) -> BTreeMap<Device, u64> {
    by_device(text, |words| words.first().and_then(|word| unsigned(word)))
}

/// Lines that begin with a device, with what `parse` makes of the other words.
fn by_device<T>(text: &[u8], parse: impl Fn(&[&[u8]]) -> Option<T>) -> BTreeMap<Device, T> {
    let line = |line: &[u8]| -> Option<(Device, T)> {
        let mut words = line.split(|&byte| byte == b' ');
        let device = Device::parse(words.next()?)?;
        Some((device, parse(&words.collect::<Vec<_>>())?))
    };
    text.split(|&byte| byte == b'\n').filter_map(line).collect()
}

/// Time lost waiting for I/O. `None` where the kernel does not tell, as in version 1.
///
/// # Errors
///
/// [`ReadError`] if it tells, and can not be read.
pub fn read_pressure(cgroup: &Cgroup<'_>, buffer: &mut Buffer) -> Result<Option<Pressure>, ReadError> {
    pressure::read(cgroup, "io.pressure", buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VDA: Device = Device { major: 254, minor: 0 };

    #[test]
    fn both_versions_count_by_device() {
        let v2 = parse_stat(b"254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 new=7\n7:0 \nnonsense\n");
        let counters = Counters { read_bytes: 1, written_bytes: 2, reads: 3, writes: 4, discarded_bytes: 5 };
        assert_eq!(v2, BTreeMap::from([(VDA, counters)]));
        let v1 = parse_operations(
            b"254:0 Read 1\n254:0 Write 2\n254:0 Sync 3\n254:0 Async 0\n254:0 Discard 5\n254:0 Total 8\nTotal 8\n",
        );
        assert_eq!(v1, BTreeMap::from([(VDA, Operations { reads: 1, writes: 2, discards: 5 })]));
    }

    #[test]
    fn a_limit_that_is_not_set_is_unlimited() {
        let v2 = parse_max(b"254:0 rbps=1048576 wbps=max riops=max wiops=120\n");
        let ceilings =
            Ceilings { read_bytes: Limit::At(1 << 20), writes: Limit::At(120), ..Ceilings::default() };
        assert_eq!(v2, BTreeMap::from([(VDA, ceilings)]));
        assert_eq!(parse_ceiling(b"254:0 1048576\n"), BTreeMap::from([(VDA, 1 << 20)]));
        assert!(parse_max(b"").is_empty() && parse_ceiling(b"\n").is_empty());
    }
}
