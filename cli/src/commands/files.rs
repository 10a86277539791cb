//! The questions about the target's files, and what they share: how a file is named, and how it is shown.

pub(crate) mod access;
pub(crate) mod contents;
pub(crate) mod copies;
pub(crate) mod directories;
pub(crate) mod file_status;
pub(crate) mod mounts;
pub(crate) mod search;
mod status;
#[cfg(test)]
mod tests;
pub(crate) mod usage;

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use dbgctl_proto::v1;

use crate::render::{Object, Output};

/// A file of the target, as every question about one names it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Through {
    /// Look through the root directory of this process, where it is not that of the container
    #[arg(long, value_name = "PID", value_parser = crate::args::at_least_one::<u32>)]
    pid: Option<u32>,
}

/// A path in the target: any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetPath(Vec<u8>);

impl From<OsString> for TargetPath {
    fn from(path: OsString) -> Self {
        Self(path.as_bytes().to_vec())
    }
}

impl TargetPath {
    fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// Which mounts a walk enters on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mounts {
    /// None: stay in the mount of the path
    None,
    /// Those with files of someone's, not those of the kernel such as /proc and /sys
    Volumes,
    /// All of them
    All,
}

impl Mounts {
    fn message(self) -> i32 {
        match self {
            Self::None => v1::Crossing::None.into(),
            Self::Volumes => v1::Crossing::Volumes.into(),
            Self::All => v1::Crossing::All.into(),
        }
    }
}

/// A number of bytes such as 4096, 20K or 1.5G.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let size = super::processes::size(text).and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| "expected a number of bytes such as 4096, 20K or 1.5G".to_owned())
}

/// A word of the contract for one of its enums, in lower case; `unknown(n)` for what only a newer agent knows.
fn word<E: TryFrom<i32>>(number: i32, name: impl Fn(&E) -> &'static str, prefix: &str) -> Cow<'static, str> {
    match E::try_from(number) {
        Ok(value) => {
            let name = name(&value);
            Cow::Owned(name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase())
        }
        Err(_) => Cow::Owned(format!("unknown({number})")),
    }
}

fn kind(number: i32) -> Cow<'static, str> {
    word::<v1::FileKind>(number, v1::FileKind::as_str_name, "FILE_KIND_")
}

/// Writes a moment as the contract has it, or `null`.
fn time_field(name: &str, time: Option<v1::FileTime>, object: &mut Object<'_>) {
    match time {
        Some(time) => object.object(name, |object| {
            object.signed("unix_seconds", time.unix_seconds);
            object.number("nanos", u64::from(time.nanos));
        }),
        None => object.null(name),
    }
}

/// Writes the numbers of a device, or `null`.
fn device_field(name: &str, device: Option<v1::DeviceNumber>, object: &mut Object<'_>) {
    match device {
        Some(device) => object.object(name, |object| {
            object.number("major", u64::from(device.major));
            object.number("minor", u64::from(device.minor));
        }),
        None => object.null(name),
    }
}

/// Date and time of day in the user's time zone; `-` if it is not known.
fn moment(time: Option<v1::FileTime>, output: &Output) -> String {
    formatted(time, output, "%Y-%m-%d %H:%M:%S")
}

fn formatted(time: Option<v1::FileTime>, output: &Output, format: &str) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let nanos = i32::try_from(time.nanos).unwrap_or_default();
    match jiff::Timestamp::new(time.unix_seconds, nanos) {
        Ok(timestamp) => timestamp.to_zoned(output.zone().clone()).strftime(format).to_string(),
        // Any file may claim to be from a year that no calendar has.
        Err(_) => format!("@{}", time.unix_seconds),
    }
}

/// `one entry` or `7 entries`.
fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}
