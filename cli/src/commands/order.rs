//! What the lists that can be sorted by any field have in common.

use std::cmp::Reverse;

/// Takes `+` or `-` off the name of a field: whether the biggest comes first, if that is said.
pub(super) fn direction(text: &str) -> (Option<bool>, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (Some(true), &text[1..]),
        Some(b'+') => (Some(false), &text[1..]),
        _ => (None, text),
    }
}

/// Sorts by `value`. Rows that are equal stay in order; rows whose value is `absent` come last either way.
pub(super) fn sort<T, V: Ord>(rows: &mut [T], descending: bool, absent: &V, value: impl Fn(&T) -> V) {
    let key = |row: &T| {
        let value = value(row);
        (value == *absent, value)
    };
    if descending {
        rows.sort_by_cached_key(|row| {
            let (absent, value) = key(row);
            (absent, Reverse(value))
        });
    } else {
        rows.sort_by_cached_key(key);
    }
}
