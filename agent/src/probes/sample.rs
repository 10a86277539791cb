//! Reading the same things twice, a sample apart.

use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_SAMPLE, SHORTEST_SAMPLE};

use crate::error::BadRequest;

/// The length of a sample that is asked for by `sample_millis`.
pub(super) fn length(millis: u32) -> Result<Duration, BadRequest> {
    let length = if millis == 0 { Duration::from_secs(1) } else { Duration::from_millis(millis.into()) };
    if (SHORTEST_SAMPLE..=LONGEST_SAMPLE).contains(&length) {
        Ok(length)
    } else {
        Err(BadRequest::new("sample_millis", "must be from 100 to 60000"))
    }
}

/// What a counter grew by. `None` if it is absent in one reading, or went down: then it is another's.
pub(super) fn grown(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    after?.checked_sub(before?)
}
