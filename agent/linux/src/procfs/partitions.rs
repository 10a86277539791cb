//! `/proc/partitions`: the names of block devices by their numbers.
//!
//! Format: proc_partitions(5).

use crate::cgroupfs::io::Device;
use crate::number::unsigned32;
use crate::{Buffer, ProcName, ReadError, Root};

/// Some ten thousand devices.
const BOUND_BYTES: usize = 1 << 20;

/// Names of block devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partitions {
    names: Vec<(Device, Box<[u8]>)>,
}

impl Partitions {
    /// The name of a device, for example `sda1`.
    pub fn name(&self, device: Device) -> Option<&[u8]> {
        self.names.iter().find(|(known, _)| *known == device).map(|(_, name)| &**name)
    }
}

/// Reads the file.
///
/// # Errors
///
/// [`ReadError`].
pub fn read(root: &Root, buffer: &mut Buffer) -> Result<Partitions, ReadError> {
    Ok(parse(root.read(&ProcName::system("partitions"), BOUND_BYTES, buffer)?.bytes))
}

/// Parses the text of the file. Lines that are no device, such as the heading, are skipped.
pub fn parse(text: &[u8]) -> Partitions {
    let device = |line: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let mut number = || words.next().and_then(unsigned32);
        let device = Device { major: number()?, minor: number()? };
        Some((device, words.nth(1)?.into()))
    };
    Partitions { names: text.split(|&byte| byte == b'\n').filter_map(device).collect() }
}

#[cfg(test)]
mod tests {
    use super::{Device, parse};

    #[test]
    fn devices_have_names_and_the_heading_is_none() {
        let partitions =
            parse(b"major minor  #blocks  name\n\n 254        0   52428800 vda\n   8       17 1024 sdb1\n");
        assert_eq!(partitions.name(Device { major: 254, minor: 0 }), Some(&b"vda"[..]));
        assert_eq!(partitions.name(Device { major: 8, minor: 17 }), Some(&b"sdb1"[..]));
        assert_eq!(partitions.name(Device { major: 8, minor: 1 }), None);
    }
}
