//! What must hold of a packet: comparisons of values, and how they are tied.

use crate::tree::Junction;
use crate::value::ValueId;

/// A comparison, as the kernel's machine can make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Test {
    pub(crate) left: ValueId,
    pub(crate) comparison: Comparison,
    pub(crate) right: ValueId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    /// The two have a bit in common.
    AnyBit,
}

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Always,
    Never,
    Test(Test),
    Not(Box<Condition>),
    /// Tied from left to right. What is to the left is looked at first, and what needs no look is not looked at.
    Chain(Box<Condition>, Vec<(Junction, Condition)>),
}

impl Condition {
    pub(crate) fn and(self, next: Self) -> Self {
        self.joined(Junction::And, next)
    }

    pub(crate) fn or(self, next: Self) -> Self {
        self.joined(Junction::Or, next)
    }

    pub(crate) fn joined(self, junction: Junction, next: Self) -> Self {
        match self {
            Self::Chain(first, mut rest) => {
                rest.push((junction, next));
                Self::Chain(first, rest)
            }
            first => Self::Chain(Box::new(first), vec![(junction, next)]),
        }
    }
}

impl std::ops::Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }
}

/// One of these, looked at in this order. Never, if there are none.
pub(crate) fn any(conditions: impl IntoIterator<Item = Condition>) -> Condition {
    conditions.into_iter().reduce(Condition::or).unwrap_or(Condition::Never)
}

/// All of these, looked at in this order. Always, if there are none.
pub(crate) fn all(conditions: impl IntoIterator<Item = Condition>) -> Condition {
    conditions.into_iter().reduce(Condition::and).unwrap_or(Condition::Always)
}
