//! The decision that a program makes, as a graph: each node tests one thing and goes on to one of two others. There are no
//! cycles, and no two nodes that are the same.

use std::collections::{HashMap, HashSet};

use crate::condition::{Comparison, Condition, Test};
use crate::tree::{Junction, Operator};
use crate::value::{Value, Values};

/// A node, by its place in [`Graph`]. What it leads to has smaller numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// The packet is wanted.
pub(crate) const ACCEPT: NodeId = NodeId(0);
/// The packet is not wanted.
pub(crate) const REJECT: NodeId = NodeId(1);
const FIRST: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) test: Test,
    pub(crate) yes: NodeId,
    pub(crate) no: NodeId,
}

#[derive(Debug, Default)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    places: HashMap<Node, NodeId>,
}

impl Graph {
    /// `None` at an end.
    pub(crate) fn get(&self, id: NodeId) -> Option<Node> {
        id.0.checked_sub(FIRST).map(|place| self.nodes[place as usize])
    }

    /// The node that goes to `yes` if the condition holds, else to `no`.
    pub(crate) fn decide(
        &mut self,
        values: &mut Values,
        condition: &Condition,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        match condition {
            Condition::Always => yes,
            Condition::Never => no,
            Condition::Not(inner) => self.decide(values, inner, no, yes),
            Condition::Test(test) => self.branch(values, *test, yes, no),
            // From the last to the first, because each of them goes to what is behind it.
            Condition::Chain(first, rest) => {
                let (mut yes, mut no) = (yes, no);
                for (junction, next) in rest.iter().rev() {
                    let next = self.decide(values, next, yes, no);
                    match junction {
                        Junction::And => yes = next,
                        Junction::Or => no = next,
                    }
                }
                self.decide(values, first, yes, no)
            }
        }
    }

    /// A test whose result is known, or makes no difference, is not made.
    pub(crate) fn branch(&mut self, values: &mut Values, test: Test, yes: NodeId, no: NodeId) -> NodeId {
        let (known_left, known_right) = (values.as_constant(test.left), values.as_constant(test.right));
        let (test, yes, no) = match (known_left, known_right) {
            (Some(left), Some(right)) => return if compare(test.comparison, left, right) { yes } else { no },
            (Some(_), None) => flipped(test, yes, no),
            (None, Some(right)) => (without_constant(values, test, right), yes, no),
            (None, None) => (test, yes, no),
        };
        if yes == no || (test.comparison == Comparison::AnyBit && known_right == Some(0)) {
            return no;
        }
        let Self { nodes, places } = self;
        let node = Node { test, yes, no };
        *places.entry(node).or_insert_with(|| {
            nodes.push(node);
            NodeId(u32::try_from(nodes.len() - 1).map_or(u32::MAX, |place| place.saturating_add(FIRST)))
        })
    }

    /// How many tests there are, each counted once.
    pub(crate) fn distinct_tests(&self) -> usize {
        self.nodes.iter().map(|node| node.test).collect::<HashSet<_>>().len()
    }

    /// The nodes that `root` leads to, itself first, each before those that it leads to.
    pub(crate) fn reachable(&self, root: NodeId) -> Vec<NodeId> {
        let mut reached = vec![false; root.0 as usize + 1];
        reached[root.0 as usize] = true;
        let mut found = Vec::new();
        for place in (FIRST..=root.0).rev() {
            if !reached[place as usize] {
                continue;
            }
            let id = NodeId(place);
            found.push(id);
            if let Some(node) = self.get(id) {
                reached[node.yes.0 as usize] = true;
                reached[node.no.0 as usize] = true;
            }
        }
        found
    }
}

/// The same test with the known value to the right.
fn flipped(test: Test, yes: NodeId, no: NodeId) -> (Test, NodeId, NodeId) {
    let Test { left, comparison, right } = test;
    let (left, right) = (right, left);
    match comparison {
        Comparison::Equal | Comparison::AnyBit => (Test { left, comparison, right }, yes, no),
        Comparison::Greater => (Test { left, comparison: Comparison::GreaterOrEqual, right }, no, yes),
        Comparison::GreaterOrEqual => (Test { left, comparison: Comparison::Greater, right }, no, yes),
    }
}

/// `x + 1 == 5` is `x == 4`, whatever overflows.
fn without_constant(values: &mut Values, test: Test, right: u32) -> Test {
    let Value::Binary { operator, left, right: constant } = values.get(test.left) else { return test };
    let Some(constant) = values.as_constant(constant).filter(|_| test.comparison == Comparison::Equal) else {
        return test;
    };
    let right = match operator {
        Operator::Add => right.wrapping_sub(constant),
        Operator::Subtract => right.wrapping_add(constant),
        Operator::ExclusiveOr => right ^ constant,
        _ => return test,
    };
    let test = Test { left, right: values.constant(right), ..test };
    without_constant(values, test, right)
}

pub(crate) fn compare(comparison: Comparison, left: u32, right: u32) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::Greater => left > right,
        Comparison::GreaterOrEqual => left >= right,
        Comparison::AnyBit => left & right != 0,
    }
}
