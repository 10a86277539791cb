//! A program for the kernel's packet filter (linux/filter.h, Documentation/networking/filter.rst).

use std::fmt::{self, Write as _};

use crate::link::beside;

/// One instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions are left out if a comparison holds.
    pub jt: u8,
    /// How many instructions are left out if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl Instruction {
    pub(crate) fn new(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }
}

/// Parts of [`Instruction::code`], by the names of linux/bpf_common.h.
#[expect(missing_docs, reason = "the names are the kernel's")]
pub mod code {
    pub const LD: u16 = 0x00;
    pub const LDX: u16 = 0x01;
    pub const ST: u16 = 0x02;
    pub const STX: u16 = 0x03;
    pub const ALU: u16 = 0x04;
    pub const JMP: u16 = 0x05;
    pub const RET: u16 = 0x06;
    pub const MISC: u16 = 0x07;

    pub const W: u16 = 0x00;
    pub const H: u16 = 0x08;
    pub const B: u16 = 0x10;

    pub const IMM: u16 = 0x00;
    pub const ABS: u16 = 0x20;
    pub const IND: u16 = 0x40;
    pub const MEM: u16 = 0x60;
    pub const LEN: u16 = 0x80;
    pub const MSH: u16 = 0xa0;

    pub const ADD: u16 = 0x00;
    pub const SUB: u16 = 0x10;
    pub const MUL: u16 = 0x20;
    pub const DIV: u16 = 0x30;
    pub const OR: u16 = 0x40;
    pub const AND: u16 = 0x50;
    pub const LSH: u16 = 0x60;
    pub const RSH: u16 = 0x70;
    pub const NEG: u16 = 0x80;
    pub const MOD: u16 = 0x90;
    pub const XOR: u16 = 0xa0;

    pub const JA: u16 = 0x00;
    pub const JEQ: u16 = 0x10;
    pub const JGT: u16 = 0x20;
    pub const JGE: u16 = 0x30;
    pub const JSET: u16 = 0x40;

    pub const K: u16 = 0x00;
    pub const X: u16 = 0x08;
    pub const A: u16 = 0x10;

    pub const TAX: u16 = 0x00;
    pub const TXA: u16 = 0x80;
}

/// Instructions that the kernel takes: at most [`Program::MOST_INSTRUCTIONS`], jumps go forward and stay inside, what is read
/// from memory was written before, and there is no end but a result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Program(Vec<Instruction>);

/// Why instructions are no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// There are none, or more than [`Program::MOST_INSTRUCTIONS`].
    Length(usize),
    /// The instruction of this number is unknown, goes nowhere, or has an operand that it can not have.
    Instruction(usize),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => {
                write!(f, "a program has 1 to {} instructions, not {length}", Program::MOST_INSTRUCTIONS)
            }
            Self::Instruction(number) => write!(f, "instruction {number} is not one that the kernel takes"),
        }
    }
}

impl std::error::Error for Invalid {}

/// Words of memory that a program has.
pub(crate) const MEMORY_WORDS: u32 = 16;

impl Program {
    /// `BPF_MAXINSNS`.
    pub const MOST_INSTRUCTIONS: usize = 4096;

    /// Takes instructions that the kernel would take, by the rules of its own check (`bpf_check_classic`).
    pub fn new(instructions: Vec<Instruction>) -> Result<Self, Invalid> {
        if instructions.is_empty() || instructions.len() > Self::MOST_INSTRUCTIONS {
            return Err(Invalid::Length(instructions.len()));
        }
        // What was written to memory on all ways to an instruction, one bit for each word.
        let mut written = vec![u16::MAX; instructions.len()];
        written[0] = 0;
        for (number, instruction) in instructions.iter().enumerate() {
            let after = after(*instruction, written[number]).ok_or(Invalid::Instruction(number))?;
            for next in next(*instruction, number) {
                *written.get_mut(next).ok_or(Invalid::Instruction(number))? &= after;
            }
        }
        Ok(Self(instructions))
    }

    /// The instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// As `tcpdump -d` shows a program: one line for each instruction.
    pub fn listing(&self) -> String {
        let mut listing = String::new();
        for (number, instruction) in self.0.iter().enumerate() {
            let (name, operand) = shown(*instruction, number);
            let line = match code_class(*instruction) {
                code::JMP if instruction.code & 0xf0 != code::JA => {
                    let target = |jump: u8| number + 1 + usize::from(jump);
                    let (yes, no) = (target(instruction.jt), target(instruction.jf));
                    format!("({number:03}) {name:<8} {operand:<16} jt {yes}\tjf {no}")
                }
                _ => format!("({number:03}) {name:<8} {operand}"),
            };
            let _ = writeln!(listing, "{}", line.trim_end());
        }
        listing
    }
}

fn code_class(instruction: Instruction) -> u16 {
    instruction.code & 0x07
}

/// Where an instruction goes on.
fn next(instruction: Instruction, number: usize) -> impl Iterator<Item = usize> {
    let jumps: [Option<u32>; 2] = match code_class(instruction) {
        code::RET => [None, None],
        code::JMP if instruction.code & 0xf0 == code::JA => [Some(instruction.k), None],
        code::JMP => [Some(instruction.jt.into()), Some(instruction.jf.into())],
        _ => [Some(0), None],
    };
    jumps.into_iter().flatten().map(move |jump| {
        usize::try_from(jump).map_or(usize::MAX, |jump| number.saturating_add(1).saturating_add(jump))
    })
}

/// What is written to memory after an instruction, or `None` if there is no such instruction.
fn after(Instruction { code: what, k, .. }: Instruction, written: u16) -> Option<u16> {
    use code::*;
    let word = (k < MEMORY_WORDS).then(|| 1 << k);
    let size_is_known = matches!(what & 0x18, W | H | B);
    match what & 0x07 {
        LD | LDX if what & 0xe0 == MEM && what & 0x18 == W => (written & word? != 0).then_some(written),
        ST | STX if what & 0xf8 == 0 => Some(written | word?),
        LD if what & 0xe0 == ABS && beside::is_beside(k) && !beside::is_known(k) => None,
        LD if matches!(what & 0xe0, ABS | IND) && size_is_known => Some(written),
        LD | LDX if matches!(what & 0xe0, IMM | LEN) && what & 0x18 == W => Some(written),
        LDX if what & 0xf8 == MSH | B => Some(written),
        ALU if what & !0x07 == NEG => Some(written),
        ALU if what & X == X => matches!(what & 0xf0, ADD..=RSH | MOD | XOR).then_some(written),
        ALU => match what & 0xf0 {
            DIV | MOD => (k != 0).then_some(written),
            LSH | RSH => (k < 32).then_some(written),
            ADD | SUB | MUL | OR | AND | XOR => Some(written),
            _ => None,
        },
        JMP if what & !0x07 == JA => Some(written),
        JMP => matches!(what & 0xf0, JEQ | JGT | JGE | JSET).then_some(written),
        RET if matches!(what & 0xf8, K | A) => Some(written),
        MISC if matches!(what & 0xf8, TAX | TXA) => Some(written),
        _ => None,
    }
}

/// The name and the operand of an instruction, as tcpdump writes them.
fn shown(Instruction { code: what, k, .. }: Instruction, number: usize) -> (String, String) {
    use code::*;
    let sized = |name: &str| match what & 0x18 {
        H => format!("{name}h"),
        B => format!("{name}b"),
        _ => name.to_owned(),
    };
    let right = if what & X == X { "x".to_owned() } else { format!("#0x{k:x}") };
    match what & 0x07 {
        class @ (LD | LDX) => {
            let name = if class == LD { "ld" } else { "ldx" };
            match what & 0xe0 {
                ABS => (sized(name), format!("[{}]", place(k))),
                IND => (sized(name), format!("[x + {k}]")),
                IMM => (name.to_owned(), format!("#0x{k:x}")),
                LEN => (name.to_owned(), "#pktlen".to_owned()),
                MSH => ("ldxb".to_owned(), format!("4*([{k}]&0xf)")),
                _ => (name.to_owned(), format!("M[{k}]")),
            }
        }
        ST => ("st".to_owned(), format!("M[{k}]")),
        STX => ("stx".to_owned(), format!("M[{k}]")),
        ALU => {
            let name = match what & 0xf0 {
                ADD => "add",
                SUB => "sub",
                MUL => "mul",
                DIV => "div",
                OR => "or",
                AND => "and",
                LSH => "lsh",
                RSH => "rsh",
                MOD => "mod",
                XOR => "xor",
                _ => return ("neg".to_owned(), String::new()),
            };
            (name.to_owned(), right)
        }
        JMP => {
            let name = match what & 0xf0 {
                JEQ => "jeq",
                JGT => "jgt",
                JGE => "jge",
                JSET => "jset",
                _ => {
                    let target = u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1 + u64::from(k));
                    return ("ja".to_owned(), target.to_string());
                }
            };
            (name.to_owned(), right)
        }
        RET if what & A == A => ("ret".to_owned(), String::new()),
        RET => ("ret".to_owned(), format!("#{k}")),
        _ if what & TXA == TXA => ("txa".to_owned(), String::new()),
        _ => ("tax".to_owned(), String::new()),
    }
}

/// What Linux tells beside a packet has names.
fn place(k: u32) -> String {
    match k {
        beside::PROTOCOL => "proto".to_owned(),
        beside::PACKET_TYPE => "type".to_owned(),
        beside::INTERFACE => "ifidx".to_owned(),
        beside::VLAN_TAG => "vlan_tci".to_owned(),
        beside::VLAN_TAG_PRESENT => "vlan_avail".to_owned(),
        _ => k.to_string(),
    }
}
