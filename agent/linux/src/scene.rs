//! `scene` at the top of a recorded tree: what a recording must carry beside the files themselves.
//!
//! One `key value` per line, all five required, others skipped:
//!
//! ```text
//! target 4c01db0b339c…  (64 hexadecimal digits)
//! boottime_nanos 81230000000
//! unix_nanos 1790000000000000000
//! ticks_per_second 100
//! page_bytes 4096
//! ```

use crate::number::unsigned;
use crate::target::ContainerId;
use crate::{BadLine, Buffer, Moment, ReadError, Root, Units};

/// The circumstances of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The container that was looked at.
    pub target: ContainerId,
    /// When the recording was begun.
    pub moment: Moment,
    /// The units of the kernel that was recorded.
    pub units: Units,
}

/// Reads the file at the top of the recorded tree `root`.
///
/// # Errors
///
/// [`ReadError`] if it is missing or incomplete.
pub fn read(root: &Root) -> Result<Scene, ReadError> {
    let mut buffer = Buffer::default();
    let content = root.read_top(c"scene", 4096, &mut buffer)?;
    parse(content.bytes).map_err(|bad_line| bad_line.at(root.top_path("scene")))
}

/// Parses the text of the file.
///
/// # Errors
///
/// [`BadLine`] for the first key that is missing, or has a value that makes no sense.
pub fn parse(text: &[u8]) -> Result<Scene, BadLine> {
    let value = |key: &'static str| -> Result<(usize, &[u8]), BadLine> {
        let mut lines = text.split(|&byte| byte == b'\n').enumerate();
        lines
            .find_map(|(at, line)| Some((at + 1, line.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?)))
            .ok_or_else(|| BadLine::new(1, key, text))
    };
    let number = |key: &'static str| -> Result<u64, BadLine> {
        let (line, value) = value(key)?;
        unsigned(value).filter(|&number| number > 0).ok_or_else(|| BadLine::new(line, key, value))
    };
    let (line, target) = value("target")?;
    let target = str::from_utf8(target).ok().and_then(|id| id.parse().ok());
    Ok(Scene {
        target: target.ok_or_else(|| BadLine::new(line, "64 hexadecimal digits", text))?,
        moment: Moment { boottime_nanos: number("boottime_nanos")?, unix_nanos: number("unix_nanos")? },
        units: Units { ticks_per_second: number("ticks_per_second")?, page_bytes: number("page_bytes")? },
    })
}
