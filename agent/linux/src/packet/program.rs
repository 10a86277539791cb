//! Filters: classic BPF, as in linux/filter.h and Documentation/networking/filter.rst.
//!
//! The kernel checks a program as well. This is checked first, so that what comes from a client is known to be nothing else.

/// `BPF_MAXINSNS`, without what [`Program`] puts in front.
pub const MOST_INSTRUCTIONS: usize = 4096 - PROLOGUE.len();

/// Words of memory that a program has: `BPF_MEMWORDS`.
const MEMORY_WORDS: u32 = 16;

/// `SKF_AD_OFF`: from here on, loads are of what is known beside the packet …
const ANCILLARY: u32 = 0xffff_f000;
/// … and this is the last of it: `SKF_AD_VLAN_TPID`.
const LAST_ANCILLARY: u32 = 60;

/// One instruction: `struct sock_filter`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions are left out if a condition holds.
    pub jump_true: u8,
    /// The same, if it does not.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

/// Why something is no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProgram {
    /// It has too many instructions.
    #[error("{0} instructions, of at most {MOST_INSTRUCTIONS}")]
    TooLong(usize),
    /// There is no such instruction.
    #[error("instruction {0}: there is no such operation")]
    Operation(usize),
    /// Its operand makes no sense.
    #[error("instruction {0}: the operand is out of range")]
    Operand(usize),
    /// It jumps out of the program.
    #[error("instruction {0}: it leads out of the program")]
    Jump(usize),
    /// The end can be reached without a verdict.
    #[error("it does not end with a verdict")]
    NoVerdict,
}

/// A checked program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

const fn instruction(code: u16, jump_true: u8, jump_false: u8, operand: u32) -> Instruction {
    Instruction { code, jump_true, jump_false, operand }
}

/// `BPF_RET | BPF_K`
const VERDICT: u16 = 0x06;

/// On the loopback interface each packet is seen twice: when it is sent and when it is received. The first is left out, so
/// that one that a program sends to itself is one packet. All else is up to the program behind it.
const PROLOGUE: [Instruction; 6] = [
    // ld hatype; jeq ARPHRD_LOOPBACK, else to the program
    instruction(0x20, 0, 0, ANCILLARY + 28),
    instruction(0x15, 0, 3, 772),
    // ld pkttype; jeq PACKET_OUTGOING, else to the program
    instruction(0x20, 0, 0, ANCILLARY + 4),
    instruction(0x15, 0, 1, 4),
    instruction(VERDICT, 0, 0, 0),
    // A program begins with 0 in its accumulator.
    instruction(0x00, 0, 0, 0),
];

impl Program {
    /// A program that accepts no packet.
    pub fn nothing() -> Self {
        Self(vec![instruction(VERDICT, 0, 0, 0)])
    }

    /// The program of these instructions; without any, one that accepts every packet. It keeps no more than `snap_bytes` of one.
    ///
    /// # Errors
    ///
    /// [`BadProgram`]
    pub fn new(instructions: &[Instruction], snap_bytes: u32) -> Result<Self, BadProgram> {
        let everything = [instruction(VERDICT, 0, 0, snap_bytes)];
        let instructions = if instructions.is_empty() { &everything } else { instructions };
        check(instructions)?;
        let kept = instructions.iter().map(|&given| match given.code {
            VERDICT => Instruction { operand: given.operand.min(snap_bytes), ..given },
            _ => given,
        });
        Ok(Self(PROLOGUE.into_iter().chain(kept).collect()))
    }

    /// What the kernel is given.
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }
}

fn check(instructions: &[Instruction]) -> Result<(), BadProgram> {
    if instructions.len() > MOST_INSTRUCTIONS {
        return Err(BadProgram::TooLong(instructions.len()));
    }
    for (number, instruction) in instructions.iter().enumerate() {
        match kind(instruction.code).ok_or(BadProgram::Operation(number))? {
            Kind::Any => {}
            Kind::Load if is_packet_or_ancillary(instruction.operand) => {}
            Kind::Memory if instruction.operand < MEMORY_WORDS => {}
            Kind::Divisor if instruction.operand != 0 => {}
            Kind::Shift if instruction.operand < 32 => {}
            Kind::Load | Kind::Memory | Kind::Divisor | Kind::Shift => {
                return Err(BadProgram::Operand(number));
            }
            Kind::Jump => {
                let lands =
                    usize::try_from(instruction.operand).ok().and_then(|by| by.checked_add(number + 1));
                inside(lands, instructions).ok_or(BadProgram::Jump(number))?;
            }
            Kind::Condition => {
                for by in [instruction.jump_true, instruction.jump_false] {
                    inside(Some(number + 1 + usize::from(by)), instructions)
                        .ok_or(BadProgram::Jump(number))?;
                }
            }
        }
    }
    // All jumps lead forward and none leads out: whatever is done, it comes to the last instruction or to another verdict.
    let ends = instructions.last().is_some_and(|last| matches!(last.code, VERDICT | 0x16));
    if ends { Ok(()) } else { Err(BadProgram::NoVerdict) }
}

fn inside(lands: Option<usize>, instructions: &[Instruction]) -> Option<()> {
    (lands? < instructions.len()).then_some(())
}

fn is_packet_or_ancillary(operand: u32) -> bool {
    operand < ANCILLARY || operand - ANCILLARY <= LAST_ANCILLARY
}

/// What has to hold of an operation.
enum Kind {
    Any,
    /// The operand is an offset in the packet, or names what is known beside it.
    Load,
    /// The operand is a word of memory.
    Memory,
    Divisor,
    Shift,
    /// The operand is a distance.
    Jump,
    /// Jumps by one of the two distances.
    Condition,
}

/// The operations that the kernel takes: `chk_code_allowed` of net/core/filter.c.
fn kind(code: u16) -> Option<Kind> {
    Some(match code {
        // ld: [k] as word, half and byte
        0x20 | 0x28 | 0x30 => Kind::Load,
        // ld: [x + k]; #len; #k. ldx: #len; #k; 4*([k]&0xf)
        0x40 | 0x48 | 0x50 | 0x80 | 0x00 | 0x81 | 0x01 | 0xb1 => Kind::Any,
        // ld, ldx: M[k]. st, stx
        0x60 | 0x61 | 0x02 | 0x03 => Kind::Memory,
        // add, sub, mul, or, and, xor with k and with x; neg
        0x04 | 0x0c | 0x14 | 0x1c | 0x24 | 0x2c | 0x44 | 0x4c | 0x54 | 0x5c | 0xa4 | 0xac | 0x84 => Kind::Any,
        // div and mod by k
        0x34 | 0x94 => Kind::Divisor,
        // … and by x, where 0 is a verdict; lsh and rsh by x
        0x3c | 0x9c | 0x6c | 0x7c => Kind::Any,
        // lsh and rsh by k
        0x64 | 0x74 => Kind::Shift,
        0x05 => Kind::Jump,
        // jeq, jgt, jge, jset with k and with x
        0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => Kind::Condition,
        // ret #k, ret a; tax, txa
        0x06 | 0x16 | 0x07 | 0x87 => Kind::Any,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCEPT: Instruction = instruction(VERDICT, 0, 0, u32::MAX);

    fn verdict(instructions: &[Instruction]) -> Result<(), BadProgram> {
        Program::new(instructions, 100).map(drop)
    }

    #[test]
    fn what_leads_out_of_the_program_or_of_its_memory_is_refused() {
        assert_eq!(verdict(&[ACCEPT]), Ok(()));
        assert_eq!(verdict(&[instruction(0x15, 0, 1, 0), ACCEPT]), Err(BadProgram::Jump(0)));
        assert_eq!(verdict(&[instruction(0x05, 0, 0, u32::MAX), ACCEPT]), Err(BadProgram::Jump(0)));
        assert_eq!(verdict(&[instruction(0x60, 0, 0, 16), ACCEPT]), Err(BadProgram::Operand(0)));
        assert_eq!(verdict(&[instruction(0x34, 0, 0, 0), ACCEPT]), Err(BadProgram::Operand(0)));
        assert_eq!(verdict(&[instruction(0x74, 0, 0, 32), ACCEPT]), Err(BadProgram::Operand(0)));
        assert_eq!(verdict(&[instruction(0x20, 0, 0, ANCILLARY + 64), ACCEPT]), Err(BadProgram::Operand(0)));
        assert_eq!(verdict(&[instruction(0xff, 0, 0, 0), ACCEPT]), Err(BadProgram::Operation(0)));
        assert_eq!(verdict(&[instruction(0x20, 0, 0, 12)]), Err(BadProgram::NoVerdict));
        assert_eq!(verdict(&vec![ACCEPT; MOST_INSTRUCTIONS]), Ok(()));
        let too_long = vec![ACCEPT; MOST_INSTRUCTIONS + 1];
        assert_eq!(verdict(&too_long), Err(BadProgram::TooLong(MOST_INSTRUCTIONS + 1)));
    }

    #[test]
    fn no_verdict_keeps_more_than_was_asked_for() {
        let program = Program::new(&[instruction(VERDICT, 0, 0, 7), ACCEPT], 100).unwrap();
        let kept: Vec<_> = program.instructions()[PROLOGUE.len()..].iter().map(|it| it.operand).collect();
        assert_eq!(kept, [7, 100]);
        assert_eq!(Program::new(&[], 96).unwrap().instructions().last().unwrap().operand, 96);
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_a_program_or_an_error(
            given in proptest::collection::vec((0_u16..0x100, any::<u8>(), any::<u8>(), any::<u32>()), 0..20)
        ) {
            let given: Vec<_> = given.into_iter().map(|(code, t, f, k)| instruction(code, t, f, k)).collect();
            if let Ok(program) = Program::new(&given, 100) {
                prop_assert!(program.instructions().len() >= PROLOGUE.len() + given.len());
            }
        }
    }
}
