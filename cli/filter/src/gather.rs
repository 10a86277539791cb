//! Brings tests of the same value together, so that it is loaded once.
//!
//! In a row of tests any of which decides, the order makes no difference to the result. A test is only moved forward to
//! another of the same value, so that nothing is loaded before its turn: of packets that are too short, no more are rejected.

use std::collections::HashMap;

use crate::graph::{Graph, Node, NodeId};
use crate::value::Values;

/// Which way of a node leads on in a row. The other is the same for all of them.
#[derive(Clone, Copy)]
enum Row {
    Alternatives,
    Requirements,
}

impl Row {
    fn on(self, node: Node) -> NodeId {
        match self {
            Self::Alternatives => node.no,
            Self::Requirements => node.yes,
        }
    }

    fn out(self, node: Node) -> NodeId {
        match self {
            Self::Alternatives => node.yes,
            Self::Requirements => node.no,
        }
    }
}

/// Returns the graph of the same decision, and its root.
pub(crate) fn gather(graph: &Graph, root: NodeId, values: &mut Values) -> (Graph, NodeId) {
    let nodes = graph.reachable(root);
    let mut ways_to: HashMap<NodeId, u32> = HashMap::new();
    for node in nodes.iter().filter_map(|id| graph.get(*id)) {
        *ways_to.entry(node.yes).or_default() += 1;
        *ways_to.entry(node.no).or_default() += 1;
    }

    let mut rows: HashMap<NodeId, (Row, Vec<Node>)> = HashMap::new();
    let mut inside = std::collections::HashSet::new();
    for id in &nodes {
        if inside.contains(id) {
            continue;
        }
        let longest =
            [Row::Alternatives, Row::Requirements].map(|row| (row, follow(graph, *id, row, &ways_to)));
        let Some((row, members)) = longest.into_iter().max_by_key(|(_, members)| members.len()) else {
            continue;
        };
        inside.extend(members.iter().skip(1).copied());
        rows.insert(*id, (row, grouped(members.iter().filter_map(|id| graph.get(*id)).collect())));
    }

    let mut rebuilt = Graph::default();
    let mut places: HashMap<NodeId, NodeId> = HashMap::new();
    for id in nodes.into_iter().rev() {
        let (Some((row, members)), Some(node)) = (rows.get(&id), graph.get(id)) else { continue };
        let place = |old: NodeId| places.get(&old).copied().unwrap_or(old);
        let out = place(row.out(node));
        let end = follow(graph, id, *row, &ways_to).last().and_then(|last| graph.get(*last)).unwrap_or(node);
        let new = members.iter().rev().fold(place(row.on(end)), |on, member| match row {
            Row::Alternatives => rebuilt.branch(values, member.test, out, on),
            Row::Requirements => rebuilt.branch(values, member.test, on, out),
        });
        places.insert(id, new);
    }
    let new_root = places.get(&root).copied().unwrap_or(root);
    (rebuilt, new_root)
}

/// The row that starts with a node: each of the others is reached from the one before it only.
fn follow(graph: &Graph, start: NodeId, row: Row, ways_to: &HashMap<NodeId, u32>) -> Vec<NodeId> {
    let mut members = vec![start];
    let Some(first) = graph.get(start) else { return members };
    let mut next = row.on(first);
    while let Some(node) = graph.get(next) {
        if ways_to.get(&next) != Some(&1) || row.out(node) != row.out(first) {
            break;
        }
        members.push(next);
        next = row.on(node);
    }
    members
}

/// The same tests, those of one value in the place of the first of them.
fn grouped(members: Vec<Node>) -> Vec<Node> {
    let mut firsts = HashMap::new();
    for (number, member) in members.iter().enumerate() {
        firsts.entry(member.test.left).or_insert(number);
    }
    let mut sorted = members;
    sorted.sort_by_key(|member| firsts.get(&member.test.left).copied());
    sorted
}
