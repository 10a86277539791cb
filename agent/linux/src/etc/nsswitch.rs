//! `/etc/nsswitch.conf` of the target: where the GNU C library looks for the addresses of a name, in order.
//!
//! Format: nsswitch.conf(5). Go's resolver heeds the file, too; musl does not.

use std::fmt;

/// What is read of the file.
pub const BOUND_BYTES: usize = 64 << 10;

/// More sources than anyone has.
const MOST_SOURCES: usize = 16;

/// How a source answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the file")]
pub enum Reply {
    Success,
    NotFound,
    Unavailable,
    TryAgain,
}

impl Reply {
    const ALL: [Self; 4] = [Self::Success, Self::NotFound, Self::Unavailable, Self::TryAgain];

    /// As the file has it.
    fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::NotFound => "NOTFOUND",
            Self::Unavailable => "UNAVAIL",
            Self::TryAgain => "TRYAGAIN",
        }
    }

    /// What the library does where the file says nothing.
    fn usually_ends(self) -> bool {
        self == Self::Success
    }
}

/// A source of names, and when the look-up ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `files`, `dns` or another.
    pub name: String,
    /// For each of [`Reply::ALL`], whether the look-up ends with it.
    ends: [bool; 4],
}

impl Source {
    /// One without anything behind it in brackets.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ends: Reply::ALL.map(Reply::usually_ends) }
    }

    /// Whether the next source is not asked after this answer.
    pub fn ends_with(&self, reply: Reply) -> bool {
        Reply::ALL.iter().zip(self.ends).any(|(&known, ends)| known == reply && ends)
    }

    /// Heeds what stands behind a source in brackets. What makes no sense is passed over.
    fn heed(&mut self, word: &[u8]) {
        let word = String::from_utf8_lossy(word).to_ascii_uppercase();
        let Some((status, action)) = word.split_once('=') else { return };
        let (status, is_meant) = match status.strip_prefix('!') {
            Some(status) => (status, false),
            None => (status, true),
        };
        if !Reply::ALL.iter().any(|known| known.name() == status) {
            return;
        }
        for (known, ends) in Reply::ALL.iter().zip(&mut self.ends) {
            if (known.name() == status) == is_meant {
                *ends = action == "RETURN";
            }
        }
    }
}

/// The name, and behind it in brackets what is unusual.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (reply, ends) in Reply::ALL.iter().zip(self.ends) {
            if ends != reply.usually_ends() {
                write!(f, " [{}={}]", reply.name(), if ends { "return" } else { "continue" })?;
            }
        }
        Ok(())
    }
}

/// The sources of the database `hosts` in order. `None`: the file does not say. Of two lines the last one counts.
pub fn parse(text: &[u8]) -> Option<Vec<Source>> {
    text.split(|&byte| byte == b'\n').rev().find_map(hosts)
}

fn hosts(line: &[u8]) -> Option<Vec<Source>> {
    let line = line.split(|&byte| byte == b'#').next()?.trim_ascii();
    let mut rest = line.strip_prefix(b"hosts")?.trim_ascii_start().strip_prefix(b":")?;
    let mut sources = Vec::<Source>::new();
    loop {
        rest = rest.trim_ascii_start();
        let Some(&first) = rest.first() else { return Some(sources) };
        let is_action = first == b'[';
        let is_end =
            |byte: &u8| if is_action { *byte == b']' } else { byte.is_ascii_whitespace() || *byte == b'[' };
        let end = rest.iter().position(is_end).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind.strip_prefix(b"]").filter(|_| is_action).unwrap_or(behind);
        if is_action {
            let last = sources.last_mut();
            last.into_iter()
                .for_each(|last| word[1..].split(u8::is_ascii_whitespace).for_each(|word| last.heed(word)));
        } else if sources.len() < MOST_SOURCES {
            sources.push(Source::new(&String::from_utf8_lossy(word)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Reply, parse};

    #[test]
    fn sources_come_in_order_with_what_ends_the_look_up() {
        let text = b"passwd: files\nhosts:  files mdns4_minimal [NOTFOUND=return] resolve[!unavail=return !x=return] dns # y\n";
        let sources = parse(text).unwrap();
        let shown: Vec<_> = sources.iter().map(ToString::to_string).collect();
        let resolve = "resolve [NOTFOUND=return] [TRYAGAIN=return]";
        assert_eq!(shown, ["files", "mdns4_minimal [NOTFOUND=return]", resolve, "dns"]);
        assert!(sources[0].ends_with(Reply::Success) && !sources[0].ends_with(Reply::NotFound));
        assert!(sources[1].ends_with(Reply::NotFound) && !sources[1].ends_with(Reply::Unavailable));
        assert_eq!(parse(b"hosts:\n"), Some(vec![]));
        assert_eq!(parse(b"#hosts: files\nhostsx: dns\n"), None);
    }

    proptest! {
        #[test]
        fn no_line_is_too_much(line in prop::collection::vec(prop::sample::select(b"[]= !ans#\xff".to_vec()), 0..40)) {
            let _ = parse(&[&b"hosts:"[..], &line].concat());
        }
    }
}
