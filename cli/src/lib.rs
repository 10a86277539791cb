//! dbgctl: looks into a running container from outside.

mod args;
mod attach;
mod audit;
mod channel;
mod commands;
mod error;
mod exit;
mod interrupt;
mod render;
mod state;

use std::process::ExitCode;

use crate::args::Cli;
use crate::attach::Attacher;
use crate::attach::docker::Engine;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::talk;

/// The program: parses, runs, cleans up, and says with which status it ends.
pub fn main() -> ExitCode {
    let cli = match Cli::of_this_process() {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Error::new("start", error.to_string(), "check the limits of this shell: `ulimit -a`");
            talk::error(&error);
            return Exit::Unknown.into();
        }
    };
    let exit = runtime.block_on(run(cli));
    // A prompt that still waits for a line must not hold up the end.
    runtime.shutdown_background();
    exit.into()
}

async fn run(cli: Cli) -> Exit {
    let engine = match Engine::at(cli.shared.host()) {
        Ok(engine) => engine,
        Err(error) => {
            talk::error(&Error::engine("reach the container engine", &error));
            return Exit::Unknown;
        }
    };
    let attacher = Attacher::new(engine, cli.shared.options(), cli.shared.notes());
    let outcome = tokio::select! {
        outcome = commands::run(&attacher, cli.command, cli.shared.output) => outcome,
        () = interrupt::ends_the_program() => Ok(Exit::Interrupted),
    };
    let exit = outcome.unwrap_or_else(|error| {
        talk::error(&error);
        Exit::Unknown
    });
    let cleaned = tokio::select! {
        cleaned = attacher.clean_up() => cleaned,
        // Whoever insists is not kept waiting: the next run sweeps.
        () = interrupt::ends_the_program() => return Exit::Interrupted,
    };
    match cleaned {
        Ok(()) => exit,
        // What is wrong was said already, and this is most likely the same. The next run sweeps.
        Err(_) if exit == Exit::Unknown => exit,
        Err(error) => {
            talk::error(&error);
            Exit::Unknown
        }
    }
}
