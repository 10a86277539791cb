//! Reading a stream of the agent's to its end, and no further than there is room for it.

use dbgctl_proto::bounds::MOST_ROWS;
use tonic::Streaming;

use super::Failure;

/// Hands each message of a stream to `take`, which returns whether the summary has come.
///
/// Returns why the list can not be trusted to be whole, if that is so. `footprint` is the memory that a message
/// takes here, roughly.
pub(super) async fn read<M>(
    mut stream: Streaming<M>,
    footprint: impl Fn(&M) -> usize,
    mut take: impl FnMut(M) -> bool,
) -> Result<Option<&'static str>, Failure> {
    let mut budget = Budget::new();
    let mut has_summary = false;
    while let Some(message) = stream.message().await? {
        if !budget.take(footprint(&message)) {
            return Ok(Some("the list was cut here: the agent sent more than there can be"));
        }
        has_summary = take(message);
    }
    Ok((!has_summary).then_some("the list broke off: the agent ended it without a summary"))
}

/// What a list may still cost. An agent that has been taken over must not exhaust this side.
#[derive(Debug)]
struct Budget {
    frames: u64,
    bytes: usize,
}

impl Budget {
    /// Room for the longest list, even one with a row in each message.
    fn new() -> Self {
        Self { frames: MOST_ROWS, bytes: 1 << 30 }
    }

    /// Takes one frame of that size in memory. Returns false if there is no room for it.
    fn take(&mut self, bytes: usize) -> bool {
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
