//! What could not be read, counted by kind.

use std::borrow::Cow;

use dbgctl_linux::ReadError;
use dbgctl_proto::v1;

/// Why something was denied to an agent that holds every capability that its probe declares.
const DENIED_ALL_THE_SAME: &str =
    "permission denied by the file's mode, a security module such as AppArmor, or a user namespace";

/// Why a process is missing that was there when the list was begun.
pub const ENDED: &str = "ended while the list was made";

/// The gaps of one answer. There are a handful of kinds, however many rows they concern.
#[derive(Debug)]
pub struct Gaps {
    denied: Cow<'static, str>,
    kinds: Vec<(&'static str, Cow<'static, str>, u64)>,
}

impl Gaps {
    /// No gaps so far, of a probe that lacks these capabilities of those it declares.
    pub fn lacking(capabilities: &[&str]) -> Self {
        let denied = match capabilities {
            [] => DENIED_ALL_THE_SAME.into(),
            lacking => format!("permission denied (needs {})", lacking.join(", ")).into(),
        };
        Self { denied, kinds: Vec::new() }
    }

    /// Whether the agent holds every capability that the probe declares.
    pub fn lacks_nothing(&self) -> bool {
        self.denied == DENIED_ALL_THE_SAME
    }

    /// No gaps so far.
    pub fn forget(&mut self) {
        self.kinds.clear();
    }

    /// Counts one row of which `subject` is missing.
    pub fn add(&mut self, subject: &'static str, reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        match self.kinds.iter_mut().find(|kind| kind.0 == subject && kind.1 == reason) {
            Some(kind) => kind.2 += 1,
            None => self.kinds.push((subject, reason, 1)),
        }
    }

    /// Counts one row of which `subject` is missing because of `error`.
    pub fn add_error(&mut self, subject: &'static str, error: &ReadError) {
        self.add(subject, self.reason(error));
    }

    /// What was read, or `None`: and a gap, unless this kernel has no such thing to tell.
    pub fn unless_absent<T>(&mut self, subject: &'static str, read: Result<T, ReadError>) -> Option<T> {
        match read {
            Ok(value) => return Some(value),
            Err(error) if error.is_gone() => {}
            Err(error) => self.add_error(subject, &error),
        }
        None
    }

    /// Why a file of a process or of the target could not be read.
    pub fn reason(&self, error: &ReadError) -> Cow<'static, str> {
        if error.is_denied() { self.denied.clone() } else { error.reason().into() }
    }

    /// What was read of a process, or `None` and a gap.
    ///
    /// A process may end between the listing and each reading. On a busy target that is the normal
    /// case, so it is a gap and not an error.
    pub fn unless_gone<T>(&mut self, read: Result<T, ReadError>) -> Option<T> {
        match read {
            Ok(value) => return Some(value),
            Err(error) if error.is_gone() => self.add("processes", ENDED),
            Err(error) => self.add_error("processes", &error),
        }
        None
    }

    /// The gaps as the summary carries them.
    pub fn message(self) -> Vec<v1::Gap> {
        let gap = |(subject, reason, count): (&str, Cow<'_, str>, u64)| v1::Gap {
            subject: subject.to_owned(),
            reason: reason.into_owned(),
            count,
        };
        self.kinds.into_iter().map(gap).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Gaps;

    #[test]
    fn equal_gaps_are_counted_and_others_kept_apart() {
        let mut gaps = Gaps::lacking(&[]);
        gaps.add("user names", "a");
        gaps.add("wait channels", "a");
        gaps.add("user names", "a");
        gaps.add("user names", "b".to_owned());
        let counts: Vec<_> =
            gaps.message().into_iter().map(|gap| (gap.subject, gap.reason, gap.count)).collect();
        let expected = [("user names", "a", 2), ("wait channels", "a", 1), ("user names", "b", 1)];
        assert_eq!(counts, expected.map(|(subject, reason, count)| (subject.into(), reason.into(), count)));
    }
}
