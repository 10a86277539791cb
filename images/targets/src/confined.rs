//! `confined [--hold CAPABILITIES] [--effects EFFECTS] [--unfiltered]`: an agent that was taken over.
//!
//! Started in place of the agent, in a sidecar of its own making, it gives up privileges and installs the filter
//! with the agent's own code. Then it tries whatever it should not be able to do to the target, the host and
//! itself, and prints what came of each attempt as one line of JSON: `allowed`, or the error's name.
//! `--unfiltered` leaves the agent's own filter out: what is allowed then is what that filter is for.

mod attempts;
mod permitted;

use std::process::ExitCode;

use dbgctl_agent::{privilege, seccomp};
use dbgctl_linux::sys::fix_open_how;
use dbgctl_proto::Effect;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::arguments::Arguments;

/// Becomes what the agent is, tries everything and prints it.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let hold = arguments.option::<String>("--hold")?.unwrap_or_default().parse()?;
    let effects = arguments.option::<String>("--effects")?.unwrap_or_default();
    let effects = effects.split(',').filter_map(Effect::from_name).collect::<Vec<_>>();
    let is_filtered = arguments.next().as_deref() != Some("--unfiltered");

    privilege::drop_to(hold)?;
    let [page, _] = fix_open_how()?;
    if is_filtered {
        seccomp::install(&effects)?;
    }
    let mut refusals = attempts::all();
    if is_filtered {
        // These would end a process that may do them.
        refusals.extend(attempts::on_itself(page));
    }
    println!("{}", json!({ "attempts": names(refusals), "permitted": names(permitted::all()) }));
    Ok(ExitCode::SUCCESS)
}

fn names(results: Vec<(&'static str, nix::Result<()>)>) -> Map<String, Value> {
    let outcome = |result: nix::Result<()>| match result {
        Ok(()) => Value::from("allowed"),
        Err(errno) => Value::from(format!("{errno:?}")),
    };
    results.into_iter().map(|(what, result)| (what.to_owned(), outcome(result))).collect()
}
