//! The memory that files are read into.

use nix::errno::Errno;

/// What fits without growing: every procfs file that is read for each process, but for long arguments.
const FIRST_BYTES: usize = 16 << 10;

/// Room for the content of a file, used again for the next file. Grows up to the bound of a read.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
}

/// What was read of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'b> {
    /// The content from its start.
    pub bytes: &'b [u8],
    /// True if there was more than the bound.
    pub cut: bool,
}

impl Buffer {
    /// Calls `read` until it returns fewer than `short` bytes, or `bound` bytes and one are there.
    #[inline]
    pub(super) fn fill(
        &mut self,
        bound: usize,
        short: usize,
        mut read: impl FnMut(&mut [u8]) -> nix::Result<usize>,
    ) -> nix::Result<Content<'_>> {
        // One byte more than the bound tells a file of just this length from a longer one.
        let most = bound.saturating_add(1);
        if self.bytes.is_empty() {
            self.bytes.resize(FIRST_BYTES, 0);
        }
        let mut filled = 0;
        while filled < most {
            if filled == self.bytes.len() {
                self.bytes.resize(filled.saturating_mul(2).min(most.max(filled + 1)), 0);
            }
            let end = self.bytes.len().min(most);
            match read(&mut self.bytes[filled..end]) {
                Ok(0) => break,
                Ok(count) => {
                    let room = end - filled;
                    filled += count;
                    // A read that filled its room may have been cut by it.
                    if count < short && count < room {
                        break;
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        let end = filled.min(bound);
        Ok(Content { bytes: &self.bytes[..end], cut: filled > bound })
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;

    fn fill(buffer: &mut Buffer, bound: usize, short: usize, mut file: &[u8]) -> (usize, bool, usize) {
        let mut calls = 0;
        let content = buffer
            .fill(bound, short, |room| {
                calls += 1;
                let count = room.len().min(file.len()).min(30_000);
                room[..count].copy_from_slice(&file[..count]);
                file = &file[count..];
                Ok(count)
            })
            .unwrap();
        (content.bytes.len(), content.cut, calls)
    }

    #[test]
    fn a_short_file_costs_one_read() {
        assert_eq!(fill(&mut Buffer::default(), 4096, 4000, &[7; 300]), (300, false, 1));
    }

    #[test]
    fn a_file_is_cut_only_if_it_is_longer_than_the_bound() {
        let mut buffer = Buffer::default();
        for length in [0, 1, 16_383, 16_384, 16_385, 100_000, 131_071, 131_072] {
            let (read, cut, _) = fill(&mut buffer, 131_072, 4000, &vec![7; length]);
            assert_eq!((read, cut), (length, false));
        }
        let (read, cut, _) = fill(&mut buffer, 131_072, 4000, &[7; 131_073]);
        assert_eq!((read, cut), (131_072, true));
    }

    #[test]
    fn what_an_earlier_file_left_is_not_seen() {
        let mut buffer = Buffer::default();
        fill(&mut buffer, 4096, 4000, &[7; 300]);
        assert_eq!(fill(&mut buffer, 4096, 4000, &[8; 3]).0, 3);
    }
}
