//! `ListSockets`: the sockets of the target's network namespace.

mod encode;
mod message;
mod owners;
mod tables;

use std::sync::Arc;

use dbgctl_linux::ReadError;
use dbgctl_linux::netlink::inet_diag::InetSocket;
use dbgctl_linux::netlink::netlink_diag::NetlinkSocket;
use dbgctl_linux::netlink::packet_diag::PacketSocket;
use dbgctl_linux::netlink::sock_diag::{Request as DiagRequest, SockDiag, States};
use dbgctl_linux::netlink::unix_diag::UnixSocket;
use dbgctl_linux::procfs::{netstat, sockets};
use dbgctl_proto::list::SocketNews;
use dbgctl_proto::v1::list_sockets_response::Part;
use dbgctl_proto::v1::socket_service_server::{SocketService, SocketServiceServer};
use dbgctl_proto::v1::{self, SocketProtocol, SocketState};
use dbgctl_proto::{AGENT_ID, SocketBatch};
use tonic::{Request, Response, Status};

use self::encode::Encoder;
use self::tables::{KINDS, Kind};
use crate::sources::Sources;
use crate::stream::{Bounded, Halt, Out, Terms, bounded};

/// The service, reading from `sources`.
pub fn service(sources: Arc<Sources>) -> SocketServiceServer<Sockets> {
    SocketServiceServer::new(Sockets::new(sources))
}

/// Answers `ListSockets`.
#[derive(Debug)]
pub struct Sockets {
    sources: Arc<Sources>,
}

impl Sockets {
    /// The probe, reading from `sources`.
    pub fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

#[tonic::async_trait]
impl SocketService for Sockets {
    type ListSocketsStream = Bounded<v1::ListSocketsResponse>;

    async fn list_sockets(
        &self,
        request: Request<v1::ListSocketsRequest>,
    ) -> Result<Response<Self::ListSocketsStream>, Status> {
        let terms = Terms::of(&request, request.get_ref().limit);
        let wanted = Wanted::from(request.into_inner());
        let sources = Arc::clone(&self.sources);
        Ok(Response::new(bounded(terms, move |out| collect(&sources, &wanted, out))))
    }
}

/// The request, with what follows from it.
#[derive(Debug, Clone)]
struct Wanted {
    protocols: Vec<SocketProtocol>,
    /// As the request has them.
    states: States,
    listening: bool,
    details: bool,
    owners: bool,
    all: bool,
}

impl From<v1::ListSocketsRequest> for Wanted {
    fn from(request: v1::ListSocketsRequest) -> Self {
        // What a newer CLI may know, no socket of this agent has.
        let bits = request.states.iter().filter_map(|&state| 1_u32.checked_shl(state.try_into().ok()?));
        Self {
            protocols: request.protocols().collect(),
            states: if request.states.is_empty() {
                States::ALL
            } else {
                States(bits.fold(0, |all, bit| all | bit))
            },
            listening: request.listening,
            details: request.details,
            owners: request.owners,
            all: request.all,
        }
    }
}

impl Wanted {
    fn protocol(&self, protocol: SocketProtocol) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&protocol)
    }

    /// What the kernel may leave out already.
    fn states_of(&self, protocol: SocketProtocol) -> States {
        let waiting = match protocol {
            SocketProtocol::Tcp => States::LISTEN,
            _ => States(States::LISTEN.0 | UNCONNECTED.0),
        };
        if self.listening { States(self.states.0 & waiting.0) } else { self.states }
    }

    fn accepts(&self, socket: &v1::Socket) -> bool {
        let state = u8::try_from(socket.state).unwrap_or(0);
        (self.states == States::ALL || self.states.holds(state)) && (!self.listening || waits(socket))
    }
}

const UNCONNECTED: States = States(1 << SocketState::Unconnected as u32);

/// Whether a socket waits for others to begin.
fn waits(socket: &v1::Socket) -> bool {
    let unconnected = socket.state() == SocketState::Unconnected;
    match socket.protocol() {
        SocketProtocol::Tcp => socket.state() == SocketState::Listen,
        SocketProtocol::Unix => {
            let named = socket.unix.as_ref().is_some_and(|unix| unix.name.is_some());
            let datagrams = socket.r#type() == v1::SocketType::Datagram;
            socket.state() == SocketState::Listen || (unconnected && named && datagrams)
        }
        SocketProtocol::Packet => true,
        _ => unconnected,
    }
}

fn collect(sources: &Sources, wanted: &Wanted, out: &mut Out<v1::ListSocketsResponse>) -> Result<(), Halt> {
    let header = header(sources, out);
    out.lead(SocketNews::Header(header))?;
    let mut diag = SockDiag::open(sources.root());
    let mut own_inodes = owners::own_inodes(sources.root());
    own_inodes.extend(diag.as_ref().ok().and_then(SockDiag::own_inode));
    let mut reader = Reader {
        sources,
        wanted,
        own_inodes,
        without_diag: Vec::new(),
        encoder: Encoder::new(wanted.details),
    };
    // Few, and often what is looked for.
    for listening in [true, false] {
        for kind in KINDS.iter().filter(|kind| wanted.protocol(kind.protocol)) {
            let is_tcp = kind.protocol == SocketProtocol::Tcp;
            if is_tcp || !listening {
                reader.table(kind, listening, &mut diag, out)?;
            }
        }
    }
    if wanted.owners {
        owners::collect(sources, diag.as_ref().ok(), out)?;
    }
    Ok(())
}

const OF_AGENTS: &str = "of uid 65533, the user of dbgctl's sidecars, are left out: --all shows them";

const CHANGED: &str = "the kernel's list changed while it was told: a socket may be missing, or told twice";

fn header(sources: &Sources, out: &mut Out<v1::ListSocketsResponse>) -> v1::SocketListHeader {
    let listening = out.gaps.unless_absent("dropped connections", netstat::read_listening(sources.root()));
    let listening = listening.unwrap_or_default();
    v1::SocketListHeader {
        sampled_boottime_nanos: sources.now().boottime_nanos,
        listen_overflows: listening.overflows,
        listen_drops: listening.drops,
    }
}

struct Reader<'s> {
    sources: &'s Sources,
    wanted: &'s Wanted,
    /// Of the sockets that this agent has itself.
    own_inodes: Vec<u64>,
    /// What had to be read from `/proc/net`.
    without_diag: Vec<SocketProtocol>,
    encoder: Encoder,
}

impl Reader<'_> {
    /// The sockets of one table: of TCP either the listening ones or the others.
    fn table(
        &mut self,
        kind: &Kind,
        listening: bool,
        diag: &mut Result<SockDiag<'_>, ReadError>,
        out: &mut Out<v1::ListSocketsResponse>,
    ) -> Result<(), Halt> {
        let mut states = self.wanted.states_of(kind.protocol);
        if kind.protocol == SocketProtocol::Tcp {
            states = match listening {
                true => States(states.0 & States::LISTEN.0),
                false => states.without(States::LISTEN),
            };
        }
        if states.is_empty() {
            return Ok(());
        }
        let Some(table) = kind.table else { return self.procfs(kind, states, None, out) };
        let diag = match diag {
            Ok(diag) => diag,
            Err(error) => return self.procfs(kind, states, Some(error), out),
        };
        let request =
            DiagRequest { table, states, tcp_info: !listening, details: self.wanted.details || listening };
        let mut halted = Ok(());
        let dumped = diag.dump(request, |payload| {
            halted = self.told(kind, states, payload, out);
            halted.is_ok()
        });
        halted?;
        // In order, and ahead of what is counted otherwise.
        self.flush(out)?;
        match dumped {
            Ok(dumped) if dumped.interrupted => out.gaps.add("sockets", CHANGED),
            Ok(_) => {}
            Err(error) => return self.procfs(kind, states, Some(&error), out),
        }
        Ok(())
    }

    /// One socket as sock_diag tells it.
    fn told(
        &mut self,
        kind: &Kind,
        states: States,
        payload: &[u8],
        out: &mut Out<v1::ListSocketsResponse>,
    ) -> Result<(), Halt> {
        let socket = match kind.protocol {
            SocketProtocol::Unix => UnixSocket::parse(payload).map(message::of_unix),
            SocketProtocol::Packet => PacketSocket::parse(payload).map(message::of_packet),
            SocketProtocol::Netlink => NetlinkSocket::parse(payload).map(message::of_netlink),
            protocol => {
                return match InetSocket::parse(payload) {
                    Some(socket) => self.inet(protocol, states, &socket, out),
                    None => malformed(out),
                };
            }
        };
        let Some(socket) = socket else { return malformed(out) };
        let is_kernels = socket.netlink.as_ref().is_some_and(|netlink| netlink.port_id == 0);
        if (is_kernels && !self.wanted.all) || !self.wanted.accepts(&socket) || self.is_agents(&socket, out) {
            return Ok(());
        }
        out.row(Box::new(socket))
    }

    /// Whether a socket is left out as one of dbgctl's: what may be someone else's is said.
    fn is_agents(&self, socket: &v1::Socket, out: &mut Out<v1::ListSocketsResponse>) -> bool {
        if self.wanted.all {
            return false;
        }
        let is_own = self.own_inodes.contains(&socket.inode);
        let is_of_user = socket.uid == Some(AGENT_ID);
        if is_of_user && !is_own {
            out.gaps.add("sockets", OF_AGENTS);
        }
        is_own || is_of_user
    }

    /// There may be very many of these.
    fn inet(
        &mut self,
        protocol: SocketProtocol,
        states: States,
        socket: &InetSocket<'_>,
        out: &mut Out<v1::ListSocketsResponse>,
    ) -> Result<(), Halt> {
        // The kernel has looked at the states already; a scene has not.
        if !states.holds(socket.state) {
            return Ok(());
        }
        if let Err(halt) = out.room_beside(self.encoder.rows()) {
            self.flush(out)?;
            return Err(halt);
        }
        self.encoder.socket(protocol, socket);
        if self.encoder.is_full() { self.flush(out) } else { Ok(()) }
    }

    fn flush(&mut self, out: &mut Out<v1::ListSocketsResponse>) -> Result<(), Halt> {
        let (encoded, rows) = self.encoder.take();
        if rows == 0 {
            return Ok(());
        }
        let batch = SocketBatch { encoded, sockets: Vec::new() };
        out.rows(v1::ListSocketsResponse { part: Some(Part::Batch(batch)) }, rows)
    }

    /// The same from `/proc/net`, because of `error` if sock_diag was asked.
    fn procfs(
        &mut self,
        kind: &Kind,
        states: States,
        error: Option<&ReadError>,
        out: &mut Out<v1::ListSocketsResponse>,
    ) -> Result<(), Halt> {
        let (mut halted, mut found) = (Ok(()), false);
        let read = sockets::each(self.sources.root(), kind.file, |socket| {
            found = true;
            let socket = message::of_procfs(kind, &socket);
            let is_state = states.holds(u8::try_from(socket.state).unwrap_or(0));
            let is_nameless = socket.state() == SocketState::Unspecified;
            let is_wanted = (is_state || is_nameless) && self.wanted.accepts(&socket);
            // An internet socket is never taken for one of dbgctl's.
            if is_wanted && (socket.local.is_some() || !self.is_agents(&socket, out)) {
                halted = out.row(Box::new(socket));
            }
            halted.is_ok()
        });
        halted?;
        out.gaps.unless_absent(kind.subject(), read);
        // Once for both address families.
        let is_new = !self.without_diag.contains(&kind.protocol);
        if let Some(error) = error.filter(|_| found && is_new) {
            self.without_diag.push(kind.protocol);
            let why = match error.is_gone() {
                true => "sock_diag of this kernel does not know them".into(),
                false => out.gaps.reason(error),
            };
            out.gaps.add(kind.subject(), format!("{} ({why})", kind.without()));
        }
        Ok(())
    }
}

/// Says that there was a socket that can not be told. The others can.
fn malformed(out: &mut Out<v1::ListSocketsResponse>) -> Result<(), Halt> {
    out.gaps.add("sockets", "the kernel told of one in an unknown form");
    Ok(())
}

#[cfg(test)]
mod tests;
