//! The bare agent of each image, run as a child process: natively, or under user-mode emulation.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use dbgctl_proto::v1::agent_service_client::AgentServiceClient;
use dbgctl_proto::{PROTOCOL, v1};
use dbgctl_tests::figures::say;
use dbgctl_tests::{agent_image_dir, patiently};
use hyper_util::rt::TokioIo;
use tokio::process::Command;
use tonic::transport::Endpoint;

/// Starts the agent as at level 0, shakes hands over its standard streams, and sees it end with them.
async fn handshake(emulator: Option<&str>, architecture: &str) -> v1::HandshakeResponse {
    // Where any user can reach it: the tree may lie in a private directory.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let agent = directory.path().join("agent");
    fs::copy(agent_image_dir().join(architecture).join("agent"), &agent)
        .expect("`cargo xtask image` makes it");

    let program = emulator.map_or(agent.as_os_str(), OsStr::new);
    let mut command = Command::new(program);
    command.args(emulator.map(|_| &agent));
    command.args(["serve", "--target", &"0".repeat(64), "--allow", "observes"]);
    if nix::unistd::geteuid().is_root() {
        command.uid(65533).gid(65533);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let slot = Mutex::new(Some(stream));
    let connector = tower::service_fn(move |_| {
        let stream = slot.lock().unwrap().take();
        async { stream.map(TokioIo::new).ok_or_else(|| std::io::Error::other("used up")) }
    });
    let endpoint = Endpoint::from_static("http://agent.invalid");
    let channel = endpoint.connect_with_connector(connector).await.unwrap();
    let mut client = AgentServiceClient::new(channel);
    let answer = client.handshake(v1::HandshakeRequest::default()).await.unwrap().into_inner();
    drop(client);
    let ended = tokio::time::timeout(patiently(Duration::from_secs(10)), child.wait()).await;
    assert!(ended.expect("the agent ends with its standard input").unwrap().success());
    answer
}

fn expect_unprivileged(answer: &v1::HandshakeResponse, architecture: &str) {
    assert_eq!((answer.protocol, answer.architecture.as_str()), (PROTOCOL, architecture));
    assert!(answer.capabilities.is_empty() && answer.regainable_capabilities.is_empty(), "{answer:?}");
    assert_ne!(answer.uid, 0, "{answer:?}");
    assert_eq!(answer.target_init_pid, None, "no process belongs to a container that does not exist");
}

#[tokio::test]
async fn the_agent_for_this_machine_answers_its_handshake_behind_its_own_filter() {
    let architecture = std::env::consts::ARCH;
    let name = if architecture == "x86_64" { "amd64" } else { "arm64" };
    let answer = handshake(None, name).await;
    expect_unprivileged(&answer, architecture);
    assert!(answer.seccomp.is_some_and(|seccomp| seccomp.agent_filter));
}

#[tokio::test]
async fn the_agent_for_arm64_answers_its_handshake_under_emulation() {
    let qemu = "qemu-aarch64-static";
    if StdCommand::new(qemu).arg("--version").stdout(Stdio::null()).status().is_err() {
        // Not a failure where it can not be had: the machine that builds releases has it.
        say(&format!(
            "skipped: {qemu} is not installed; `cargo xtask bootstrap` installs it on Debian and Ubuntu"
        ));
        return;
    }
    let answer = handshake(Some(qemu), "arm64").await;
    expect_unprivileged(&answer, "aarch64");
}

#[test]
fn each_image_holds_one_file_is_at_most_5_mb_and_says_what_it_is() {
    for architecture in ["amd64", "arm64"] {
        let directory = agent_image_dir();
        let config = fs::read(directory.join(format!("{architecture}.config.json"))).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["config"]["User"], "65533:65533");
        assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
        for label in ["version", "revision", "licenses", "source"] {
            let value = &config["config"]["Labels"][format!("org.opencontainers.image.{label}")];
            assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{label}: {value}");
        }
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(size(&directory.join(architecture).join("agent")) <= 5_000_000);
        assert!(size(&directory.join(format!("{architecture}.tar.gz"))) <= 5_000_000);
    }
}
