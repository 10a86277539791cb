//! `image`: the agent's image, for those who approve it before it is used.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::attach::Attacher;
use crate::attach::docker::EngineError;
use crate::attach::image::{Embedded, TAG, ensure_carried};
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{Column, Format, Object, Output, Row};

pub(crate) const EXAMPLES: &str = "\
Examples:
  dbgctl image inspect                    what dbgctl carries, and whether the engine has it
  dbgctl image load                       give it to the engine before the first question
  dbgctl image save agent.tar             for those who approve it first
  dbgctl image save - --arch arm64 | docker -H tcp://other:2375 load";

/// What can be done with the image.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Load the image for this engine's architecture, as the first question would
    Load,
    /// Write the image to a file that `docker load` and registry tools read
    Save {
        /// Where to; - for standard output
        file: PathBuf,
        /// Architecture of the image: amd64 or arm64 [default: the engine's]
        #[arg(long, value_name = "ARCH")]
        arch: Option<String>,
    },
    /// Show which images dbgctl carries, and whether the engine has them
    Inspect,
}

pub(crate) async fn run(attacher: &Attacher, command: Command, format: Format) -> Result<Exit, Error> {
    match command {
        Command::Load => load(attacher).await,
        Command::Save { file, arch } => save(attacher, &file, arch).await,
        Command::Inspect => inspect(attacher, format).await,
    }
}

async fn architecture(attacher: &Attacher) -> Result<String, Error> {
    let known = attacher.engine.architecture().await;
    known.map_err(|error| Error::engine("learn the engine's architecture", &error))
}

async fn load(attacher: &Attacher) -> Result<Exit, Error> {
    let architecture = architecture(attacher).await?;
    let found = attacher.engine.image(TAG).await;
    let id = ensure_carried(&attacher.engine, attacher.notes, &architecture, found).await?;
    attacher.notes.note(format!("the engine has {TAG} for {architecture} as {id}"));
    Ok(Exit::Answered)
}

async fn save(attacher: &Attacher, file: &Path, arch: Option<String>) -> Result<Exit, Error> {
    let architecture = match arch {
        Some(arch) => arch,
        None => architecture(attacher).await?,
    };
    let archive = Embedded::of(&architecture)?.archive;
    let written = if file == Path::new("-") {
        io::stdout().lock().write_all(archive)
    } else {
        fs::write(file, archive)
    };
    let to = file.display();
    written.map_err(|error| {
        Error::new(format!("write the image to {to}"), error.to_string(), "name another file")
    })?;
    if file != Path::new("-") {
        attacher
            .notes
            .note(format!("wrote {TAG} for {architecture} to {to}; `docker load -i {to}` loads it"));
    }
    Ok(Exit::Answered)
}

/// One image that dbgctl carries.
struct Carried {
    embedded: Embedded,
    /// What the engine calls it. `None`: it does not have it.
    loaded_as: Option<String>,
}

impl Row for Carried {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::text("ARCH", |row| row.embedded.architecture.into()),
        Column::bytes("SIZE", |row| Some(compressed_bytes(row))),
        Column::text("CONTENT", |row| row.embedded.diff_id().into()),
        Column::text("IN THE ENGINE", |row| row.loaded_as.as_deref().unwrap_or("no").into()),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        object.text("architecture", self.embedded.architecture);
        object.text("tag", TAG);
        object.number("compressed_bytes", compressed_bytes(self));
        object.text("diff_id", self.embedded.diff_id().as_str());
        object.text("loaded_as", self.loaded_as.as_deref());
    }
}

fn compressed_bytes(row: &Carried) -> u64 {
    u64::try_from(row.embedded.archive.len()).unwrap_or(u64::MAX)
}

async fn inspect(attacher: &Attacher, format: Format) -> Result<Exit, Error> {
    let loaded = match attacher.engine.image(TAG).await {
        Ok(image) => Some(image),
        Err(EngineError::NotFound(_)) => None,
        Err(error) => return Err(Error::engine("ask the engine for the agent's image", &error)),
    };
    let rows: Vec<_> = Embedded::all()
        .iter()
        .map(|&embedded| {
            let loaded_as = loaded.as_ref().filter(|image| embedded.is(image)).map(|image| image.id.clone());
            Carried { embedded, loaded_as }
        })
        .collect();
    if rows.is_empty() {
        attacher.notes.note("this dbgctl was built without the agent's images");
    }
    super::show(&mut Output::stdout(format), &rows)
}
