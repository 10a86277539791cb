//! An engine of a test's own, for what must not be done to the one that others use.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Ran, eventually, load_into, run};

/// Its disk is a tmpfs that no one else sees, and all that it mounts vanishes with it. It lives in a network
/// namespace of its own: an engine that is to have no bridge deletes `docker0`, and that may be another engine's.
const START: &str = r#"
[ "$(readlink /proc/self/ns/net)" != "$OTHERS_NETWORK" ]
mount -t tmpfs -o "size=$DISK" none "$PLACE/data"
# With an empty one of its own, the engine starts its own containerd.
mkdir -p /run/containerd && mount -t tmpfs none /run/containerd
for file in subuid subgid; do
    if [ -e "$PLACE/$file" ]; then mount --bind "$PLACE/$file" "/etc/$file"; fi
done
exec dockerd --config-file "$PLACE/daemon.json" --data-root "$PLACE/data" --exec-root "$PLACE/exec" \
    --pidfile "$PLACE/pid" --host "unix://$PLACE/docker.sock" --storage-driver vfs \
    --bridge none --iptables=false --ip-forward=false "$@"
"#;

/// An engine without networks. Stopped, with all it has, when it goes out of scope.
pub struct PrivateEngine {
    engine: Child,
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

    fn begin(disk: &str, options: &[&str], prepare: impl FnOnce(PathBuf)) -> Option<Self> {
        let place = TempDir::new().unwrap();
        // A remapped root is not the owner, and must get through.
        fs::set_permissions(place.path(), Permissions::from_mode(0o711)).unwrap();
        fs::create_dir(place.path().join("data")).unwrap();
        fs::write(place.path().join("daemon.json"), "{}").unwrap();
        prepare(place.path().to_owned());
        let log =
            || Stdio::from(File::options().create(true).append(true).open(place.path().join("log")).unwrap());
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--mount", "--propagation", "private", "sh", "-e", "-c", START, "sh"])
            .args(options);
        command.env("PLACE", place.path()).env("DISK", disk);
        command.env("OTHERS_NETWORK", fs::read_link("/proc/self/ns/net").unwrap()).env_remove("DOCKER_HOST");
        let started = command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn();
        let mut engine = match started {
            Ok(engine) => engine,
            Err(error) => return skipped(&format!("unshare: {error}")),
        };
        let socket = format!("unix://{}", place.path().join("docker.sock").display());
        let mut ended = false;
        let answers = eventually(Duration::from_secs(30), || {
            ended = engine.try_wait().unwrap().is_some();
            ended || run(Command::new("docker").args(["-H", &socket, "version"])).code == Some(0)
        });
        let engine = Self { engine, place };
        if ended || !answers {
            let log = fs::read_to_string(engine.place.path().join("log")).unwrap_or_default();
            return skipped(log.lines().last().unwrap_or("it does not answer"));
        }
        load_into(Some(&engine.host()));
        Some(engine)
    }

    /// Its address, for `-H`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.place.path().join("docker.sock").display())
    }

    /// Runs `docker` with it, which must succeed, and returns what was printed.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> String {
        let ran = run(Command::new("docker").args(["-H", &self.host()]).args(arguments));
        ran.expect(0).stdout().trim().to_owned()
    }

    /// Runs `dbgctl` with it.
    pub fn dbgctl(&self, arguments: &[&str]) -> Ran {
        crate::dbgctl(&[&["-H", &self.host()], arguments].concat())
    }

    /// Fills its disk until only `left` bytes are free. The returned guard makes room again.
    pub fn fill_disk(&self, left: u64) -> Filler {
        let data = self.place.path().join("data/filler");
        let path = PathBuf::from(format!("/proc/{}/root{}", self.engine.id(), data.display()));
        let mut file = File::create(&path).unwrap();
        let block = vec![1; 64 << 10];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(left)).unwrap();
        Filler(path)
    }
}

/// What takes up the disk of an engine.
pub struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

#[expect(clippy::print_stderr, reason = "a test that proves nothing must say so")]
fn skipped(because: &str) -> Option<PrivateEngine> {
    eprintln!("NOT TESTED: no private engine can be started here: {because}");
    None
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        let _asked = Command::new("kill").arg(self.engine.id().to_string()).status();
        if !eventually(Duration::from_secs(20), || {
            self.engine.try_wait().is_ok_and(|status| status.is_some())
        }) {
            let _killed = self.engine.kill();
        }
        let _reaped = self.engine.wait();
    }
}
