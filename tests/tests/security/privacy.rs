//! What others can see of a session, and who can join it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dbgctl_tests::{Target, dbgctl, docker, patiently};

use crate::live::{LEVELS, Live, alone};

/// What could be connected to in the target's network namespace: listening TCP ports, UDP ports, abstract names.
fn doors(target: &Target) -> BTreeSet<String> {
    let pid = target.inspect("{{.State.Pid}}");
    let file = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap();
    let mut doors = BTreeSet::new();
    for name in ["tcp", "tcp6", "udp", "udp6", "udplite", "raw", "raw6"] {
        for line in file(name).lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let is_listening = columns[3] == "0A";
            if is_listening || !name.starts_with("tcp") {
                doors.insert(format!("{name} {}", columns[1]));
            }
        }
    }
    for line in file("unix").lines().skip(1) {
        if let Some(name) = line.split_whitespace().nth(7).filter(|name| name.starts_with('@')) {
            doors.insert(format!("unix {name}"));
        }
    }
    for name in ["packet", "netlink"] {
        // Sockets of these kinds are seen by their owner's inode, which is new each time: they are counted. But for those
        // of sock_diag: the agent opens one to ask the kernel, and takes nothing from anyone else.
        let of_sock_diag = |line: &&str| name == "netlink" && line.split_whitespace().nth(1) == Some("4");
        let count = file(name).lines().filter(|line| !of_sock_diag(line)).count();
        doors.insert(format!("{count} {name}"));
    }
    doors
}

#[test]
fn no_door_opens_in_the_targets_network_namespace() {
    let target = alone(&["tempting"]);
    let before = doors(&target);
    assert!(before.iter().any(|door| door.starts_with("tcp ")), "{before:?}");
    assert!(before.iter().any(|door| door.starts_with("unix @dbgctl-test-tempting")), "{before:?}");

    for level in LEVELS {
        let _question = Live::question(&target, level);
        let mut now = doors(&target);
        // The socket that hears packets is no door: nothing can be sent to it that would not come to the target anyway.
        if level == "2" && now.remove("2 packet") {
            now.insert("1 packet".to_owned());
        }
        assert_eq!(now, before, "while a question is asked at level {level}");
    }
    target.expect_nothing_left();
    for level in LEVELS {
        let _session = Live::session(&target, level);
        assert_eq!(doors(&target), before, "in a session at level {level}");
        for command in [&["ps", &target.name][..], &["connect", &target.name, "127.0.0.1:8080"]] {
            dbgctl(&[&["--level", level], command].concat()).expect(0);
        }
        assert_eq!(doors(&target), before, "after questions in a session at level {level}");
        dbgctl(&["detach", &target.name]).expect(0);
    }
}

#[test]
fn the_private_socket_is_the_agents_alone() {
    let target = Target::web();
    for level in LEVELS {
        let session = Live::session(&target, level);
        let root = format!("/proc/{}/root/run/dbgctl", session.host_pid);
        for (path, mode) in [(root.clone(), 0o700), (format!("{root}/agent.sock"), 0o600)] {
            let file = fs::metadata(&path).unwrap();
            assert_eq!(
                (file.permissions().mode() & 0o777, file.uid(), file.gid()),
                (mode, 65533, 65533),
                "{path}"
            );
        }
        assert!(
            session
                .proc("mountinfo")
                .lines()
                .any(|line| line.contains(" /run/dbgctl ") && line.contains(" - tmpfs "))
        );
        // The target has another mount namespace, where there is no such path.
        let of_target = format!("/proc/{}/root/run/dbgctl", target.inspect("{{.State.Pid}}"));
        assert!(!Path::new(&of_target).exists());
        dbgctl(&["detach", &target.name]).expect(0);
    }
}

/// What the agent says to a client that joins as `user`, within a moment, and what the client complains of.
fn join(sidecar: &str, options: &[&str]) -> (Vec<u8>, String) {
    let mut bridge = Command::new("docker")
        .args(["exec", "-i"])
        .args(options)
        .args([sidecar, "/agent", "bridge"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdout, mut stderr) = (bridge.stdout.take().unwrap(), bridge.stderr.take().unwrap());
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = vec![0; 64];
        let length = stdout.read(&mut bytes).unwrap_or_default();
        bytes.truncate(length);
        let _heard = said.send(bytes);
    });
    let bytes = heard.recv_timeout(patiently(Duration::from_secs(20))).unwrap();
    drop(bridge.stdin.take());
    let mut complaint = String::new();
    stderr.read_to_string(&mut complaint).unwrap();
    bridge.wait().unwrap();
    (bytes, complaint)
}

#[test]
fn a_client_of_another_user_is_refused_even_if_it_is_root() {
    let target = Target::web();
    for level in LEVELS {
        let session = Live::session(&target, level);
        let (greeting, complaint) = join(&session.id, &["-u", "65533:65533"]);
        // The server of HTTP/2 speaks first: a SETTINGS frame.
        assert_eq!(greeting.get(3), Some(&4), "{greeting:?} {complaint}");

        for user in ["65534", "0:0", "65532:65533"] {
            let (bytes, complaint) = join(&session.id, &["-u", user]);
            assert!(bytes.is_empty(), "{user}: {bytes:?}");
            assert!(complaint.contains("Permission denied"), "{user}: {complaint}");
        }
        // Root of the host passes the directory. The agent asks the kernel who it is, and hangs up.
        let path = format!("/proc/{}/root/run/dbgctl/agent.sock", session.host_pid);
        let mut of_host = UnixStream::connect(path).unwrap();
        of_host.set_read_timeout(Some(patiently(Duration::from_secs(20)))).unwrap();
        assert_eq!(of_host.read(&mut [0]).unwrap(), 0);
        dbgctl(&["detach", &target.name]).expect(0);
    }
}

#[test]
fn nothing_of_an_answer_stands_in_the_engines_logs() {
    let target = Target::web();
    let session = Live::session(&target, "0");
    let ps = dbgctl(&["--level", "0", "ps", &target.name]).expect(0);
    assert!(ps.stdout().contains("/target-program"), "{ps:?}");
    assert_eq!(session.inspect()["LogPath"], "");
    let logs = docker(&["logs", &session.id]);
    assert_ne!(logs.code, Some(0), "{logs:?}");
    assert!(logs.stdout.is_empty() && !logs.stderr().contains("target-program"), "{logs:?}");
}
