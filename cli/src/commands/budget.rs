//! How much of a stream is kept. An agent that has been taken over must not exhaust this side.

/// What a list may still cost.
#[derive(Debug)]
pub(super) struct Budget {
    frames: usize,
    bytes: usize,
}

impl Budget {
    /// Room for the kernel's largest number of processes.
    pub(super) fn new() -> Self {
        Self { frames: 4_194_304, bytes: 1 << 30 }
    }

    /// Takes one frame of that size in memory. Returns false if there is no room for it.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        match (self.frames.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(frames), Some(left)) => {
                *self = Self { frames, bytes: left };
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_many_small_frames_nor_few_big_ones_pass() {
        let mut budget = Budget { frames: 2, bytes: 100 };
        assert!(!budget.take(101));
        assert!(budget.take(40));
        assert!(!budget.take(61));
        assert!(budget.take(0));
        assert!(!budget.take(0));
    }
}
