//! `port-forward`: a gibibyte each way, and two hundred connections at once; beside what the engine's own streams carry.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::report::Report;
use super::{Bench, tools};
use crate::Result;
use crate::command;
use crate::container::{Container, TARGET_IMAGE, docker};

const GIBIBYTE: usize = 1 << 30;

/// Each sends this much and reads it back.
const ECHO_BYTES: usize = 256 << 10;
const CONNECTIONS: usize = 200;

/// The block that is sent again and again. Its length has no factor in common with any buffer's, so that what is lost,
/// doubled or swapped does not fit.
const BLOCK_BYTES: usize = 1_000_003;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result {
    let target = Container::run(&bench.name("forward"), &["--network=none", TARGET_IMAGE, "serve"])?;
    let server = listen_inside(&target)?;
    let port = server.local_addr()?.port();
    let _ends_with_this_process = thread::spawn(move || serve(&server));
    let forward = Forward::start(bench, &target, port)?;

    let (mut up, mut down, mut raw_up, mut raw_down) = (vec![], vec![], vec![], vec![]);
    // In turns, so that a busy machine slows all of it alike.
    for _ in 0..bench.runs.min(5) {
        up.push(timed(|| upload(forward.address))?);
        down.push(timed(|| download(forward.address))?);
        raw_up.push(timed(|| raw(bench, Way::In))?);
        raw_down.push(timed(|| raw(bench, Way::Out))?);
    }
    let at_once = timed(|| many(forward.address))?;
    forward.end()?;

    let rate = |what: &mut Vec<Duration>| {
        what.sort_unstable();
        1024.0 / what[what.len() / 2].as_secs_f64()
    };
    let (up, down, raw_up, raw_down) =
        (rate(&mut up), rate(&mut down), rate(&mut raw_up), rate(&mut raw_down));
    report.figure("1 GiB to the container, median", &format!("{up:.0} MiB/s"));
    report.figure("the same into `docker run -i`, without network", &format!("{raw_up:.0} MiB/s"));
    report.figure("1 GiB from the container, median", &format!("{down:.0} MiB/s"));
    report.figure("the same out of `docker run`, without network", &format!("{raw_down:.0} MiB/s"));
    let seconds = at_once.as_secs_f64();
    report.figure("200 connections at once, 256 KiB each way on each", &format!("{seconds:.2} s"));
    report.at_least("P14", "port-forward, 1 GiB to the container", up, 100.0, " MiB/s");
    report.at_least("P14", "port-forward, 1 GiB from the container", down, 100.0, " MiB/s");
    report.note("every byte is compared with what was sent");
    Ok(())
}

/// `dbgctl port-forward` that is running.
struct Forward {
    child: Child,
    address: SocketAddr,
}

impl Forward {
    fn start(bench: &Bench, target: &Container, port: u16) -> Result<Self> {
        let mut command = bench.dbgctl();
        command.args(["port-forward", &target.name, &format!("0:{port}"), "-o", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let listening: serde_json::Value = serde_json::from_str(&line)?;
        let address = listening["listening"].as_str().ok_or("it does not say where it listens")?.parse()?;
        Ok(Self { child, address })
    }

    fn end(mut self) -> Result {
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGINT)?;
        let status = self.child.wait()?;
        if status.code() == Some(130) { Ok(()) } else { Err(format!("port-forward: {status}").into()) }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A listener on loopback in the container's network namespace.
fn listen_inside(target: &Container) -> Result<TcpListener> {
    let pid = command::output(docker().args(["inspect", "--format", "{{.State.Pid}}", &target.id]))?;
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    let inside = thread::spawn(move || {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        TcpListener::bind("127.0.0.1:0")
    });
    Ok(inside.join().map_err(|_| "the thread in the container's network broke")??)
}

/// The first byte says what is wanted: take and compare, give, or echo.
fn serve(listener: &TcpListener) {
    for client in listener.incoming().flatten() {
        thread::spawn(move || {
            // The other end notices.
            let _failed = answer(client);
        });
    }
}

fn answer(mut client: TcpStream) -> Result {
    let mut wish = [0];
    client.read_exact(&mut wish)?;
    match &wish {
        b"T" => {
            let taken = compare(&mut client)?;
            client.write_all(&taken.to_be_bytes())?;
        }
        b"G" => pour(&mut client, GIBIBYTE)?,
        _ => drop(std::io::copy(&mut client.try_clone()?, &mut client)?),
    }
    Ok(client.shutdown(Shutdown::Write)?)
}

fn upload(address: SocketAddr) -> Result {
    let mut server = TcpStream::connect(address)?;
    server.write_all(b"T")?;
    pour(&mut server, GIBIBYTE)?;
    server.shutdown(Shutdown::Write)?;
    let mut taken = [0; 8];
    server.read_exact(&mut taken)?;
    expect(u64::from_be_bytes(taken) == GIBIBYTE as u64, "the container has not received all of it")
}

fn download(address: SocketAddr) -> Result {
    let mut server = TcpStream::connect(address)?;
    server.write_all(b"G")?;
    expect(compare(&mut server)? == GIBIBYTE as u64, "not all of it came from the container")
}

fn many(address: SocketAddr) -> Result {
    let one = move || -> std::result::Result<(), String> {
        let told = |error: Box<dyn std::error::Error>| error.to_string();
        let echo = || -> Result {
            let mut server = TcpStream::connect(address)?;
            server.write_all(b"E")?;
            let mut sending = server.try_clone()?;
            let sender = thread::spawn(move || {
                let poured = pour(&mut sending, ECHO_BYTES).map_err(|error| error.to_string());
                poured.and_then(|()| sending.shutdown(Shutdown::Write).map_err(|error| error.to_string()))
            });
            let came_back = compare(&mut server)?;
            sender.join().map_err(|_| "the sender broke")??;
            expect(came_back == ECHO_BYTES as u64, "not all of it came back")
        };
        echo().map_err(told)
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| thread::spawn(one)).collect();
    for client in clients {
        client.join().map_err(|_| "a client broke")??;
    }
    Ok(())
}

enum Way {
    In,
    Out,
}

/// As much as that through the standard streams of a container.
fn raw(bench: &Bench, way: Way) -> Result {
    let mut run = docker();
    run.args(["run", "--rm", "--network=none", "--log-driver=none"]);
    let bytes = GIBIBYTE.to_string();
    let (mut from, mut to): (Command, Command);
    match way {
        Way::In => {
            from = Command::new("head");
            from.args(["-c", &bytes, "/dev/zero"]);
            to = run;
            to.args(["-i", &bench.tools.image, tools::COUNT, "-c"]);
        }
        Way::Out => {
            from = run;
            from.args([bench.tools.image.as_str(), tools::HEAD, "-c", &bytes, "/dev/zero"]);
            to = Command::new("wc");
            to.arg("-c");
        }
    }
    let mut source = from.stdout(Stdio::piped()).spawn()?;
    let taken = source.stdout.take().ok_or("no standard output")?;
    let sink = to.stdin(taken).stdout(Stdio::null()).status()?;
    let source = source.wait()?;
    expect(source.success() && sink.success(), "docker did not carry it")
}

fn block() -> Vec<u8> {
    // Numerical Recipes' generator: as good as random, and the same each time.
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..BLOCK_BYTES).map(|_| next()).collect()
}

fn pour(to: &mut impl Write, bytes: usize) -> Result {
    let block = block();
    let mut left = bytes;
    while left > 0 {
        let part = &block[..left.min(block.len())];
        to.write_all(part)?;
        left -= part.len();
    }
    Ok(())
}

/// Reads to the end, and returns how much came. Fails if it is not what [`pour`] sends.
fn compare(from: &mut impl Read) -> Result<u64> {
    let block = block();
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    let mut at = 0;
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(total);
        }
        total += length as u64;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let part = rest.len().min(block.len() - at);
            expect(rest[..part] == block[at..at + part], "what arrived is not what was sent")?;
            at = (at + part) % block.len();
            rest = &rest[part..];
        }
    }
}

fn timed(work: impl FnOnce() -> Result) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn expect(holds: bool, otherwise: &str) -> Result {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
