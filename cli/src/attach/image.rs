//! The agent's image: carried inside the CLI, or an approved one of the user's.

use serde::Deserialize;

use super::docker::{Engine, EngineError};
use super::facts::Image;
use super::spec::AGENT_PATH;
use crate::error::Error;
use crate::render::Notes;

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The tag under which the carried image is loaded.
pub(crate) const TAG: &str = concat!("dbgctl/agent:", env!("CARGO_PKG_VERSION"));

/// An image archive inside the CLI.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded {
    /// As image configurations name it, for example "amd64".
    pub(crate) architecture: &'static str,
    /// As `docker save` would write it, compressed with gzip.
    pub(crate) archive: &'static [u8],
    /// The image's configuration, as in the archive.
    config: &'static str,
}

/// Which image a sidecar is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The one that the CLI carries.
    Carried,
    /// One that someone has approved.
    Approved {
        /// A name with tag or digest.
        reference: String,
        pull: Pull,
    },
}

/// Whether an image may be fetched from its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pull {
    /// Use what is in the engine, or fail.
    Never,
    /// Fetch it if it is not in the engine.
    Missing,
    /// Fetch it each time.
    Always,
}

/// The parts of an image configuration that decide whether two images are the same.
#[derive(Debug, Deserialize)]
struct Config {
    architecture: String,
    os: String,
    config: RunConfig,
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunConfig {
    user: String,
    entrypoint: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Embedded {
    /// All that this CLI carries.
    pub(crate) fn all() -> &'static [Self] {
        EMBEDDED
    }

    /// The one for an engine of that architecture.
    pub(crate) fn of(architecture: &str) -> Result<Self, Error> {
        let found = EMBEDDED.iter().find(|embedded| embedded.architecture == architecture).copied();
        found.ok_or_else(|| {
            let (because, suggestion) = if EMBEDDED.is_empty() {
                (
                    "this dbgctl was built without the agent's images".to_owned(),
                    "build it with `cargo xtask image && cargo build --release -p dbgctl`, or name an image with --image",
                )
            } else {
                (
                    format!("this dbgctl carries no agent for {architecture}"),
                    "name an image for that architecture with --image",
                )
            };
            Error::new(format!("provide the agent's image for {architecture}"), because, suggestion)
        })
    }

    /// The diff id of the only layer: the digest of what is in the image.
    pub(crate) fn diff_id(self) -> String {
        self.parsed().rootfs.diff_ids.into_iter().next().unwrap_or_default()
    }

    /// Whether `image` is this one. Ids can not tell: they differ between engines' stores.
    pub(crate) fn is(self, image: &Image) -> bool {
        let expected = self.parsed();
        image.layers == expected.rootfs.diff_ids
            && image.architecture == expected.architecture
            && image.os == expected.os
            && image.user == expected.config.user
            && image.entrypoint == expected.config.entrypoint
            && image.env.iter().all(|variable| variable.starts_with("PATH="))
    }

    fn parsed(self) -> Config {
        // Written by this project's own build, and read back by a test.
        serde_json::from_str(self.config).unwrap_or_else(|_| Config {
            architecture: String::new(),
            os: String::new(),
            config: RunConfig { user: String::new(), entrypoint: Vec::new() },
            rootfs: RootFs { diff_ids: Vec::new() },
        })
    }
}

/// Makes sure that the engine has the carried image, and returns the id that the engine knows it by.
///
/// `found` is what the engine has under [`TAG`] already.
pub(crate) async fn ensure_carried(
    engine: &Engine,
    notes: Notes,
    architecture: &str,
    found: Result<Image, EngineError>,
) -> Result<String, Error> {
    let embedded = Embedded::of(architecture)?;
    let failed =
        |error: &EngineError| Error::engine(format!("load the agent's image {TAG} into the engine"), error);
    match found {
        Ok(image) if embedded.is(&image) => return Ok(image.id),
        // Another image under our tag, or none: loading moves the tag.
        Ok(_) | Err(EngineError::NotFound(_)) => {}
        Err(error) => return Err(failed(&error)),
    }
    let loading = format!("loading the agent's image {TAG} into the engine");
    notes.if_it_takes_long(&loading, engine.load(embedded.archive)).await.map_err(|error| failed(&error))?;
    let loaded = engine.image(TAG).await.map_err(|error| failed(&error))?;
    if embedded.is(&loaded) {
        return Ok(loaded.id);
    }
    Err(Error::new(
        format!("load the agent's image {TAG} into the engine"),
        "what the engine has under that name afterwards is not what was loaded",
        "something else is tagging images under that name: find it, then try again",
    ))
}

/// Makes sure that the engine has an approved image of the right architecture, and returns its id.
pub(crate) async fn ensure_approved(
    engine: &Engine,
    notes: Notes,
    architecture: &str,
    reference: &str,
    pull: Pull,
) -> Result<String, Error> {
    let what = format!("use the image {reference}");
    let mut found = engine.image(reference).await;
    let missing = matches!(found, Err(EngineError::NotFound(_)));
    if pull == Pull::Always || (missing && pull == Pull::Missing) {
        let pulling = format!("pulling the image {reference}");
        notes.if_it_takes_long(&pulling, engine.pull(reference)).await.map_err(|error| Error {
            suggestion: "check the name and whether the engine can reach the registry; --pull never uses what is there"
                .to_owned(),
            ..Error::engine(format!("pull the image {reference}"), &error)
        })?;
        found = engine.image(reference).await;
    } else if missing {
        return Err(Error::new(
            what,
            "it is not in the engine, and pulling is not allowed (--pull never)",
            format!(
                "allow it with --pull missing, or bring it there: `docker load`, `docker pull {reference}`"
            ),
        ));
    }
    let image = found.map_err(|error| Error::engine(what.clone(), &error))?;
    if image.architecture != architecture {
        return Err(Error::new(
            what,
            format!("it is built for {}, the engine runs {architecture}", image.architecture),
            "name the image of the engine's architecture, best by digest",
        ));
    }
    if image.entrypoint != [AGENT_PATH] {
        return Err(Error::new(
            what,
            format!("its entry point is {:?}, not the agent at {AGENT_PATH}", image.entrypoint),
            "`dbgctl image save` writes the image that an approved copy should be made from",
        ));
    }
    Ok(image.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:aa"]},
        "config":{"User":"65533:65533","Entrypoint":["/agent"]}}"#;

    fn image() -> Image {
        Image {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            layers: vec!["sha256:aa".to_owned()],
            user: "65533:65533".to_owned(),
            entrypoint: vec!["/agent".to_owned()],
            ..Image::default()
        }
    }

    #[test]
    fn an_image_is_recognised_by_its_layers_and_configuration_not_by_its_id() {
        let embedded = Embedded { architecture: "amd64", archive: &[], config: CONFIG };
        assert!(embedded.is(&Image { id: "sha256:any".to_owned(), ..image() }));
        assert!(!embedded.is(&Image { layers: vec!["sha256:bb".to_owned()], ..image() }));
        assert!(!embedded.is(&Image { user: "0".to_owned(), ..image() }));
        assert!(!embedded.is(&Image { env: vec!["LD_PRELOAD=/x".to_owned()], ..image() }));
    }

    #[test]
    fn what_is_carried_describes_itself() {
        for embedded in Embedded::all() {
            assert!(embedded.diff_id().starts_with("sha256:"), "{}", embedded.architecture);
            assert_eq!(embedded.parsed().architecture, embedded.architecture);
        }
    }
}
