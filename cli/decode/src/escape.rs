//! Text from a packet, made safe for a terminal. Whoever sends packets chooses every byte of it.

use std::fmt::{self, Display, Write as _};

/// Bytes of one text that are shown. What is longer ends in `…`.
pub(crate) const LONGEST_TEXT_BYTES: usize = 128;

/// A name of one word: everything but visible ASCII is shown as `\x20`, and a backslash is doubled.
///
/// Protocols write their names in ASCII; what is not is rare enough to be shown as the bytes that it is.
pub(crate) struct Word<'a>(pub(crate) &'a [u8]);

/// A text in quotation marks, which may have spaces.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, f, |byte| byte.is_ascii_graphic())
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write(self.0, f, |byte| byte == b' ' || byte.is_ascii_graphic() && byte != b'"')?;
        f.write_char('"')
    }
}

fn write(bytes: &[u8], f: &mut fmt::Formatter<'_>, is_plain: impl Fn(u8) -> bool) -> fmt::Result {
    for &byte in bytes.iter().take(LONGEST_TEXT_BYTES) {
        match byte {
            b'\\' => f.write_str("\\\\")?,
            _ if is_plain(byte) => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    if bytes.len() > LONGEST_TEXT_BYTES { f.write_char('…') } else { Ok(()) }
}

/// A hardware address, as `02:42:ac:11:00:02`.
pub(crate) struct Hardware<'a>(pub(crate) &'a [u8]);

impl Display for Hardware<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().take(20).enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

/// Lets through a bounded number of characters, and then says `…` once.
pub(crate) struct Bounded<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
    is_full: bool,
}

impl<'a, 'b> Bounded<'a, 'b> {
    pub(crate) fn new(out: &'a mut fmt::Formatter<'b>, most_characters: usize) -> Self {
        Self { out, left: most_characters, is_full: false }
    }
}

impl fmt::Write for Bounded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full {
            return Ok(());
        }
        if text.len() <= self.left {
            self.left -= text.len();
            return self.out.write_str(text);
        }
        let end = text.char_indices().nth(self.left).map_or(text.len(), |(at, _)| at);
        self.is_full = end < text.len();
        self.left -= text[..end].chars().count();
        self.out.write_str(&text[..end])?;
        if self.is_full { self.out.write_char('…') } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_mislead_a_terminal_is_shown_as_bytes() {
        assert_eq!(Word(b"example.com").to_string(), "example.com");
        assert_eq!(Word(b"a b\x1b[2J\n\\").to_string(), "a\\x20b\\x1b[2J\\x0a\\\\");
        assert_eq!(Word("é\u{202e}".as_bytes()).to_string(), "\\xc3\\xa9\\xe2\\x80\\xae");
        assert_eq!(Quoted(b"GET /\" x\r").to_string(), "\"GET /\\x22 x\\x0d\"");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(Word(&[b'a'; 128]).to_string(), "a".repeat(128));
        assert_eq!(Word(&[b'a'; 129]).to_string(), "a".repeat(128) + "…");
    }

    #[test]
    fn a_bounded_text_has_no_more_characters_than_its_bound_and_one() {
        struct Text(usize);
        impl Display for Text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut out = Bounded::new(f, self.0);
                out.write_str("ab…")?;
                out.write_str("d")?;
                out.write_str("e")
            }
        }
        assert_eq!(Text(9).to_string(), "ab…de");
        assert_eq!(Text(3).to_string(), "ab……");
        assert_eq!(Text(2).to_string(), "ab…");
        assert_eq!(Text(0).to_string(), "…");
    }
}
