//! `cargo xtask`: everything a developer or CI does to this tree, in one place.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a developer's tool: it talks, and it reads the files of this tree"
)]

mod arch;
mod archive;
mod bench;
mod bootstrap;
mod codegen;
mod command;
mod container;
mod demo;
mod elf;
mod engine;
mod image;
mod needs;
mod packages;
mod programs;
mod readme;
mod record;
mod targets;
mod test;
mod toolchain;
mod tree;
mod undo;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Developer commands of dbgctl.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine ready to build and test. Safe to repeat.
    Bootstrap,
    /// Show dbgctl at work: build it, look into a container that has no shell, leave nothing behind.
    Demo,
    /// Write proto/src/generated/ from the .proto files.
    Codegen,
    /// Build the agent for every architecture and pack it into target/agent-image/.
    Image {
        /// Build a second time, from a copy of the tree elsewhere, and compare the bytes.
        #[arg(long)]
        verify_reproducible: bool,
        /// Build for this machine only and without the last optimisations, to try a change.
        #[arg(long, conflicts_with = "verify_reproducible")]
        quick: bool,
    },
    /// Build the programs that play the target and pack them into target/target-image/.
    Targets,
    /// Pack redis, nginx and PostgreSQL from Debian's packages, without a shell, into target/target-image/.
    Programs,
    /// Record a running container as a scene for tests, into tests/fixtures/.
    Record {
        /// Its name or id.
        container: String,
        /// Name of the scene, for example cgroup-v1.
        name: String,
    },
    /// Accept what the questions about the recorded scenes now answer. Read the diff like code.
    Bless,
    /// Run everything that must hold before a change is taken.
    #[command(visible_alias = "ci")]
    Test,
    /// Measure, beside what one would use instead and beside the least that is possible.
    Bench(bench::Args),
    /// Write the table of probes in README.md.
    Readme {
        /// Write nothing; fail if the table is stale.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    match run(&workspace()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(workspace: &Path) -> Result {
    match Cli::parse().command {
        Command::Bootstrap => bootstrap::bootstrap(workspace),
        Command::Demo => demo::demo(workspace),
        Command::Codegen => codegen::generate(workspace, &workspace.join("proto/src/generated")),
        Command::Image { quick: true, .. } => image::image(workspace, image::Build::Quick),
        Command::Image { verify_reproducible, quick: false } => {
            image::image(workspace, image::Build::Shipped)?;
            if verify_reproducible { image::verify_reproducible(workspace) } else { Ok(()) }
        }
        Command::Targets => targets::targets(workspace),
        Command::Programs => programs::programs(workspace),
        Command::Record { container, name } => record::record(workspace, &container, &name),
        Command::Bless => bless(workspace),
        Command::Test => test::test(workspace),
        Command::Bench(args) => bench::bench(workspace, &args),
        Command::Readme { check: true } => readme::check(workspace),
        Command::Readme { check: false } => readme::write(workspace),
    }
}

fn bless(workspace: &Path) -> Result {
    let mut test = command::cargo(workspace);
    test.args(["test", "--quiet", "--package", "dbgctl", "--lib", "golden"]).env("DBGCTL_BLESS", "1");
    command::run(&mut test)
}

/// The root of this tree.
fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}
