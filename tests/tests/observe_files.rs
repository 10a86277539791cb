//! The files of real containers, checked against the host's own view of the same directories and against busybox,
//! which runs in the target itself.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dbgctl_tests::running::Running;
use dbgctl_tests::terminal::Terminal;
use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command, docker, docker_ok, eventually, host, skipped};
use serde_json::Value;

/// The second opinion, which a container without a shell has to be given.
const BUSYBOX: &str = "/bin/busybox";

/// A target with files that are hard to look at, in a volume: the engine's own file systems can not hold them all.
fn files(many: u32) -> Target {
    let mut options = vec!["-v", "/files", "--tmpfs", "/full:size=1m,nr_inodes=8"];
    let mount = format!("{BUSYBOX}:/busybox:ro");
    if Path::new(BUSYBOX).exists() {
        options.extend(["-v", &mount]);
    }
    Target::run(&options, &["files", "--many", &many.to_string()]).ready()
}

/// A path of the target as the host reaches it.
fn on_host(target: &Target, path: &str) -> PathBuf {
    let init = host::processes_of(&target.id).remove(0).host_pid;
    PathBuf::from(format!("/proc/{init}/root{path}"))
}

/// What busybox says in the target. `None` where there is no busybox.
fn busybox(target: &Target, arguments: &[&str]) -> Option<String> {
    if !Path::new(BUSYBOX).exists() {
        skipped(&format!("no {BUSYBOX}"));
        return None;
    }
    Some(docker_ok(&[&["exec", &target.id, "/busybox"], arguments].concat()))
}

fn ask(target: &Target, verb: &str, options: &[&str]) -> Ran {
    dbgctl(&[&[verb, &target.id], options].concat())
}

/// The lines of an answer in JSON that have `field`.
fn json(target: &Target, verb: &str, options: &[&str], field: &str) -> Vec<Value> {
    let ran = ask(target, verb, &[options, &["-o", "json"]].concat()).expect(0);
    ran.json().into_iter().filter(|line| line.get(field).is_some()).collect()
}

/// A field that came from the target, byte for byte.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
    }
}

/// Panics if there is anything in `text` beside lines of printable characters.
#[track_caller]
fn assert_harmless(text: &[u8]) {
    let text = str::from_utf8(text).unwrap_or_else(|error| panic!("not UTF-8: {error}"));
    let odd = text.chars().find(|&character| {
        character != '\n' && (character.is_control() || matches!(character, '\u{202a}'..='\u{202e}'))
    });
    assert_eq!(odd, None, "{:?}", text.escape_debug());
}

#[track_caller]
fn assert_same(status: &Value, seen: &fs::Metadata) {
    assert_eq!(status["size_bytes"], seen.size(), "{status}");
    assert_eq!(status["disk_bytes"], seen.blocks() * 512, "{status}");
    assert_eq!(status["permissions"], seen.mode() & 0o7777, "{status}");
    assert_eq!((&status["uid"], &status["gid"]), (&seen.uid().into(), &seen.gid().into()), "{status}");
    assert_eq!((&status["inode"], &status["links"]), (&seen.ino().into(), &seen.nlink().into()), "{status}");
    assert_eq!(status["modified"]["unix_seconds"], seen.mtime(), "{status}");
    assert_eq!(status["modified"]["nanos"], seen.mtime_nsec(), "{status}");
    let kind = match seen.file_type() {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "link",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_socket() => "socket",
        _ => "regular",
    };
    assert_eq!(status["kind"], kind, "{status}");
}

#[test]
fn ls_tells_of_every_entry_what_the_host_sees_whatever_its_name_is() {
    let target = files(10);
    for directory in ["/files/names", "/files/special", "/files/sizes", "/files/rights"] {
        let listed = json(&target, "ls", &[directory], "name");
        let mut expected: BTreeMap<Vec<u8>, fs::Metadata> = BTreeMap::new();
        for entry in fs::read_dir(on_host(&target, directory)).unwrap() {
            let entry = entry.unwrap();
            expected.insert(entry.file_name().as_bytes().to_vec(), entry.metadata().unwrap());
        }
        let names: Vec<_> = listed.iter().map(|row| bytes(&row["name"])).collect();
        assert_eq!(names, expected.keys().cloned().collect::<Vec<_>>(), "{directory}");
        for (row, metadata) in listed.iter().zip(expected.values()) {
            assert_same(&row["status"], metadata);
        }
    }
    let link = json(&target, "ls", &["/files/names"], "link_target");
    assert!(link.iter().any(|row| row["link_target"] == "\u{1b}[7mnowhere\n"), "{link:?}");
    target.expect_nothing_left();
}

#[test]
fn a_directory_of_a_hundred_thousand_entries_is_listed_whole_and_cut_where_it_was_asked_to_be() {
    const MANY: usize = 100_000;
    let target = files(u32::try_from(MANY).unwrap());
    assert_eq!(json(&target, "ls", &["/files/many"], "name").len(), MANY);
    let first = ask(&target, "ls", &["/files/many", "--limit", "2"]).expect(0);
    let names: Vec<_> = first
        .stdout()
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().last().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["0", "1"], "{first:?}");
    assert!(first.stderr().contains("2 of 100000 entries"), "{first:?}");
    let unsorted = ask(&target, "ls", &["/files/many", "--sort", "none", "--limit", "3"]).expect(0);
    assert!(unsorted.stderr().contains("stopped at the limit of 3; there are more"), "{unsorted:?}");
}

#[test]
fn stat_agrees_with_the_host_and_names_each_link_on_the_way() {
    let target = files(1);
    let line = json(&target, "stat", &["/files/links/absolute"], "status").remove(0);
    assert_same(&line["status"], &fs::metadata(on_host(&target, "/files/links/file")).unwrap());
    assert_eq!(line["resolved_path"], "/files/links/file");
    assert_eq!(line["followed"][0]["path"], "/files/links/absolute");
    let link = json(&target, "stat", &["/files/links/absolute", "--no-follow"], "status").remove(0);
    assert_eq!(
        (&link["link_target"], &link["status"]["kind"]),
        (&"/files/links/file".into(), &"link".into())
    );
    if let Some(seen) = busybox(&target, &["stat", "-c", "%a %u %g %s %h %i", "/files/rights/setuid"]) {
        let status = json(&target, "stat", &["/files/rights/setuid"], "status").remove(0)["status"].take();
        let number = |field: &str| status[field].as_u64().unwrap();
        let ours = format!(
            "{:o} {} {} {} {} {}",
            number("permissions"),
            number("uid"),
            number("gid"),
            number("size_bytes"),
            number("links"),
            number("inode")
        );
        assert_eq!(ours, seen);
    }
    ask(&target, "stat", &["/files/links/loop-a"]).expect_error("too many symbolic links");
    ask(&target, "stat", &["/files/links/out"]).expect_error("no such file");
    ask(&target, "stat", &["/files/none"]).expect_error("/files/none: no such file");
}

#[test]
fn the_content_comes_byte_for_byte_from_its_head_its_tail_and_the_middle_of_a_terabyte() {
    let target = files(1);
    let whole = ask(&target, "cat", &["/files/sizes/random"]).expect(0);
    assert!(whole.stdout == fs::read(on_host(&target, "/files/sizes/random")).unwrap());
    let text = |options: &[&str]| {
        ask(&target, "cat", &[&["/files/sizes/text"], options].concat()).expect(0).stdout()
    };
    assert_eq!(text(&["--head", "2"]), "line 1\nline 2\n");
    assert_eq!(text(&["--tail", "2"]), "line 999\nline 1000\n");
    assert_eq!(text(&["--head", "6B"]), "line 1");
    assert_eq!(text(&["--tail", "10B"]), "line 1000\n");
    let sparse = ask(&target, "cat", &["/files/sizes/sparse", "--tail", "1"]).expect(0);
    assert_eq!(sparse.stdout(), "last line\n");
    assert!(
        ask(&target, "cat", &["/proc/1/status"]).expect(0).stdout().starts_with("Name:\ttarget-program\n")
    );
    let cut = ask(&target, "cat", &["/files/sizes/text", "--limit", "7"]).expect(0);
    assert_eq!(cut.stdout(), "line 1\n");
    assert!(cut.stderr().contains("there is more"), "{cut:?}");
}

#[test]
fn what_is_no_file_is_refused_by_its_kind_and_whoever_waits_at_a_fifo_goes_on_waiting() {
    let target = files(1);
    ask(&target, "cat", &["/files/special/fifo"]).expect_error("a FIFO, not a regular file");
    ask(&target, "cat", &["/files/special/socket"]).expect_error("a socket, not a regular file");
    ask(&target, "cat", &["/files"]).expect_error("a directory, not a regular file");
    ask(&target, "cat", &["/dev/null"]).expect_error("a character device, not a regular file");
    ask(&target, "cp", &["/files/special/fifo", "/nowhere/x"]).expect_error("a FIFO");
    let here = tempfile::tempdir().unwrap();
    for question in [
        &["ls", "/files/special"][..],
        &["stat", "/files/special/fifo"],
        &["find", "/files"],
        &["du", "/files"],
        &["access", "/files/special/fifo", "--uid", "1000"],
    ] {
        ask(&target, question[0], &question[1..]).expect(0);
    }
    let copy = here.path().join("special");
    let copied = ask(&target, "cp", &["/files/special", copy.to_str().unwrap()]).expect(1);
    assert!(copied.stderr().contains("left out: a FIFO"), "{copied:?}");
    assert_eq!(fs::read_dir(&copy).unwrap().count(), 0);
    let waits = || !target.logs().contains("the FIFO was opened");
    assert!(waits());
    // The control: somebody who opens it lets the writer go.
    let _opened = fs::read(on_host(&target, "/files/special/fifo")).unwrap();
    assert!(eventually(Duration::from_secs(10), || !waits()));
}

#[test]
fn no_name_and_no_content_of_the_target_reaches_a_terminal_unescaped() {
    let target = files(1);
    for question in [
        &["ls", "/files/names"][..],
        &["ls", "/files/names", "-o", "wide"],
        &["ls", "/files/names", "-o", "json"],
        &["ls", "/files/names", "-o", "yaml"],
        &["find", "/files/names"],
        &["du", "/files/names"],
        &["stat", "/files/names/link", "--no-follow"],
        &["access", "/files/names/two\nlines"],
    ] {
        let ran = ask(&target, question[0], &question[1..]).expect(0);
        assert_harmless(&ran.stdout);
        assert_harmless(&ran.stderr);
    }
    let table = ask(&target, "ls", &["/files/names"]).expect(0);
    let entries = fs::read_dir(on_host(&target, "/files/names")).unwrap().count();
    assert_eq!(table.stdout().lines().count(), 1 + entries, "one row for each: {table:?}");

    let path = OsStr::from_bytes(b"/files/names/\x1b[31mred\x1b[2J");
    let mut command = dbgctl_command(&["-q", "cat", &target.id]);
    command.arg(path);
    let mut terminal = Terminal::run(&command);
    terminal.expect("red");
    let (screen, _) = terminal.last_screen();
    let screen = String::from_utf8(screen).unwrap();
    assert!(screen.contains("\\x1b[31mred\\x1b[2J") && !screen.contains('\u{1b}'), "{screen:?}");
}

#[test]
fn find_finds_what_busybox_finds() {
    let target = files(500);
    let found = |options: &[&str]| -> Vec<String> {
        let rows = json(&target, "find", &[&["/files"], options].concat(), "path");
        let mut paths: Vec<_> =
            rows.iter().map(|row| String::from_utf8_lossy(&bytes(&row["path"])).into_owned()).collect();
        paths.sort();
        paths
    };
    for (ours, theirs) in [
        (&["--name", "*9[0-4]", "--type", "f"][..], &["-name", "*9[0-4]", "-type", "f"][..]),
        (&["--type", "p", "--type", "s"], &["(", "-type", "p", "-o", "-type", "s", ")"]),
        (&["--type", "l"], &["-type", "l"]),
        (&["--size", "+1M", "--type", "f"], &["-size", "+1048575c", "-type", "f"]),
        (&["--max-depth", "1"], &["-maxdepth", "1"]),
        (&["--newer", "1h", "--name", "text"], &["-mmin", "-60", "-name", "text"]),
        (&["--older", "1h"], &["-mmin", "+60"]),
    ] {
        // What is swapped is a directory at one moment and a link at the next.
        let arguments =
            [&["find", "/files", "-path", "/files/swap", "-prune", "-o", "("], theirs, &[")", "-print"]];
        let arguments = arguments.concat();
        let Some(seen) = busybox(&target, &arguments) else { return };
        let mut seen: Vec<_> = seen.lines().map(str::to_owned).collect();
        seen.sort();
        let ours: Vec<_> = found(ours).into_iter().filter(|path| !path.starts_with("/files/swap")).collect();
        // Names with newlines are more than one line of busybox's.
        let plain =
            |path: &&String| path.chars().all(|character| character.is_ascii_graphic() || character == ' ');
        assert_eq!(
            ours.iter().filter(plain).filter(|path| !path.contains("/names/")).collect::<Vec<_>>(),
            seen.iter()
                .filter(plain)
                .filter(|path| path.starts_with("/files") && !path.contains("/names/"))
                .collect::<Vec<_>>(),
            "{theirs:?}"
        );
    }
    let limited = ask(&target, "find", &["/files/many", "--limit", "3"]).expect(0);
    assert!(limited.stderr().contains("stopped at the limit of 3"), "{limited:?}");
    let deep = ask(&target, "find", &["/files/deep", "--name", "none"]).expect(0);
    assert!(deep.stderr().contains("not entered: directories deeper than 512 levels"), "{deep:?}");
    let whole = ask(&target, "find", &["/", "--name", "status"]).expect(0);
    assert!(whole.stderr().contains("other mounts, not entered: /proc"), "{whole:?}");
}

#[test]
fn df_agrees_with_busybox_and_says_what_is_full() {
    let target = files(1);
    let Some(_) = busybox(&target, &["dd", "if=/dev/zero", "of=/full/a", "bs=1000k", "count=1"]) else {
        return;
    };
    for number in 0..5 {
        busybox(&target, &["touch", &format!("/full/{number}")]);
    }
    // Until there is no inode left.
    let mut more = 5;
    while docker(&["exec", &target.id, "/busybox", "touch", &format!("/full/{more}")]).code == Some(0) {
        more += 1;
    }

    let mounts = json(&target, "df", &["--all"], "mount_id");
    let table = ask(&target, "df", &[]).expect(0);
    let seen = busybox(&target, &["df", "-k", "-P", "/full"]).unwrap();

    let mountinfo = fs::read_to_string(on_host(&target, "/proc/1/mountinfo")).unwrap();
    assert_eq!(mounts.len(), mountinfo.lines().count(), "{mountinfo}");
    let full = mounts.iter().find(|mount| mount["path"] == "/full").unwrap();
    let space = |field: &str| full["space"][field].as_u64().unwrap();
    let columns: Vec<_> = seen.lines().last().unwrap().split_whitespace().collect();
    let used = space("size_bytes") - space("free_bytes");
    assert_eq!(
        [space("size_bytes") >> 10, used >> 10, space("available_bytes") >> 10].map(|kib| kib.to_string()),
        columns[1..4],
        "{seen}"
    );
    assert_eq!((full["file_system"].as_str(), full["no_exec"].as_bool()), (Some("tmpfs"), Some(true)));
    assert!(table.stdout().contains("/full is 98% full"), "{table:?}");
    assert!(table.stdout().contains("/full has no inodes left"), "{table:?}");
    let closing = json(&target, "df", &[], "summary").remove(0)["summary"]["verdicts"].to_string();
    assert!(
        closing.contains("/full is 98% full") && closing.contains("/full has no inodes left"),
        "{closing}"
    );
    let proc = mounts.iter().find(|mount| mount["path"] == "/proc").unwrap();
    assert_eq!((&proc["space"]["size_bytes"], &proc["covered"]), (&0.into(), &false.into()), "{proc}");
}

#[test]
fn du_counts_a_file_with_several_names_once_and_agrees_with_busybox() {
    let target = files(50);
    let total = json(&target, "du", &["/files/sizes"], "header").remove(0)["header"]["total"].take();
    let rows = json(&target, "du", &["/files/sizes"], "path");
    assert_eq!(rows[0]["path"], "/files/sizes/random", "biggest first: {rows:?}");
    let linked = rows.iter().find(|row| row["path"] == "/files/sizes/linked").unwrap();
    assert_eq!((&linked["apparent_bytes"], &linked["entries"]), (&(1 << 20).into(), &2.into()), "{linked}");
    assert!(total["apparent_bytes"].as_u64().unwrap() > 1 << 40, "{total}");
    let Some(seen) = busybox(&target, &["du", "-s", "-k", "/files/sizes"]) else { return };
    let kib = total["disk_bytes"].as_u64().unwrap() >> 10;
    assert_eq!(seen.split_whitespace().next().unwrap(), kib.to_string());
    let cut = ask(&target, "du", &["/files/many", "--most-entries", "10"]).expect(0);
    assert!(cut.stdout().contains("at least") && cut.stdout().contains("cut after"), "{cut:?}");
}

/// Everything below two directories is the same, holes and times included.
fn assert_copied(copy: &Path, original: &Path) {
    for entry in fs::read_dir(original).unwrap() {
        let entry = entry.unwrap();
        let (theirs, ours) = (entry.metadata().unwrap(), copy.join(entry.file_name()));
        if theirs.file_type().is_fifo() || theirs.file_type().is_socket() {
            assert!(fs::symlink_metadata(&ours).is_err());
            continue;
        }
        let seen = fs::symlink_metadata(&ours).unwrap_or_else(|error| panic!("{}: {error}", ours.display()));
        assert_eq!(seen.file_type(), theirs.file_type(), "{}", ours.display());
        if theirs.is_symlink() {
            assert_eq!(fs::read_link(&ours).unwrap(), fs::read_link(entry.path()).unwrap());
            continue;
        }
        assert_eq!(seen.mode() & 0o7777, theirs.mode() & 0o777, "{}", ours.display());
        assert_eq!(
            (seen.mtime(), seen.mtime_nsec()),
            (theirs.mtime(), theirs.mtime_nsec()),
            "{}",
            ours.display()
        );
        if theirs.is_dir() {
            assert_copied(&ours, &entry.path());
        } else if theirs.size() < 1 << 30 {
            assert!(fs::read(&ours).unwrap() == fs::read(entry.path()).unwrap(), "{}", ours.display());
        } else {
            assert_eq!(seen.size(), theirs.size());
            assert!(seen.blocks() <= theirs.blocks() + 64, "the holes were filled: {}", ours.display());
            let mut middle = [0; 13];
            fs::File::open(&ours).unwrap().read_exact_at(&mut middle, 1 << 39).unwrap();
            assert_eq!(&middle, b"in the middle");
        }
    }
}

#[test]
fn a_directory_is_copied_with_its_holes_links_and_hostile_names_and_without_set_id_bits() {
    let target = files(1);
    let here = tempfile::tempdir().unwrap();
    for name in ["sizes", "names", "links", "rights"] {
        let copy = here.path().join(name);
        ask(&target, "cp", &[&format!("/files/{name}"), copy.to_str().unwrap()]).expect(0);
        assert_copied(&copy, &on_host(&target, &format!("/files/{name}")));
    }
    assert_eq!(fs::read_link(here.path().join("links/out")).unwrap().as_os_str().len(), 34);
    let again = ask(&target, "cp", &["/files/sizes", here.path().join("sizes").to_str().unwrap()]).expect(0);
    assert!(again.stdout().contains("sizes/sizes"), "into a directory that is there: {again:?}");
    let names: Vec<_> = fs::read_dir(here.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "nothing temporary is left: {names:?}");
}

#[test]
fn a_copy_as_a_tar_archive_is_what_tar_reads() {
    let target = files(1);
    let here = tempfile::tempdir().unwrap();
    let archive = here.path().join("archive.tar");
    let mut command = dbgctl_command(&["cp", &target.id, "/files/sizes", "-"]);
    command.stdout(fs::File::create(&archive).unwrap()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    let unpacked = dbgctl_tests::run(
        std::process::Command::new("tar").args(["-x", "-f"]).arg(&archive).arg("-C").arg(here.path()),
    );
    unpacked.expect(0);
    let (ours, theirs) = (here.path().join("sizes"), on_host(&target, "/files/sizes"));
    for name in ["random", "text", "empty", "linked/three"] {
        assert!(fs::read(ours.join(name)).unwrap() == fs::read(theirs.join(name)).unwrap(), "{name}");
    }
    let sparse = fs::File::open(ours.join("sparse")).unwrap();
    assert_eq!(sparse.metadata().unwrap().size(), 1 << 40);
    assert!(sparse.metadata().unwrap().blocks() < 1000);
    let mut end = [0; 11];
    sparse.read_exact_at(&mut end, (1 << 40) - 11).unwrap();
    assert_eq!(&end, b"\nlast line\n");
}

#[test]
fn a_copy_that_was_interrupted_leaves_nothing_behind() {
    use nix::sys::signal::Signal;
    let target = files(1);
    let here = tempfile::tempdir().unwrap();
    // Most of a terabyte are holes; the programs of this machine are not.
    let destination = here.path().join("copy");
    let mut command = dbgctl_command(&["cp", &target.id, "/", destination.to_str().unwrap()]);
    let running = Running::start(&mut command);
    eventually(Duration::from_secs(20), || fs::read_dir(here.path()).unwrap().count() > 0);
    running.signal(Signal::SIGINT);
    let ran = running.finish();
    assert!([Some(130), Some(0), Some(1)].contains(&ran.code), "{ran:?}");
    if ran.code == Some(130) {
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    }
    target.expect_nothing_left();
}

#[test]
fn a_log_is_followed_through_its_rotation_and_no_line_is_lost() {
    let target = files(1);
    let mut running =
        Running::start(&mut dbgctl_command(&["-q", "cat", &target.id, "/files/log", "--follow"]));
    let mut numbers: Vec<u64> = Vec::new();
    let mut take = |running: &mut Running, count: usize| {
        for _ in 0..count {
            let line = running.line(|_| true);
            numbers.push(line.strip_prefix("entry ").unwrap().parse().unwrap());
        }
    };
    take(&mut running, 20);
    fs::write(on_host(&target, "/files/rotate"), "").unwrap();
    running.expect_talk("the file was replaced");
    take(&mut running, 40);
    let expected: Vec<_> = (numbers[0]..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn access_agrees_with_what_the_kernel_lets_that_user_do() {
    let target = files(1);
    for path in
        ["/files/rights/secret", "/files/rights/setuid", "/files/rights/group", "/files/rights/closed/file"]
    {
        for user in ["1000:1000", "7:7", "0:0"] {
            let (uid, gid) = user.split_once(':').unwrap();
            let ours = ask(&target, "access", &[path, "--uid", uid, "--gid", gid]);
            assert!([Some(0), Some(1)].contains(&ours.code), "{ours:?}");
            if !Path::new(BUSYBOX).exists() {
                continue;
            }
            let read = docker(&["exec", "--user", user, &target.id, "/busybox", "cat", path]);
            assert_eq!(ours.code == Some(0), read.code == Some(0), "{user} {path}: {ours:?}\n{read:?}");
        }
    }
    let denied =
        ask(&target, "access", &["/files/rights/closed/file", "--uid", "1000", "--gid", "1000"]).expect(1);
    assert!(denied.stdout().contains("it is decided at /files/rights/closed: others: ---"), "{denied:?}");
    let missing = ask(&target, "access", &["/files/none/x", "--uid", "0"]).expect(1);
    assert!(missing.stdout().contains("/files/none does not exist"), "{missing:?}");
    let fixed = ask(&target, "access", &["/sys/kernel", "--uid", "0", "--for", "write"]).expect(1);
    assert!(fixed.stdout().contains("the mount is read-only"), "{fixed:?}");
}

#[test]
fn at_level_1_what_only_root_may_read_is_named_and_not_guessed() {
    let target = files(1);
    ask(&target, "cat", &["/files/rights/secret", "--level", "1"]).expect_error("permission denied");
    ask(&target, "cat", &["/files/rights/secret"]).expect(0);
    let found = ask(&target, "find", &["/files/rights", "--level", "1", "-o", "json"]).expect(0);
    assert!(found.header()["entries"].as_u64() > Some(1), "{found:?}");
    let gaps = found.summary()["gaps"].to_string();
    assert!(gaps.contains("not entered") && gaps.contains("CAP_DAC_READ_SEARCH"), "{found:?}");
    ask(&target, "ls", &["--level", "0"]).expect_error("CAP_SYS_PTRACE");
    ask(&target, "ls", &["--pid", "1"]).expect(0);
    // The sidecar's own root is not the target's to be seen through.
    ask(&target, "ls", &["--pid", "4000000"]).expect_error("no process of the target has number 4000000");
}
