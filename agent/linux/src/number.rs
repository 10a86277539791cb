//! Numbers as the kernel writes them: decimal ASCII, no sign but `-`, no white space.

/// The number that `digits` spells, or `None` if it is none or does not fit.
pub(crate) fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Like [`unsigned`], with an optional leading `-`.
pub(crate) fn signed(digits: &[u8]) -> Option<i64> {
    match digits.strip_prefix(b"-") {
        Some(digits) => 0_i64.checked_sub_unsigned(unsigned(digits)?),
        None => i64::try_from(unsigned(digits)?).ok(),
    }
}

/// Like [`unsigned`], for numbers that fit 32 bits.
pub(crate) fn unsigned32(digits: &[u8]) -> Option<u32> {
    u32::try_from(unsigned(digits)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{signed, unsigned, unsigned32};

    #[test]
    fn only_digits_that_fit_are_numbers() {
        assert_eq!(unsigned(b"0"), Some(0));
        assert_eq!(unsigned(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(unsigned(b"18446744073709551616"), None);
        assert_eq!([b"".as_slice(), b"-1", b"+1", b" 1", b"1x"].map(unsigned), [None; 5]);
        assert_eq!(signed(b"-20"), Some(-20));
        assert_eq!(signed(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(signed(b"--1"), None);
        assert_eq!(unsigned32(b"4294967296"), None);
    }
}
