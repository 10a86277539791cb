//! Leaves out tests whose result follows from those before them.
//!
//! Each way out of a node is looked at by itself: it leads past every test that is decided on it, even if other ways to the
//! same test do not decide it. What is left is put together anew, so that nodes that became the same are one.

use std::collections::HashMap;

use crate::facts::Facts;
use crate::gather;
use crate::graph::{Graph, NodeId};
use crate::value::Values;

/// Each round may make room for another. There are few in practice; an end is needed only for the time it takes.
const MOST_ROUNDS: usize = 32;

/// Returns the graph of the same decision with fewer tests, and its root.
pub(crate) fn optimize(mut graph: Graph, mut root: NodeId, values: &mut Values) -> (Graph, NodeId) {
    for rounds in [MOST_ROUNDS, 1] {
        for _ in 0..rounds {
            let (next, next_root, changed) = round(&graph, root, values);
            (graph, root) = (next, next_root);
            if !changed {
                break;
            }
        }
        (graph, root) = gather::gather(&graph, root, values);
    }
    (graph, root)
}

fn round(graph: &Graph, root: NodeId, values: &mut Values) -> (Graph, NodeId, bool) {
    let nodes = graph.reachable(root);
    let mut known: HashMap<NodeId, Facts> = HashMap::from([(root, Facts::default())]);
    let mut ways = Vec::with_capacity(nodes.len());
    let mut changed = false;
    for id in nodes {
        let (Some(node), Some(facts)) = (graph.get(id), known.remove(&id)) else { continue };
        let mut way = |start: NodeId, result: bool| {
            let mut facts = facts.clone();
            facts.learn(values, node.test, result);
            let mut end = start;
            while let Some(next) = graph.get(end) {
                let Some(result) = facts.decide(values, next.test) else { break };
                end = if result { next.yes } else { next.no };
            }
            changed |= end != start;
            match known.get_mut(&end) {
                Some(others) => *others = others.or(&facts),
                None => {
                    known.insert(end, facts);
                }
            }
            end
        };
        ways.push((id, node.test, way(node.yes, true), way(node.no, false)));
    }

    // Children first: they have their new places when they are needed.
    let mut rebuilt = Graph::default();
    let mut places: HashMap<NodeId, NodeId> = HashMap::new();
    for (id, test, yes, no) in ways.into_iter().rev() {
        let place = |old: NodeId| places.get(&old).copied().unwrap_or(old);
        let new = rebuilt.branch(values, test, place(yes), place(no));
        places.insert(id, new);
    }
    let new_root = places.get(&root).copied().unwrap_or(root);
    (rebuilt, new_root, changed)
}
