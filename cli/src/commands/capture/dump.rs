//! The bytes of a packet, for people.

use std::fmt::Write as _;

/// Bytes in a line.
const LINE: usize = 16;

/// Appends them as hexadecimal numbers and as text, 16 in each line, as hexdump(1) and tcpdump(1) do.
pub(super) fn hex(bytes: &[u8], into: &mut String) {
    for (number, line) in bytes.chunks(LINE).enumerate() {
        // Whatever is written to a String is written.
        let _ = write!(into, "0x{:04x}: ", number * LINE);
        for pair in line.chunks(2) {
            into.push(' ');
            let _ = pair.iter().try_for_each(|byte| write!(into, "{byte:02x}"));
        }
        let missing = LINE - line.len();
        into.extend(std::iter::repeat_n(' ', missing * 2 + missing / 2 + 2));
        into.extend(line.iter().map(|&byte| printable(byte)));
        into.push('\n');
    }
}

/// Appends them as text, with its own lines.
pub(super) fn text(bytes: &[u8], into: &mut String) {
    for line in bytes.split(|&byte| byte == b'\n') {
        into.extend(line.iter().filter(|&&byte| byte != b'\r').map(|&byte| printable(byte)));
        into.push('\n');
    }
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_below_each_other() {
        let mut shown = String::new();
        hex(b"GET / HTTP/1.1\r\nHost", &mut shown);
        assert_eq!(
            shown,
            "0x0000:  4745 5420 2f20 4854 5450 2f31 2e31 0d0a  GET / HTTP/1.1..\n\
             0x0010:  486f 7374                                Host\n"
        );
    }

    #[test]
    fn text_has_its_lines_and_nothing_that_a_terminal_would_obey() {
        let mut shown = String::new();
        text(b"a\r\n\x1b[31mb\xc2\x9b", &mut shown);
        assert_eq!(shown, "a\n.[31mb..\n");
    }
}
