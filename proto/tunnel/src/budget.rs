//! How much may be on the way: each connection has a little of its own, and borrows more while others leave it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::LONGEST_DATA_BYTES;

/// What each connection may always have on the way.
const OWN_BYTES: usize = 4 << 10;

/// What all connections of one side share beyond that.
const SHARED_BYTES: usize = 1 << 20;

/// What one connection may borrow of it. With its own it stays below the window of a call, so that HTTP/2 never makes one
/// wait: what frees the way again travels on the same stream.
const MOST_BORROWED_BYTES: usize = 12 * LONGEST_DATA_BYTES;

/// The most that a sender has on the way for one connection. A receiver need not expect more.
pub(crate) const WINDOW_BYTES: usize = OWN_BYTES + MOST_BORROWED_BYTES;

/// What the connections of one side share.
#[derive(Debug)]
pub struct Budget(Semaphore);

impl Default for Budget {
    fn default() -> Self {
        Self(Semaphore::new(SHARED_BYTES))
    }
}

impl Budget {
    pub(crate) fn credit(&self) -> Credit<'_> {
        Credit { shared: &self.0, own: Semaphore::new(OWN_BYTES), debt: Mutex::default() }
    }
}

/// How much one connection may still send.
#[derive(Debug)]
pub(crate) struct Credit<'b> {
    shared: &'b Semaphore,
    own: Semaphore,
    debt: Mutex<Debt>,
}

#[derive(Debug, Default)]
struct Debt {
    on_the_way: usize,
    borrowed: usize,
}

impl Credit<'_> {
    /// Returns as soon as something may be sent, and how much until something is refunded.
    pub(crate) async fn some(&self) -> usize {
        loop {
            if self.own.available_permits() < LONGEST_DATA_BYTES {
                self.borrow();
            }
            let left = self.own.available_permits();
            if left > 0 {
                return left;
            }
            // Given back at once: nothing is sent yet.
            let _some = self.own.acquire().await;
        }
    }

    /// So much has been sent, and not more than there was.
    pub(crate) fn spend(&self, bytes: usize) {
        let forgotten = self.own.forget_permits(bytes);
        debug_assert_eq!(forgotten, bytes, "more was sent than there was credit for");
        self.debt().on_the_way += bytes;
    }

    /// So much has arrived. Returns false if it was never sent.
    pub(crate) fn refund(&self, bytes: usize) -> bool {
        let mut debt = self.debt();
        let Some(left) = debt.on_the_way.checked_sub(bytes) else { return false };
        debt.on_the_way = left;
        self.own.add_permits(bytes);
        if left == 0 {
            let borrowed = std::mem::take(&mut debt.borrowed);
            self.own.forget_permits(borrowed);
            self.shared.add_permits(borrowed);
        }
        true
    }

    fn borrow(&self) {
        let mut debt = self.debt();
        if debt.borrowed >= MOST_BORROWED_BYTES {
            return;
        }
        let Ok(loan) = self.shared.try_acquire_many(LOAN) else { return };
        loan.forget();
        debt.borrowed += LONGEST_DATA_BYTES;
        self.own.add_permits(LONGEST_DATA_BYTES);
    }

    fn debt(&self) -> MutexGuard<'_, Debt> {
        // Two numbers: a panic elsewhere can not have left them half-made.
        self.debt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "64 KiB")]
const LOAN: u32 = LONGEST_DATA_BYTES as u32;

impl Drop for Credit<'_> {
    fn drop(&mut self) {
        let borrowed = self.debt().borrowed;
        self.shared.add_permits(borrowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend_all(credit: &Credit<'_>) -> usize {
        let mut spent = 0;
        loop {
            credit.borrow();
            match credit.own.available_permits() {
                0 => return spent,
                some => {
                    credit.spend(some);
                    spent += some;
                }
            }
        }
    }

    #[test]
    fn connections_that_are_not_read_take_no_more_than_there_is_and_leave_each_other_their_own() {
        let budget = Budget::default();
        let stalled: Vec<_> = (0..4).map(|_| budget.credit()).collect();
        let on_the_way: usize = stalled.iter().map(spend_all).sum();
        assert_eq!(on_the_way, SHARED_BYTES + 4 * OWN_BYTES);
        assert_eq!(spend_all(&budget.credit()), OWN_BYTES);
        drop(stalled);
        assert_eq!(spend_all(&budget.credit()), WINDOW_BYTES);
        assert_eq!(budget.0.available_permits(), SHARED_BYTES);
    }

    #[test]
    fn what_was_borrowed_is_given_back_when_all_has_arrived_and_what_was_never_sent_does_not_count() {
        let budget = Budget::default();
        let credit = budget.credit();
        let sent = spend_all(&credit);
        assert!(credit.refund(sent - 1));
        assert!(!credit.refund(2));
        assert!(budget.0.available_permits() < SHARED_BYTES);
        assert!(credit.refund(1));
        assert_eq!(budget.0.available_permits(), SHARED_BYTES);
        assert_eq!(credit.own.available_permits(), OWN_BYTES);
    }
}
