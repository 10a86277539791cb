//! Packets as the kernel shows them to a packet socket, see packet(7).
//!
//! A [`Ring`] is memory that the kernel fills and this process reads: `TPACKET_V3` of
//! Documentation/networking/packet_mmap.rst. A [`Program`] is checked before the kernel sees it, and in force before the
//! first packet is heard. What a ring holds is taken apart by [`Block`], and made a packet for others by [`Shape`].

mod block;
mod frame;
mod headers;
mod interface;
mod program;
mod ring;
mod sys;

pub use block::{Block, Frame, Sender, Vlan};
pub use frame::{LinkType, Shape};
pub use interface::{Interface, interfaces};
pub use program::{BadProgram, Instruction, MOST_INSTRUCTIONS, Program};
pub use ring::{Counts, Ring, Settings};
