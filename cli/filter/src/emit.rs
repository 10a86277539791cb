//! From the graph to instructions: what each node loads and calculates before its jump.
//!
//! The machine has two registers and sixteen words of memory. What is still in them from the nodes before, on every way, is
//! not loaded again.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::condition::{Comparison, Test};
use crate::error::Fault;
use crate::graph::{Graph, NodeId};
use crate::program::{Instruction, MEMORY_WORDS, Program, code};
use crate::tree::Operator;
use crate::value::{Size, Value, ValueId, Values, commutes};

/// A node's instructions, and the jump that they end in.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: NodeId,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) jump: Instruction,
    pub(crate) yes: NodeId,
    pub(crate) no: NodeId,
}

/// Words of memory for values that several fields are loaded by. The others are for what is in between.
const KEPT_WORDS: u32 = 8;

/// The blocks of all nodes, each before those that it jumps to.
pub(crate) fn emit(graph: &Graph, root: NodeId, values: &Values) -> Result<Vec<Block>, Fault> {
    let nodes = graph.reachable(root);
    let kept = kept(graph, &nodes, values);
    let mut entries: HashMap<NodeId, Registers> = HashMap::from([(root, Registers::default())]);
    let mut blocks = Vec::with_capacity(nodes.len());
    let mut length = 0;
    for id in nodes {
        let (Some(node), Some(registers)) = (graph.get(id), entries.remove(&id)) else { continue };
        let room = Program::MOST_INSTRUCTIONS.saturating_sub(length);
        let mut emitter =
            Emitter { values, kept: &kept, registers, instructions: Vec::new(), room, words: KEPT_WORDS };
        let (jump, is_swapped) = emitter.test(node.test)?;
        let (yes, no) = if is_swapped { (node.no, node.yes) } else { (node.yes, node.no) };
        for next in [yes, no] {
            match entries.get_mut(&next) {
                Some(entry) => entry.keep_common(&emitter.registers),
                None => {
                    entries.insert(next, emitter.registers.clone());
                }
            }
        }
        length += emitter.instructions.len() + 1;
        blocks.push(Block { id, instructions: emitter.instructions, jump, yes, no });
    }
    Ok(blocks)
}

/// Which value is where.
#[derive(Debug, Clone, Default)]
struct Registers {
    a: Option<ValueId>,
    x: Option<ValueId>,
    memory: [Option<ValueId>; MEMORY_WORDS as usize],
}

impl Registers {
    fn keep_common(&mut self, other: &Self) {
        let same = |own: &mut Option<ValueId>, other: &Option<ValueId>| {
            if own != other {
                *own = None;
            }
        };
        same(&mut self.a, &other.a);
        same(&mut self.x, &other.x);
        self.memory.iter_mut().zip(&other.memory).for_each(|(own, other)| same(own, other));
    }
}

/// Values that a field is loaded by, that are needed again, and that take more than one instruction, with a word of memory
/// for each. If there are more values than words, a later one takes the place of an earlier one.
fn kept(graph: &Graph, nodes: &[NodeId], values: &Values) -> HashMap<ValueId, u32> {
    let mut uses: BTreeMap<ValueId, u32> = BTreeMap::new();
    let mut bases = HashSet::new();
    let mut seen = HashSet::new();
    let mut open: Vec<ValueId> = Vec::new();
    for node in nodes.iter().filter_map(|id| graph.get(*id)) {
        open.extend([node.test.left, node.test.right]);
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let operands = match values.get(id) {
                Value::Load { base: Some(base), .. } => {
                    bases.insert(base);
                    [Some(base), None]
                }
                Value::Negative(of) => [Some(of), None],
                Value::Binary { left, right, .. } => [Some(left), Some(right)],
                Value::Load { base: None, .. } | Value::Constant(_) | Value::PacketLength => [None, None],
            };
            for operand in operands.into_iter().flatten() {
                *uses.entry(operand).or_default() += 1;
                open.push(operand);
            }
        }
    }
    let is_dear =
        |id: ValueId| values.as_header_length(id).is_none() && matches!(values.get(id), Value::Binary { .. });
    let kept = uses.into_iter().filter(|(id, uses)| *uses > 1 && bases.contains(id) && is_dear(*id));
    kept.map(|(id, _)| id).zip((0..KEPT_WORDS).cycle()).collect()
}

struct Emitter<'v> {
    values: &'v Values,
    kept: &'v HashMap<ValueId, u32>,
    registers: Registers,
    instructions: Vec<Instruction>,
    /// How many instructions the program has room for.
    room: usize,
    /// The first word of memory that is free.
    words: u32,
}

type Emitted = Result<(), Fault>;

impl Emitter<'_> {
    fn push(&mut self, what: u16, k: u32) -> Emitted {
        if self.instructions.len() >= self.room {
            return Err(too_long());
        }
        self.instructions.push(Instruction::new(what, k));
        Ok(())
    }

    /// Emits what a jump needs. Returns the jump, and whether its two ways are swapped.
    fn test(&mut self, test: Test) -> Result<(Instruction, bool), Fault> {
        let Test { left, comparison, right } = test;
        let what = code::JMP
            | match comparison {
                Comparison::Equal => code::JEQ,
                Comparison::Greater => code::JGT,
                Comparison::GreaterOrEqual => code::JGE,
                Comparison::AnyBit => code::JSET,
            };
        let Some(constant) = self.values.as_constant(right) else {
            self.fill_both(left, right)?;
            return Ok((Instruction::new(what | code::X, 0), false));
        };
        // To mask and then to compare with zero is one instruction.
        if let Value::Binary { operator: Operator::And, left: field, right: mask } = self.values.get(left)
            && let (Comparison::Equal, 0, Some(mask)) = (comparison, constant, self.values.as_constant(mask))
            && self.registers.a != Some(left)
        {
            self.fill_a(field)?;
            return Ok((Instruction::new(code::JMP | code::JSET, mask), true));
        }
        self.fill_a(left)?;
        Ok((Instruction::new(what, constant), false))
    }

    fn word_of(&self, id: ValueId) -> Option<u32> {
        self.kept.get(&id).copied().filter(|word| self.registers.memory[*word as usize] == Some(id))
    }

    fn fill_a(&mut self, id: ValueId) -> Emitted {
        if self.registers.a == Some(id) {
            return Ok(());
        }
        if let Some(word) = self.word_of(id) {
            self.push(code::LD | code::MEM, word)?;
            self.registers.a = Some(id);
            return Ok(());
        }
        match self.values.get(id) {
            Value::Constant(constant) => self.push(code::LD | code::IMM, constant)?,
            Value::PacketLength => self.push(code::LD | code::LEN, 0)?,
            Value::Load { size, base, offset } => {
                let size = match size {
                    Size::Byte => code::B,
                    Size::Half => code::H,
                    Size::Word => code::W,
                };
                match base {
                    None => self.push(code::LD | code::ABS | size, offset)?,
                    Some(base) => {
                        self.fill_x(base)?;
                        self.push(code::LD | code::IND | size, offset)?;
                    }
                }
            }
            Value::Negative(of) => {
                self.fill_a(of)?;
                self.push(code::ALU | code::NEG, 0)?;
            }
            Value::Binary { operator, left, right } => {
                let what = code::ALU | alu(operator);
                match self.values.as_constant(right) {
                    Some(constant) => {
                        self.fill_a(left)?;
                        self.push(what | code::K, constant)?;
                    }
                    None => {
                        let (left, right) = match commutes(operator) && self.is_for_x(left) {
                            true => (right, left),
                            false => (left, right),
                        };
                        self.fill_both(left, right)?;
                        self.push(what | code::X, 0)?;
                    }
                }
            }
        }
        self.registers.a = Some(id);
        if let Some(word) = self.kept.get(&id) {
            self.push(code::ST, *word)?;
            self.registers.memory[*word as usize] = Some(id);
        }
        Ok(())
    }

    fn fill_x(&mut self, id: ValueId) -> Emitted {
        if self.registers.x == Some(id) {
            return Ok(());
        }
        match (self.word_of(id), self.values.get(id), self.values.as_header_length(id)) {
            (Some(word), ..) => self.push(code::LDX | code::MEM, word)?,
            (_, Value::Constant(constant), _) => self.push(code::LDX | code::IMM, constant)?,
            (_, Value::PacketLength, _) => self.push(code::LDX | code::LEN, 0)?,
            (.., Some(offset)) => self.push(code::LDX | code::MSH | code::B, offset)?,
            _ => {
                self.fill_a(id)?;
                self.push(code::MISC | code::TAX, 0)?;
            }
        }
        self.registers.x = Some(id);
        Ok(())
    }

    /// Whether X can be loaded with it without the use of A.
    fn is_for_x(&self, id: ValueId) -> bool {
        self.registers.x == Some(id)
            || self.word_of(id).is_some()
            || self.values.as_header_length(id).is_some()
            || matches!(self.values.get(id), Value::Constant(_) | Value::PacketLength)
    }

    /// Whether to calculate it in A changes X.
    fn changes_x(&self, id: ValueId) -> bool {
        if self.registers.a == Some(id) || self.word_of(id).is_some() {
            return false;
        }
        match self.values.get(id) {
            Value::Constant(_) | Value::PacketLength => false,
            Value::Load { base, .. } => base.is_some_and(|base| self.registers.x != Some(base)),
            Value::Negative(of) => self.changes_x(of),
            Value::Binary { left, right, .. } => {
                self.values.as_constant(right).is_none() || self.changes_x(left)
            }
        }
    }

    /// Whether to calculate it in A needs X for anything.
    fn uses_x(&self, id: ValueId) -> bool {
        match self.values.get(id) {
            _ if self.word_of(id).is_some() => false,
            Value::Constant(_) | Value::PacketLength => false,
            Value::Load { base, .. } => base.is_some(),
            Value::Negative(of) => self.uses_x(of),
            Value::Binary { left, right, .. } => {
                self.values.as_constant(right).is_none() || self.uses_x(left)
            }
        }
    }

    fn fill_both(&mut self, left: ValueId, right: ValueId) -> Emitted {
        if self.registers.x == Some(right) && !self.changes_x(left) {
            return self.fill_a(left);
        }
        if self.is_for_x(right) {
            self.fill_a(left)?;
            return self.fill_x(right);
        }
        self.fill_a(right)?;
        if !self.uses_x(left) {
            self.push(code::MISC | code::TAX, 0)?;
            self.registers.x = Some(right);
            return self.fill_a(left);
        }
        let word = self.words;
        if word >= MEMORY_WORDS {
            return Err(Fault::new("this calculation needs more memory than a filter has")
                .suggest("put the longer part of it to the left"));
        }
        self.push(code::ST, word)?;
        self.registers.memory[word as usize] = Some(right);
        self.words += 1;
        self.fill_a(left)?;
        self.words -= 1;
        self.push(code::LDX | code::MEM, word)?;
        self.registers.x = Some(right);
        Ok(())
    }
}

fn alu(operator: Operator) -> u16 {
    match operator {
        Operator::Add => code::ADD,
        Operator::Subtract => code::SUB,
        Operator::Multiply => code::MUL,
        Operator::Divide => code::DIV,
        Operator::Remainder => code::MOD,
        Operator::And => code::AND,
        Operator::Or => code::OR,
        Operator::ExclusiveOr => code::XOR,
        Operator::ShiftLeft => code::LSH,
        Operator::ShiftRight => code::RSH,
    }
}

pub(crate) fn too_long() -> Fault {
    Fault::new(format!(
        "the program would have more than {} instructions, which is all that the kernel takes",
        Program::MOST_INSTRUCTIONS
    ))
}
