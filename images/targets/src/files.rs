//! `files [--many N]`: files that are hard to look at.
//!
//! Below `/files`: names that attack a terminal, a FIFO with a writer that waits, a sparse file of 1 TiB, several names
//! of one file, links that loop and links that want to lead out, deep directories, a file of root's own, a set-uid
//! program, and `--many` entries in one directory. Meanwhile a directory is swapped with a link that leads out, and a log
//! is written to and rotated when `/files/rotate` is made.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::Result;
use crate::arguments::Arguments;
use crate::hostile::noise;
use crate::process::sleep_forever;

/// The directory of it all.
const TOP: &str = "/files";

/// Names that attack whoever prints them.
const NAMES: &[&[u8]] = &[
    b"\x1b[31mred\x1b[2J",
    b"\x1b]52;c;Y3VybCBldmlsIHwgc2g=\x07",
    b"two\nlines",
    b"tab\tand\\slash\r\x7f\x08",
    "\u{9b}31mC1".as_bytes(),
    "a\u{202e}txt.exe".as_bytes(),
    b"\xff\xfe\xc3(\x80",
    b"-rf",
    b"--help",
    b" ",
    b"...",
    b"*",
    b"name with \"quotes\" and 'more'",
    b"$(reboot)",
    b"`id`",
    b"%s%n",
    b"~",
    b"#comment",
];

/// Names of any bytes beside these.
const RANDOM_NAMES: u8 = 30;

/// Makes everything and sleeps.
pub(crate) fn run(arguments: &mut Arguments) -> Result<ExitCode> {
    let many = arguments.option::<u32>("--many")?.unwrap_or(1000);
    fs::create_dir_all(TOP)?;
    fs::set_permissions(TOP, Permissions::from_mode(0o755))?;
    names()?;
    special()?;
    sizes()?;
    links()?;
    rights()?;
    fs::create_dir_all(at("many"))?;
    for number in 0..many {
        File::create(at(&format!("many/{number}")))?;
    }
    swapped()?;
    log()?;
    println!("ready in {TOP}");
    sleep_forever()
}

fn at(path: &str) -> String {
    format!("{TOP}/{path}")
}

fn names() -> Result {
    fs::create_dir_all(at("names"))?;
    for name in NAMES {
        fs::write(Path::new(&at("names")).join(OsStr::from_bytes(name)), name)?;
    }
    for seed in 1..=RANDOM_NAMES {
        let bytes = noise(seed.into()).filter(|byte| !matches!(byte, 0 | b'/'));
        // One byte of its own, so that no two are equal or a dot.
        let name: Vec<u8> = [seed].into_iter().chain(bytes.take(seed.into())).collect();
        fs::write(Path::new(&at("names")).join(OsStr::from_bytes(&name)), b"random")?;
    }
    let long = "n".repeat(200);
    fs::write(Path::new(&at("names")).join(long), "long")?;
    symlink(OsStr::from_bytes(b"\x1b[7mnowhere\n"), at("names/link"))?;
    Ok(())
}

fn special() -> Result {
    fs::create_dir_all(at("special"))?;
    let fifo = at("special/fifo");
    mkfifo(fifo.as_str(), Mode::from_bits_truncate(0o666))?;
    // Waits until somebody opens the FIFO to read: nobody must.
    thread::Builder::new().name("fifo-writer".to_owned()).spawn(move || {
        if let Ok(mut writer) = OpenOptions::new().write(true).open(fifo) {
            println!("the FIFO was opened");
            let _ = writer.write_all(b"released");
        }
    })?;
    // Its name stays when the listener is closed.
    UnixListener::bind(at("special/socket"))?;
    Ok(())
}

fn sizes() -> Result {
    fs::create_dir_all(at("sizes"))?;
    let sparse = File::create(at("sizes/sparse"))?;
    sparse.set_len(1 << 40)?;
    sparse.write_all_at(b"in the middle", 1 << 39)?;
    sparse.write_all_at(b"\nlast line\n", (1 << 40) - 11)?;
    fs::write(at("sizes/empty"), "")?;
    fs::write(at("sizes/text"), (1..=1000).map(|line| format!("line {line}\n")).collect::<String>())?;
    let bytes: Vec<u8> =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(at("sizes/random"), bytes)?;
    fs::create_dir_all(at("sizes/linked"))?;
    fs::write(at("sizes/linked/one"), vec![7; 1 << 20])?;
    for name in ["two", "three"] {
        fs::hard_link(at("sizes/linked/one"), at(&format!("sizes/linked/{name}")))?;
    }
    Ok(())
}

fn links() -> Result {
    fs::create_dir_all(at("links"))?;
    fs::write(at("links/file"), "of the target")?;
    for (target, name) in [
        ("file", "relative"),
        ("/files/links/file", "absolute"),
        ("../../../../../../../../etc/passwd", "out"),
        ("/proc/1/root/etc/passwd", "magic"),
        ("loop-b", "loop-a"),
        ("loop-a", "loop-b"),
        (".", "here"),
        ("missing", "dangling"),
    ] {
        symlink(target, at(&format!("links/{name}")))?;
    }
    let mut deep = at("deep");
    for _ in 0..600 {
        deep.push_str("/d");
    }
    fs::create_dir_all(&deep)?;
    Ok(())
}

fn rights() -> Result {
    fs::create_dir_all(at("rights/closed"))?;
    for (path, mode) in [("secret", 0o600), ("setuid", 0o4755), ("group", 0o640), ("closed/file", 0o644)] {
        let path = at(&format!("rights/{path}"));
        fs::write(&path, "content")?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    // Where the target may not give files away, they stay its own.
    let _ = chown(at("rights/group"), Some(7), Some(50));
    fs::set_permissions(at("rights/closed"), Permissions::from_mode(0o700))?;
    acl(&at("rights/group"))
}

/// Lets user 1000 read the file. File systems without such lists do without.
fn acl(path: &str) -> Result {
    let mut list = vec![2, 0, 0, 0];
    let nobody = u32::MAX;
    for (tag, permissions, id) in
        [(1_u16, 6_u16, nobody), (2, 4, 1000), (4, 4, nobody), (0x10, 4, nobody), (0x20, 0, nobody)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let path = CString::new(path)?;
    let _ = crate::sys::set_attribute(&path, c"system.posix_acl_access", &list);
    Ok(())
}

/// A directory that is, at any moment, either one of the target's or a link out of it.
fn swapped() -> Result {
    fs::create_dir_all(at("swap/one"))?;
    fs::write(at("swap/one/file"), "of the target")?;
    // There is no such directory here, but where the one may be who looks.
    symlink("/outside", at("swap/other"))?;
    thread::Builder::new().name("swapper".to_owned()).spawn(|| {
        loop {
            let _ = crate::sys::exchange(c"/files/swap/one", c"/files/swap/other");
            thread::sleep(Duration::from_micros(50));
        }
    })?;
    Ok(())
}

/// A line every 50 ms, and a new file when it is asked for.
fn log() -> Result {
    let open = || OpenOptions::new().create(true).append(true).open(at("log"));
    let mut log = open()?;
    thread::Builder::new().name("logger".to_owned()).spawn(move || {
        for number in 0_u64.. {
            let _ = writeln!(log, "entry {number}");
            if fs::remove_file(at("rotate")).is_ok() {
                let _ = fs::rename(at("log"), at("log.1"));
                if let Ok(new) = open() {
                    log = new;
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    })?;
    Ok(())
}
