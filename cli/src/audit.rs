//! The local record of who asked for secrets: one line of JSON per question, before it is asked.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::libc;
use nix::unistd::{Uid, User, gethostname};
use serde::Serialize;

use crate::error::Error;
use crate::state;

const FILE: &str = "audit.jsonl";

/// What is asked, of whom, and why.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Asked<'a> {
    /// Where the engine listens.
    pub(crate) engine: &'a str,
    pub(crate) target_id: &'a str,
    pub(crate) target_name: &'a str,
    pub(crate) probe: &'a str,
    /// What the user gave as `--reason`. May be empty.
    pub(crate) reason: &'a str,
}

/// A line of the file.
#[derive(Serialize)]
struct Line<'a> {
    when: String,
    user: String,
    uid: u32,
    /// Who became root by sudo(8) to do this. As anyone could claim.
    sudo_user: Option<String>,
    host: String,
    #[serde(flatten)]
    asked: Asked<'a>,
}

/// Records that secrets are about to be asked for. They must not be if this fails.
pub(crate) fn record(asked: Asked<'_>) -> Result<(), Error> {
    let what = || "reveal secrets without recording who did".to_owned();
    let suggestion =
        "set XDG_STATE_HOME or HOME to a directory that you may write to, or ask for nothing that is secret";
    let path = state::path(FILE)
        .ok_or_else(|| Error::new(what(), "neither XDG_STATE_HOME nor HOME says where", suggestion))?;
    append(&path, asked)
        .map_err(|error| Error::new(what(), format!("{}: {error}", path.display()), suggestion))
}

fn append(path: &Path, asked: Asked<'_>) -> io::Result<()> {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten();
    let line = Line {
        when: Timestamp::now().to_string(),
        user: user.map_or_else(|| uid.to_string(), |user| user.name),
        uid: uid.as_raw(),
        sudo_user: std::env::var("SUDO_USER").ok(),
        host: gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default(),
        asked,
    };
    let mut line = serde_json::to_string(&line)?;
    line.push('\n');
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Someone else may have put a link or FIFO there, where root keeps the HOME of who became root.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    // In one piece: several of us may write at the same time.
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ASKED: Asked<'_> =
        Asked { engine: "unix:///x", target_id: "ab", target_name: "we\nb", probe: "env", reason: "" };

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the CLI's own file")]
    fn each_question_is_a_line_that_only_the_user_may_read() {
        let directory = std::env::temp_dir().join(format!("dbgctl-audit-{}", std::process::id()));
        let path = directory.join("dbgctl").join(FILE);
        append(&path, ASKED).unwrap();
        append(&path, ASKED).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((text.lines().count(), mode & 0o777), (2, 0o600), "{text}");
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&line["target_name"], &line["probe"]), (&"we\nb".into(), &"env".into()));
        line["when"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the CLI's own file")]
    fn what_a_link_leads_to_is_not_written_to() {
        let directory = std::env::temp_dir().join(format!("dbgctl-audit-link-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (other, link) = (directory.join("other"), directory.join(FILE));
        fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        let (written, text) = (append(&link, ASKED), fs::read_to_string(&other).unwrap());
        fs::remove_dir_all(&directory).unwrap();
        assert!(written.is_err() && text.is_empty(), "{written:?} {text}");
    }

    #[test]
    fn where_nothing_can_be_written_that_is_an_error() {
        assert!(append(Path::new("/proc/nowhere/audit.jsonl"), ASKED).is_err());
    }
}
