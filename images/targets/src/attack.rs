//! `attack [--once PID]`: tries to get into every process that appears beside this target, as fast as it can.
//!
//! Prints one line of JSON per success, and one per process when it has gone: `pid`, `cmdline` (the last one
//! seen; `cmdlines` has all, for a process that was `runc init` before it was the agent), `attempts`, `opened`.
//! Every newcomer is attacked, whatever it calls itself: the first moments of a sidecar are the ones that count,
//! and then it is not called `/agent` yet.

mod attempts;

use std::collections::BTreeMap;
use std::process::ExitCode;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{cmdline, pids};
use attempts::{ATTEMPTS, Opened};

/// Attacks one process once, or all newcomers for ever.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    match arguments.option("--once")? {
        Some(pid) => once(Pid::from_raw(pid)),
        None => for_ever(),
    }
}

/// Tries everything once and prints what came of it, by name: `opened`, or why not. Ends with 1 if nothing opened.
fn once(pid: Pid) -> Result<ExitCode> {
    let process = open_process(pid)?;
    let cmdline = cmdline(pid);
    let mut results = Map::new();
    let mut code = ExitCode::FAILURE;
    for (name, attempt) in ATTEMPTS {
        let result = match attempt(&process) {
            Ok(()) => {
                code = ExitCode::SUCCESS;
                "opened".to_owned()
            }
            Err(errno) => format!("{errno:?}"),
        };
        results.insert((*name).to_owned(), Value::from(result));
    }
    println!("{}", json!({ "pid": pid.as_raw(), "cmdline": cmdline, "results": results }));
    Ok(code)
}

fn for_ever() -> Result<ExitCode> {
    // `None` is a process that was here before, or that is this one: not attacked.
    let mut known: BTreeMap<Pid, Option<Attacked>> = pids()?.into_iter().map(|pid| (pid, None)).collect();
    println!("ready {}", known.len());
    loop {
        let listed = pids()?;
        known.retain(|pid, attacked| attacked.is_some() || listed.contains(pid));
        for pid in listed {
            if !known.contains_key(&pid)
                && let Ok(process) = open_process(pid)
            {
                known.insert(pid, Some(Attacked::new(process)));
            }
        }
        known.retain(|_, attacked| {
            let Some(attacked) = attacked else { return true };
            let exists = attacked.attack();
            if !exists {
                attacked.report();
            }
            exists
        });
    }
}

/// A handle to the process, which can not come to mean another one with the same pid.
fn open_process(pid: Pid) -> nix::Result<Opened> {
    let path = format!("/proc/{pid}");
    let directory = open(path.as_str(), OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(Opened { pid, directory })
}

/// A process under attack.
struct Attacked {
    process: Opened,
    cmdlines: Vec<String>,
    attempts: u64,
    opened: Vec<&'static str>,
}

impl Attacked {
    fn new(process: Opened) -> Self {
        Self { process, cmdlines: Vec::new(), attempts: 0, opened: Vec::new() }
    }

    /// Tries once more whatever has not succeeded yet. False if the process is gone.
    fn attack(&mut self) -> bool {
        for (name, attempt) in ATTEMPTS {
            if self.opened.contains(name) {
                continue;
            }
            self.attempts += 1;
            if attempt(&self.process).is_ok() {
                self.opened.push(name);
                self.note_cmdline();
                println!(
                    "{}",
                    json!({ "pid": self.process.pid.as_raw(), "cmdline": self.cmdline(), "opened": [name] })
                );
            }
        }
        self.note_cmdline();
        self.process.exists()
    }

    /// Prints the summary of a process that is gone.
    fn report(&self) {
        println!(
            "{}",
            json!({
                "pid": self.process.pid.as_raw(),
                "cmdline": self.cmdline(),
                "cmdlines": self.cmdlines,
                "attempts": self.attempts,
                "opened": self.opened,
                "gone": true,
            })
        );
    }

    fn cmdline(&self) -> &str {
        self.cmdlines.last().map_or("", String::as_str)
    }

    /// A process changes its command line when it execs.
    fn note_cmdline(&mut self) {
        let cmdline = cmdline(self.process.pid);
        if !cmdline.is_empty() && cmdline != self.cmdline() {
            self.cmdlines.push(cmdline);
        }
    }
}
