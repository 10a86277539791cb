//! Stands between dbgctl and the engine, and does to one request what networks and engines do on bad days.
//!
//! It understands just enough HTTP/1.1 to find where each request begins. Answers pass through as they are.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::chance::Chance;
use crate::patiently;

/// Where the engine of the tests listens.
pub const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// What happens to a request. Everything after it on the same connection shares its fate.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection ends when so many bytes of the answer have passed.
    CutAnswer { after_bytes: usize },
    /// The connection ends before the engine sees the request.
    CutRequest,
    /// The request is held back for a while.
    Delay(Duration),
    /// The answer comes one byte at a time, so that every boundary falls everywhere.
    Trickle,
    /// The engine never sees it; the answer is this.
    Answer(Vec<u8>),
    /// The engine never sees it, and there is no answer.
    Swallow,
    /// The engine sees it, and the answer is lost.
    SwallowAnswer,
}

/// Which request it happens to: the first one of this method with this in its path.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub method: &'static str,
    pub path_part: &'static str,
}

/// A socket that behaves like the engine's, but for one request.
pub struct Proxy {
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    request: Request,
    fault: Fault,
    met: Mutex<bool>,
    meeting: Condvar,
    over: AtomicBool,
    connections: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    pub fn new(request: Request, fault: Fault) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let shared = Arc::new(Shared {
            request,
            fault,
            met: Mutex::new(false),
            meeting: Condvar::new(),
            over: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if serving.over.load(Ordering::SeqCst) {
                    return;
                }
                let serving = serving.clone();
                // A connection that breaks is what this is all about.
                thread::spawn(move || serving.connection(client));
            }
        });
        Self { directory, shared }
    }

    /// As `-H` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Whether the request has come, and the fault was done to it.
    pub fn met(&self) -> bool {
        *self.shared.met.lock().unwrap()
    }

    /// Waits for the request. Returns whether it came.
    pub fn wait_until_met(&self, limit: Duration) -> bool {
        let met = self.shared.met.lock().unwrap();
        let (met, _) = self.shared.meeting.wait_timeout_while(met, patiently(limit), |met| !*met).unwrap();
        *met
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _woken = UnixStream::connect(self.socket());
        self.shared.cut_all();
    }
}

impl Shared {
    fn connection(&self, client: UnixStream) -> io::Result<()> {
        let engine = UnixStream::connect(ENGINE_SOCKET)?;
        self.connections.lock().unwrap().extend([client.try_clone()?, engine.try_clone()?]);
        let answers = Arc::new(Answers::default());
        let passing = answers.clone();
        let (from, to) = (engine.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let _broken = passing.pass(&from, &to);
            let _gone = to.shutdown(Shutdown::Write);
        });
        let passed = self.requests(&client, &engine, &answers);
        let _gone = engine.shutdown(Shutdown::Write);
        passed
    }

    fn requests(&self, client: &UnixStream, mut engine: &UnixStream, answers: &Answers) -> io::Result<()> {
        let mut from = BufReader::new(client.try_clone()?);
        loop {
            let Some(head) = Head::read(&mut from)? else { return Ok(()) };
            if self.is_first(&head) {
                match &self.fault {
                    Fault::Delay(time) => thread::sleep(*time),
                    Fault::CutAnswer { after_bytes } => answers.then(Answering::Cut(*after_bytes)),
                    Fault::Trickle => answers.then(Answering::Trickle),
                    Fault::SwallowAnswer => answers.then(Answering::Swallow),
                    Fault::CutRequest => {
                        self.tell();
                        return client.shutdown(Shutdown::Both);
                    }
                    Fault::Answer(bytes) => {
                        let mut client = client;
                        client.write_all(bytes)?;
                        self.tell();
                        return client.shutdown(Shutdown::Both);
                    }
                    Fault::Swallow => {
                        self.tell();
                        return io::copy(&mut from, &mut io::sink()).map(drop);
                    }
                }
                head.pass(&mut from, engine)?;
                self.tell();
            } else {
                head.pass(&mut from, engine)?;
            }
            if head.upgrades {
                return io::copy(&mut from, &mut engine).map(drop);
            }
        }
    }

    fn is_first(&self, head: &Head) -> bool {
        head.is(self.request) && !*self.met.lock().unwrap()
    }

    fn tell(&self) {
        *self.met.lock().unwrap() = true;
        self.meeting.notify_all();
    }

    fn cut_all(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _gone = connection.shutdown(Shutdown::Both);
        }
    }
}

/// What happens to the bytes of answers.
#[derive(Debug, Clone, Copy, Default)]
enum Answering {
    #[default]
    Pass,
    Cut(usize),
    Trickle,
    Swallow,
}

/// One connection's way back.
#[derive(Default)]
struct Answers(Mutex<Answering>);

impl Answers {
    /// No answer is on its way when this is called: requests of one connection follow each other.
    fn then(&self, answering: Answering) {
        *self.0.lock().unwrap() = answering;
    }

    fn pass(&self, mut engine: &UnixStream, mut client: &UnixStream) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        loop {
            let bytes = engine.read(&mut buffer)?;
            if bytes == 0 {
                return Ok(());
            }
            let mut answering = self.0.lock().unwrap();
            match *answering {
                Answering::Pass => client.write_all(&buffer[..bytes])?,
                Answering::Swallow => {}
                Answering::Trickle => {
                    buffer[..bytes].chunks(1).try_for_each(|byte| client.write_all(byte))?
                }
                Answering::Cut(left) if left <= bytes => {
                    client.write_all(&buffer[..left])?;
                    client.shutdown(Shutdown::Both)?;
                    return engine.shutdown(Shutdown::Both);
                }
                Answering::Cut(left) => {
                    client.write_all(&buffer[..bytes])?;
                    *answering = Answering::Cut(left - bytes);
                }
            }
        }
    }
}

/// The first lines of a request.
struct Head {
    bytes: Vec<u8>,
    method: String,
    path: String,
    body_bytes: u64,
    chunked: bool,
    upgrades: bool,
}

impl Head {
    /// `None` at the end of the connection.
    fn read(from: &mut BufReader<UnixStream>) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = text.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        let headers: Vec<_> =
            lines.filter_map(|line| line.to_ascii_lowercase().split_once(": ").map(owned)).collect();
        let header =
            |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        Ok(Some(Self {
            method,
            path,
            body_bytes: header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0),
            chunked: header("transfer-encoding") == Some("chunked"),
            upgrades: header("upgrade").is_some(),
            bytes,
        }))
    }

    fn is(&self, request: Request) -> bool {
        self.method == request.method && self.path.contains(request.path_part)
    }

    fn pass(&self, from: &mut BufReader<UnixStream>, mut to: &UnixStream) -> io::Result<()> {
        to.write_all(&self.bytes)?;
        if !self.chunked {
            return io::copy(&mut from.take(self.body_bytes), &mut to).map(drop);
        }
        loop {
            let mut size = Vec::new();
            from.read_until(b'\n', &mut size)?;
            to.write_all(&size)?;
            let size = String::from_utf8_lossy(&size);
            let bytes = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            io::copy(&mut from.take(bytes + 2), &mut to)?;
            if bytes == 0 {
                return Ok(());
            }
        }
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

/// An answer of the engine that says no.
pub fn refusal(status: u16) -> Vec<u8> {
    let body = format!("{{\"message\":\"the engine had a bad day ({status})\"}}");
    let head = format!("HTTP/1.1 {status} Bad Day\r\nContent-Type: application/json\r\nContent-Length: ");
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// An answer that is none: bytes, or HTTP around something that is not what was asked for.
pub fn garbage(chance: &mut Chance) -> Vec<u8> {
    let noise: Vec<u8> = (0..chance.below(400)).map(|_| chance.number().to_le_bytes()[0]).collect();
    let http = |kind: &str, body: &[u8]| {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    match chance.below(6) {
        0 => noise,
        1 => http("application/json", &noise),
        2 => http("application/json", b"null"),
        3 => http("application/json", br#"{"Id":7,"State":[],"Names":{},"message":null}"#),
        4 => http("application/json", b"[[[[[[[["),
        // A hijacked stream whose frames are noise.
        _ => [&b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"[..], &noise].concat(),
    }
}
