//! Runs a program as the kernel would, with one exception: a number shifted by more than 31 bits is zero, as in libpcap. Many
//! kernels take the lower five bits of what it is shifted by. Programs that shift by a constant do not come there.

use crate::link::beside;
use crate::program::{Instruction, MEMORY_WORDS, Program, code};
use crate::tree::Operator;
use crate::value::calculate;

/// What Linux tells beside the bytes of a packet that comes from a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    /// The Ethernet type, or Linux's number of a frame without one.
    pub protocol: u16,
    /// `PACKET_HOST` and the like (linux/if_packet.h).
    pub packet_type: u32,
    /// The number of the interface.
    pub interface: u32,
    /// The VLAN tag that was taken out of the packet.
    pub vlan_tag: Option<u16>,
}

impl Program {
    /// How many bytes of a stored packet are wanted: 0 if it is not. `wire_length` is what it had when it was sent.
    pub fn run(&self, packet: &[u8], wire_length: u32) -> u32 {
        Machine { packet, wire_length, beside: None }.run(self.instructions())
    }

    /// The same for a packet as a socket has it.
    pub fn run_live(&self, packet: &[u8], wire_length: u32, beside: Beside) -> u32 {
        Machine { packet, wire_length, beside: Some(beside) }.run(self.instructions())
    }
}

struct Machine<'p> {
    packet: &'p [u8],
    wire_length: u32,
    beside: Option<Beside>,
}

impl Machine<'_> {
    fn run(&self, instructions: &[Instruction]) -> u32 {
        self.result(instructions).unwrap_or(0)
    }

    /// `None` if a field is not in the packet, or for a division by zero: such a packet is not wanted.
    fn result(&self, instructions: &[Instruction]) -> Option<u32> {
        use code::*;
        let (mut a, mut x) = (0_u32, 0_u32);
        let mut memory = [0_u32; MEMORY_WORDS as usize];
        let mut at = 0_usize;
        loop {
            let Instruction { code: what, jt, jf, k } = *instructions.get(at)?;
            at += 1;
            match what & 0x07 {
                LD => {
                    a = match what & 0xe0 {
                        ABS => self.load(what, k)?,
                        IND => self.load(what, x.checked_add(k)?)?,
                        IMM => k,
                        LEN => self.wire_length,
                        _ => *memory.get(k as usize)?,
                    }
                }
                LDX => {
                    x = match what & 0xe0 {
                        IMM => k,
                        LEN => self.wire_length,
                        MSH => (u32::from(*self.packet.get(k as usize)?) & 0x0f) << 2,
                        _ => *memory.get(k as usize)?,
                    }
                }
                ST => *memory.get_mut(k as usize)? = a,
                STX => *memory.get_mut(k as usize)? = x,
                ALU if what & 0xf0 == NEG => a = a.wrapping_neg(),
                ALU => a = calculate(operator(what)?, a, if what & X == X { x } else { k })?,
                JMP if what & 0xf0 == JA => at = at.checked_add(k as usize)?,
                JMP => {
                    let right = if what & X == X { x } else { k };
                    let holds = match what & 0xf0 {
                        JEQ => a == right,
                        JGT => a > right,
                        JGE => a >= right,
                        _ => a & right != 0,
                    };
                    at += usize::from(if holds { jt } else { jf });
                }
                RET => return Some(if what & A == A { a } else { k }),
                _ if what & TXA == TXA => a = x,
                _ => x = a,
            }
        }
    }

    fn load(&self, what: u16, at: u32) -> Option<u32> {
        if let Some(beside) = &self.beside {
            match at {
                beside::PROTOCOL => return Some(beside.protocol.into()),
                beside::PACKET_TYPE => return Some(beside.packet_type),
                beside::INTERFACE => return Some(beside.interface),
                beside::VLAN_TAG => return Some(beside.vlan_tag.unwrap_or(0).into()),
                beside::VLAN_TAG_PRESENT => return Some(beside.vlan_tag.is_some().into()),
                _ => {}
            }
        }
        let length = match what & 0x18 {
            code::H => 2,
            code::B => 1,
            _ => 4,
        };
        let start = usize::try_from(at).ok()?;
        let bytes = self.packet.get(start..start.checked_add(length)?)?;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }
}

fn operator(what: u16) -> Option<Operator> {
    Some(match what & 0xf0 {
        code::ADD => Operator::Add,
        code::SUB => Operator::Subtract,
        code::MUL => Operator::Multiply,
        code::DIV => Operator::Divide,
        code::MOD => Operator::Remainder,
        code::AND => Operator::And,
        code::OR => Operator::Or,
        code::XOR => Operator::ExclusiveOr,
        code::LSH => Operator::ShiftLeft,
        code::RSH => Operator::ShiftRight,
        _ => return None,
    })
}
