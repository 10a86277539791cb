//! Many rows at once, on as many threads as there are CPUs.

use rayon::prelude::*;

/// So many rows are one piece of work. Fewer are not worth a thread.
pub(super) const ROWS: usize = 1024;
/// Blocks whose text waits to be written: enough for all threads, and not a list of any length.
pub(super) const WAITING: usize = 8;

/// What `work` makes of each block of [`ROWS`] rows, in order. There is always at least one, which may be empty.
pub(super) fn of<R: Sync, B: Send>(rows: &[R], work: impl Fn(&[R]) -> B + Send + Sync) -> Vec<B> {
    match rows.len() {
        0..=ROWS => vec![work(rows)],
        _ => rows.par_chunks(ROWS).map(work).collect(),
    }
}

/// What `work` makes of each block and what was made of it before, in order.
pub(super) fn again<R: Sync, A: Sync, B: Send>(
    rows: &[R],
    before: &[A],
    work: impl Fn(&[R], &A) -> B + Send + Sync,
) -> Vec<B> {
    match before {
        [only] => vec![work(rows, only)],
        _ => rows.par_chunks(ROWS).zip(before).map(|(rows, before)| work(rows, before)).collect(),
    }
}
