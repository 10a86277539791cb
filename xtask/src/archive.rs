//! Packs files into an image that `docker load` accepts, without an engine.
//!
//! Format: a docker-archive is a tar with `manifest.json`, the image's configuration and its layers.
//! Same files and same settings give the same bytes: names are hashes, times are zero, and nothing of the
//! machine gets in.

use std::borrow::Cow;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Result;
use crate::arch::Arch;

/// What goes into an image.
pub(crate) struct Contents<'a> {
    pub(crate) arch: Arch,
    /// Name and tag under which an engine will list it.
    pub(crate) tag: &'a str,
    pub(crate) files: &'a [File<'a>],
    /// The program, and what it is started with.
    pub(crate) entrypoint: &'a [&'a str],
    /// As in `docker run --user`; empty for root.
    pub(crate) user: &'a str,
    pub(crate) labels: Value,
    /// How hard to try to make the archive small.
    pub(crate) compression: Compression,
}

/// A file or, if its path ends in `/`, a directory.
#[derive(Clone)]
pub(crate) struct File<'a> {
    /// Below `/`, without a leading one.
    pub(crate) path: Cow<'a, str>,
    pub(crate) mode: u32,
    /// User and group.
    pub(crate) owner: u64,
    pub(crate) content: Cow<'a, [u8]>,
}

impl<'a> File<'a> {
    /// A file of root's that everyone may read, and execute if `mode` says so.
    pub(crate) fn new(path: impl Into<Cow<'a, str>>, mode: u32, content: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { path: path.into(), mode, owner: 0, content: content.into() }
    }
}

/// An image ready to be written to disk.
pub(crate) struct Image {
    /// The configuration, byte for byte as it stands in the archive. Its SHA-256 is the image's id.
    pub(crate) config: Vec<u8>,
    /// The docker-archive, compressed with gzip.
    pub(crate) archive: Vec<u8>,
    /// Size of the unpacked layer.
    pub(crate) layer_bytes: usize,
}

/// Packs `contents`.
pub(crate) fn pack(contents: &Contents<'_>) -> Result<Image> {
    let layer = tar_of(contents.files)?;
    let layer_digest = sha256_hex(&layer);
    let config = serde_json::to_vec(&config(contents, &layer_digest))?;
    let config_name = format!("{}.json", sha256_hex(&config));
    let layer_name = format!("{layer_digest}.tar");
    let manifest = serde_json::to_vec(&json!([{
        "Config": &config_name,
        "RepoTags": [contents.tag],
        "Layers": [&layer_name],
    }]))?;
    let archive = tar_of(&[
        File::new(&config_name, 0o444, &config),
        File::new(&layer_name, 0o444, &layer),
        File::new("manifest.json", 0o444, &manifest),
    ])?;
    Ok(Image { archive: gzip(&archive, contents.compression)?, layer_bytes: layer.len(), config })
}

/// The image's configuration, see the OCI image specification.
fn config(contents: &Contents<'_>, layer_digest: &str) -> Value {
    json!({
        "architecture": contents.arch.docker(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "User": contents.user,
            "Env": [],
            "Entrypoint": contents.entrypoint,
            "Labels": contents.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask" }],
    })
}

fn tar_of(files: &[File<'_>]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let is_directory = file.path.ends_with('/');
        let kind = if is_directory { tar::EntryType::Directory } else { tar::EntryType::Regular };
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(file.mode);
        header.set_uid(file.owner);
        header.set_gid(file.owner);
        header.set_mtime(0);
        header.set_size(u64::try_from(file.content.len())?);
        tar.append_data(&mut header, &*file.path, &*file.content)?;
    }
    Ok(tar.into_inner()?)
}

/// Compressed with a header that names neither file, time nor system.
fn gzip(content: &[u8], compression: Compression) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), compression);
    gzip.write_all(content)?;
    Ok(gzip.finish()?)
}

fn sha256_hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn sample() -> Image {
        let labels = json!({ "org.opencontainers.image.title": "sample" });
        let contents = Contents {
            arch: Arch::Arm64,
            tag: "dbgctl/sample:1",
            files: &[File::new("agent", 0o555, b"\x7fELF sample")],
            entrypoint: &["/agent"],
            user: "65533:65533",
            labels,
            compression: Compression::best(),
        };
        pack(&contents).unwrap()
    }

    #[test]
    fn the_same_contents_give_the_same_bytes() {
        assert_eq!(sample().archive, sample().archive);
    }

    #[test]
    fn the_archive_names_its_parts_by_their_hashes() {
        let image = sample();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(image.archive.as_slice()).read_to_end(&mut unpacked).unwrap();
        let mut files = Vec::new();
        for entry in tar::Archive::new(unpacked.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.push((name, content));
        }
        let [(config_name, config), (layer_name, layer), (manifest_name, manifest)] =
            files.try_into().unwrap();

        assert_eq!(config, image.config);
        assert_eq!(config_name, format!("{}.json", sha256_hex(&config)));
        assert_eq!(layer_name, format!("{}.tar", sha256_hex(&layer)));
        assert_eq!(layer.len(), image.layer_bytes);
        assert_eq!(manifest_name, "manifest.json");
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest[0]["Layers"][0], Value::from(layer_name));
    }

    #[test]
    fn the_layer_holds_one_file_that_nobody_may_write() {
        let layer = tar_of(&[File::new("agent", 0o555, b"content")]).unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let entries: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().header().clone()).collect();
        let [header] = entries.as_slice() else { panic!("not one file: {}", entries.len()) };
        assert_eq!(header.mode().unwrap(), 0o555);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
    }
}
