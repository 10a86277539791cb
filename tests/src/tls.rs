//! Certificates of every kind, good and bad, and servers that present them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

/// The name that good certificates are for.
pub const NAME: &str = "good.test";

/// Who issues certificates.
pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a certificate is to be.
pub struct Wish {
    pub name: &'static str,
    pub years: (i32, i32),
    pub for_servers: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self { name: NAME, years: (2020, 2090), for_servers: true }
    }
}

/// A chain with the key of its first certificate.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    params
}

/// One that has signed itself.
pub fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

/// One that another has signed.
pub fn intermediate(name: &str, by: &Authority) -> Authority {
    CertifiedIssuer::signed_by(authority_params(name), KeyPair::generate().unwrap(), by).unwrap()
}

impl Wish {
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::new(vec![self.name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, self.name);
        let (from, to) = self.years;
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let purpose = if self.for_servers {
            ExtendedKeyUsagePurpose::ServerAuth
        } else {
            ExtendedKeyUsagePurpose::ClientAuth
        };
        params.extended_key_usages = vec![purpose];
        params
    }

    /// Signed by `by`; `also_sent` stand behind it in the chain.
    pub fn signed_by(&self, by: &Authority, also_sent: &[&Authority]) -> Identity {
        let key = KeyPair::generate().unwrap();
        let own = self.params().signed_by(&key, by).unwrap();
        let others = also_sent.iter().map(|authority| authority.der().clone());
        Identity { chain: [own.der().clone()].into_iter().chain(others).collect(), key }
    }

    /// Signed by itself.
    pub fn self_signed(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let own = self.params().self_signed(&key).unwrap();
        Identity { chain: vec![own.der().clone()], key }
    }
}

/// A certificate as a file has it.
pub fn pem(authority: &Authority) -> String {
    authority.pem()
}

/// A configuration of a server that presents this, fitting or not.
pub fn config(
    identity: Identity,
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
    let key = provider.key_provider.load_private_key(key).unwrap();
    let resolver: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(identity.chain, key)));
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Serves `answer` to whoever has shaken hands and asked something, until this process ends.
pub fn serve(listener: TcpListener, config: Arc<ServerConfig>, answer: &'static str) {
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let config = config.clone();
            thread::spawn(move || {
                let mut session = ServerConnection::new(config).unwrap();
                let mut stream = rustls::Stream::new(&mut session, &mut client);
                // Whoever only shakes hands asks nothing.
                if let Ok(1..) = stream.read(&mut [0; 4096]) {
                    let _gone = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _gone = stream.flush();
                }
            });
        }
    });
}
