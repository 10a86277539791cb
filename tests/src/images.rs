//! Images that an engine should not run.

use std::fs::File;
use std::io::Read as _;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::{agent_image_dir, docker, docker_ok, unique};

/// The agent's image for another architecture, under a tag of its own. Removed when it goes out of scope.
pub struct ForeignImage {
    pub tag: String,
}

impl ForeignImage {
    /// Loads it. The archive carries the tag that the CLI uses, which must not be moved: others use it.
    pub fn load() -> Self {
        let tag = format!("dbgctl-test/foreign:{}", unique("image"));
        let archive = tempfile::NamedTempFile::new().unwrap();
        let from = File::open(agent_image_dir().join("arm64.tar.gz")).unwrap();
        let into = GzEncoder::new(archive.reopen().unwrap(), Compression::fast());
        retag(GzDecoder::new(from), into, &tag);
        docker_ok(&["load", "-q", "-i", archive.path().to_str().unwrap()]);
        Self { tag }
    }
}

impl Drop for ForeignImage {
    fn drop(&mut self) {
        docker(&["image", "rm", &self.tag]);
    }
}

/// Copies an archive as `docker save` writes it, with another tag in its manifest.
fn retag(from: impl std::io::Read, into: GzEncoder<File>, tag: &str) {
    let mut from = tar::Archive::new(from);
    let mut into = tar::Builder::new(into);
    for entry in from.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut header = entry.header().clone();
        let path = entry.path().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if path.as_os_str() == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(&content).unwrap();
            manifest[0]["RepoTags"] = Value::from(vec![tag]);
            content = serde_json::to_vec(&manifest).unwrap();
        }
        header.set_size(content.len().try_into().unwrap());
        into.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    into.into_inner().unwrap().finish().unwrap();
}
