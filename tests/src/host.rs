//! A second opinion on the processes of a container: the host's own `/proc`.

use std::fs;
use std::path::PathBuf;

/// A process as its host sees it.
#[derive(Debug, Clone)]
pub struct HostProcess {
    pub host_pid: u32,
    /// In the innermost PID namespace, which is the container's.
    pub pid: u32,
}

/// The processes whose cgroup carries the container's id, by their pid in the container.
pub fn processes_of(container_id: &str) -> Vec<HostProcess> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let Some(host_pid) = entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end at any moment: that one is not the container's, or no longer.
        let cgroup = fs::read_to_string(format!("/proc/{host_pid}/cgroup")).unwrap_or_default();
        if cgroup.contains(container_id)
            && let Some(pid) = innermost_pid(host_pid)
        {
            found.push(HostProcess { host_pid, pid });
        }
    }
    found.sort_by_key(|process| process.pid);
    found
}

fn innermost_pid(host_pid: u32) -> Option<u32> {
    // Its name may be any bytes.
    let status = fs::read(format!("/proc/{host_pid}/status")).ok()?;
    value_of(&String::from_utf8_lossy(&status), "NSpid:")?.split_whitespace().last()?.parse().ok()
}

fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

impl HostProcess {
    /// A file of its control group: in the hierarchy of `controller` in version 1, in the one there is in version 2.
    pub fn cgroup_file(&self, controller: &str, file: &str) -> PathBuf {
        let cgroups = String::from_utf8(self.read("cgroup")).unwrap();
        let lines: Vec<_> = cgroups.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>()).collect();
        let of_v1 = lines.iter().find(|line| line[1].split(',').any(|name| name == controller));
        let path = match of_v1 {
            Some(line) => format!("/sys/fs/cgroup/{controller}{}", line[2]),
            None => format!("/sys/fs/cgroup{}", lines.iter().find(|line| line[0] == "0").unwrap()[2]),
        };
        PathBuf::from(path).join(file)
    }

    /// The figure of `key` in a file of lines `key value` of its control group.
    pub fn cgroup_figure(&self, controller: &str, file: &str, key: &str) -> Option<u64> {
        let text = fs::read_to_string(self.cgroup_file(controller, file)).ok()?;
        value_of(&text, &format!("{key} "))?.parse().ok()
    }

    /// The whole file, byte for byte.
    pub fn read(&self, file: &str) -> Vec<u8> {
        let path = PathBuf::from(format!("/proc/{}/{file}", self.host_pid));
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The name, byte for byte.
    pub fn comm(&self) -> Vec<u8> {
        let comm = self.read("comm");
        comm.strip_suffix(b"\n").unwrap_or(&comm).to_vec()
    }

    /// A value of `/proc/<pid>/status`, for example "CapEff".
    pub fn status(&self, key: &str) -> String {
        let status = String::from_utf8_lossy(&self.read("status")).into_owned();
        value_of(&status, &format!("{key}:")).unwrap_or_else(|| panic!("no {key} in {status}")).to_owned()
    }

    /// Field `number` of `/proc/<pid>/stat`, counted as in proc_pid_stat(5), from 3 on.
    pub fn stat(&self, number: usize) -> String {
        let stat = String::from_utf8_lossy(&self.read("stat")).into_owned();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(number - 3).unwrap().to_owned()
    }

    /// A figure of `/proc/<pid>/smaps_rollup` in bytes, for example "Pss".
    pub fn smaps_bytes(&self, key: &str) -> u64 {
        let rollup = String::from_utf8_lossy(&self.read("smaps_rollup")).into_owned();
        let value = value_of(&rollup, &format!("{key}:")).unwrap_or_else(|| panic!("no {key} in {rollup}"));
        value.strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
    }
}
