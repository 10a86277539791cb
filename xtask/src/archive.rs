//! Packs one static binary into an image that `docker load` accepts, without an engine.
//!
//! Format: a docker-archive is a tar with `manifest.json`, the image's configuration and its layers.
//! Same binary and same settings give the same bytes: names are hashes, times are zero, and nothing of the
//! machine gets in.

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
    /// The one file of the image, below `/`, which is also its entrypoint.
    pub(crate) file_name: &'a str,
    pub(crate) file: &'a [u8],
    /// As in `docker run --user`; empty for root.
    pub(crate) user: &'a str,
    pub(crate) labels: Value,
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
    let layer = tar_of(&[(contents.file_name, 0o555, contents.file)])?;
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
        (&config_name, 0o444, &config),
        (&layer_name, 0o444, &layer),
        ("manifest.json", 0o444, &manifest),
    ])?;
    Ok(Image { archive: gzip(&archive)?, layer_bytes: layer.len(), config })
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
            "Entrypoint": [format!("/{}", contents.file_name)],
            "Labels": contents.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask" }],
    })
}

fn tar_of(files: &[(&str, u32, &[u8])]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, mode, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(content.len())?);
        tar.append_data(&mut header, name, *content)?;
    }
    Ok(tar.into_inner()?)
}

/// Compressed with a header that names neither file, time nor system.
fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
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
            file_name: "agent",
            file: b"\x7fELF sample",
            user: "65533:65533",
            labels,
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
        let layer = tar_of(&[("agent", 0o555, b"content")]).unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let entries: Vec<_> =
            archive.entries().unwrap().map(|entry| entry.unwrap().header().clone()).collect();
        let [header] = entries.as_slice() else { panic!("not one file: {}", entries.len()) };
        assert_eq!(header.mode().unwrap(), 0o555);
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
    }
}
