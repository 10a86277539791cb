//! The binary in the sidecar: gives up privileges, confines itself, then serves.

use std::process::ExitCode;
use std::sync::Arc;

use dbgctl_agent::arguments::{Arguments, Serve};
use dbgctl_agent::error::chain;
use dbgctl_agent::guard::{Grant, GuardLayer};
use dbgctl_agent::handshake::Myself;
use dbgctl_agent::lifetime::Lifetime;
use dbgctl_agent::sources::Sources;
use dbgctl_agent::{bridge, privilege, seccomp, server, transport};
use futures_util::StreamExt as _;
use futures_util::stream;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&*failure);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    match Arguments::parse(std::env::args().skip(1))? {
        Arguments::Serve(serve) => start(serve),
        Arguments::Bridge => {
            privilege::hide()?;
            let agent = bridge::join()?;
            seccomp::install(&[])?;
            Ok(bridge::run(agent)?)
        }
        Arguments::Version => {
            say(&format!("dbgctl agent {}", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    }
}

/// The order matters: privileges go before there is a thread, the private socket is bound by the unprivileged
/// user and before the filter, which allows no local socket; the filter comes before there is a request.
fn start(serve: Serve) -> Result<(), Failure> {
    let before_filter = privilege::drop_to(serve.hold)?;
    let listener = if serve.socket { Some(transport::bind(&transport::socket())?) } else { None };
    let filter = seccomp::install(&serve.effects);
    if !before_filter.effective.is_empty() {
        // With capabilities in hand it is the filter that makes the agent harmless.
        filter.as_ref().map_err(|error| error.to_string())?;
    }
    if before_filter.effective.holds("CAP_DAC_READ_SEARCH") {
        // Belt and braces: what this capability must never be used for is tried once.
        seccomp::expect_no_handles()?;
    }
    let identity = privilege::read_back()?;
    let grant = Grant { capabilities: identity.effective, effects: serve.effects.into_iter().collect() };

    let sources = Arc::new(Sources::live(serve.target.parse()?)?);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build()?;
    let served = runtime.block_on(async {
        let myself = Myself::new(
            sources.root(),
            &identity,
            &grant,
            &filter,
            sources.target_init().ok().map(|pid| pid.0),
            listener.is_some(),
        )?;
        let (stdio, closed) = transport::stdio()?;
        let clients = listener.map(transport::accept).transpose()?;
        let connections = stream::select(transport::only(stdio), stream::iter(clients).flatten());
        let lifetime = Arc::new(Lifetime::new());
        let guard = GuardLayer { grant: Arc::new(grant), lifetime: lifetime.clone() };
        let input_closed = async {
            // Nothing is ever sent: the end of the connection drops the sender.
            let _dropped = closed.await;
        };
        server::serve(guard, myself, sources, connections, lifetime.over(input_closed)).await?;
        Ok(())
    });
    // A probe that hangs in a system call must not keep the agent alive.
    runtime.shutdown_background();
    served
}

#[expect(clippy::print_stdout, reason = "the answer to --version; no connection uses standard output then")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the CLI reads it from the attached stream and shows it, escaped")]
fn report(error: &dyn std::error::Error) {
    eprintln!("agent: {}", chain(error));
}
