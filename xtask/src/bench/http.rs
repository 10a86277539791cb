//! The engine's API as thin as it can be spoken: one connection per request, nothing reused, nothing parsed
//! but status and body. The floor under everything that starts containers.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;

/// A JSON request, or one with an archive as its body.
pub(super) fn request(socket: &Path, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    // HTTP/1.0: the engine ends its answer by closing, without chunks.
    write_head(&mut stream, method, path, "HTTP/1.0", &format!("Content-Type: {kind}\r\n"), body.len())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let status = text.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(format!("{method} {path}: {}", text.trim_end()).into());
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no end of the head")?;
    Ok(answer.split_off(end + 4))
}

/// Creates a container, attaches to it, starts it, and waits for the first byte it writes. Then removes it.
pub(super) fn first_byte(socket: &Path, image: &str, host_config: &Value) -> Result<Duration> {
    let body = json!({ "Image": image, "AttachStdout": true, "HostConfig": host_config });
    let start = Instant::now();
    let created = request(socket, "POST", "/containers/create", JSON, &serde_json::to_vec(&body)?)?;
    let created: Value = serde_json::from_slice(&created)?;
    let id = created["Id"].as_str().ok_or("the engine returned no id")?;
    let mut output = attach(socket, id)?;
    request(socket, "POST", &format!("/containers/{id}/start"), JSON, b"")?;
    let mut buffer = [0; 64];
    let bytes = output.read(&mut buffer)?;
    let time = start.elapsed();
    request(socket, "DELETE", &format!("/containers/{id}?force=1"), JSON, b"")?;
    if bytes == 0 { Err(format!("{image} wrote nothing").into()) } else { Ok(time) }
}

pub(super) const JSON: &str = "application/json";
pub(super) const ARCHIVE: &str = "application/x-tar";

fn attach(socket: &Path, id: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    let path = format!("/containers/{id}/attach?stream=1&stdout=1");
    write_head(&mut stream, "POST", &path, "HTTP/1.1", "Connection: Upgrade\r\nUpgrade: tcp\r\n", 0)?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        return Ok(stream);
    }
    Err(format!("attach: {}", String::from_utf8_lossy(&head).trim_end()).into())
}

fn write_head(
    stream: &mut UnixStream,
    method: &str,
    path: &str,
    version: &str,
    headers: &str,
    body_bytes: usize,
) -> Result {
    let head = format!(
        "{method} /v1.41{path} {version}\r\nHost: engine\r\nContent-Length: {body_bytes}\r\n{headers}\r\n"
    );
    Ok(stream.write_all(head.as_bytes())?)
}
