//! Text from the target, made safe for a terminal.
//!
//! A process may give itself any name. Written raw, it could move the cursor, forge rows, or reverse the
//! order in which a line reads.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

/// Marks on top of one character that are shown. Languages need two or three; towers of them cover the
/// rows above.
const MOST_MARKS: usize = 4;

/// The text of `bytes` as one line that a terminal shows as it stands.
///
/// Written as an escape are: control characters (C0, DEL, C1), line and paragraph separators, characters
/// that change the direction of text or cannot be seen, towers of combining marks, and bytes that are
/// not UTF-8. A backslash is doubled, so that no two texts look the same.
#[cfg(test)]
pub(crate) fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Some(text) = plain_text(bytes) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(bytes.len() + 16);
    escape_slowly(bytes, &mut escaped);
    Cow::Owned(escaped)
}

/// Appends to `out` what [`escape`] makes of `bytes`.
pub(super) fn escape_into(bytes: &[u8], out: &mut String) {
    match plain_text(bytes) {
        Some(text) => out.push_str(text),
        None => escape_slowly(bytes, out),
    }
}

/// Appends the content of a file as a terminal may show it: lines, tabs and backslashes stay, and what is no text or
/// could mislead becomes an escape.
pub(super) fn content_into(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\t' => out.push(character),
                _ if misleads(character) => escape_char(character, out),
                _ => out.push(character),
            }
        }
        for byte in chunk.invalid() {
            push_hex(*byte, out);
        }
    }
}

/// The text of a message as one line: like [`escape`], but a backslash stays as it is.
///
/// For sentences, in which no one looks for the exact bytes.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(misleads) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if misleads(character) {
            escape_char(character, &mut escaped);
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// `bytes` as text if all of it is printable ASCII without a backslash, as nearly all names are.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    // Without an early exit, so that the compiler can look at many bytes at once.
    let plain = bytes.iter().fold(true, |plain, &byte| plain & matches!(byte, b' '..=b'~') & (byte != b'\\'));
    if plain { str::from_utf8(bytes).ok() } else { None }
}

fn escape_slowly(bytes: &[u8], out: &mut String) {
    let mut marks = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            marks = if character.width() == Some(0) { marks + 1 } else { 0 };
            if character == '\\' {
                out.push_str("\\\\");
            } else if misleads(character) || marks > MOST_MARKS {
                escape_char(character, out);
            } else {
                out.push(character);
            }
        }
        for byte in chunk.invalid() {
            push_hex(*byte, out);
        }
    }
}

fn escape_char(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // A code point of the C1 range is written as `\u{9b}`, since `\x9b` stands for a byte alone.
        '\0'..='\x7f' => push_hex(u8::try_from(character).unwrap_or(b'?'), out),
        _ => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        }
    }
}

fn push_hex(byte: u8, out: &mut String) {
    let _ = write!(out, "\\x{byte:02x}");
}

/// Whether a terminal or an eye would be misled by that character.
pub(super) fn misleads(character: char) -> bool {
    match character {
        ' '..='~' => false,
        // C0, DEL, C1.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Change the direction of what surrounds them.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        // End a line for some programs.
        '\u{2028}' | '\u{2029}' => true,
        // Are not seen: soft hyphen, grapheme joiner, fillers, zero width and format characters (the
        // isolates U+2066-9 among them), byte order mark, annotations.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        // Tags and variation selectors, which can carry whole hidden texts; terminals also disagree about
        // the width of what is selected, and a line that wraps looks like two rows.
        '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Undoes [`escape`], to show that nothing is lost.
    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            let escape = &rest[at + 1..];
            let length = match escape.as_bytes()[0] {
                b'\\' => (bytes.push(b'\\'), 1).1,
                b'n' => (bytes.push(b'\n'), 1).1,
                b'r' => (bytes.push(b'\r'), 1).1,
                b't' => (bytes.push(b'\t'), 1).1,
                b'x' => (bytes.push(u8::from_str_radix(&escape[1..3], 16).unwrap()), 3).1,
                b'u' => {
                    let end = escape.find('}').unwrap();
                    let character =
                        char::from_u32(u32::from_str_radix(&escape[2..end], 16).unwrap()).unwrap();
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    end + 1
                }
                other => panic!("unknown escape {}", char::from(other)),
            };
            rest = &escape[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    #[test]
    fn ordinary_names_are_borrowed_as_they_stand() {
        assert!(matches!(escape(b"nginx: worker process"), Cow::Borrowed("nginx: worker process")));
        assert_eq!(escape("größe 日本".as_bytes()), "größe 日本");
    }

    #[test]
    fn known_attacks_become_escapes() {
        assert_eq!(escape(b"\x1b[2Jgone\x07"), "\\x1b[2Jgone\\x07");
        assert_eq!(escape(b"a\nb\tc\r\0\x7f"), "a\\nb\\tc\\r\\x00\\x7f");
        assert_eq!(escape("\u{9b}31m".as_bytes()), "\\u{9b}31m");
        assert_eq!(escape(b"\x9b31m"), "\\x9b31m");
        assert_eq!(escape("a\u{202e}b\u{2066}\u{feff}".as_bytes()), "a\\u{202e}b\\u{2066}\\u{feff}");
        assert_eq!(escape("\u{e0041}".as_bytes()), "\\u{e0041}");
        assert_eq!(escape(b"\xff\xc3"), "\\xff\\xc3");
        assert_eq!(escape(b"\\x1b"), "\\\\x1b");
    }

    #[test]
    fn accents_are_shown_and_towers_of_them_are_not() {
        assert_eq!(escape("e\u{301}".as_bytes()), "e\u{301}");
        let tower = format!("e{}", "\u{301}".repeat(100));
        let marks = escape(tower.as_bytes()).chars().filter(|&character| character == '\u{301}').count();
        assert_eq!(marks, MOST_MARKS);
        assert_eq!(unescape(&escape(tower.as_bytes())), tower.as_bytes());
    }

    #[test]
    fn a_sentence_keeps_its_backslashes_and_loses_its_controls() {
        assert_eq!(one_line("C:\\x\n\u{202e}"), "C:\\x\\n\\u{202e}");
    }

    fn any_hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
        let text = prop::collection::vec(
            prop_oneof![
                any::<char>(),
                Just('\\'),
                Just('x'),
                prop::char::range('\0', '\u{a0}'),
                prop::char::range('\u{2000}', '\u{2070}'),
                prop::char::range('\u{e0000}', '\u{e01ff}'),
            ],
            0..40,
        );
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            text.prop_map(|text| text.into_iter().collect::<String>().into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_misleads_comes_out_and_nothing_is_lost(bytes in any_hostile_bytes()) {
            let escaped = escape(&bytes);

            prop_assert!(!escaped.chars().any(misleads), "{escaped:?}");
            prop_assert!(!escaped.chars().any(char::is_control), "{escaped:?}");
            prop_assert!(escaped.lines().count() <= 1);
            prop_assert_eq!(unescape(&escaped), bytes);
        }
    }
}
