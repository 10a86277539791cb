//! The programs that play the target in tests, benchmarks and the demo: one static binary, no shell.
//!
//! Each subcommand prints a line that begins with `ready` when its processes stand, so that a test need not
//! guess how long to wait. Every process of it exits with 0 on SIGTERM, also as PID 1.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test program: it talks to whoever reads its log, and it is not the agent"
)]

mod arguments;
mod attack;
mod blocked;
mod burn;
mod cache;
mod churn;
mod confined;
mod connections;
mod crash;
mod exit;
mod files;
mod fill;
mod hostile;
mod kill_agent;
mod latency;
mod leak;
mod look_up;
mod many;
mod many_open;
mod memory;
mod open;
mod process;
mod race;
mod record;
mod serve;
mod signal;
mod sockets;
mod sys;
mod tempting;
mod threads;
mod uninterruptible;
mod unprotected;
mod write;
mod zombies;

use std::process::ExitCode;

use arguments::Arguments;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: target-program COMMAND

  serve [--port 8080] [--workers 2]  answer HTTP from several processes
  zombies N                          N children that nobody reaps
  many N [--files M]                 N idle children, named idle-<i>, with M open files each
  memory MIB                         that much touched anonymous memory
  latency MIB [--window MILLIS]      how long mapping memory takes, with that much held
  leak [--mib-per-minute 60]         takes more and more memory, evenly
  cache DIRECTORY                    writes, reads and removes a file there, again and again
  fill PATH MIB                      a file of that size
  churn PER_SECOND                   children that come and go at that rate
  hostile [--random N]               names and command lines that attack whoever prints them
  threads N                          one process with N named threads
  open                               one process that has one of everything open
  blocked                            threads that wait in known system calls
  uninterruptible                    a process that waits in the kernel and that no signal wakes
  burn [--user 1] [--system 0]       threads that use all the CPU they get
  write PATH KIB [--times N]         that much written and stored, again and again
  many-open N                        one process with N open files
  sockets [--pairs 4] [--close-wait N] [--time-wait N] [--full] [--ipv6-only]
                                     sockets of every kind and in every state that lasts
  connections N [--processes 9]      that many TCP sockets, connected in pairs
  files [--many N]                   files that are hard to look at
  race READS                         read through a directory that is swapped with a link, safely and not
  look-up NAME                       ask the C library for the addresses of a name
  exit CODE [--after SECONDS]        end with that code
  crash                              end by abort
  attack [--once PID]                try to get into every new process
  signal PID SIGNAL                  for example: signal 1 TERM
  kill-agent KILL|STOP|CONT|TERM     signal the agent beside this container
  unprotected [--seconds N]          a sidecar without any protection, to attack
  tempting                           files and sockets that everyone may write to
  confined [--hold CAPABILITIES] [--effects EFFECTS] [--unfiltered]
                                     an agent that was taken over tries what it must not do
  record TARGET_ID                   a scene of the container beside this one, as a tar";

fn main() -> ExitCode {
    if let Some(bystander) = hostile::Bystander::from_environment() {
        return finish(bystander.run());
    }
    let mut arguments = Arguments::of_this_process();
    let Some(command) = arguments.next() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    finish(run(&command, &mut arguments))
}

fn run(command: &str, arguments: &mut Arguments) -> Result<ExitCode> {
    sys::exit_on_termination()?;
    match command {
        "serve" => serve::run(arguments),
        "zombies" => zombies::run(arguments),
        "many" => many::run(arguments),
        "memory" => memory::run(arguments),
        "latency" => latency::run(arguments),
        "leak" => leak::run(arguments),
        "cache" => cache::run(arguments),
        "fill" => fill::run(arguments),
        "churn" => churn::run(arguments),
        "hostile" => hostile::run(arguments),
        "sockets" => sockets::run(arguments),
        "connections" => connections::run(arguments),
        "files" => files::run(arguments),
        "race" => race::run(arguments),
        "threads" => threads::run(arguments),
        "open" => open::run(),
        "blocked" => blocked::run(),
        "uninterruptible" => uninterruptible::run(),
        "burn" => burn::run(arguments),
        "write" => write::run(arguments),
        "many-open" => many_open::run(arguments),
        "look-up" => look_up::run(arguments),
        "exit" => exit::run(arguments),
        "crash" => crash::run(arguments),
        "attack" => attack::run(arguments),
        "signal" => signal::run(arguments),
        "kill-agent" => kill_agent::run(arguments),
        "tempting" => tempting::run(),
        "confined" => confined::run(arguments),
        "record" => record::run(arguments),
        "unprotected" => unprotected::run(arguments),
        unknown => Err(format!("no such command: {unknown}\n{USAGE}").into()),
    }
}

fn finish(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("target-program: {error}");
        ExitCode::from(2)
    })
}
