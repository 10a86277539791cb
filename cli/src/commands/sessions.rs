//! `sessions`: who looks into what, with which privilege, and until when.

use std::time::Duration;

use super::show;
use crate::attach::facts::{Status, Summary};
use crate::attach::spec::{Kind, Wish, label};
use crate::attach::{Attacher, Survey, unix_now};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::human;
use crate::render::{Column, Format, Object, Output, Row};

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl sessions          which sessions are open, and which container each looks into
  dbgctl sessions --all    also the sidecars of single questions, and what killed runs left";

/// Arguments of `sessions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also list the sidecars of single questions, and what is left of runs that were killed
    #[arg(long)]
    all: bool,
}

/// One sidecar.
struct Session {
    id: String,
    kind: String,
    target: String,
    level: String,
    user: String,
    reason: String,
    state: &'static str,
    started_unix: u64,
    expires_unix: u64,
    now_unix: u64,
    sidecar: String,
}

impl Row for Session {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("SESSION", |row| row.id.as_str().into()),
        Column::text("TARGET", |row| row.target.as_str().into()),
        Column::text("LEVEL", |row| row.level.as_str().into()),
        Column::text("USER", |row| row.user.as_str().into()),
        Column::text("STATE", |row| row.state.into()),
        Column::text("AGE", |row| ago(row.now_unix, row.started_unix).into()),
        Column::text("LEFT", |row| ago(row.expires_unix, row.now_unix).into()),
        Column::text("KIND", |row: &Self| row.kind.as_str().into()).wide_only(),
        Column::text("SIDECAR", |row: &Self| row.sidecar.as_str().into()).wide_only(),
        Column::text("REASON", |row| row.reason.as_str().into()),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("session", self.id.as_str());
        object.text("kind", self.kind.as_str());
        object.text("target", self.target.as_str());
        object.text("level", self.level.as_str());
        object.text("user", self.user.as_str());
        object.text("reason", self.reason.as_str());
        object.text("state", self.state);
        object.number("started_unix", self.started_unix);
        object.number("expires_unix", self.expires_unix);
        object.text("sidecar", self.sidecar.as_str());
    }
}

pub(crate) async fn run(attacher: &Attacher, args: Args, format: Format) -> Result<Exit, Error> {
    // What is left of killed runs is swept, unless it is to be seen.
    let found = if args.all { attacher.engine.sidecars().await } else { attacher.sidecars().await };
    let found = found.map_err(|error| Error::engine("list the sessions", &error))?;
    let is_wanted = |sidecar: &&Summary| args.all || sidecar.label(label::KIND) == Kind::Session.name();
    let now = unix_now();
    let rows: Vec<_> = found.iter().filter(is_wanted).map(|sidecar| row(sidecar, now)).collect();
    let mut output = Output::stdout(format);
    if rows.is_empty() && output.is_table() {
        attacher.notes.note("no session; `dbgctl attach CONTAINER` opens one");
        return Ok(Exit::Answered);
    }
    show(&mut output, &rows)
}

/// Shows the session that was started just now.
pub(crate) fn show_started(
    output: &mut Output,
    wish: &Wish,
    survey: &Survey,
    user: &str,
) -> Result<Exit, Error> {
    let now = unix_now();
    let started = Session {
        id: wish.session.clone(),
        kind: wish.kind.name().to_owned(),
        target: survey.target.name.clone(),
        level: wish.level.name().to_owned(),
        user: user.to_owned(),
        reason: wish.reason.clone(),
        state: word(Status::Running),
        started_unix: now,
        expires_unix: now + wish.expires_in.as_secs(),
        now_unix: now,
        sidecar: String::new(),
    };
    show(output, &[started])
}

fn row(sidecar: &Summary, now_unix: u64) -> Session {
    let text = |key: &str| sidecar.label(key).to_owned();
    Session {
        id: text(label::SESSION),
        kind: text(label::KIND),
        target: text(label::TARGET_NAME),
        level: text(label::LEVEL),
        user: text(label::USER),
        reason: text(label::REASON),
        state: word(sidecar.status),
        started_unix: u64::try_from(sidecar.created_unix).unwrap_or_default(),
        expires_unix: sidecar.label(label::EXPIRES).parse().unwrap_or_default(),
        now_unix,
        sidecar: sidecar.name.clone(),
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Created => "never started",
        Status::Restarting | Status::Removing => "going",
        Status::Exited | Status::Dead => "ended",
        Status::Unknown => "unknown",
    }
}

fn ago(later_unix: u64, earlier_unix: u64) -> String {
    human::Elapsed(Duration::from_secs(later_unix.saturating_sub(earlier_unix))).to_string()
}
