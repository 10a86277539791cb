//! `race READS`: what an agent reads of a target that swaps a directory with a link out of it.
//!
//! Started as the agent is, in a sidecar of its own making: it gives up privileges and installs the filter with the
//! agent's own code. Then it reads `/files/swap/one/file` of the target so often, through the agent's opener and by a
//! plain open, and prints as JSON whose files those were.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use dbgctl_agent::{privilege, seccomp};
use dbgctl_linux::{Buffer, Pid, Root};
use dbgctl_proto::Effect;
use serde_json::json;

use crate::Result;
use crate::arguments::Arguments;

/// The target's init, in a PID namespace of the target's own.
const INIT: Pid = Pid(1);
const PATH: &str = "/files/swap/one/file";

/// Reads and prints.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let hold = arguments.option::<String>("--hold")?.unwrap_or_default().parse()?;
    let reads = arguments.required::<u32>("READS")?;
    privilege::drop_to(hold)?;
    seccomp::install(&[Effect::Observes])?;
    let root = Root::live()?;
    let mut buffer = Buffer::default();
    let (mut of_target, mut of_agent, mut refused) = (0, 0, 0);
    let mut plainly_of_agent = 0;
    // Where the link leads for a plain open: whoever started this has put a file there.
    let own = fs::read("/outside/file")?;
    for _ in 0..reads {
        let read =
            root.open_in(INIT, Path::new(PATH)).and_then(|file| Ok(file.read(100, &mut buffer)?.to_vec()));
        match read {
            Ok(bytes) if bytes == b"of the target" => of_target += 1,
            Ok(_) => of_agent += 1,
            Err(_) => refused += 1,
        }
        let plain = fs::read(format!("/proc/{INIT}/root{PATH}")).unwrap_or_default();
        plainly_of_agent += u32::from(plain == own);
    }
    println!(
        "{}",
        json!({ "of_target": of_target, "of_agent": of_agent, "refused": refused, "plainly_of_agent": plainly_of_agent })
    );
    Ok(ExitCode::SUCCESS)
}
