//! An engine of a test's own, for what must not be done to the one that others use.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::figures::say;
use crate::{Ran, docker, eventually, load_into};

/// Where containerd and dockerd live: all that they mount vanishes with them, and an engine that is to have no
/// bridge deletes `docker0`, which may be another engine's.
const UNSHARE: [&str; 4] = ["--net", "--mount", "--propagation", "private"];

/// The disk is a tmpfs that no one else sees. containerd's sockets have a fixed place: it gets one of its own.
const CONTAINERD: &str = r#"
[ "$(readlink /proc/self/ns/net)" != "$OTHERS_NETWORK" ]
mount -t tmpfs -o "size=$DISK" none "$PLACE/data"
mkdir -p /run/containerd && mount -t tmpfs none /run/containerd
for file in subuid subgid; do
    if [ -e "$PLACE/$file" ]; then mount --bind "$PLACE/$file" "/etc/$file"; fi
done
exec containerd --root "$PLACE/data/containerd" --state "$PLACE/containerd-state" --address "$PLACE/containerd.sock"
"#;

/// An engine without networks, whose containers outlive its sudden death. Stopped, with all it has, when it goes out
/// of scope.
pub struct PrivateEngine {
    containerd: Child,
    dockerd: Child,
    options: &'static [&'static str],
    place: TempDir,
}

impl PrivateEngine {
    /// An engine with a disk of that size, or `None` and a notice where none can be started.
    pub fn start(disk: &str) -> Option<Self> {
        Self::begin(disk, &[], |_| {})
    }

    /// An engine that maps root in its containers to the user 100000 of the host.
    pub fn with_remapped_users(disk: &str) -> Option<Self> {
        Self::begin(disk, &["--userns-remap", "daemon"], |place| {
            for file in ["subuid", "subgid"] {
                fs::write(place.join(file), "daemon:100000:65536\n").unwrap();
            }
        })
    }

    fn begin(disk: &str, options: &'static [&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        // Socket paths are limited to 107 bytes.
        let place = tempfile::Builder::new().prefix("dbgctl-engine-").tempdir_in("/tmp").unwrap();
        // A remapped root is not the owner, and must get through.
        fs::set_permissions(place.path(), Permissions::from_mode(0o711)).unwrap();
        fs::create_dir(place.path().join("data")).unwrap();
        // Without a file of its own it would obey the one of the machine's engine.
        fs::write(place.path().join("daemon.json"), "{}").unwrap();
        prepare(place.path());
        let mut containerd = Command::new("unshare");
        containerd.args(UNSHARE).args(["sh", "-e", "-c", CONTAINERD]);
        containerd.env("PLACE", place.path()).env("DISK", disk);
        containerd.env("OTHERS_NETWORK", fs::read_link("/proc/self/ns/net").unwrap());
        let mut containerd = match spawn(containerd, place.path()) {
            Ok(containerd) => containerd,
            Err(error) => return skipped(&format!("unshare: {error}")),
        };
        let socket = place.path().join("containerd.sock");
        let stands = eventually(Duration::from_secs(30), || {
            socket.exists() || containerd.try_wait().unwrap().is_some()
        });
        if !stands || !socket.exists() {
            end(&mut containerd);
            return skipped(&last_words(place.path()));
        }
        let dockerd = dockerd(&containerd, options, place.path());
        let mut engine = Self { containerd, dockerd, options, place };
        if !engine.answers() {
            return skipped(&last_words(engine.place.path()));
        }
        load_into(Some(&engine.host()));
        Some(engine)
    }

    /// Its address, for `-H`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.place.path().join("docker.sock").display())
    }

    /// Runs `docker` with it, whatever comes of it.
    pub fn try_docker(&self, arguments: &[&str]) -> Ran {
        docker(&[&["-H", &self.host()], arguments].concat())
    }

    /// Runs `docker` with it, which must succeed, and returns what was printed.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.try_docker(arguments).expect(0).stdout().trim().to_owned()
    }

    /// Runs `dbgctl` with it.
    pub fn dbgctl(&self, arguments: &[&str]) -> Ran {
        crate::dbgctl(&[&["-H", &self.host()], arguments].concat())
    }

    /// Fills its disk until only `left` bytes are free. The returned guard makes room again.
    pub fn fill_disk(&self, left: u64) -> Filler {
        let data = self.place.path().join("data/filler");
        let path = PathBuf::from(format!("/proc/{}/root{}", self.containerd.id(), data.display()));
        let mut file = File::create(&path).unwrap();
        let block = vec![1; 64 << 10];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(left)).unwrap();
        Filler(path)
    }

    /// SIGKILL: no goodbye to anyone.
    pub fn kill(&mut self) {
        self.dockerd.kill().unwrap();
        self.dockerd.wait().unwrap();
    }

    /// Starts it again after [`PrivateEngine::kill`], with all it had.
    #[track_caller]
    pub fn revive(&mut self) {
        assert!(self.start_again(), "{}", last_words(self.place.path()));
    }

    fn start_again(&mut self) -> bool {
        let _pid_of_the_dead = fs::remove_file(self.place.path().join("pid"));
        self.dockerd = dockerd(&self.containerd, self.options, self.place.path());
        self.answers()
    }

    fn answers(&mut self) -> bool {
        let mut ended = false;
        let answers = eventually(Duration::from_secs(30), || {
            ended = self.dockerd.try_wait().unwrap().is_some();
            ended || self.try_docker(&["version"]).code == Some(0)
        });
        answers && !ended
    }
}

/// What takes up the disk of an engine.
pub struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        // A test may have failed while it was dead. Only alive can it end its containers.
        if self.dockerd.try_wait().is_ok_and(|ended| ended.is_some()) {
            self.start_again();
        }
        let all = self.try_docker(&["ps", "-aq"]).stdout();
        for container in all.lines() {
            self.try_docker(&["rm", "-f", container]);
        }
        let _asked = Command::new("kill").arg(self.dockerd.id().to_string()).status();
        eventually(Duration::from_secs(20), || self.dockerd.try_wait().is_ok_and(|ended| ended.is_some()));
        end(&mut self.dockerd);
        end(&mut self.containerd);
    }
}

/// Starts the engine beside its containerd.
fn dockerd(containerd: &Child, options: &[&str], place: &Path) -> Child {
    let at = |name: &str| place.join(name).to_string_lossy().into_owned();
    let mut command = Command::new("nsenter");
    command.args(["--net", "--mount", "--target", &containerd.id().to_string(), "dockerd"]);
    command.args(["--config-file", &at("daemon.json"), "--pidfile", &at("pid")]);
    command.args(["--data-root", &at("data"), "--exec-root", &at("exec")]);
    command.args([
        "--host",
        &format!("unix://{}", at("docker.sock")),
        "--containerd",
        &at("containerd.sock"),
    ]);
    command.args(["--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip-forward=false"]);
    command.args(options);
    spawn(command, place).unwrap()
}

fn spawn(mut command: Command, place: &Path) -> std::io::Result<Child> {
    let log = || Stdio::from(File::options().create(true).append(true).open(place.join("log")).unwrap());
    command.env_remove("DOCKER_HOST").stdin(Stdio::null()).stdout(log()).stderr(log()).spawn()
}

fn end(child: &mut Child) {
    let _killed = child.kill();
    let _reaped = child.wait();
}

fn last_words(place: &Path) -> String {
    let log = fs::read_to_string(place.join("log")).unwrap_or_default();
    log.lines().last().unwrap_or("it does not answer").to_owned()
}

fn skipped(because: &str) -> Option<PrivateEngine> {
    say(&format!("NOT TESTED: no private engine can be started here: {because}"));
    None
}
