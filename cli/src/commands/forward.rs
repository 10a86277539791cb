//! `port-forward`: ports of the target's network, reachable on this machine.

mod connection;
mod port;

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dbgctl_tunnel::{Budget, MOST_CONNECTIONS};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use self::connection::{Connection, Told};
use self::port::Port;
use super::agent::Agent;
use super::{Failure, Question, connect, unless_pipe_closed};
use crate::channel;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Column, Object, Output, Row, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl port-forward web 8080               127.0.0.1:8080 here leads to port 8080 in the container
  dbgctl port-forward web 9000:80            port 9000 here, port 80 there
  dbgctl port-forward web 0:80               any free port here: the answer says which
  dbgctl port-forward web 8080 9090:9000     several at once
  dbgctl port-forward web 5432:db:5432       whom the container reaches as db
  dbgctl port-forward web '8080:[::1]:80'    a listener on ::1 alone

The port need not be published, and may be one that listens on 127.0.0.1 or ::1 in the container: the connection is \
opened from inside its network. Up to 256 connections at once; what does not work is told on stderr, connection by \
connection. Ctrl-C ends it.";

/// Make ports of the target's network reachable on this machine
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Port here, 0 for any, and port or HOST:PORT there; the same port if only one is given
    #[arg(value_name = "[LOCAL:][HOST:]PORT", required = true)]
    ports: Vec<Port>,

    /// Listen on this address of this machine; others than 127.0.0.1 and ::1 let others in
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Time for each connection to be made; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = connect::timeout)]
    timeout: Duration,
}

/// How often the agent is asked whether it is still there: its end is noticed while no one connects, and a session knows
/// that it is in use.
const STILL_THERE: Duration = Duration::from_secs(5);

/// Reports that wait to be told.
const WAITING_REPORTS: usize = 64;

/// A listener, and where it leads to.
struct Listening {
    address: SocketAddr,
    port: Port,
}

impl Row for Listening {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("LISTENING", |row: &Self, cell| cell.show(row.address)),
        Column::text("TO", |row| Cow::Owned(row.port.to_string())),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("listening", self.address.to_string().as_str());
        object.text("host", self.port.to.host.as_str());
        object.number("port", u64::from(self.port.to.port.get()));
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.ForwardService/Forward"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut listeners = Vec::new();
        let mut rows = Vec::new();
        for port in &self.ports {
            let address = SocketAddr::new(self.bind, port.local);
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|error| Failure::Here(cannot_listen(address, &error)))?;
            rows.push(Listening { address: listener.local_addr()?, port: port.clone() });
            listeners.push((listener, port.clone()));
        }
        unless_pipe_closed(
            output.rows(&rows).and_then(|()| output.flush()).map(|()| Exit::Answered).map_err(Failure::from),
        )?;
        if !self.bind.is_loopback() {
            talk.line(format!(
                "whoever reaches {} on this machine reaches the container through it",
                self.bind
            ));
        }
        if output.is_table() {
            talk.line("Ctrl-C ends it");
        }
        self.serve(agent, listeners, talk).await
    }
}

impl Args {
    /// Carries what connects, until the agent is gone.
    async fn serve(
        &self,
        agent: &Agent,
        listeners: Vec<(TcpListener, Port)>,
        talk: &mut Talk,
    ) -> Result<Exit, Failure> {
        let (reports, mut told) = mpsc::channel::<Told>(WAITING_REPORTS);
        let shared = Arc::new(Shared {
            agent: agent.clone(),
            budget: Budget::default(),
            places: Semaphore::new(MOST_CONNECTIONS),
            timeout: self.timeout,
            reports,
        });
        // Ends with this future: what is being carried is cut.
        let mut listening = JoinSet::new();
        for (listener, port) in listeners {
            listening.spawn(accept(listener, port, shared.clone()));
        }
        let mut ticks = tokio::time::interval(STILL_THERE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(Told { line, lost }) = told.recv() => {
                    talk.line(line);
                    // One of many may break for a reason of its own. If the agent is gone, that says more.
                    if lost { channel::still_there(&agent.channel()).await?; }
                }
                _ = ticks.tick() => channel::still_there(&agent.channel()).await?,
            }
        }
    }
}

/// What all connections share.
struct Shared {
    agent: Agent,
    budget: Budget,
    places: Semaphore,
    timeout: Duration,
    reports: mpsc::Sender<Told>,
}

/// Takes connections as long as there is room; more wait in the kernel.
async fn accept(listener: TcpListener, port: Port, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = next(&listener, &shared.places) => accepted,
            Some(_ended) = connections.join_next() => continue,
        };
        let (stream, from) = accepted;
        let (port, shared) = (port.clone(), shared.clone());
        connections.spawn(async move {
            let told = Connection { from, port: &port, shared: &shared }.carry(stream).await;
            // The place of `next`.
            shared.places.add_permits(1);
            if let Some(told) = told {
                let _nobody_listens = shared.reports.send(told).await;
            }
        });
    }
}

/// The next connection, with a place that is given back when it ends.
async fn next(listener: &TcpListener, places: &Semaphore) -> (TcpStream, SocketAddr) {
    loop {
        // It is never closed.
        let Ok(place) = places.acquire().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok(accepted) => {
                place.forget();
                return accepted;
            }
            // Its client has given up, or there are no descriptors: others end sooner or later.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Error {
    let suggestion = match error.kind() {
        io::ErrorKind::AddrInUse => "another port here: LOCAL:PORT, or 0:PORT for any".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are root's: 8080:PORT, or 0:PORT for any".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "--bind with an address of this machine: `ip address`".to_owned(),
        _ => "another port here: 0:PORT takes any".to_owned(),
    };
    Error::new(format!("listen on {address}"), error.to_string(), suggestion)
}
