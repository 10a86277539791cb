//! Where to begin: at an offset, or so far before the end.

use dbgctl_linux::file::FileStatus;
use dbgctl_linux::{ReadError, TargetFile};
use dbgctl_proto::v1::read_file_request::Start;

use crate::gaps::Gaps;

/// How far before the end the beginning of a line is looked for, and how much of a file without a size is read to find
/// its end.
const FARTHEST_BYTES: u64 = 16 << 20;

const BLOCK_BYTES: u64 = 64 << 10;

/// The offset of the first byte that is wanted.
pub(super) fn of(
    file: &TargetFile,
    status: &FileStatus,
    start: Option<&Start>,
    gaps: &mut Gaps,
) -> Result<u64, ReadError> {
    match start {
        None => Ok(0),
        Some(Start::Offset(offset)) => Ok(*offset),
        Some(Start::TailBytes(bytes)) => Ok(size(file, status)?.saturating_sub(*bytes)),
        Some(Start::TailLines(lines)) => {
            let size = size(file, status)?;
            let (start, is_whole) = of_last_lines(*lines, size, |offset, bytes| file.read_at(offset, bytes))?;
            if !is_whole {
                gaps.add("lines", "the last 16 MiB have fewer than were asked for");
            }
            Ok(start)
        }
    }
}

/// The files of the kernel say that they are empty, and are not.
fn size(file: &TargetFile, status: &FileStatus) -> Result<u64, ReadError> {
    if status.size_bytes > 0 {
        return Ok(status.size_bytes);
    }
    let mut bytes = [0; 4096];
    let mut size = 0;
    while size < FARTHEST_BYTES {
        match file.read_at(size, &mut bytes)? {
            0 => break,
            length => size += u64::try_from(length).unwrap_or(FARTHEST_BYTES),
        }
    }
    Ok(size)
}

/// Where the last `lines` lines of `size` bytes begin, and whether they are that many, or all.
fn of_last_lines<E>(
    lines: u64,
    size: u64,
    mut read_at: impl FnMut(u64, &mut [u8]) -> Result<usize, E>,
) -> Result<(u64, bool), E> {
    if lines == 0 {
        return Ok((size, true));
    }
    let lowest = size.saturating_sub(FARTHEST_BYTES);
    let mut bytes = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
    let (mut end, mut ends_seen) = (size, 0);
    while end > lowest {
        let begin = end.saturating_sub(BLOCK_BYTES).max(lowest);
        let wanted = usize::try_from(end - begin).unwrap_or_default();
        let length = read_at(begin, &mut bytes[..wanted])?;
        for at in (0..length).rev() {
            let offset = begin + u64::try_from(at).unwrap_or_default();
            // The newline at the very end ends the last line and begins none.
            if bytes[at] == b'\n' && offset + 1 < size {
                ends_seen += 1;
                if ends_seen == lines {
                    return Ok((offset + 1, true));
                }
            }
        }
        end = begin;
    }
    Ok((lowest, lowest == 0))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{FARTHEST_BYTES, of_last_lines};

    fn start(lines: u64, content: &[u8]) -> (u64, bool) {
        let size = u64::try_from(content.len()).unwrap();
        let read = |offset: u64, bytes: &mut [u8]| {
            let rest = &content[usize::try_from(offset).unwrap()..];
            let length = rest.len().min(bytes.len());
            bytes[..length].copy_from_slice(&rest[..length]);
            Ok::<_, Infallible>(length)
        };
        let Ok(start) = of_last_lines(lines, size, read);
        start
    }

    #[test]
    fn the_last_lines_begin_after_the_newline_before_them() {
        assert_eq!(start(1, b"a\nb\nc\n"), (4, true));
        assert_eq!(start(2, b"a\nb\nc"), (2, true));
        assert_eq!(start(9, b"a\nb\n"), (0, true));
        assert_eq!((start(0, b"a\n"), start(3, b"")), ((2, true), (0, true)));
        let long = [b"x".repeat(200_000), b"\ny".repeat(70_000)].concat();
        assert_eq!(start(70_001, &long), (0, true));
        assert_eq!(start(70_000, &long), (200_001, true));
    }

    #[test]
    fn a_file_without_lines_is_not_read_from_its_end_to_its_beginning() {
        let size = 1 << 40;
        let mut read = 0;
        let Ok(start) = of_last_lines(10, size, |_, bytes| {
            read += bytes.len();
            Ok::<_, Infallible>(bytes.len())
        });
        assert_eq!(start, (size - FARTHEST_BYTES, false));
        assert_eq!(u64::try_from(read).unwrap(), FARTHEST_BYTES);
    }
}
