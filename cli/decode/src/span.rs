//! Bytes of a packet of which some may not have been captured.

/// What a header begins in: the bytes that were captured of it, and how many there were on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    bytes: &'a [u8],
    wire_length: usize,
}

/// Why a header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It was on the wire, but was not captured: the snap length ends before.
    Cut,
    /// The packet contradicts itself there.
    Bad(&'static str),
}

impl<'a> Span<'a> {
    /// A span never claims to be shorter than what was captured of it.
    pub(crate) fn new(bytes: &'a [u8], wire_length: usize) -> Self {
        Self { bytes, wire_length: wire_length.max(bytes.len()) }
    }

    /// What was captured.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes there were on the wire.
    pub fn wire_length(&self) -> usize {
        self.wire_length
    }

    /// Whether the snap length cut bytes off.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.wire_length
    }

    /// Without the first `count` bytes. Empty if there are not that many.
    pub(crate) fn after(self, count: usize) -> Self {
        Self {
            bytes: self.bytes.get(count..).unwrap_or_default(),
            wire_length: self.wire_length.saturating_sub(count),
        }
    }

    /// The first `count` bytes, or all if there are less.
    pub(crate) fn first(self, count: usize) -> Self {
        Self {
            bytes: self.bytes.get(..count).unwrap_or(self.bytes),
            wire_length: self.wire_length.min(count),
        }
    }

    /// `count` bytes from `at` on.
    pub(crate) fn slice(&self, at: usize, count: usize) -> Result<&'a [u8], Fault> {
        let end = at.saturating_add(count);
        self.bytes.get(at..end).ok_or(if end > self.wire_length {
            Fault::Bad("too short")
        } else {
            Fault::Cut
        })
    }

    /// `N` bytes from `at` on.
    pub(crate) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Fault> {
        let slice = self.slice(at, N)?;
        slice.try_into().map_err(|_| Fault::Cut)
    }

    pub(crate) fn u8(&self, at: usize) -> Result<u8, Fault> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    pub(crate) fn u16(&self, at: usize) -> Result<u16, Fault> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&self, at: usize) -> Result<u32, Fault> {
        self.array(at).map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    pub(crate) fn u32(&self, at: usize) -> Result<u32, Fault> {
        self.array(at).map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_captured_is_cut_and_what_never_was_is_bad() {
        let span = Span::new(&[1, 2, 3], 5);

        assert_eq!(span.u16(1), Ok(0x0203));
        assert_eq!(span.u16(2), Err(Fault::Cut));
        assert_eq!(span.u16(4), Err(Fault::Bad("too short")));
        assert_eq!(span.u16(usize::MAX), Err(Fault::Bad("too short")));
    }

    #[test]
    fn parts_of_a_span_stay_within_it() {
        let span = Span::new(&[1, 2, 3], 5);

        assert_eq!(span.first(2), Span::new(&[1, 2], 2));
        assert_eq!(span.first(9), span);
        assert_eq!(span.after(2), Span::new(&[3], 3));
        assert_eq!(span.after(4), Span::new(&[], 1));
        assert_eq!(span.after(9), Span::new(&[], 0));
    }

    #[test]
    fn a_length_that_is_less_than_what_was_captured_is_not_believed() {
        assert_eq!(Span::new(&[1, 2, 3], 1).wire_length(), 3);
    }
}
