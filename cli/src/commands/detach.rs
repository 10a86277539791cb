//! `detach`: ends sessions.

use crate::attach::Attacher;
use crate::attach::facts::Summary;
use crate::attach::spec::{Kind, label};
use crate::error::Error;
use crate::exit::Exit;

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl detach web      ends the sessions that look into the container web
  dbgctl detach --all    ends all of them in this engine, also those of other users

The container is not touched: only the sidecars are removed.";

/// Arguments of `detach`.
#[derive(Debug, clap::Args)]
#[group(required = true)]
pub(crate) struct Args {
    /// A container whose sessions end, by name or id; or one session, by its id or sidecar
    name: Option<String>,

    /// End all sessions in this engine, also those of others
    #[arg(long, conflicts_with = "name")]
    all: bool,
}

pub(crate) async fn run(attacher: &Attacher, args: Args) -> Result<Exit, Error> {
    let what = || match &args.name {
        Some(name) => format!("end the session of {name:?}"),
        None => "end the sessions".to_owned(),
    };
    let sidecars = attacher.sidecars().await;
    let sidecars = sidecars.map_err(|error| Error::engine(what(), &error))?;
    let meant: Vec<_> = sidecars
        .iter()
        .filter(|sidecar| sidecar.label(label::KIND) == Kind::Session.name())
        .filter(|sidecar| args.name.as_deref().is_none_or(|name| is_meant(sidecar, name)))
        .collect();
    if let (true, Some(_)) = (meant.is_empty(), &args.name) {
        return Err(Error::new(what(), "there is no such session", "`dbgctl sessions` lists them"));
    }
    for sidecar in &meant {
        attacher.engine.remove(&sidecar.id).await.map_err(|error| Error::engine(what(), &error))?;
        attacher.notes.note(format!(
            "session {} of `{}` ended",
            sidecar.label(label::SESSION),
            sidecar.label(label::TARGET_NAME)
        ));
    }
    Ok(Exit::Answered)
}

fn is_meant(sidecar: &Summary, name: &str) -> bool {
    sidecar.name == name
        || sidecar.label(label::SESSION) == name
        || sidecar.label(label::TARGET_NAME) == name
        || (name.len() >= 4 && sidecar.label(label::TARGET).starts_with(name))
}
