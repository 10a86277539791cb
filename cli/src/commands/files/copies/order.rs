//! In which order the entries of a copy may come: each below a directory that came just before, as a walk meets them.
//!
//! Whoever unpacks an archive may follow a link that came before, and so be led anywhere: below a link there is nothing.

use std::collections::HashSet;

use dbgctl_proto::v1::FileKind;

/// As deep as the agent walks, and one for the start.
const DEEPEST: usize = 513;

/// The directories on the way to the last entry.
#[derive(Debug, Default)]
pub(super) struct Order {
    levels: Vec<Level>,
    has_begun: bool,
}

#[derive(Debug)]
struct Level {
    path: Vec<u8>,
    /// Names of links in it, each of which no directory or file may have as well.
    links: HashSet<Vec<u8>>,
}

impl Order {
    /// Takes the next entry. False if it can not be where it is said to be.
    pub(super) fn take(&mut self, path: &[u8], kind: FileKind) -> bool {
        if path.is_empty() {
            return !std::mem::replace(&mut self.has_begun, true) && self.enter(path, kind);
        }
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let parent = slash.map_or(&[][..], |at| &path[..at]);
        let name = slash.map_or(path, |at| &path[at + 1..]);
        while self.levels.last().is_some_and(|level| level.path != parent) {
            self.levels.pop();
        }
        let Some(level) = self.levels.last_mut() else { return false };
        if kind == FileKind::Link {
            level.links.insert(name.to_vec());
            return true;
        }
        !level.links.contains(name) && self.enter(path, kind)
    }

    fn enter(&mut self, path: &[u8], kind: FileKind) -> bool {
        if kind == FileKind::Directory {
            self.levels.push(Level { path: path.to_vec(), links: HashSet::new() });
        }
        self.levels.len() <= DEEPEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FileKind::{Directory, Link, Regular};

    fn is_taken(entries: &[(&str, FileKind)]) -> bool {
        let mut order = Order::default();
        entries.iter().all(|(path, kind)| order.take(path.as_bytes(), *kind))
    }

    #[test]
    fn a_walk_is_taken() {
        assert!(is_taken(&[("", Regular)]));
        assert!(is_taken(&[
            ("", Directory),
            ("a", Directory),
            ("a/b", Directory),
            ("a/b/c", Link),
            ("a/d", Regular),
            ("e", Link),
            ("f", Regular),
        ]));
    }

    #[test]
    fn nothing_comes_below_a_link_or_under_its_name() {
        assert!(!is_taken(&[("", Directory), ("a", Link), ("a/passwd", Regular)]));
        assert!(!is_taken(&[("", Directory), ("a", Directory), ("a", Link), ("a/passwd", Regular)]));
        assert!(!is_taken(&[("", Directory), ("a", Link), ("a", Directory)]));
        assert!(!is_taken(&[("", Directory), ("a", Link), ("a", Regular)]));
        assert!(!is_taken(&[("", Link), ("passwd", Regular)]));
        assert!(!is_taken(&[("", Directory), ("", Regular)]));
        assert!(!is_taken(&[("a", Regular)]));
    }
}
