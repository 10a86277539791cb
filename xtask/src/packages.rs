//! Packages of the operating system: what is there, and installing what is not on Debian and its relatives.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, command};

/// Something this machine should have, and the Debian package that brings it.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// What it is for; completes "needed to …".
    pub(crate) purpose: &'static str,
    /// Without it nothing can be built. If false, some tests skip and say so.
    pub(crate) required: bool,
    pub(crate) present: fn() -> bool,
}

/// The packages that building, tests and benchmarks use.
pub(crate) const PACKAGES: [Package; 15] = [
    Package {
        name: "gcc",
        purpose: "link what runs while building",
        required: true,
        present: || command::exists("cc"),
    },
    Package {
        name: "python3-venv",
        purpose: "install zig under target/tools",
        required: true,
        // Debian splits both off: a Python without either can not make a virtual environment.
        present: || command::output(Command::new("python3").args(["-c", "import ensurepip, venv"])).is_ok(),
    },
    Package {
        name: "libpcap0.8",
        purpose: "compare our packet filters with libpcap's",
        required: false,
        present: has_libpcap,
    },
    Package {
        name: "qemu-user-static",
        purpose: "run the arm64 agent in tests",
        required: false,
        present: || cfg!(target_arch = "aarch64") || command::exists("qemu-aarch64-static"),
    },
    Package {
        name: "procps",
        purpose: "compare our process lists with ps",
        required: false,
        present: || command::exists("ps"),
    },
    Package {
        name: "iproute2",
        purpose: "compare our socket lists with ss",
        required: false,
        present: || command::exists("ss"),
    },
    Package {
        name: "nftables",
        purpose: "put packet filters in a container's way",
        required: false,
        present: || command::exists("nft"),
    },
    Package {
        name: "tshark",
        purpose: "read what was captured as Wireshark does",
        required: false,
        present: || command::exists("tshark"),
    },
    Package {
        name: "dnsmasq-base",
        purpose: "look up names at a real server",
        required: false,
        present: || command::exists("dnsmasq"),
    },
    Package {
        name: "bind9-dnsutils",
        purpose: "compare our look-ups with dig",
        required: false,
        present: || command::exists("dig"),
    },
    Package {
        name: "golang-go",
        purpose: "compare our look-ups with Go's",
        required: false,
        present: || command::exists("go"),
    },
    Package {
        name: "busybox-static",
        purpose: "compare with a debug image that has a shell",
        required: false,
        present: || command::exists("busybox"),
    },
    Package {
        name: "strace",
        purpose: "watch which system calls the agent makes",
        required: false,
        present: || command::exists("strace"),
    },
    Package {
        name: "tcpdump",
        purpose: "compare what we say of packets with tcpdump",
        required: false,
        present: || command::exists("tcpdump"),
    },
    Package {
        name: "tmux",
        purpose: "drive `top` on a terminal, and see what it shows",
        required: false,
        present: || command::exists("tmux"),
    },
];

/// Whether this machine takes packages from us: Debian or a relative, and we are root.
pub(crate) fn can_install() -> bool {
    // The owner of /proc/self is the effective uid of this process.
    let root = fs::metadata("/proc/self").is_ok_and(|directory| directory.uid() == 0);
    root && is_debian()
}

/// Installs packages; refreshes the lists only if the first attempt fails, because that is slow.
pub(crate) fn install(names: &[&str]) -> Result {
    let attempt =
        || command::output(apt_get().args(["install", "-y", "--no-install-recommends"]).args(names));
    if attempt().is_ok() {
        return Ok(());
    }
    command::output(apt_get().arg("update"))?;
    attempt().map(drop)
}

/// Whether packages can be had without installing them.
pub(crate) fn can_download() -> bool {
    is_debian()
}

/// Downloads packages, and those they need that are not installed here, without installing any. Returns their files.
pub(crate) fn download(names: &[String], into: &Path) -> Result<Vec<PathBuf>> {
    let listed = || {
        let simulate = ["install", "--simulate", "--reinstall", "--no-install-recommends"];
        command::output(apt_get().args(simulate).args(names))
    };
    let listed = listed().or_else(|_| {
        command::output(apt_get().arg("update"))?;
        listed()
    })?;
    let needed = listed.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    // What is written in other languages, and the compiler of the just-in-time compiler, is not worth its bytes.
    let needed = needed.filter(|name| names.iter().any(|wanted| wanted == name) || is_small_library(name));
    command::output(apt_get().arg("download").args(needed).current_dir(into))?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    Ok(fs::read_dir(into)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(is_package)
        .collect())
}

fn is_small_library(name: &str) -> bool {
    name.starts_with("lib")
        && !name.starts_with("libllvm")
        && !name.ends_with("-perl")
        && !name.ends_with("-dev")
}

/// What a person types to install packages.
pub(crate) fn install_by_hand(names: &[&str]) -> String {
    let names = names.join(" ");
    if is_debian() {
        format!("sudo apt-get install --no-install-recommends {names}")
    } else {
        format!("install what Debian calls: {names}")
    }
}

fn apt_get() -> Command {
    let mut apt_get = Command::new("apt-get");
    // A new machine may still be installing what it was given.
    apt_get.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
    apt_get
}

fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_relative = |line: &str| {
        let ids = line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE="));
        ids.is_some_and(|ids| ids.contains("debian") || ids.contains("ubuntu"))
    };
    release.lines().any(is_relative) && command::exists("apt-get")
}

fn has_libpcap() -> bool {
    let library = "libpcap.so.0.8";
    let in_directory = |directory: &Path| directory.join(library).exists();
    let multiarch =
        fs::read_dir("/usr/lib").into_iter().flatten().flatten().any(|entry| in_directory(&entry.path()));
    multiarch || in_directory(Path::new("/usr/lib")) || in_directory(Path::new("/usr/lib64"))
}
