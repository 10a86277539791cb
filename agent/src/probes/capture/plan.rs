//! What is to be captured, with every field checked.

use std::time::Duration;

use dbgctl_linux::packet::{Instruction, Interface, Program};
use dbgctl_proto::bounds::{
    CAPTURE_BUFFER_BYTES, DEFAULT_CAPTURE_BUFFER_BYTES, LONGEST_INTERFACE_BYTES, LONGEST_SNAP_BYTES,
};
use dbgctl_proto::v1;
use dbgctl_proto::v1::capture_command::Command;

use crate::error::BadRequest;

/// How long a packet waits for others if someone looks, and if nobody does.
const PROMPT: Duration = Duration::from_millis(10);
const PATIENT: Duration = Duration::from_millis(100);

/// Headers are shorter than this: no more of a packet comes into the ring, where that is all that is wanted.
const LONGEST_HEADERS_BYTES: u32 = 1024;

/// Where to hear.
#[derive(Debug)]
pub(super) struct Open {
    /// Empty: the first that leads somewhere.
    name: Vec<u8>,
    any: bool,
    pub(super) buffer_bytes: u32,
    pub(super) wait: Duration,
}

impl TryFrom<Option<Command>> for Open {
    type Error = BadRequest;

    fn try_from(first: Option<Command>) -> Result<Self, BadRequest> {
        let Some(Command::Open(open)) = first else {
            return Err(BadRequest::new("open", "is not the first command"));
        };
        if open.interface.len() > LONGEST_INTERFACE_BYTES {
            return Err(BadRequest::new("interface", "is longer than a name can be"));
        }
        if open.any && !open.interface.is_empty() {
            return Err(BadRequest::new("any", "is all interfaces, and one was named"));
        }
        let buffer_bytes = match open.buffer_bytes {
            0 => DEFAULT_CAPTURE_BUFFER_BYTES,
            bytes if CAPTURE_BUFFER_BYTES.contains(&bytes) => bytes,
            _ => return Err(BadRequest::new("buffer_bytes", "is not between 1 MiB and 256 MiB")),
        };
        Ok(Self {
            name: open.interface.into_bytes(),
            any: open.any,
            buffer_bytes,
            wait: if open.prompt { PROMPT } else { PATIENT },
        })
    }
}

impl Open {
    /// The one of `interfaces` that is meant. `None`: all.
    pub(super) fn choose<'i>(
        &self,
        interfaces: &'i [Interface],
    ) -> Result<Option<&'i Interface>, BadRequest> {
        if self.any {
            return Ok(None);
        }
        let found = if self.name.is_empty() {
            let leads_somewhere = |interface: &&Interface| interface.is_up && !interface.is_loopback;
            let loopback = |interface: &&Interface| interface.is_up && interface.is_loopback;
            let found = interfaces.iter().find(leads_somewhere);
            found.or_else(|| interfaces.iter().find(loopback))
        } else {
            interfaces.iter().find(|interface| interface.name == self.name)
        };
        found.map(Some).ok_or_else(|| {
            let names: Vec<_> =
                interfaces.iter().map(|interface| String::from_utf8_lossy(&interface.name)).collect();
            let problem = match self.name.is_empty() {
                true => format!("none is up; there are {}", names.join(", ")),
                false => format!("there is no such interface; there are {}", names.join(", ")),
            };
            BadRequest::new("interface", problem)
        })
    }
}

/// What to hear.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) filter: Program,
    pub(super) snap_bytes: usize,
    pub(super) headers_only: bool,
    pub(super) promiscuous: bool,
    /// `None`: as many as come.
    pub(super) limit: Option<u64>,
    /// `None`: until it is stopped.
    pub(super) duration: Option<Duration>,
}

impl TryFrom<v1::CaptureStart> for Plan {
    type Error = BadRequest;

    fn try_from(start: v1::CaptureStart) -> Result<Self, BadRequest> {
        let snap_bytes = match start.snap_bytes {
            0 => LONGEST_SNAP_BYTES,
            bytes @ 1..=LONGEST_SNAP_BYTES => bytes,
            _ => return Err(BadRequest::new("snap_bytes", format!("is more than {LONGEST_SNAP_BYTES}"))),
        };
        let kept = if start.headers_only { snap_bytes.min(LONGEST_HEADERS_BYTES) } else { snap_bytes };
        let instructions: Vec<_> = start.filter.iter().map(instruction).collect::<Result<_, _>>()?;
        let filter = Program::new(&instructions, kept);
        let filter = filter.map_err(|bad| BadRequest::new("filter", bad.to_string()))?;
        let duration = start.duration.map(Duration::try_from).transpose();
        Ok(Self {
            filter,
            snap_bytes: usize::try_from(kept).unwrap_or(usize::MAX),
            headers_only: start.headers_only,
            promiscuous: start.promiscuous,
            limit: Some(start.limit).filter(|&limit| limit > 0),
            duration: duration.map_err(|_| BadRequest::new("duration", "is negative"))?,
        })
    }
}

fn instruction(given: &v1::CaptureInstruction) -> Result<Instruction, BadRequest> {
    let bad = || BadRequest::new("filter", "a field of an instruction is out of range");
    Ok(Instruction {
        code: u16::try_from(given.code).map_err(|_| bad())?,
        jump_true: u8::try_from(given.jump_true).map_err(|_| bad())?,
        jump_false: u8::try_from(given.jump_false).map_err(|_| bad())?,
        operand: given.operand,
    })
}

#[cfg(test)]
mod tests {
    use dbgctl_linux::packet::LinkType;

    use super::*;

    fn interface(index: u32, name: &str, is_up: bool) -> Interface {
        let is_loopback = name == "lo";
        Interface { index, name: name.into(), is_up, is_loopback, link: LinkType::Ethernet }
    }

    fn chosen(open: v1::CaptureOpen, interfaces: &[Interface]) -> Result<Option<u32>, BadRequest> {
        let open = Open::try_from(Some(Command::Open(open))).unwrap();
        open.choose(interfaces).map(|chosen| chosen.map(|interface| interface.index))
    }

    #[test]
    fn without_a_name_the_first_interface_that_leads_somewhere_is_meant() {
        let named = |name: &str| v1::CaptureOpen { interface: name.into(), ..v1::CaptureOpen::default() };
        let of_bridge = [interface(1, "lo", true), interface(2, "tun0", false), interface(5, "eth0", true)];
        assert_eq!(chosen(named(""), &of_bridge), Ok(Some(5)));
        assert_eq!(chosen(named("tun0"), &of_bridge), Ok(Some(2)));
        assert_eq!(chosen(named(""), &of_bridge[..1]), Ok(Some(1)));
        assert_eq!(chosen(v1::CaptureOpen { any: true, ..named("") }, &of_bridge), Ok(None));
        let problem = chosen(named("eth1"), &of_bridge).unwrap_err().problem;
        assert!(problem.contains("there are lo, tun0, eth0"), "{problem}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let start = |start: v1::CaptureStart| Plan::try_from(start).map(drop).map_err(|bad| bad.field);
        let instruction = v1::CaptureInstruction { code: 0x1_0006, ..v1::CaptureInstruction::default() };
        let filter = vec![instruction];
        assert_eq!(start(v1::CaptureStart { filter, ..v1::CaptureStart::default() }), Err("filter"));
        let snap_bytes = LONGEST_SNAP_BYTES + 1;
        assert_eq!(start(v1::CaptureStart { snap_bytes, ..v1::CaptureStart::default() }), Err("snap_bytes"));
        let duration = Some(prost_types::Duration { seconds: -1, nanos: 0 });
        assert_eq!(start(v1::CaptureStart { duration, ..v1::CaptureStart::default() }), Err("duration"));
        assert_eq!(start(v1::CaptureStart::default()), Ok(()));
    }
}
