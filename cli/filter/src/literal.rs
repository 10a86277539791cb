//! Numbers and addresses as pcap-filter(7) writes them. Each function tells how many bytes at the start of a text have its
//! form; the lexer takes the longest.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::Fault;

/// The longest IPv6 address has 45 bytes; leading zeros of a dotted end are no reason to look further.
const LONGEST_IPV6: usize = 64;

/// `80`, `0x50`.
pub(crate) fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if let [b'0', b'x' | b'X', rest @ ..] = bytes {
        let digits = run(rest, u8::is_ascii_hexdigit);
        if digits > 0 {
            return 2 + digits;
        }
    }
    run(bytes, u8::is_ascii_digit)
}

/// The value of a number: hexadecimal after `0x`, octal after `0`, decimal otherwise.
pub(crate) fn number(text: &str) -> Result<u32, Fault> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if radix == 8 && digits.bytes().any(|digit| digit > b'7') {
        let fault =
            Fault::new(format!("`{text}` starts with 0 and is therefore octal, which has no digits 8 and 9"));
        return Err(fault.suggest(format!("did you mean `{}`?", digits.trim_start_matches('0'))));
    }
    u32::from_str_radix(digits, radix).map_err(|_| Fault::new(format!("`{text}` does not fit into 32 bits")))
}

/// `10.1`, `10.1.2`, `10.1.2.3`.
pub(crate) fn dotted_length(text: &str) -> usize {
    let mut length = number_length(text);
    let mut longest = 0;
    for _ in 0..3 {
        let Some(rest) = text[length..].strip_prefix('.') else { break };
        let next = number_length(rest);
        if length == 0 || next == 0 {
            break;
        }
        length += 1 + next;
        longest = length;
    }
    longest
}

/// The address, its missing bytes zero, and how many bits were given.
pub(crate) fn dotted(text: &str) -> Result<(Ipv4Addr, u32), Fault> {
    let mut octets = [0; 4];
    let mut given = 0;
    for (octet, part) in octets.iter_mut().zip(text.split('.')) {
        let value = part.bytes().try_fold(0_u32, |value, digit| match digit {
            b'0'..=b'9' => Some(value * 10 + u32::from(digit - b'0')).filter(|value| *value <= 255),
            _ => None,
        });
        *octet = value.and_then(|value| u8::try_from(value).ok()).ok_or_else(|| {
            Fault::new(format!("`{text}` is no IPv4 address: `{part}` is not a number from 0 to 255"))
        })?;
        given += 8;
    }
    Ok((Ipv4Addr::from(octets), given))
}

/// `fe80::1`, `::ffff:10.0.0.1`.
pub(crate) fn ipv6_length(text: &str) -> usize {
    let candidate =
        run(text.as_bytes(), |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'x' | b'X'));
    (2..=candidate.min(LONGEST_IPV6)).rev().find(|length| has_form_of_ipv6(&text[..*length])).unwrap_or(0)
}

/// The form alone: a dotted end may still be out of range.
fn has_form_of_ipv6(text: &str) -> bool {
    let (head, tail) = match text.split_once("::") {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    let last = tail.unwrap_or(head);
    let (last, dotted) = match last.rsplit_once(':') {
        _ if dotted_length(last) == last.len() && !last.is_empty() => ("", true),
        Some((front, end)) if !end.is_empty() && dotted_length(end) == end.len() => (front, true),
        _ => (last, false),
    };
    if dotted
        && text.rsplit(':').next().is_none_or(|end| end.bytes().filter(|byte| *byte == b'.').count() != 3)
    {
        return false;
    }
    let groups = |part: &str| -> Option<usize> {
        if part.is_empty() {
            return Some(0);
        }
        let ok = part
            .split(':')
            .all(|group| matches!(group.len(), 1..=4) && group.bytes().all(|b| b.is_ascii_hexdigit()));
        ok.then(|| part.split(':').count())
    };
    let count = match tail {
        Some(_) => groups(head).zip(groups(last)).map(|(head, tail)| head + tail),
        None => groups(last),
    };
    match (count, tail, dotted) {
        (Some(count), Some(_), false) => count <= 7,
        (Some(count), Some(_), true) => count <= 5,
        (Some(count), None, false) => count == 8,
        (Some(count), None, true) => count == 6,
        (None, ..) => false,
    }
}

/// The address that a text of that form names.
pub(crate) fn ipv6(text: &str) -> Result<Ipv6Addr, Fault> {
    text.parse().map_err(|_| Fault::new(format!("`{text}` is no IPv6 address")))
}

/// `02:00:00:00:00:01`, with `-` or `.` in place of `:`, `0200.0000.0001`, `020000000001`.
pub(crate) fn mac_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let separated = [b':', b'-', b'.'].map(|separator| groups_length(bytes, separator, 6, 1..=2));
    let cisco = groups_length(bytes, b'.', 3, 4..=4);
    let plain = if run(bytes, u8::is_ascii_hexdigit) >= 12 { 12 } else { 0 };
    separated.into_iter().chain([cisco, plain]).max().unwrap_or(0)
}

fn groups_length(
    bytes: &[u8],
    separator: u8,
    groups: usize,
    digits: std::ops::RangeInclusive<usize>,
) -> usize {
    let mut length = 0;
    for group in 0..groups {
        if group > 0 {
            if bytes.get(length) != Some(&separator) {
                return 0;
            }
            length += 1;
        }
        let found = run(&bytes[length..], u8::is_ascii_hexdigit).min(*digits.end());
        if found < *digits.start() {
            return 0;
        }
        length += found;
    }
    length
}

/// The address that a text of that form names.
pub(crate) fn mac(text: &str) -> [u8; 6] {
    let separators = [':', '-', '.'];
    let groups: Vec<&str> = text.split(separators).collect();
    let digits: String = match groups.len() {
        6 => groups.iter().map(|group| format!("{group:0>2}")).collect(),
        _ => groups.concat(),
    };
    let mut octets = [0; 6];
    for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *octet = pair.iter().fold(0, |octet, digit| octet << 4 | nibble(*digit));
    }
    octets
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// What looks like a MAC address and is none: bytes with colons that do not end.
pub(crate) fn broken_mac_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut length, mut groups, mut longest) = (0, 0, 0);
    loop {
        let digits = run(&bytes[length..], u8::is_ascii_hexdigit);
        if !matches!(digits, 1..=2) {
            return longest;
        }
        let colons = run(&bytes[length + digits..], |byte| *byte == b':');
        if colons == 0 {
            return longest;
        }
        length += digits + colons;
        groups += 1;
        if groups >= 2 {
            longest = length;
        }
    }
}

/// A name, which may hold `-` and `_` but does not end in them.
pub(crate) fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_alphanumeric) {
        return 0;
    }
    let length = run(bytes, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    text[..length].trim_end_matches(['-', '_']).len()
}

/// What a backslash makes a name, whatever it is otherwise. Without the backslash.
pub(crate) fn quoted_length(text: &str) -> usize {
    run(text.as_bytes(), |byte| !matches!(byte, b' ' | b'!' | b'(' | b')' | b'\n' | b'\t'))
}

fn run(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_end_where_their_form_does() {
        for whole in [
            "::",
            "::1",
            "1::",
            "fe80::1",
            "1:2:3:4:5:6:7:8",
            "::1:2:3:4:5:6:7",
            "1:2:3:4:5:6:1.2.3.4",
            "::1.2.3.4",
            "1::5:1.2.3.4",
        ] {
            assert_eq!(ipv6_length(whole), whole.len(), "{whole}");
        }
        for (text, length) in [
            ("::1/64", 3),
            ("6:2", 0),
            ("1:2:3:4:5:6:7", 0),
            ("::1]", 3),
            ("1::2::3", 4),
            ("::g", 2),
            ("::1.2.3", 3),
        ] {
            assert_eq!(ipv6_length(text), length, "{text}");
        }
    }

    #[test]
    fn mac_addresses_have_five_forms() {
        for text in ["2:0:0:0:0:1", "02-00-00-00-00-01", "02.0.0.0.0.1", "0200.0000.0001", "020000000001"] {
            assert_eq!(mac_length(text), text.len(), "{text}");
            assert_eq!(mac(text), [2, 0, 0, 0, 0, 1], "{text}");
        }
        assert_eq!(mac_length("2:0:0:0:0"), 0);
    }

    #[test]
    fn numbers_are_hexadecimal_octal_or_decimal_and_have_32_bits() {
        assert_eq!(number("0x1F"), Ok(31));
        assert_eq!(number("010"), Ok(8));
        assert_eq!(number("0"), Ok(0));
        assert_eq!(number("4294967295"), Ok(u32::MAX));
        assert!(number("4294967296").is_err());
        assert!(number("080").is_err());
    }

    #[test]
    fn dotted_addresses_are_decimal_whatever_they_start_with() {
        assert_eq!(dotted("010.1"), Ok((Ipv4Addr::new(10, 1, 0, 0), 16)));
        assert!(dotted("1.2.3.400").is_err());
        assert!(dotted("0x1.2").is_err());
        assert_eq!(dotted_length("1.2.3.4.5"), 7);
        assert_eq!(dotted_length("1."), 0);
    }
}
