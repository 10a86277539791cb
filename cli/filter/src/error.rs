//! What is wrong with an expression, where, and what may have been meant.

use std::fmt;
use std::ops::Range;

/// Bytes of the expression, from the first to the one behind the last.
pub type Span = Range<usize>;

/// Why there is no program for an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    expression: String,
    span: Span,
    message: String,
    suggestion: Option<String>,
}

impl Error {
    pub(crate) fn new(expression: &str, span: Span, fault: Fault) -> Self {
        Self { expression: expression.to_owned(), span, message: fault.message, suggestion: fault.suggestion }
    }

    /// The part of the expression that is at fault. Empty and at its end if something is missing.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// What is wrong with it: one line, lower case, no full stop. It may quote the expression, so escape it for a terminal.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What may have been meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// The message, then the line of the expression and a line of carets below what is at fault. Tabs and control characters are
/// shown as blanks, so that the carets stand where they should.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.expression.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let columns = |bytes: Range<usize>| self.expression.get(bytes).map_or(0, |text| text.chars().count());
        let before = columns(0..self.span.start);
        let under = columns(self.span.clone()).max(1);
        write!(f, "{}\n  {shown}\n  {:before$}{:^<under$}", self.message, "", "")?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// What is wrong, before it is known where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    message: String,
    suggestion: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Suggests the candidate that is nearest to `found`, if one is near.
    pub(crate) fn suggest_nearest<'c>(
        self,
        found: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Self {
        match nearest(found, candidates) {
            Some(candidate) => self.suggest(format!("did you mean `{candidate}`?")),
            None => self,
        }
    }
}

/// The candidate that a slip of the finger would have turned into `found`.
pub(crate) fn nearest<'c>(found: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Longer words leave room for more slips; a word of one letter is near to everything.
    let most = match found.len() {
        0 | 1 => return None,
        2..=5 => 1,
        _ => 2,
    };
    let distances =
        candidates.into_iter().map(|candidate| (strsim::osa_distance(found, candidate), candidate));
    distances
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|found| found.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_below_what_is_at_fault_whatever_the_letters_before_it_take() {
        let fault = Fault::new("no such word").suggest("did you mean `port`?");
        let error = Error::new("ä\tprot 80", 3..7, fault);
        assert_eq!(error.to_string(), "no such word\n  ä prot 80\n    ^^^^ did you mean `port`?");
    }

    #[test]
    fn what_is_missing_at_the_end_has_one_caret_behind_the_end() {
        let error = Error::new("port", 4..4, Fault::new("a port is missing"));
        assert_eq!(error.to_string(), "a port is missing\n  port\n      ^");
    }
}
