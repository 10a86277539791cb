//! Processes as a forest, children below their parents.

use std::collections::HashMap;
use std::rc::Rc;

use super::row::ProcessRow;

/// Generations that are drawn. Deeper ones are listed at this depth: a chain of processes of any
/// length must not cost more than its rows.
const MOST_GENERATIONS: usize = 64;

/// Puts children below their parents, in the order in which `rows` has them.
///
/// A process whose parent is not in the list is a root. Parents that go in a circle, which no kernel
/// reports, are cut at their first process in the list.
pub(in crate::commands) fn arrange(rows: Vec<ProcessRow>) -> Vec<ProcessRow> {
    let mut by_pid = HashMap::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        by_pid.entry(row.process.pid).or_insert(index);
    }
    let mut children = vec![Vec::new(); rows.len()];
    let mut roots = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        match by_pid.get(&row.process.parent_pid) {
            Some(&parent) if parent != index => children[parent].push(index),
            _ => roots.push(index),
        }
    }

    let mut forest = Forest { arranged: Vec::with_capacity(rows.len()), rows: Vec::new(), children };
    forest.rows = rows.into_iter().map(Some).collect();
    roots.into_iter().for_each(|root| forest.grow(root));
    // Whatever no root leads to is in a circle.
    (0..forest.rows.len()).for_each(|index| forest.grow(index));
    forest.arranged
}

struct Forest {
    /// `None`: arranged already.
    rows: Vec<Option<ProcessRow>>,
    children: Vec<Vec<usize>>,
    arranged: Vec<ProcessRow>,
}

/// A process that is still to be drawn.
struct Bud {
    index: usize,
    generation: usize,
    /// What its siblings are drawn with.
    trunk: Rc<str>,
    twig: &'static str,
}

impl Forest {
    /// Arranges `root` and all below it. Without recursion, since the depth is the agent's choice.
    fn grow(&mut self, root: usize) {
        let mut buds = vec![Bud { index: root, generation: 0, trunk: "".into(), twig: "" }];
        while let Some(bud) = buds.pop() {
            let Some(mut row) = self.rows[bud.index].take() else { continue };
            row.branch = format!("{}{}", bud.trunk, bud.twig);
            self.arranged.push(row);

            let trunk: Rc<str> = match bud.twig {
                _ if bud.generation >= MOST_GENERATIONS => Rc::clone(&bud.trunk),
                "├─ " => format!("{}│  ", bud.trunk).into(),
                "└─ " => format!("{}   ", bud.trunk).into(),
                _ => Rc::clone(&bud.trunk),
            };
            let children = std::mem::take(&mut self.children[bud.index]);
            let last = children.last().copied();
            buds.extend(children.into_iter().rev().map(|index| Bud {
                index,
                generation: bud.generation + 1,
                trunk: Rc::clone(&trunk),
                twig: if Some(index) == last { "└─ " } else { "├─ " },
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fake::{process, rows};
    use super::*;

    /// The tree of processes given as pid and parent, one line each.
    fn tree(pairs: &[(u32, u32)]) -> Vec<String> {
        let processes = pairs.iter().map(|&(pid, parent)| process(pid, parent, &[])).collect();
        let arranged = arrange(rows(processes));
        arranged.iter().map(|row| format!("{}{}", row.branch, row.process.pid)).collect()
    }

    #[test]
    fn children_stand_below_their_parents_in_the_lists_order() {
        assert_eq!(
            tree(&[(1, 0), (5, 1), (3, 1), (4, 5), (6, 4), (9, 77)]),
            ["1", "├─ 5", "│  └─ 4", "│     └─ 6", "└─ 3", "9"]
        );
    }

    #[test]
    fn a_circle_is_cut_and_no_one_is_lost() {
        assert_eq!(tree(&[(1, 1), (2, 3), (3, 4), (4, 2)]), ["1", "2", "└─ 4", "   └─ 3"]);
    }

    #[test]
    fn a_long_chain_costs_no_more_than_its_rows() {
        let chain: Vec<_> = (1..20_000).map(|pid| (pid, pid - 1)).collect();
        let lines = tree(&chain);
        assert_eq!(lines.len(), chain.len());
        assert!(lines.iter().all(|line| line.chars().count() < 3 * MOST_GENERATIONS + 10));
    }

    proptest! {
        #[test]
        fn every_row_comes_out_once(pairs in prop::collection::vec((0u32..30, 0u32..30), 0..40)) {
            let processes: Vec<_> = pairs.iter().map(|&(pid, parent)| process(pid, parent, &[])).collect();
            let mut pids: Vec<_> = arrange(rows(processes)).iter().map(|row| row.process.pid).collect();
            let mut expected: Vec<_> = pairs.iter().map(|&(pid, _)| pid).collect();
            pids.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(pids, expected);
        }
    }
}
