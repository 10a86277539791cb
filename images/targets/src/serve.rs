//! `serve [--port 8080] [--workers 2]`: an HTTP server of several processes that answers "ok".

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::wait::wait;

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{child, sleep_forever};

/// A client that says nothing must not hold a worker for long.
const PATIENCE: Duration = Duration::from_secs(1);

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

/// Listens, forks the workers, and reaps whatever ends. Without workers, answers itself.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let port = arguments.option("--port")?.unwrap_or(8080);
    let workers = arguments.option("--workers")?.unwrap_or(2);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    for worker in 0..workers {
        child(format!("worker-{worker}"), || answer_all(&listener))?;
    }
    println!("ready on port {port} with {workers} workers");
    if workers == 0 {
        answer_all(&listener)?;
    }
    // Ends when there is no child left to wait for.
    while wait().is_ok() {}
    sleep_forever()
}

fn answer_all(listener: &TcpListener) -> Result {
    loop {
        // A client that goes away in the middle is its own affair.
        let _ = listener.accept().and_then(|(client, _)| answer(client));
    }
}

fn answer(mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") && request.len() < 16 * 1024 {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            bytes => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    client.write_all(ANSWER)
}
