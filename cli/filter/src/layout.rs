//! Puts blocks one behind the other and finds out how far their jumps go.

use std::collections::HashMap;

use crate::emit::{Block, too_long};
use crate::error::Fault;
use crate::graph::{ACCEPT, NodeId, REJECT};
use crate::program::{Instruction, Program, code};

/// The instructions of a program that starts with the first block. They are laid from the end, because jumps go forward.
pub(crate) fn layout(blocks: Vec<Block>, root: NodeId, snap_length: u32) -> Result<Vec<Instruction>, Fault> {
    let mut backwards = Backwards::default();
    let leads_to =
        |end: NodeId| root == end || blocks.iter().any(|block| block.yes == end || block.no == end);
    for (end, result) in [(REJECT, 0), (ACCEPT, snap_length)] {
        if leads_to(end) {
            backwards.instructions.push(Instruction::new(code::RET | code::K, result));
            backwards.starts.insert(end, backwards.instructions.len() - 1);
        }
    }
    for block in blocks.into_iter().rev() {
        let Block { id, instructions, mut jump, yes, no } = block;
        // A jump that is nearer than the other leaves room for it to need a step of its own.
        let no_is_near = backwards.bridge(no, 1);
        let yes_is_near = backwards.bridge(yes, 0);
        jump.jt = backwards.distance(yes, yes_is_near)?;
        jump.jf = backwards.distance(no, no_is_near)?;
        backwards.instructions.push(jump);
        backwards.instructions.extend(instructions.into_iter().rev());
        backwards.starts.insert(id, backwards.instructions.len() - 1);
        if backwards.instructions.len() > Program::MOST_INSTRUCTIONS {
            return Err(too_long());
        }
    }
    backwards.instructions.reverse();
    Ok(backwards.instructions)
}

#[derive(Default)]
struct Backwards {
    /// The last instruction first.
    instructions: Vec<Instruction>,
    /// Where blocks start: the place of their first instruction.
    starts: HashMap<NodeId, usize>,
    /// Where the last unconditional jump to a block is.
    bridges: HashMap<NodeId, usize>,
}

impl Backwards {
    /// How many instructions are between one that is laid next and the start of a block.
    fn between(&self, to: NodeId) -> usize {
        self.starts.get(&to).map_or(usize::MAX, |start| self.instructions.len().saturating_sub(start + 1))
    }

    /// Where to jump to if a conditional jump, which may be so many instructions further away, would not reach: the place of
    /// an unconditional one, which is laid here if there is none near enough.
    fn bridge(&mut self, to: NodeId, further: usize) -> Option<usize> {
        let reaches = |between: usize| between.saturating_add(further) <= usize::from(u8::MAX);
        if reaches(self.between(to)) {
            return None;
        }
        if let Some(place) =
            self.bridges.get(&to).filter(|place| reaches(self.instructions.len() - **place - 1))
        {
            return Some(*place);
        }
        let distance = u32::try_from(self.between(to)).unwrap_or(u32::MAX);
        self.instructions.push(Instruction::new(code::JMP | code::JA, distance));
        self.bridges.insert(to, self.instructions.len() - 1);
        Some(self.instructions.len() - 1)
    }

    fn distance(&self, to: NodeId, bridge: Option<usize>) -> Result<u8, Fault> {
        let distance = match bridge {
            Some(place) => self.instructions.len() - place - 1,
            None => self.between(to),
        };
        u8::try_from(distance).map_err(|_| too_long())
    }
}
