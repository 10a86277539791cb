//! The content of one file as it comes: which stretches of it are no holes, and the digest of them.

use dbgctl_proto::v1::Extent;
use sha2::{Digest as _, Sha256};

/// What has come of a file and what has not.
#[derive(Debug)]
pub(super) struct Content {
    extents: Vec<(u64, u64)>,
    /// The extent that is being filled, and where the next byte of it belongs.
    current: usize,
    at: u64,
    size: u64,
    from: u64,
    digest: Sha256,
}

impl Content {
    /// A file of that size, of which what lies before `from` is here already. `None` for stretches that can not be.
    pub(super) fn new(extents: &[Extent], size: u64, from: u64) -> Option<Self> {
        let mut end = 0;
        let mut bounds = Vec::with_capacity(extents.len());
        for extent in extents {
            let extent_end = extent.offset.checked_add(extent.length_bytes)?;
            if extent.offset < end || extent_end > size || extent.length_bytes == 0 {
                return None;
            }
            end = extent_end;
            bounds.push((extent.offset, extent_end));
        }
        let mut content = Self { extents: bounds, current: 0, at: 0, size, from, digest: Sha256::new() };
        content.skip_to(from);
        Some(content)
    }

    /// The stretches that are here already: where each begins and ends.
    pub(super) fn here(&self) -> Vec<(u64, u64)> {
        let cut = |&(start, end): &(u64, u64)| (start, end.min(self.from));
        self.extents.iter().filter(|(start, _)| *start < self.from).map(cut).collect()
    }

    /// Adds to the digest what is here already.
    pub(super) fn digest_of_here(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn extents(&self) -> &[(u64, u64)] {
        &self.extents
    }

    /// Bytes that are no holes.
    pub(super) fn data_bytes(&self) -> u64 {
        self.extents.iter().map(|(start, end)| end - start).sum()
    }

    /// Takes the next data. False if these are not what can come next.
    pub(super) fn take(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let Some(&(_, end)) = self.extents.get(self.current) else { return bytes.is_empty() };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if offset != self.at || offset.checked_add(length).is_none_or(|after| after > end) {
            return false;
        }
        self.digest.update(bytes);
        self.skip_to(offset + length);
        true
    }

    /// Makes the next byte that is wanted the first one of data from `offset` on.
    fn skip_to(&mut self, offset: u64) {
        while self.extents.get(self.current).is_some_and(|(_, end)| *end <= offset) {
            self.current += 1;
        }
        self.at = self.extents.get(self.current).map_or(offset, |(start, _)| offset.max(*start));
    }

    pub(super) fn is_whole(&self) -> bool {
        self.current == self.extents.len()
    }

    /// SHA-256 of all data, one after the other.
    pub(super) fn digest(self) -> Vec<u8> {
        self.digest.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(offset: u64, length_bytes: u64) -> Extent {
        Extent { offset, length_bytes }
    }

    #[test]
    fn data_are_taken_in_order_and_within_their_stretches() {
        let mut content = Content::new(&[extent(0, 2), extent(10, 3)], 20, 0).unwrap();
        assert!(!content.take(1, b"x") && !content.take(0, b"xyz"));
        assert!(content.take(0, b"ab") && !content.is_whole());
        assert!(!content.take(2, b"c") && content.take(10, b"c") && content.take(11, b"de"));
        assert!(content.is_whole() && !content.take(13, b"f"));
        assert_eq!(content.digest(), Sha256::digest(b"abcde").to_vec());
    }

    #[test]
    fn what_is_here_already_is_not_wanted_again() {
        let mut content = Content::new(&[extent(0, 2), extent(10, 3)], 20, 11).unwrap();
        assert_eq!(content.here(), [(0, 2), (10, 11)]);
        content.digest_of_here(b"abc");
        assert!(content.take(11, b"de") && content.is_whole());
        assert_eq!(content.digest(), Sha256::digest(b"abcde").to_vec());
    }

    #[test]
    fn stretches_that_can_not_be_are_refused() {
        for extents in
            [&[extent(5, 2), extent(6, 1)][..], &[extent(19, 2)], &[extent(0, 0)], &[extent(u64::MAX, 2)]]
        {
            assert!(Content::new(extents, 20, 0).is_none(), "{extents:?}");
        }
    }
}
