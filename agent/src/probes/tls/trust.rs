//! Whom the target trusts: the certificates that its programs would look at, as far as they can be found.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use dbgctl_linux::procfs::environ;
use dbgctl_linux::{Buffer, LastLink, Pid, ReadError};
use dbgctl_proto::v1;
use dbgctl_proto::v1::TrustSource;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use crate::patience::{Answer, Patience};
use crate::sources::Sources;

/// Where distributions have it, as Go's crypto/x509 and OpenSSL look for it.
const USUAL: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Mozilla's has a quarter of a megabyte.
const LONGEST_STORE_BYTES: usize = 4 << 20;
/// Mozilla's has 150.
const MOST_ANCHORS: usize = 4096;

/// The certificates that are trusted.
pub(super) struct Store {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) told: v1::TrustStore,
}

/// Reads the store of the target, or takes the one that is built in and says why.
pub(super) async fn read(sources: Arc<Sources>, wanted: Vec<u8>, lacks_ptrace: bool) -> Store {
    if lacks_ptrace {
        return built_in(TrustSource::BuiltIn, "the target's files can not be read at this level".to_owned());
    }
    let read = tokio::task::spawn_blocking(move || of_target(&sources, &wanted)).await;
    read.unwrap_or_else(|panic| built_in(TrustSource::BuiltIn, panic.to_string()))
}

fn built_in(source: TrustSource, reason: String) -> Store {
    let anchors = webpki_roots::TLS_SERVER_ROOTS.to_vec();
    let certificates = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    let told = v1::TrustStore { source: source.into(), certificates, reason, ..v1::TrustStore::default() };
    Store { anchors, told }
}

fn of_target(sources: &Arc<Sources>, wanted: &[u8]) -> Store {
    let target = match sources.target_init() {
        Ok(target) => target,
        Err(error) => return built_in(TrustSource::BuiltIn, error.to_string()),
    };
    if !wanted.is_empty() {
        return match file(sources, target, wanted) {
            Ok(bytes) => store(TrustSource::Request, wanted, &bytes),
            // Whoever names a file wants no other.
            Err(reason) => Store {
                anchors: Vec::new(),
                told: v1::TrustStore {
                    source: TrustSource::Request.into(),
                    path: wanted.to_vec(),
                    reason,
                    ..v1::TrustStore::default()
                },
            },
        };
    }
    if let Some(path) = from_environment(sources, target)
        && let Ok(bytes) = file(sources, target, &path)
    {
        return store(TrustSource::Environment, &path, &bytes);
    }
    let mut hindered = None;
    for path in USUAL {
        match file(sources, target, path.as_bytes()) {
            Ok(bytes) => return store(TrustSource::System, path.as_bytes(), &bytes),
            Err(reason) if reason == ABSENT => {}
            Err(reason) => hindered = Some(format!("{path}: {reason}")),
        }
    }
    match hindered {
        Some(reason) => built_in(TrustSource::BuiltIn, reason),
        None => {
            built_in(TrustSource::NoneInTarget, "the target has none where programs look for it".to_owned())
        }
    }
}

fn from_environment(sources: &Sources, target: Pid) -> Option<Vec<u8>> {
    let mut buffer = Buffer::default();
    // Of another user's process it is not for level 1 to read: most programs have none.
    let environment = environ::read(sources.root(), target, &mut buffer).ok()?;
    let found = environment.variables().find(|variable| variable.name == Some(b"SSL_CERT_FILE"));
    found.map(|variable| variable.value.to_vec()).filter(|path| path.starts_with(b"/"))
}

const ABSENT: &str = "there is no such file";

/// The content of a file of the target, or why there is none.
fn file(sources: &Arc<Sources>, target: Pid, path: &[u8]) -> Result<Vec<u8>, String> {
    let asked = sources.clone();
    // It may lie in a file system that does not answer.
    let mut patience = Patience::new(sources.held().clone(), move |path: &[u8]| {
        let root = asked.root().target(target)?;
        let found = root.find(Path::new(OsStr::from_bytes(path)), LastLink::Follow)?;
        let mut buffer = Buffer::default();
        Ok::<_, ReadError>(found.file()?.read(LONGEST_STORE_BYTES, &mut buffer)?.to_vec())
    });
    match patience.ask(path) {
        Answer::Came(Ok(bytes)) => Ok(bytes),
        Answer::Came(Err(error)) if error.is_gone() => Err(ABSENT.to_owned()),
        Answer::Came(Err(error)) => Err(error.reason().to_string()),
        Answer::Late | Answer::NotAsked => Err("its file system does not answer".to_owned()),
    }
}

fn store(source: TrustSource, path: &[u8], pem: &[u8]) -> Store {
    let mut anchors = Vec::new();
    let mut unusable = 0;
    for certificate in CertificateDer::pem_slice_iter(pem).take(MOST_ANCHORS) {
        let anchor = certificate.ok().and_then(|it| Some(anchor_from_trusted_cert(&it).ok()?.to_owned()));
        match anchor {
            Some(anchor) => anchors.push(anchor),
            None => unusable += 1,
        }
    }
    let certificates = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    let told = v1::TrustStore {
        source: source.into(),
        path: path.to_vec(),
        certificates,
        unusable,
        reason: String::new(),
    };
    Store { anchors, told }
}
