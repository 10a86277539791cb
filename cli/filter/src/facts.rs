//! What is known of values where a test is made, because of the tests before it.
//!
//! Only results of the same test, and equality with another number, are made use of: so much follows in libpcap as well. To
//! know more would be to leave out more fields, and packets that are too short for them would no longer be rejected.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::{Comparison, Test};
use crate::value::{ValueId, Values};

/// What all ways to a place have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    numbers: BTreeMap<ValueId, Numbers>,
    /// Results of tests that are not for equality with a number.
    results: BTreeMap<Test, bool>,
}

/// Which numbers a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    Only(u32),
    AllBut(BTreeSet<u32>),
}

impl Numbers {
    fn has(&self, number: u32) -> bool {
        match self {
            Self::Only(only) => *only == number,
            Self::AllBut(others) => !others.contains(&number),
        }
    }

    fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(own), Self::Only(only)) if own == only => Self::Only(*own),
            (Self::Only(own), other) | (other, Self::Only(own)) => {
                let excluded = other.excluded();
                Self::AllBut(excluded.into_iter().filter(|number| number != own).collect())
            }
            (Self::AllBut(own), Self::AllBut(others)) => {
                Self::AllBut(own.intersection(others).copied().collect())
            }
        }
    }

    fn excluded(&self) -> BTreeSet<u32> {
        match self {
            Self::Only(_) => BTreeSet::new(),
            Self::AllBut(others) => others.clone(),
        }
    }
}

impl Facts {
    /// The test was made, with this result.
    pub(crate) fn learn(&mut self, values: &Values, test: Test, result: bool) {
        match (test.comparison, values.as_constant(test.right), result) {
            (Comparison::Equal, Some(number), true) => {
                self.numbers.insert(test.left, Numbers::Only(number));
            }
            (Comparison::Equal, Some(number), false) => {
                if let Numbers::AllBut(others) =
                    self.numbers.entry(test.left).or_insert(Numbers::AllBut(BTreeSet::new()))
                {
                    others.insert(number);
                }
            }
            _ => {
                self.results.insert(test, result);
            }
        }
    }

    /// The result of a test, if it follows from what is known. What has a result was loaded before: to leave out the test
    /// leaves out no check that the packet is long enough.
    pub(crate) fn decide(&self, values: &Values, test: Test) -> Option<bool> {
        match (test.comparison, values.as_constant(test.right)) {
            (Comparison::Equal, Some(number)) => match self.numbers.get(&test.left)? {
                Numbers::Only(only) => Some(*only == number),
                others => (!others.has(number)).then_some(false),
            },
            _ => self.results.get(&test).copied(),
        }
    }

    /// What is known whichever of the two ways was taken.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let numbers = self
            .numbers
            .iter()
            .filter_map(|(value, known)| Some((*value, known.or(other.numbers.get(value)?))));
        let results = self.results.iter().filter(|(test, result)| other.results.get(test) == Some(*result));
        Self { numbers: numbers.collect(), results: results.map(|(test, result)| (*test, *result)).collect() }
    }
}
